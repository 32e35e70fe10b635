"""The vectors in SQLite: of the embedding that answers, and of one that is to take its place, chunk by chunk.

The switch from one to the other is one transaction. Each set has a mark of its own, under which the vector index keeps it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.documents import KnowledgeError
from knowledge.scripts import marks

SCHEMA = """
CREATE TABLE IF NOT EXISTS coming (chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS unembedded ON chunks (source_id) WHERE vector = x'';
"""
NOT_EMBEDDED = np.zeros(0, dtype=np.float32)
"""In place of the vector of a chunk that came while its embedding could not be had: words alone find it."""


@dataclass(frozen=True)
class VectorSets:
    """`serving` names the embedding that answers, None where nothing is indexed; `coming` the one that is to. `mark` and
    `coming_mark` tell their vectors apart in the vector index; "" is the first set of a knowledge base."""

    serving: str | None
    mark: str
    coming: str | None
    coming_mark: str


@dataclass(frozen=True)
class Unembedded:
    """A chunk that the coming embedding has not seen yet."""

    row: int
    id: str
    collection: str
    text: str


class EmbeddingChanged(KnowledgeError):
    """Another embedding took over since the vectors were made."""


def read_sets(db: sqlite3.Connection) -> VectorSets:
    query = "SELECT key, value FROM meta WHERE key IN ('embedding', 'mark', 'coming', 'coming_mark')"
    known: dict[str, str] = dict(db.execute(query).fetchall())
    return VectorSets(known.get("embedding"), known.get("mark", ""), known.get("coming"), known.get("coming_mark", ""))


def check_serving(db: sqlite3.Connection, name: str) -> None:
    """Raises: EmbeddingChanged where `name` is not what answers."""
    if read_sets(db).serving != name:
        raise EmbeddingChanged(f"{name} no longer answers.", "Try again.")


def has_unembedded(db: sqlite3.Connection) -> bool:
    """Whether the serving embedding lacks the vector of any chunk."""
    return db.execute("SELECT 1 FROM chunks WHERE vector = x'' LIMIT 1").fetchone() is not None


def begin_coming(db: sqlite3.Connection, name: str) -> str:
    """Make room for the vectors of `name`, or go on with those that are there; those of another one go. Returns their mark."""
    sets = read_sets(db)
    if sets.coming == name:
        return sets.coming_mark
    drop_coming(db)
    mark = _new_mark(db)
    _set(db, {"coming": name, "coming_mark": mark})
    return mark


def drop_coming(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM coming")
    db.execute("DELETE FROM meta WHERE key IN ('coming', 'coming_mark')")


def count_done(db: sqlite3.Connection) -> tuple[int, int]:
    """How many chunks have their coming vector, and how many there are."""
    done, every = db.execute("SELECT (SELECT count(*) FROM coming), (SELECT count(*) FROM chunks)").fetchone()
    return int(done), int(every)


def next_unembedded(db: sqlite3.Connection, after: int, limit: int) -> list[Unembedded]:
    """Chunks behind row `after` whose coming vector is missing, in order."""
    rows = db.execute(
        "SELECT c.rowid, c.id, s.collection, c.text FROM chunks c JOIN sources s ON s.id = c.source_id"
        " LEFT JOIN coming v ON v.chunk = c.rowid WHERE c.rowid > ? AND v.chunk IS NULL ORDER BY c.rowid LIMIT ?",
        [after, limit],
    ).fetchall()
    return [Unembedded(*row) for row in rows]


def add_coming(db: sqlite3.Connection, mark: str, chunks: Sequence[Unembedded], vectors: np.ndarray) -> list[str]:
    """Keep coming vectors. Returns the ids of chunks that were taken out meanwhile.

    Raises: EmbeddingChanged where the set with this mark was given up.
    """
    _coming_with(db, mark)
    gone = []
    for chunk, vector in zip(chunks, vectors, strict=True):
        blob = np.asarray(vector, dtype=np.float32).tobytes()
        kept = db.execute(
            "INSERT OR REPLACE INTO coming SELECT rowid, ? FROM chunks WHERE rowid = ? AND id = ?",
            [blob, chunk.row, chunk.id],
        )
        if not kept.rowcount:
            gone.append(chunk.id)
    return gone


def known_coming(db: sqlite3.Connection, digests: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Coming vectors of texts with these digests, by text."""
    rows = db.execute(
        f"SELECT c.text, v.vector FROM chunks c JOIN coming v ON v.chunk = c.rowid WHERE c.digest IN ({marks(digests)})",  # noqa: S608
        [*digests],
    ).fetchall()
    return {text: np.frombuffer(vector, dtype=np.float32) for text, vector in rows}


def switch(db: sqlite3.Connection, mark: str) -> bool:
    """Let the coming vectors answer from now on, in the transaction that is open; the former ones go, with what was fitted to
    them. False, and nothing, where a chunk has none yet.

    Raises: EmbeddingChanged where they were given up.
    """
    sets = _coming_with(db, mark)
    missing = "SELECT 1 FROM chunks c LEFT JOIN coming v ON v.chunk = c.rowid WHERE v.chunk IS NULL LIMIT 1"
    if db.execute(missing).fetchone():
        return False
    db.execute("UPDATE chunks SET vector = v.vector FROM coming v WHERE v.chunk = chunks.rowid")
    db.execute("DELETE FROM unplaced")
    if sets.coming != sets.serving:
        db.execute("DELETE FROM meta WHERE key LIKE 'weights:%'")
    _set(db, {"embedding": sets.coming or "", "mark": mark})
    drop_coming(db)
    return True


def _coming_with(db: sqlite3.Connection, mark: str) -> VectorSets:
    sets = read_sets(db)
    if sets.coming is None or sets.coming_mark != mark:
        raise EmbeddingChanged("The vectors that were to take over were given up.", "Try again.")
    return sets


def move(db: sqlite3.Connection, place: str) -> None:
    """The vector index lies at `place` now, "" for embedded. Elsewhere nothing is there yet, or what was true once: the sets get
    new marks, under which it is filled anew."""
    if _get(db, "place") == place:
        return
    sets, marks = read_sets(db), {"mark": _new_mark(db)}
    _set(db, {"place": place} | marks | ({"coming_mark": _new_mark(db)} if sets.coming else {}))


def owner(db: sqlite3.Connection) -> str:
    """How the marks of this knowledge base begin, on a server that others may use too."""
    if not (known := _get(db, "owner")):
        known = secrets.token_hex(6)
        _set(db, {"owner": known})
    return known


def _new_mark(db: sqlite3.Connection) -> str:
    return f"{owner(db)}-{secrets.token_hex(4)}"


def _get(db: sqlite3.Connection, key: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
    return str(row[0]) if row else ""


def _set(db: sqlite3.Connection, values: dict[str, str]) -> None:
    db.execute("INSERT OR REPLACE INTO meta SELECT key, value FROM json_each(?)", [json.dumps(values)])
