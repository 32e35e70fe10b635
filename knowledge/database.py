"""The source of truth in SQLite: documents, their pages, their text in chunks, the vectors, and the lexical index (`lexical.py`).

A new document under way is "partial" and answers with what is there of it. One that replaces an older version is "pending"
and cannot be found until it takes that one's place in one transaction. What must yet be taken out of the vector index
stands in `stale` until that is done, what must yet be put in stands in `unplaced`, so that kill -9 leaves both in step.
"""

# ruff: noqa: S608 — only constants and placeholders are put into the SQL below.
from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from knowledge import lexical
from knowledge.database_file import connect, explained, open_file, quoted, text_digest
from knowledge.documents import Chunk, KnowledgeError, Page, Skipped, Source, SourceState
from knowledge.scripts import marks
from knowledge.vector_sets import VectorSets, check_serving, read_sets

EMPTYING_ATTEMPTS = 40
EMPTYING_WAIT_S = 0.05
_ANSWERS = "s.state IN ('indexed', 'partial')"
_FINDABLE = f"s.collection = ? AND {_ANSWERS}"
_CHUNK_COLUMNS = (
    "c.id, c.text, c.page, c.start_s, s.source, s.title, s.collection, c.vector, c.place, c.offset, s.state"
)
_PAGE_COLUMNS = "number, text, place, counted, first, start_s"
_SOURCE_COLUMNS = """s.id, s.source, s.title, s.state, s.pages, s.sha256, s.added, s.collection, s.skipped,
    (SELECT count(*) FROM chunks c WHERE c.source_id = s.id)"""


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as it was indexed, with its document and its unit vector, which is empty where it could not be embedded yet."""

    id: str
    text: str
    page: int | None
    start_s: float | None
    source: str
    title: str
    collection: str
    vector: np.ndarray
    place: str
    offset: int | None
    state: SourceState


class Database:
    """Blocks; meant for worker threads. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        """Raises: KnowledgeError when the folder or file cannot be used."""
        self._path = path
        self._guard = threading.RLock()
        with explained(path):
            self._connection, self.read_only = open_file(path)
            self._reader_guard = threading.RLock()
            self._reader = connect(f"file:{quoted(path)}?mode=ro{'&immutable=1' if self.read_only else ''}")

    def close(self) -> None:
        with self._guard, self._reader_guard:
            self._reader.close()
            self._connection.close()

    def sets(self) -> VectorSets:
        """Which embedding the vectors were made with, and which one is to take over."""
        with self.reading() as db:
            return read_sets(db)

    def set_embedding(self, name: str) -> None:
        with self._write() as db:
            db.execute(
                "INSERT INTO meta VALUES ('embedding', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [name],
            )

    def sources(self, collections: Sequence[str] | None = None) -> list[Source]:
        where, values = (
            ("", []) if collections is None else (f"WHERE s.collection IN ({marks(collections)})", [*collections])
        )
        with self._read() as db:
            rows = db.execute(
                f"SELECT {_SOURCE_COLUMNS} FROM sources s {where} ORDER BY s.added, s.id", values
            ).fetchall()
        return [_source(row) for row in rows]

    def indexed(self, collection: str, source: str) -> Source | None:
        with self._read() as db:
            row = db.execute(
                f"SELECT {_SOURCE_COLUMNS} FROM sources s WHERE s.collection = ? AND s.source = ? AND s.state = 'indexed'",
                [collection, source],
            ).fetchone()
        return _source(row) if row else None

    def twin(self, sha256: str) -> Source | None:
        """An indexed document with this content, in any collection."""
        with self._read() as db:
            row = db.execute(
                f"SELECT {_SOURCE_COLUMNS} FROM sources s WHERE s.sha256 = ? AND s.state = 'indexed' LIMIT 1", [sha256]
            ).fetchone()
        return _source(row) if row else None

    def source_id(self, source: Source) -> int:
        """The row of an indexed document. Raises: KnowledgeError when it has gone meanwhile."""
        with self._read() as db:
            row = db.execute(
                "SELECT id FROM sources WHERE collection = ? AND source = ? AND state = 'indexed'",
                [source.collection, source.source],
            ).fetchone()
        if row is None:
            raise KnowledgeError(f"{source.source} is no longer there.", "Add it again.")
        return int(row[0])

    def begin(self, source: Source, *, partial: bool = False) -> int:
        """Enter `source` as under way and return its id. An unfinished older try at the same content is gone on with, at any
        other it takes the place. With `partial` a document that has no older version answers meanwhile."""
        with self._write() as db:
            here = [source.collection, source.source]
            rows = db.execute(
                "SELECT id, sha256, state FROM sources WHERE collection = ? AND source = ? AND state <> 'indexed'", here
            ).fetchall()
            for row in rows:
                if row[1] == source.sha256 and row[2] != "failed":
                    return int(row[0])
                _drop(db, row[0])
            older = db.execute(
                "SELECT 1 FROM sources WHERE collection = ? AND source = ? AND state = 'indexed'", here
            ).fetchone()
            state = "partial" if partial and not older else "pending"
            return int(
                db.execute(
                    "INSERT INTO sources (collection, source, title, state, pages, sha256, added, skipped, is_read)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING id",
                    [*here, source.title, state, source.pages, source.sha256, source.added, _left_out(source.skipped)],
                ).fetchone()[0]
            )

    def add_pages(self, source_id: int, start: int, pages: Sequence[Page]) -> None:
        """Keep the text of pages, `start` of which are there already."""
        rows = [(source_id, start + i, *vars(page).values()) for i, page in enumerate(pages)]
        with self._write() as db:
            db.executemany(
                f"INSERT OR REPLACE INTO pages (source_id, position, {_PAGE_COLUMNS}) VALUES (?, ?, {marks(fields(Page))})",
                rows,
            )

    def copy_pages(self, from_id: int, to_id: int) -> None:
        """Give a document the pages of another with the same content."""
        with self._write() as db:
            db.execute(
                f"INSERT OR REPLACE INTO pages (source_id, position, {_PAGE_COLUMNS})"
                f" SELECT ?, position, {_PAGE_COLUMNS} FROM pages WHERE source_id = ?",
                [to_id, from_id],
            )

    def set_read(self, source_id: int, title: str, pages: int | None, skipped: Sequence[Skipped]) -> None:
        """Every page is in; what was left out is known."""
        with self._write() as db:
            db.execute(
                "UPDATE sources SET title = ?, pages = ?, skipped = ?, is_read = 1 WHERE id = ?",
                [title, pages, _left_out(skipped), source_id],
            )

    def set_page_count(self, source_id: int, title: str, pages: int | None) -> None:
        with self._write() as db:
            db.execute("UPDATE sources SET title = ?, pages = ? WHERE id = ?", [title, pages, source_id])

    def pages_of(self, source_id: int) -> tuple[bool, list[Page]]:
        """Whether all of a document was read, and its pages in order."""
        with self._read() as db:
            row = db.execute("SELECT is_read FROM sources WHERE id = ?", [source_id]).fetchone()
            rows = db.execute(
                f"SELECT {_PAGE_COLUMNS} FROM pages WHERE source_id = ? ORDER BY position", [source_id]
            ).fetchall()
        return bool(row and row[0] and rows), [Page(*page) for page in rows]

    def read_page(self, collection: str, source: str, number: int | None, place: str = "") -> Page | None:
        """A page of a document that can be found."""
        with self._read() as db:
            row = db.execute(
                f"SELECT {_PAGE_COLUMNS} FROM pages p JOIN sources s ON s.id = p.source_id"
                f" WHERE {_FINDABLE} AND s.source = ? AND p.number IS ? AND (? = '' OR p.place = ?)"
                " ORDER BY p.position LIMIT 1",
                [collection, source, number, place, place],
            ).fetchone()
        return Page(*row) if row else None

    def digests_of(self, source_id: int) -> list[bytes]:
        """What tells the texts of a document's chunks, in order."""
        with self._read() as db:
            query = "SELECT digest FROM chunks WHERE source_id = ? ORDER BY position"
            return [row[0] for row in db.execute(query, [source_id]).fetchall()]

    def known_vectors(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The vectors of those texts that any document holds word for word."""
        digests = {text_digest(text): text for text in texts}
        with self._read() as db:
            rows = db.execute(
                f"SELECT digest, text, vector FROM chunks WHERE digest IN ({marks([*digests])})", [*digests]
            ).fetchall()
        return {
            text: np.frombuffer(vector, dtype=np.float32)
            for key, text, vector in rows
            if vector and digests[key] == text
        }

    def add_chunks(
        self,
        source_id: int,
        start: int,
        ids: Sequence[str],
        chunks: Sequence[Chunk],
        vectors: Sequence[np.ndarray] | np.ndarray,
        embedding: str,
    ) -> str:
        """Keep chunks with the vectors that `embedding` made of them; returns the mark of the set that they belong to.

        Raises: EmbeddingChanged where another embedding answers by now.
        """
        rows = [
            (
                identity,
                source_id,
                start + i,
                chunk.page,
                chunk.start_s,
                chunk.text,
                vectors[i].astype(np.float32).tobytes(),
                chunk.place,
                chunk.offset,
                text_digest(chunk.text),
            )
            for i, (identity, chunk) in enumerate(zip(ids, chunks, strict=True))
        ]
        with self._write() as db:
            check_serving(db, embedding)
            db.executemany(
                "INSERT INTO chunks (id, source_id, position, page, start_s, text, vector, place, offset, digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            db.executemany("INSERT OR IGNORE INTO unplaced VALUES (?)", [[identity] for identity in ids])
            return read_sets(db).mark

    def unplaced(self) -> dict[str, tuple[list[str], np.ndarray]]:
        """By collection, the chunks that the vector index may not hold yet, and their vectors."""
        with self._read() as db:
            rows = db.execute(
                "SELECT s.collection, c.id, c.vector FROM unplaced u JOIN chunks c ON c.id = u.id"
                " JOIN sources s ON s.id = c.source_id WHERE c.vector <> x''"
            ).fetchall()
        found: dict[str, list[tuple[str, bytes]]] = {}
        for collection, identity, vector in rows:
            found.setdefault(collection, []).append((identity, vector))
        return {
            collection: ([i for i, _ in pairs], np.array([np.frombuffer(v, dtype=np.float32) for _, v in pairs]))
            for collection, pairs in found.items()
        }

    def clear_unplaced(self) -> None:
        with self._write() as db:
            db.execute("DELETE FROM unplaced")

    def cut_chunks(self, source_id: int, start: int) -> None:
        """Take out the chunks of a document from number `start` on."""
        with self._write() as db:
            _drop_chunks(db, source_id, start)

    def finish(self, source_id: int) -> None:
        """Make the pending document findable; its older version goes in the same transaction.

        Raises: KnowledgeError where it was taken out meanwhile.
        """
        with self._write() as db:
            row = db.execute("SELECT collection, source FROM sources WHERE id = ?", [source_id]).fetchone()
            if row is None:
                raise KnowledgeError("The document was taken out while it was read in.", "Add it again.")
            collection, source = row
            older = db.execute(
                "SELECT id FROM sources WHERE collection = ? AND source = ? AND state = 'indexed'", [collection, source]
            ).fetchall()
            for row in older:
                _drop(db, row[0])
            db.execute("UPDATE sources SET state = 'indexed', is_read = 1 WHERE id = ?", [source_id])
            db.execute("DELETE FROM unplaced WHERE id IN (SELECT id FROM chunks WHERE source_id = ?)", [source_id])

    def drop(self, source_id: int) -> None:
        """Give up a document that is under way."""
        with self._write() as db:
            if db.execute("SELECT 1 FROM sources WHERE id = ? AND state <> 'indexed'", [source_id]).fetchone():
                _drop(db, source_id)

    def forget(self, source: str, collection: str | None) -> int:
        """Take out all versions of `source`, in one collection or in all, so that the file holds none of it; how many went."""
        where, values = "source = ?", [source]
        if collection is not None:
            where, values = "source = ? AND collection = ?", [source, collection]
        return self._forget(where, values)

    def forget_all(self, collections: Sequence[str] | None) -> int:
        """Take out everything, or all of some collections, and the jobs that would bring more; how many documents went."""
        where, values = ("1", []) if collections is None else (f"collection IN ({marks(collections)})", [*collections])
        with self._write() as db:
            db.execute(f"DELETE FROM jobs WHERE {where}", values)
        return self._forget(where, values)

    def _forget(self, where: str, values: Sequence[str]) -> int:
        with self._write() as db:
            rows = db.execute(f"SELECT id FROM sources WHERE {where}", values).fetchall()
            for row in rows:
                _drop(db, row[0])
            lexical.merge_deleted(db)
        self._empty_log()
        return len(rows)

    def _empty_log(self) -> None:
        """Deleted pages stay in the write-ahead log until it is written over, which waits for whoever reads."""
        for _attempt in range(EMPTYING_ATTEMPTS):
            with self._guard, explained(self._path):
                busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                return
            time.sleep(EMPTYING_WAIT_S)

    def mark_interrupted(self) -> None:
        """What a dead process left under way is listed as failed and its chunks go, unless a job will go on with it."""
        why = json.dumps([[None, "reading it was interrupted; add it again"]])
        with self._write() as db:
            rows = db.execute(
                "SELECT id FROM sources s WHERE state IN ('pending', 'partial') AND NOT EXISTS (SELECT 1 FROM jobs j"
                " WHERE j.collection = s.collection AND j.source = s.source AND j.finished IS NULL)"
            ).fetchall()
            for (source_id,) in rows:
                _drop_chunks(db, source_id)
                db.execute("DELETE FROM pages WHERE source_id = ?", [source_id])
                db.execute("UPDATE sources SET state = 'failed', skipped = ? WHERE id = ?", [why, source_id])

    def stale(self) -> list[tuple[str, str]]:
        """Pairs of (collection, chunk id) to take out of the vector index, unless the id is in use again."""
        with self._read() as db:
            return [
                (row[0], row[1])
                for row in db.execute(
                    "SELECT collection, id FROM stale WHERE id NOT IN (SELECT id FROM chunks)"
                ).fetchall()
            ]

    def clear_stale(self, pairs: Sequence[tuple[str, str]]) -> None:
        with self._write() as db:
            db.executemany("DELETE FROM stale WHERE collection = ? AND id = ?", pairs)
            db.execute("DELETE FROM stale WHERE id IN (SELECT id FROM chunks)")

    def collections(self) -> list[str]:
        with self._read() as db:
            return [row[0] for row in db.execute("SELECT DISTINCT collection FROM sources").fetchall()]

    def count_vectors(self, collection: str) -> int:
        """How many findable chunks of a collection have a vector."""
        query = f"SELECT count(*) FROM chunks c JOIN sources s ON s.id = c.source_id WHERE {_FINDABLE}"
        with self.reading() as db:
            every = int(db.execute(query, [collection]).fetchone()[0])
            return every - int(db.execute(f"{query} AND c.vector = x''", [collection]).fetchone()[0])

    def vectors(
        self, collection: str, *, sample: int | None = None, whole: bool = False
    ) -> tuple[list[str], np.ndarray]:
        """Findable chunk ids of a collection and their vectors, float32, shape (chunks, dimensions); `sample`: some by chance;
        `whole`: also those that cannot be found yet."""
        where = "s.collection = ?" if whole else _FINDABLE
        end = f"ORDER BY random() LIMIT {sample:d}" if sample else ""
        with self._read() as db:
            rows = db.execute(
                f"SELECT c.id, c.vector FROM chunks c JOIN sources s ON s.id = c.source_id WHERE {where}"
                f" AND c.vector <> x'' {end}",
                [collection],
            ).fetchall()
        return [row[0] for row in rows], np.array([np.frombuffer(row[1], dtype=np.float32) for row in rows])

    def chunks_of(self, source_id: int) -> tuple[list[Chunk], list[np.ndarray]]:
        """The chunks of a document in order, and their vectors."""
        with self._read() as db:
            rows = db.execute(
                "SELECT text, page, start_s, place, offset, vector FROM chunks WHERE source_id = ? ORDER BY position",
                [source_id],
            ).fetchall()
        return [Chunk(*row[:5]) for row in rows], [np.frombuffer(row[5], dtype=np.float32) for row in rows]

    def read_chunks(self, ids: Iterable[str]) -> dict[str, StoredChunk]:
        """The findable chunks among `ids`."""
        wanted = list(ids)
        with self.reading() as db:
            rows = db.execute(
                f"SELECT {_CHUNK_COLUMNS} FROM chunks c JOIN sources s ON s.id = c.source_id"
                f" WHERE {_ANSWERS} AND c.id IN ({marks(wanted)})",
                wanted,
            ).fetchall()
        return {row[0]: _stored_chunk(row) for row in rows}

    def read_source(self, collection: str, source: str) -> list[StoredChunk]:
        """The chunks of a findable document, in order."""
        with self._read() as db:
            rows = db.execute(
                f"SELECT {_CHUNK_COLUMNS} FROM chunks c JOIN sources s ON s.id = c.source_id"
                f" WHERE {_FINDABLE} AND s.source = ? ORDER BY c.position",
                [collection, source],
            ).fetchall()
        return [_stored_chunk(row) for row in rows]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For searches: a connection of their own, so that they wait for no document that is written. Raises: KnowledgeError."""
        with self._reader_guard, explained(self._path):
            yield self._reader

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._guard, explained(self._path):
            yield self._connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._guard, explained(self._path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    writing = _write


def drop_unfinished(db: sqlite3.Connection, collection: str, source: str) -> None:
    """Take out what is there of a document that no job will go on with."""
    rows = db.execute(
        "SELECT id FROM sources s WHERE collection = ? AND source = ? AND state <> 'indexed' AND NOT EXISTS"
        " (SELECT 1 FROM jobs j WHERE j.collection = s.collection AND j.source = s.source AND j.finished IS NULL)",
        [collection, source],
    ).fetchall()
    for row in rows:
        _drop(db, row[0])


def _drop(db: sqlite3.Connection, source_id: int) -> None:
    _drop_chunks(db, source_id)
    db.execute("DELETE FROM sources WHERE id = ?", [source_id])


def _drop_chunks(db: sqlite3.Connection, source_id: int, start: int = 0) -> None:
    db.execute(
        "INSERT OR IGNORE INTO stale SELECT s.collection, c.id FROM chunks c JOIN sources s ON s.id = c.source_id"
        " WHERE s.id = ? AND c.position >= ?",
        [source_id, start],
    )
    db.execute("DELETE FROM chunks WHERE source_id = ? AND position >= ?", [source_id, start])


def _left_out(skipped: Sequence[Skipped]) -> str:
    return json.dumps([[s.page, s.why] for s in skipped])


def _source(row: Sequence[Any]) -> Source:
    _id, source, title, state, pages, sha256, added, collection, skipped, chunks = row
    left_out = tuple(Skipped(page, why) for page, why in json.loads(skipped))
    return Source(source, title, state, pages, chunks, sha256, added, collection, left_out)


def _stored_chunk(row: Sequence[Any]) -> StoredChunk:
    identity, text, page, start_s, source, title, collection, vector, place, offset, state = row
    numbers = np.frombuffer(vector, dtype=np.float32)
    return StoredChunk(identity, text, page, start_s, source, title, collection, numbers, place, offset, state)
