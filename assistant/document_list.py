"""The documents of a person as the page lists them: narrowed down by name, sorted, a hundred rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.app_errors import in_language
from assistant.shelf import SHARED
from knowledge.knowledge_base import Source

ROWS = 100
Sort = Literal["title", "collection", "state", "pages", "chunks", "size", "added"]
Listed = tuple[Source, bool]
"""A document, and whether it is this person's to change."""


@dataclass(frozen=True)
class View:
    """What of the list is wanted. `collections` are those that are shown, `start` the first row, counting from 0."""

    q: str
    collections: Sequence[str]
    sort: Sort
    down: bool
    start: int


def list_documents(
    listed: Sequence[Listed],
    view: View,
    kept: Mapping[str, Path],
    synced: Mapping[tuple[str, str], Mapping[str, Any]],
    language: str,
) -> dict[str, Any]:
    """A hundred rows, and how many there are. `kept` are files by their content, `synced` those of other places by collection
    and source. Blocks: it looks at the files' sizes."""
    words = view.q.casefold().split()
    found = [
        (source, is_theirs)
        for source, is_theirs in listed
        if source.collection in view.collections
        and all(word in f"{source.title} {source.source}".casefold() for word in words)
    ]
    sizes = {source.sha256: _size(source, kept) for source, _ in found} if view.sort == "size" else {}
    found.sort(key=lambda row: _order(row[0], view.sort, sizes), reverse=view.down)
    start = view.start if view.start < len(found) else 0
    rows = [
        _row(source, is_theirs, _size(source, kept), language)
        | {"origin": synced.get((source.collection, source.source))}
        for source, is_theirs in found[start : start + ROWS]
    ]
    theirs = sum(is_theirs for _, is_theirs in listed)
    return {"rows": rows, "start": start, "count": len(found), "all": len(listed), "theirs": theirs}


def kept_files(folder: Path) -> dict[str, Path]:
    """The files that are kept, by their content: looking each one up would read the whole folder every time."""
    return {path.stem: path for path in folder.iterdir()} if folder.is_dir() else {}


def _order(source: Source, sort: Sort, sizes: Mapping[str, int | None]) -> tuple[Any, ...]:
    """What has no value counts as nothing; equals stand by name."""
    name = source.title.casefold()
    match sort:
        case "title":
            return (name,)
        case "size":
            return (sizes[source.sha256] or -1, name)
        case "pages":
            return (source.pages or -1, name)
        case "chunks":
            return (source.chunks, name)
        case _:
            return (getattr(source, sort), name)


def _row(source: Source, is_theirs: bool, size: int | None, language: str) -> dict[str, Any]:
    return {
        "collection": source.collection,
        "source": source.source,
        "title": source.title,
        "shared": source.collection == SHARED,
        "theirs": is_theirs,
        "state": source.state,
        "pages": source.pages,
        "chunks": source.chunks,
        "size": size,
        "added": source.added,
        "skipped": [{"page": s.page, "why": in_language(s.why, language)} for s in source.skipped],
    }


def _size(source: Source, kept: Mapping[str, Path]) -> int | None:
    """Of the file in bytes, where it is kept here or still lies where it was read."""
    for path in (kept.get(source.sha256), Path(source.source)):
        with contextlib.suppress(OSError):
            if path is not None and path.is_absolute():
                return path.stat().st_size
    return None
