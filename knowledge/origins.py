"""Where documents came from that can be read anew: web pages, sites and databases, in a SQLite file of its own.

It remembers what makes a refresh cheap (a page's tags, the hashes of a table's rows) and keeps each page as it was fetched.
It is no source of truth: lost, everything is read once more. Addresses of databases stand here without their passwords.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from knowledge.documents import KnowledgeError
from knowledge.elsewhere import Kind
from knowledge.ingest import now

SCHEMA = """
CREATE TABLE IF NOT EXISTS origins (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, address TEXT NOT NULL, collection TEXT NOT NULL,
    options TEXT NOT NULL, refreshed TEXT NOT NULL, UNIQUE (collection, address)
);
CREATE TABLE IF NOT EXISTS pages (
    origin_id INTEGER NOT NULL REFERENCES origins ON DELETE CASCADE,
    asked TEXT NOT NULL, source TEXT NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL, sha256 TEXT NOT NULL,
    content_type TEXT NOT NULL, charset TEXT NOT NULL, fetched TEXT NOT NULL, unwanted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (origin_id, asked)
);
CREATE TABLE IF NOT EXISTS rows (
    origin_id INTEGER NOT NULL REFERENCES origins ON DELETE CASCADE,
    key BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (origin_id, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS robots (host TEXT PRIMARY KEY, text TEXT NOT NULL, fetched TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Origin:
    """`address` is a URL; for a table or query of a database, that with `#name`. `options` is what was asked for with it."""

    id: int
    kind: Kind
    address: str
    collection: str
    options: Mapping[str, Any]
    refreshed: str


@dataclass(frozen=True)
class KeptPage:
    """A page as it was fetched. `asked` is the address that was asked for, `source` the document's name in the knowledge base;
    `unwanted`: somebody took it out, and it stays out."""

    asked: str
    source: str
    etag: str = ""
    modified: str = ""
    sha256: str = ""
    content_type: str = ""
    charset: str = ""
    fetched: str = field(default_factory=now)
    unwanted: bool = False


COLUMNS = tuple(f.name for f in fields(KeptPage))


class Origins:
    """Blocks briefly. One call is one transaction."""

    def __init__(self, folder: Path) -> None:
        """Raises: KnowledgeError when the folder cannot be used."""
        self._path = folder / "origins.sqlite3"
        self._pages = folder / "pages"
        self._guard = threading.RLock()
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=10.0, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.executescript(SCHEMA)

    def close(self) -> None:
        with self._guard:
            self._connection.close()

    def put(self, kind: Kind, address: str, collection: str, options: Mapping[str, Any]) -> Origin:
        with self._write() as db:
            db.execute(
                "INSERT INTO origins (kind, address, collection, options, refreshed) VALUES (?, ?, ?, ?, '')"
                " ON CONFLICT DO UPDATE SET kind = excluded.kind, options = excluded.options",
                [kind, address, collection, json.dumps(options)],
            )
        return next(origin for origin in self.all() if (origin.address, origin.collection) == (address, collection))

    def all(self) -> list[Origin]:
        with self._write() as db:
            rows = db.execute(
                "SELECT id, kind, address, collection, options, refreshed FROM origins ORDER BY id"
            ).fetchall()
        return [
            Origin(i, kind, address, where, json.loads(options), at) for i, kind, address, where, options, at in rows
        ]

    def by_document(self, collection: str) -> dict[str, Origin]:
        """Where the documents of a collection came from; for one that was added by itself and with its site, itself."""
        query = (
            "SELECT origin_id, source FROM pages WHERE unwanted = 0 UNION ALL"
            " SELECT id, address FROM origins WHERE kind = 'database'"
        )
        origins = {origin.id: origin for origin in self.all() if origin.collection == collection}
        with self._write() as db:
            rows = [row for row in db.execute(query).fetchall() if row[0] in origins]
        rows.sort(key=lambda row: origins[row[0]].kind != "site")
        return {source: origins[origin_id] for origin_id, source in rows}

    def mark_refreshed(self, origin: Origin) -> None:
        with self._write() as db:
            db.execute("UPDATE origins SET refreshed = ? WHERE id = ?", [now(), origin.id])
        self._sweep()

    def tidy(self, there: Set[tuple[str, str]]) -> None:
        """Forget what came of documents that were taken out: only pairs of (collection, source) in `there` are left. A page of
        a site stays out from now on; an origin with nothing left goes."""
        for origin in self.all():
            pages = self.pages(origin)
            left = [page for page in pages if not page.unwanted and (origin.collection, page.source) in there]
            if (pages and not left) or (
                origin.kind == "database" and origin.refreshed and (origin.collection, origin.address) not in there
            ):
                self.drop(origin)
            else:
                self._mark_unwanted(origin, [page.asked for page in pages if page not in left])

    def drop(self, origin: Origin) -> None:
        with self._write() as db:
            db.execute("DELETE FROM origins WHERE id = ?", [origin.id])
        self._sweep()

    def pages(self, origin: Origin) -> list[KeptPage]:
        return self._kept("WHERE origin_id = ?", origin.id)

    def original(self, source: str, collection: str) -> tuple[KeptPage, Path] | None:
        """A web document as it was fetched, and where it lies. It is foreign HTML: show it in a sandbox only."""
        where = "WHERE source = ? AND sha256 != '' AND origin_id IN (SELECT id FROM origins WHERE collection = ?)"
        found = self._kept(where, source, collection)
        file = self.file(found[0]) if found else None
        return (found[0], file) if file else None

    def file(self, page: KeptPage) -> Path | None:
        path = self._pages / page.sha256
        return path if page.sha256 and path.is_file() else None

    def keep_page(self, origin: Origin, page: KeptPage, file: Path | None) -> None:
        """Remember a page; `file` is copied. The file goes first, so that what is remembered is there; and in the transaction, so
        that nobody sweeps it away meanwhile."""
        with self._write() as db:
            if file is not None:
                self._pages.mkdir(exist_ok=True)
                aside = self._pages / f"{page.sha256}.part"
                shutil.copyfile(file, aside)
                aside.replace(self._pages / page.sha256)
            db.execute(
                "INSERT OR REPLACE INTO pages (origin_id, asked, source, etag, modified, sha256, content_type, charset, fetched)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [origin.id, page.asked, page.source, page.etag, page.modified, page.sha256, page.content_type, page.charset,
                 page.fetched],
            )  # fmt: skip

    def drop_page(self, origin: Origin, asked: str) -> None:
        with self._write() as db:
            db.execute("DELETE FROM pages WHERE origin_id = ? AND asked = ?", [origin.id, asked])
        self._sweep()

    def count_rows(self, origin: Origin) -> int:
        with self._write() as db:
            return int(db.execute("SELECT count(*) FROM rows WHERE origin_id = ?", [origin.id]).fetchone()[0])

    def row_hashes(self, origin: Origin, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Of these rows those that were read before, with the hash of what they held."""
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, hash FROM rows WHERE origin_id = ? AND key IN ({marks})"  # noqa: S608 only placeholders
        with self._write() as db:
            return dict(db.execute(query, [origin.id, *keys]).fetchall())

    def keep_rows(self, origin: Origin, rows: Iterator[tuple[bytes, bytes]]) -> None:
        """In place of all rows remembered so far."""
        with self._write() as db:
            db.execute("DELETE FROM rows WHERE origin_id = ?", [origin.id])
            db.executemany("INSERT INTO rows VALUES (?, ?, ?)", ((origin.id, key, hash_) for key, hash_ in rows))

    def robots(self, host: str, newer_than: str) -> str | None:
        with self._write() as db:
            row = db.execute("SELECT text FROM robots WHERE host = ? AND fetched > ?", [host, newer_than]).fetchone()
        return str(row[0]) if row else None

    def keep_robots(self, host: str, text: str) -> None:
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO robots VALUES (?, ?, ?)", [host, text, now()])

    def _mark_unwanted(self, origin: Origin, asked: Sequence[str]) -> None:
        change = (
            "UPDATE pages SET unwanted = 1, sha256 = '', etag = '', modified = '' WHERE origin_id = ? AND asked = ?"
        )
        with self._write() as db:
            db.executemany(change, [(origin.id, address) for address in asked])
        if asked:
            self._sweep()

    def _kept(self, where: str, *values: object) -> list[KeptPage]:
        with self._write() as db:
            rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM pages {where} ORDER BY rowid", values).fetchall()  # noqa: S608
        return [KeptPage(**{**dict(zip(COLUMNS, row, strict=True)), "unwanted": bool(row[-1])}) for row in rows]

    def _sweep(self) -> None:
        """Delete the files of pages that are remembered no longer."""
        with self._write() as db:
            needed = {row[0] for row in db.execute("SELECT DISTINCT sha256 FROM pages").fetchall()}
            for path in self._pages.glob("*") if self._pages.is_dir() else ():
                if path.name.removesuffix(".part") not in needed:
                    path.unlink(missing_ok=True)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._guard, self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise KnowledgeError(
                f"The list of origins {self._path} cannot be used: {error}.",
                "Free some space or make the folder writable.",
            ) from error
