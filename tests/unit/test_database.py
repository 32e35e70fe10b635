"""The knowledge base's tables: older ones are brought up to date, their rows kept."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knowledge.database import Database
from knowledge.database_file import text_digest
from knowledge.documents import KnowledgeError, Page

FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
    pages INTEGER, sha256 TEXT NOT NULL, added TEXT NOT NULL, skipped TEXT NOT NULL
);
CREATE UNIQUE INDEX one_version ON sources (collection, source, state = 'indexed');
CREATE INDEX by_content ON sources (sha256);
CREATE TABLE chunks (
    rowid INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, source_id INTEGER NOT NULL REFERENCES sources ON DELETE CASCADE,
    position INTEGER NOT NULL, page INTEGER, start_s REAL, text TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX by_source ON chunks (source_id, position);
CREATE TABLE stale (collection TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (collection, id));
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'chunks', content_rowid = 'rowid', tokenize = "unicode61 remove_diacritics 2"
);
CREATE TRIGGER words_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER words_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
"""
"""The tables of the first release."""


def first_release(path: Path) -> None:
    with sqlite3.connect(path) as old:
        old.executescript(FIRST + "PRAGMA user_version = 1;")
        old.execute("INSERT INTO sources VALUES (1, 'shared', 'a.txt', 'a', 'indexed', NULL, 'x', '2026-11-23', '[]')")
        old.execute(
            "INSERT INTO chunks (id, source_id, position, text, vector) VALUES ('c', 1, 0, 'hello', ?)", [b"\0" * 8]
        )


def test_two_that_start_at_once_on_older_tables_can_both_write(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.sqlite3"
        first_release(path)
        with ThreadPoolExecutor() as pool:
            both = list(pool.map(Database, [path, path]))
        assert [database.read_only for database in both] == [False, False]
        for database in both:
            database.close()


def test_tables_of_the_first_release_are_brought_up_to_date_with_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.sqlite3"
    first_release(path)
    database = Database(path)
    assert not database.read_only
    [chunk] = database.read_source("shared", "a.txt")
    assert (chunk.text, chunk.place, chunk.offset) == ("hello", "", None)
    assert list(database.known_vectors(["hello", "other"])) == ["hello"]
    assert database.digests_of(1) == [text_digest("hello")]
    database.add_pages(1, 0, [Page(None, "hello there")])
    assert database.read_page("shared", "a.txt", None) == Page(None, "hello there")
    database.close()
    Database(path).close()


def test_a_document_that_was_forgotten_meanwhile_cannot_be_finished(tmp_path: Path) -> None:
    database = Database(tmp_path / "knowledge.sqlite3")
    with pytest.raises(KnowledgeError, match="taken out while it was read"):
        database.finish(7)
    database.close()
