"""Data sets that a person keeps in the page: every row as it came, what is wrong with it, and whether somebody has looked at it.

A set is a folder of its owner: `rows.db` (SQLite, so that a change is on the disk before it counts) and `recordings/`. Nothing that was
brought in is lost: a line that is no row waits with its text until it is corrected or dropped.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from assistant.evaluation.dataset import Dataset, check_row, is_unreviewed, read_dataset
from assistant.evaluation.dataset_lines import Line
from assistant.evaluation.own import is_id
from assistant.history import new_id
from assistant.settings import SettingsError

State = Literal["open", "accepted", "dropped"]
STATES: tuple[State, ...] = get_args(State)
Show = Literal["all", "open", "accepted", "dropped", "faulty"]
LONGEST_NAME = 120
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT NOT NULL, origin TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (
    key INTEGER PRIMARY KEY, line INTEGER NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL, raw TEXT NOT NULL,
    problems TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_by_id ON rows (id);
CREATE INDEX IF NOT EXISTS rows_by_state ON rows (state);
"""
WHERE: dict[str, str] = {
    "all": "1",
    "faulty": "problems != '[]' AND state != 'dropped'",
    **{s: f"state = '{s}'" for s in STATES},
}
COUNT = ", ".join(f"COALESCE(SUM({WHERE[show]}), 0)" for show in ("open", "accepted", "dropped", "faulty"))


class SetError(SettingsError):
    """One line that says what cannot be done with a data set, and the remedy."""


@dataclass(frozen=True)
class SetInfo:
    """`origin` is "file", "chat" or "documents". Rows are open until somebody accepts or drops them; `faulty` ones cannot be accepted
    yet."""

    id: str
    name: str
    origin: str
    created: str
    rows: int
    open: int
    accepted: int
    dropped: int
    faulty: int


@dataclass(frozen=True)
class Entry:
    """A row under review. `values` are its columns as they came or were written since, `raw` what came besides them."""

    key: int
    line: int
    values: Mapping[str, Any]
    raw: str
    state: State
    problems: Sequence[str]


@dataclass(frozen=True)
class Change:
    """What a person made of a row; None leaves it as it is."""

    state: State | None = None
    id: str | None = None
    question: str | None = None
    reference: str | None = None
    tags: Sequence[str] | None = None


class DataSets:
    """Those of one person. Plain and short: for worker threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "datasets"

    def all(self) -> list[SetInfo]:
        """The newest first; what cannot be read is left out."""
        found = []
        for path in self._folder.glob("*/rows.db"):
            try:
                found.append(self.find(path.parent.name))
            except (SetError, sqlite3.Error):
                continue
        return sorted(found, key=lambda s: (s.created, s.id), reverse=True)

    def find(self, set_id: str) -> SetInfo:
        """Raises: SetError where this person has no such set."""
        with self._open(set_id) as db:
            name, origin, created = db.execute("SELECT name, origin, created FROM about").fetchone()
            counts = db.execute(f"SELECT COUNT(*), {COUNT} FROM rows").fetchone()  # noqa: S608  (words of this file)
        return SetInfo(set_id, name, origin, created, *counts)

    def create(self, name: str, lines: Iterable[Line], origin: str) -> SetInfo:
        """Of rows as they came: right ones that nobody says are unreviewed are accepted, the others wait for a person."""
        set_id = new_id()
        aside = self._folder / f".{set_id}"
        (aside / "recordings").mkdir(parents=True)
        try:
            with _database(aside / "rows.db") as db:
                db.executescript(SCHEMA)
                created = datetime.now(UTC).isoformat(timespec="seconds")
                db.execute("INSERT INTO about VALUES (?, ?, ?)", [name[:LONGEST_NAME], origin, created])
                for line in lines:
                    _insert(db, line, aside / "recordings")
            aside.replace(self._folder / set_id)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return self.find(set_id)

    def rows(self, set_id: str, show: Show = "all", start: int = 0, count: int = 50) -> tuple[list[Entry], int]:
        """(a page of them in their order, how many there are)."""
        with self._open(set_id) as db:
            where = WHERE[show]
            (found,) = db.execute(f"SELECT COUNT(*) FROM rows WHERE {where}").fetchone()  # noqa: S608
            query = f"SELECT * FROM rows WHERE {where} ORDER BY key LIMIT ? OFFSET ?"  # noqa: S608
            return [_entry(row) for row in db.execute(query, [count, start])], found

    def change(self, set_id: str, key: int, change: Change) -> Entry:
        """What was written is kept in any case; a row with something wrong stays open. Raises: SetError."""
        with self._open(set_id) as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT * FROM rows WHERE key = ?", [key]).fetchone()
            if row is None:
                raise SetError("There is no such row. Load the page again.")
            before = _entry(row)
            values = _changed(before.values, change)
            wrong = _problems(db, values, before.line, key, self._recordings(set_id), before)
            wanted = change.state or before.state
            state: State = "open" if wanted == "accepted" and wrong else wanted
            db.execute(
                "UPDATE rows SET id = ?, state = ?, body = ?, problems = ? WHERE key = ?",
                [_id(values, before.line), state, json.dumps(values), json.dumps(wrong), key],
            )
            return Entry(key, before.line, values, before.raw, state, wrong)

    def add_recording(self, set_id: str, name: str, path: Path) -> int:
        """Move a recording to the set; returns how many rows name it. Raises: SetError."""
        with self._open(set_id) as db:
            db.execute("BEGIN IMMEDIATE")
            named = [e for e in map(_entry, db.execute("SELECT * FROM rows")) if e.values.get("audio") == name]
            if not named:
                raise SetError(f"No row names the recording {name}. Its name must be that in the column audio.")
            folder = self._recordings(set_id)
            shutil.move(path, folder / name)
            for entry in named:
                wrong = _problems(db, entry.values, entry.line, entry.key, folder, entry)
                state = (
                    "accepted"
                    if not wrong and not is_unreviewed(entry.values) and entry.state == "open"
                    else entry.state
                )
                db.execute(
                    "UPDATE rows SET problems = ?, state = ? WHERE key = ?", [json.dumps(wrong), state, entry.key]
                )
        return len(named)

    def export(self, set_id: str) -> str:
        """JSON Lines of all that was not dropped; what nobody has accepted yet says so."""
        entries, _ = self.rows(set_id, count=-1)
        kept = [e for e in entries if e.state != "dropped"]
        return "".join(_line(e.values or {"question": e.raw}, reviewed=e.state == "accepted") for e in kept)

    def snapshot(self, set_id: str, path: Path) -> None:
        """Write the accepted rows, as they are now. Raises: SetError where there are none."""
        entries, _ = self.rows(set_id, "accepted", count=-1)
        if not entries:
            raise SetError("No row of this data set is accepted yet. Review them first.")
        path.write_text(
            "".join(_line({**e.values, "id": _id(e.values, e.line)}) for e in entries), "utf-8", errors="replace"
        )

    def accepted(self, set_id: str, path: Path, name: str) -> Dataset:
        """The rows of a snapshot, under the name that their set had; it may be gone, with its recordings. Raises: DatasetError."""
        found = read_dataset(path, folder=self._recordings(set_id))
        return Dataset(name, found.rows, found.sha256, found.ignored)

    def delete(self, set_id: str) -> None:
        self.find(set_id)
        gone = self._folder / f".gone-{set_id}"
        (self._folder / set_id).replace(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _recordings(self, set_id: str) -> Path:
        return self._folder / set_id / "recordings"

    @contextmanager
    def _open(self, set_id: str) -> Iterator[sqlite3.Connection]:
        path = self._folder / set_id / "rows.db"
        if not is_id(set_id) or not path.is_file():
            raise SetError("There is no such data set. Load the page again.")
        with _database(path) as db:
            yield db


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction."""
    db = sqlite3.connect(path, timeout=10)
    db.row_factory = sqlite3.Row
    try:
        with db:
            yield db
    finally:
        db.close()


