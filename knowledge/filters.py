"""Which chunks a search may find: collections, and what a filter asks of documents and pages. Decided in SQLite alone."""

# ruff: noqa: S608 — only constants and placeholders are put into the SQL below.
from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from knowledge.documents import KnowledgeError
from knowledge.scripts import marks

KINDS: dict[str, tuple[str, ...]] = {
    "pdf": ("pdf",),
    "word": ("docx", "doc", "odt", "rtf"),
    "sheet": ("xlsx", "xls", "ods", "csv", "tsv"),
    "slides": ("pptx", "ppt", "odp"),
    "web": ("html", "htm", "xhtml"),
    "text": ("txt", "md", "markdown", "rst", "log"),
    "book": ("epub",),
    "mail": ("eml", "mbox", "msg"),
    "code": ("py", "js", "ts", "java", "c", "h", "cpp", "cs", "go", "rs", "rb", "php", "sh", "sql", "ipynb"),
    "image": ("png", "jpg", "jpeg", "gif", "webp", "tif", "tiff", "bmp"),
    "recording": ("mp3", "wav", "flac", "ogg", "opus", "m4a", "mp4", "mkv", "webm", "mov"),
}
"""Endings of file names by kind. A web address without an ending of another kind is "web" too."""

ANSWERS = "s.state IN ('indexed', 'partial')"
EXACT_ROWS = 8000
"""Up to that many chunks are compared one by one."""


@dataclass(frozen=True)
class Filter:
    """What documents and pages must be; an empty field asks nothing, and within one field any value will do.

    `kinds` are keys of KINDS or endings such as "pdf"; `since` and `until` are ISO 8601 days or times of being added, both
    inclusive; `pages` are a first and a last page.
    """

    sources: Sequence[str] = ()
    kinds: Sequence[str] = ()
    tags: Sequence[str] = ()
    since: str = ""
    until: str = ""
    pages: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return self != Filter()


@dataclass(frozen=True)
class Scope:
    """Where a search looks. `rows` are the allowed chunks where they are few, None where they are many."""

    condition: str
    values: Sequence[str | int]
    rows: Sequence[int] | None

    def keep(self, db: sqlite3.Connection, rows: Iterable[int]) -> list[int]:
        """Those of `rows` that are allowed, in their order."""
        wanted = list(rows)
        found = db.execute(
            "SELECT c.rowid FROM chunks c CROSS JOIN sources s ON s.id = c.source_id"
            f" WHERE c.rowid IN (SELECT value FROM json_each(?)) AND {self.condition}",
            [json.dumps(wanted), *self.values],
        ).fetchall()
        allowed = {row for (row,) in found}
        return [row for row in wanted if row in allowed]


def scope_of(db: sqlite3.Connection, collections: Sequence[str], where: Filter | None = None) -> Scope:
    """Raises: KnowledgeError (unknown kind)."""
    parts = [(f"s.collection IN ({marks(collections)})", list[str | int](collections))]
    parts += list(_conditions(where or Filter()))
    condition = " AND ".join([ANSWERS, *(part for part, _ in parts)])
    values = [value for _, some in parts for value in some]
    # The cross join lets the few sources lead, not the many chunks.
    rows = db.execute(
        f"SELECT c.rowid FROM sources s CROSS JOIN chunks c ON c.source_id = s.id WHERE {condition} LIMIT {EXACT_ROWS + 1}",
        values,
    ).fetchall()
    return Scope(condition, values, [row for (row,) in rows] if len(rows) <= EXACT_ROWS else None)


def _conditions(where: Filter) -> Iterator[tuple[str, list[str | int]]]:
    if where.sources:
        yield f"s.source IN ({marks(where.sources)})", list(where.sources)
    if where.kinds:
        patterns = [pattern for kind in where.kinds for pattern in _patterns(kind)]
        web = f" OR ({_IS_PAGE})" if "web" in where.kinds else ""
        yield f"({' OR '.join(['lower(s.source) GLOB ?'] * len(patterns))}{web})", list(patterns)
    if where.tags:
        yield (
            "EXISTS (SELECT 1 FROM tags t WHERE t.collection = s.collection AND t.source = s.source"
            f" AND t.tag IN ({marks(where.tags)}))",
            [tag.casefold() for tag in where.tags],
        )
    if where.since:
        yield "s.added >= ?", [where.since]
    if where.until:
        # A day includes its evening.
        yield "substr(s.added, 1, ?) <= ?", [len(where.until), where.until]
    if where.pages:
        yield "c.page BETWEEN ? AND ?", list(where.pages)


_OTHER_ENDINGS = [ending for kind, endings in KINDS.items() if kind != "web" for ending in endings]
_IS_PAGE = "lower(s.source) GLOB 'http*://*'" + "".join(
    f" AND lower(s.source) NOT GLOB '*.{ending}'" for ending in _OTHER_ENDINGS
)


def _patterns(kind: str) -> list[str]:
    known = kind.casefold().lstrip(".")
    if known in KINDS:
        return [f"*.{ending}" for ending in KINDS[known]]
    if any(known in endings for endings in KINDS.values()):
        return [f"*.{known}"]
    raise KnowledgeError(f"There is no kind of document {kind!r}.", f"There are: {', '.join(KINDS)}.")
