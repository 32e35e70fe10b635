"""Tags that people give documents. They belong to a document's name in its collection, so that a newer version keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

SCHEMA = """
CREATE TABLE IF NOT EXISTS tags (
    collection TEXT NOT NULL, source TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (collection, source, tag)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS tags_out AFTER DELETE ON sources
WHEN NOT EXISTS (SELECT 1 FROM sources s WHERE s.collection = old.collection AND s.source = old.source) BEGIN
    DELETE FROM tags WHERE collection = old.collection AND source = old.source;
END;
"""


def set_tags(db: sqlite3.Connection, collection: str, source: str, tags: Iterable[str]) -> list[str]:
    """In place of the former ones; case and surrounding space do not count. Returns them, sorted."""
    wanted = sorted({tag.strip().casefold() for tag in tags if tag.strip()})
    db.execute("DELETE FROM tags WHERE collection = ? AND source = ?", [collection, source])
    db.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(collection, source, tag) for tag in wanted])
    return wanted


def tags_of(db: sqlite3.Connection, collection: str, source: str) -> list[str]:
    rows = db.execute("SELECT tag FROM tags WHERE collection = ? AND source = ? ORDER BY tag", [collection, source])
    return [tag for (tag,) in rows.fetchall()]


def all_tags(db: sqlite3.Connection) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for collection, source, tag in db.execute("SELECT collection, source, tag FROM tags ORDER BY tag"):
        found.setdefault((collection, source), []).append(tag)
    return found