def _insert(db: sqlite3.Connection, line: Line, recordings: Path) -> None:
    values = json.loads(json.dumps(dict(line.values), ensure_ascii=False).encode(errors="replace"))
    wrong = [f"it {line.trouble}"] if line.trouble else _problems(db, values, line.number, None, recordings)
    state: State = "open" if wrong or is_unreviewed(values) else "accepted"
    db.execute(
        "INSERT INTO rows (line, id, state, body, raw, problems) VALUES (?, ?, ?, ?, ?, ?)",
        [line.number, _id(values, line.number), state, json.dumps(values), line.raw, json.dumps(wrong)],
    )


def _problems(
    db: sqlite3.Connection,
    values: Mapping[str, Any],
    line: int,
    key: int | None,
    recordings: Path,
    before: Entry | None = None,
) -> list[str]:
    """What is wrong with a row beside the others of its set."""
    if before is not None and not before.values and not values:
        return list(before.problems)
    audio = values.get("audio")
    if isinstance(audio, str) and audio and Path(audio).name != audio:
        return [f"the recording {audio} lies in another folder; it takes the name of a file alone"]
    _, wrong = check_row(values, recordings, line)
    same = "SELECT line FROM rows WHERE id = ? AND key IS NOT ? AND state != 'dropped' ORDER BY key"
    if other := db.execute(same, [_id(values, line), key]).fetchone():
        wrong.append(f"it has the id {_id(values, line)!r} of line {other[0]}. Give each row its own.")
    return [text.removesuffix(".") for text in wrong]


def _changed(values: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """Columns that became empty go; a line that was no row becomes one as soon as something is written."""
    written = {"id": change.id, "question": change.question, "reference": change.reference, "tags": change.tags}
    said = {name: list(value) if name == "tags" else value for name, value in written.items() if value is not None}
    kept = {name: value for name, value in values.items() if name or not said}
    return {name: value for name, value in {**kept, **said}.items() if value not in ("", [])}


def _id(values: Mapping[str, Any], line: int) -> str:
    value = values.get("id")
    return f"row-{line}" if value is None else str(value).encode(errors="replace").decode()


def _line(values: Mapping[str, Any], **more: Any) -> str:
    shown = {name: value for name, value in values.items() if name not in ("", "reviewed")}
    return json.dumps({**shown, **more}, ensure_ascii=False) + "\n"


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        row["key"], row["line"], json.loads(row["body"]), row["raw"], row["state"], json.loads(row["problems"])
    )
