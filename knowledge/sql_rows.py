"""Rows of a table on their way to becoming passages: how one reads, what it is called, and a spool that holds many on disk."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, overload

from knowledge.documents import Chunk, Page
from knowledge.splitting import split_pages

VALUE_CHARACTERS = 20_000
"""What is read of one value; longer ones are cut, and say so."""


@dataclass(frozen=True)
class Row:
    """`key` tells it from the other rows for good; `place` is where a person finds it: "customers, id 12"."""

    key: bytes
    place: str
    text: str
    cut: bool = False

    @property
    def hash(self) -> bytes:
        return _digest(self.text)


def make_row(table: str, values: Mapping[str, Any], key: Sequence[str], number: int) -> Row:
    """A row as text: its name, then a line for each value that is there. `key`: the columns that name it; without any it is
    told by what it holds, and called by its number."""
    names = "".join(f", {column} {_shown(values[column])}" for column in key)
    texts = {column: _text(value) for column, value in values.items() if value is not None}
    text = "\n".join(f"{column}: {value}" for column, value in texts.items())
    told = json.dumps([_text(values[column]) for column in key]) if key else text
    cut = any(isinstance(value, str) and len(value) > VALUE_CHARACTERS for value in values.values())
    # The number of a row without a key changes when others come and go, so it stays out of the text.
    return Row(_digest(told), table + (names or f", row {number}"), f"# {table}{names}\n{text}", cut)


class Spool(Sequence[Chunk]):
    """The chunks of any number of rows, in a file: only those that are asked for are in memory. Usable from several threads,
    one at a time."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "rows.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE rows (key BLOB PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE twins (key BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE chunks (position INTEGER PRIMARY KEY, text TEXT NOT NULL, place TEXT NOT NULL);"
        )
        self._chunks = 0
        self.cut = 0
        """How many rows hold a value that was too long."""

    def close(self) -> None:
        self._db.close()

    def add(self, rows: Iterable[Row]) -> None:
        self._db.execute("BEGIN")
        for row in rows:
            self.cut += row.cut
            self._db.execute("INSERT INTO rows VALUES (?, ?)", [self._own_key(row.key), row.hash])
            chunks = [replace(chunk, place=row.place) for chunk in split_pages([Page(None, row.text, row.place)])]
            texts = [(self._chunks + n, chunk.text, chunk.place) for n, chunk in enumerate(chunks)]
            self._db.executemany("INSERT INTO chunks VALUES (?, ?, ?)", texts)
            self._chunks += len(chunks)
        self._db.execute("COMMIT")

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and hash of every row, in the order of the keys."""
        with closing(self._db.cursor()) as cursor:
            yield from cursor.execute("SELECT key, hash FROM rows ORDER BY key")

    def sha256(self) -> str:
        """The same for the same rows, in whatever order they came."""
        digest = hashlib.sha256()
        for key, hash_ in self.rows():
            digest.update(key + hash_)
        return digest.hexdigest()

    def __len__(self) -> int:
        return self._chunks

    @overload
    def __getitem__(self, index: int) -> Chunk: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Chunk]: ...
    def __getitem__(self, index: int | slice) -> Chunk | Sequence[Chunk]:
        wanted = range(self._chunks)[index]
        if isinstance(wanted, int):
            return self._read(wanted, wanted + 1)[0]
        return self._read(wanted.start, wanted.stop)[:: wanted.step]

    def _read(self, start: int, stop: int) -> list[Chunk]:
        query = "SELECT text, place FROM chunks WHERE position >= ? AND position < ? ORDER BY position"
        return [Chunk(text, None, place=place) for text, place in self._db.execute(query, [start, stop])]

    def _own_key(self, key: bytes) -> bytes:
        """Rows with the same key (there is no primary key, or the query repeats it) are told apart by counting them."""
        query = "INSERT INTO twins VALUES (?, 0) ON CONFLICT DO UPDATE SET number = number + 1 RETURNING number"
        number = self._db.execute(query, [key]).fetchone()[0]
        return key if not number else _digest(f"{key.hex()} {number}")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"(binary, {len(bytes(value)):,} bytes)"
    if isinstance(value, datetime | date | time):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
    text = text.replace("\x00", "").encode("utf-8", "replace").decode()
    if len(text) <= VALUE_CHARACTERS:
        return text
    return f"{text[:VALUE_CHARACTERS]} … (cut: {len(text):,} characters)"


def _shown(value: Any) -> str:
    text = " ".join(_text(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"
