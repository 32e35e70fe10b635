"""Looks whether what SQLite holds and both indexes over it agree, and makes the indexes anew where they do not.

Nothing is read or embedded again: text and vectors are in SQLite.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from knowledge.database import Database
from knowledge.documents import KnowledgeError
from knowledge.store import VectorStore


@dataclass(frozen=True)
class Finding:
    """What a part of the knowledge base was found to be. `ok`: as it should be, without any repair."""

    name: str
    ok: bool
    why: str


def check_database(database: Database) -> Finding:
    with database.reading() as db:
        said = [row[0] for row in db.execute("PRAGMA integrity_check(5)").fetchall()]
    if said == ["ok"]:
        return Finding("database", True, "The file is whole.")
    return Finding("database", False, f"The file is damaged: {'; '.join(said)}. Restore it from a backup.")


def repair_words(database: Database) -> list[Finding]:
    """Every lexical index is compared with the text, and rebuilt where it differs."""
    with database.reading() as db:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%USING fts5 (%' ORDER BY name"
        names = [row[0] for row in db.execute(query).fetchall()]
    return [_repair_words(database, name) for name in names]


def repair_vectors(database: Database, store: VectorStore) -> list[Finding]:
    """Every collection of the vector index is compared with SQLite, and made anew where a vector is missing or differs."""
    return [_repair_vectors(database, store, collection) for collection in sorted(database.collections())]


def _repair_words(database: Database, name: str) -> Finding:
    title = f"lexical index {name}"
    try:
        with database.writing() as db:
            db.execute(f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)")  # noqa: S608
        return Finding(title, True, "It agrees with the text.")
    except KnowledgeError as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError):
            raise
    with database.writing() as db:
        db.execute(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")  # noqa: S608
    return Finding(title, False, "It did not agree with the text and was rebuilt.")


def _repair_vectors(database: Database, store: VectorStore, collection: str) -> Finding:
    title = f"vectors of {collection}"
    ids, vectors = database.vectors(collection, whole=True)
    if store.holds(collection, ids, vectors):
        return Finding(title, True, f"All {len(ids):,} are in the index.")
    store.drop(collection)
    store.put(collection, ids, vectors)
    return Finding(title, False, f"Some were missing or wrong; {len(ids):,} were put into a new index.")
