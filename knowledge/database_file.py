"""The file of the knowledge base: its schema, opened and brought up to date, and what SQLite says when it fails, for people."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from knowledge import elsewhere, lexical, tags, vector_sets
from knowledge.documents import KnowledgeError
from knowledge.scripts import run_script
from knowledge.write_ahead import use_write_ahead_log

SCHEMA_VERSION = 4
SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sources (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
    pages INTEGER, sha256 TEXT NOT NULL, added TEXT NOT NULL, skipped TEXT NOT NULL, is_read INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX IF NOT EXISTS one_version ON sources (collection, source, state = 'indexed');
CREATE INDEX IF NOT EXISTS by_content ON sources (sha256);
CREATE TABLE IF NOT EXISTS chunks (
    rowid INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, source_id INTEGER NOT NULL REFERENCES sources ON DELETE CASCADE,
    position INTEGER NOT NULL, page INTEGER, start_s REAL, text TEXT NOT NULL, vector BLOB NOT NULL,
    place TEXT NOT NULL DEFAULT '', offset INTEGER, digest BLOB
);
CREATE INDEX IF NOT EXISTS by_source ON chunks (source_id, position);
CREATE INDEX IF NOT EXISTS by_text ON chunks (digest);
CREATE TABLE IF NOT EXISTS pages (
    source_id INTEGER NOT NULL REFERENCES sources ON DELETE CASCADE, position INTEGER NOT NULL,
    number INTEGER, text TEXT NOT NULL, place TEXT NOT NULL, counted TEXT NOT NULL, first INTEGER NOT NULL, start_s REAL,
    PRIMARY KEY (source_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    rowid INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, batch TEXT NOT NULL, path TEXT NOT NULL, keep TEXT,
    source TEXT NOT NULL, title TEXT NOT NULL, collection TEXT NOT NULL,
    state TEXT NOT NULL, wanted TEXT NOT NULL DEFAULT '',
    fraction REAL NOT NULL DEFAULT 0, eta_s REAL, pages_done INTEGER NOT NULL DEFAULT 0, pages INTEGER,
    message TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT '',
    added TEXT NOT NULL, changed TEXT NOT NULL, finished TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
CREATE INDEX IF NOT EXISTS jobs_by_change ON jobs (changed);
CREATE TABLE IF NOT EXISTS stale (collection TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (collection, id));
CREATE TABLE IF NOT EXISTS unplaced (id TEXT PRIMARY KEY);
"""
    + vector_sets.SCHEMA
)

_NEWER = {
    1: (
        "ALTER TABLE chunks ADD COLUMN place TEXT NOT NULL DEFAULT '';",
        "ALTER TABLE chunks ADD COLUMN offset INTEGER;",
    ),
    2: (
        "ALTER TABLE sources ADD COLUMN is_read INTEGER NOT NULL DEFAULT 1;",
        "ALTER TABLE chunks ADD COLUMN digest BLOB;",
        "UPDATE chunks SET digest = text_digest(text);",
    ),
    3: (),
}
"""What brings each older schema to the next version."""


def open_file(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether the disk lets it only read."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(f"file:{quoted(path)}")
        use_write_ahead_log(connection.execute)
        # In the write-ahead log this still outlives kill -9; only a power cut may take the last moments, and leaves all consistent.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        _bring_up_to_date(connection)
        connection.executescript(f"{tags.SCHEMA} {elsewhere.SCHEMA}")
        lexical.bring_up_to_date(connection)
        return connection, False
    except (OSError, sqlite3.OperationalError) as error:
        if not path.exists() or not _is_unwritable(error):
            raise
        connection = connect(f"file:{quoted(path)}?mode=ro&immutable=1")
        connection.execute("SELECT count(*) FROM sources").fetchone()
        return connection, True


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """In one transaction, so that a crash leaves the former schema and a second process that starts now finds the new one."""
    if _version(connection) == SCHEMA_VERSION:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        changes = [change for older in range(version or SCHEMA_VERSION, SCHEMA_VERSION) for change in _NEWER[older]]
        run_script(connection, f"{' '.join(changes)} {SCHEMA}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_unwritable(error: Exception) -> bool:
    """Not merely busy, or of a schema that does not fit."""
    name = getattr(error, "sqlite_errorname", "")
    return isinstance(error, OSError) or name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"))


def connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=30.0, check_same_thread=False, isolation_level=None)
    connection.create_function("text_digest", 1, text_digest, deterministic=True)
    return connection


def text_digest(text: str) -> bytes:
    """What tells one text of a chunk from another."""
    return hashlib.sha256(text.encode(errors="replace")).digest()[:16]


def quoted(path: Path) -> str:
    return quote(path.absolute().as_posix())


@contextmanager
def explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        reason = str(error).lower()
        if "disk is full" in reason or "no space" in reason:
            raise KnowledgeError(
                f"The disk of {path.parent} is full; nothing was changed.", "Free some space and try again."
            ) from error
        if "readonly" in reason or "read-only" in reason or "permission" in reason or "unable to open" in reason:
            raise KnowledgeError(
                f"The knowledge base in {path.parent} cannot be written.",
                "Make the folder writable or set ASSISTANT_HOME to another one.",
            ) from error
        raise KnowledgeError(f"The knowledge base in {path.parent} failed: {error}.", "Try again.") from error
    except sqlite3.IntegrityError as error:
        raise KnowledgeError("The document was taken out while it was read in.", "Add it again.") from error
    except sqlite3.DatabaseError as error:
        raise KnowledgeError(
            f"The knowledge base file {path} is damaged: {error}.",
            "Restore it from a backup, or move it away to begin anew.",
        ) from error
