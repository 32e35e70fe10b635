"""A data set of one's own: JSON Lines or CSV, read row by row. Everything that is wrong with it is told at once, with its line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.evaluation.dataset_lines import LONGEST, Line, kind_of, lines_of
from assistant.settings import SettingsError

FIELDS = ("id", "question", "reference", "context", "audio", "tags", "schema", "answer", "mark", "reviewed")
MOST_TOLD = 20
MOST_ROWS = 100_000
MARKS = {"up": 1.0, "down": 0.0, "right": 1.0, "wrong": 0.0, "true": 1.0, "false": 0.0}


class DatasetError(SettingsError):
    """`problems` are what is wrong, a line each, the first 20 of them; `str()` gives the first."""

    def __init__(self, name: str, problems: Sequence[str], found: int | None = None) -> None:
        super().__init__(f"{name}: {problems[0]}")
        self.problems = [f"{name}: {problem}" for problem in problems]
        left = (found or len(problems)) - len(problems)
        if left > 0:
            self.problems.append(f"{name}: {left} more problems like these.")


@dataclass(frozen=True)
class Row:
    """One question. `reference` is the right answer, "" where a `schema` says what is right; `context` are texts to answer from;
    `audio` is a recording; `answer` is what was once answered and `mark` (0 to 1) what a person thought of that answer."""

    id: str
    question: str
    reference: str = ""
    context: tuple[str, ...] = ()
    audio: Path | None = None
    tags: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    answer: str = ""
    mark: float | None = None
    line: int = 0


@dataclass(frozen=True)
class Dataset:
    """`ignored` are columns that were not read, `unreviewed` how many rows nobody has looked at yet."""

    name: str
    rows: tuple[Row, ...]
    sha256: str
    ignored: tuple[str, ...] = ()
    unreviewed: int = 0


def read_dataset(path: Path, *, unreviewed: bool = False, folder: Path | None = None) -> Dataset:
    """The rows of a .jsonl or .csv file. `unreviewed` takes rows that say `"reviewed": false`; recordings lie in `folder`, else beside it.

    Raises: DatasetError with all that is wrong, each with its line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(path.name, [f"it cannot be read: {error.strerror}."]) from error
    lines = read_lines(path.name, data)
    problems: list[str] = []
    rows = [row for line in lines if (row := _row(line, folder or path.parent, problems))]
    problems += _same_ids(rows)
    waiting = sum(is_unreviewed(line.values) for line in lines)
    if waiting and not unreviewed:
        problems.append(
            f"{waiting} of {len(lines)} rows say that nobody has looked at them. Read each, correct it and set "
            '"reviewed": true, or say --unreviewed.'
        )
    if problems:
        raise DatasetError(path.name, problems[:MOST_TOLD], len(problems))
    ignored = sorted({key for line in lines for key in line.values if key not in FIELDS})
    return Dataset(path.name, tuple(rows), hashlib.sha256(data).hexdigest(), tuple(ignored), waiting)


def read_lines(name: str, data: bytes) -> list[Line]:
    """The rows of a .jsonl or .csv file, unchecked. Raises: DatasetError where the file as a whole is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(name, [f"line {line} is not UTF-8. Save the file as UTF-8."]) from error
    lines = lines_of(name, text)
    if not lines:
        raise DatasetError(name, ['it is empty. A row is {"question": …, "reference": …}, a line each.'])
    if len(lines) > MOST_ROWS:
        raise DatasetError(name, [f"it holds {len(lines)} rows. At most {MOST_ROWS} are compared at once."])
    return lines


def check_row(values: Mapping[str, Any], folder: Path, number: int = 0) -> tuple[Row | None, list[str]]:
    """(the row, what is wrong with it): the one or the other. Recordings lie in `folder`."""
    problems: list[str] = []
    row = _row(Line(number, values), folder, problems)
    return row, [problem.partition(": ")[2] for problem in problems]


def is_unreviewed(values: Mapping[str, Any]) -> bool:
    """Whether a row says that nobody has looked at it."""
    value = values.get("reviewed")
    return str(value).strip().lower() in {"false", "0", "no"} if value is not None else False


def _row(line: Line, folder: Path, problems: list[str]) -> Row | None:
    """The row, or None where something is wrong with it, which is added to `problems`."""
    if line.trouble:
        problems.append(f"line {line.number} {line.trouble}.")
        return None
    number, values, wrong = line.number, line.values, list[str]()
    if values.get(""):
        wrong.append(str(values[""]))
    row = Row(
        _id(values.get("id"), number, wrong),
        _text(values, "question", wrong),
        _text(values, "reference", wrong),
        _context(values.get("context"), wrong),
        _audio(values.get("audio"), folder, wrong),
        _tags(values.get("tags"), wrong),
        _schema(values.get("schema"), wrong),
        _text(values, "answer", wrong),
        _mark(values.get("mark"), wrong),
        number,
    )
    if not wrong:
        if not row.question.strip() and row.audio is None:
            wrong.append("it has no question")
        if not row.reference.strip() and row.schema is None:
            wrong.append("it has no reference, the right answer")
        if row.mark is not None and not row.answer.strip():
            wrong.append("it has a mark, but not the answer that was marked")
    problems += [f"line {number}: {what}." for what in wrong]
    return None if wrong else row


def _id(value: Any, number: int, wrong: list[str]) -> str:
    if value is None:
        return f"row-{number}"
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        wrong.append(f"id is {kind_of(value)}, not text")
    return str(value)


def _text(values: Mapping[str, Any], key: str, wrong: list[str]) -> str:
    value = values.get(key)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool) and key == "reference":
        return str(value)
    if not isinstance(value, str):
        wrong.append(f"{key} is {kind_of(value)}, not text")
        return ""
    if len(value) > LONGEST:
        wrong.append(f"{key} has {len(value)} characters; at most {LONGEST} are taken")
    return value


def _context(value: Any, wrong: list[str]) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        wrong.append(f"context is {kind_of(value)}, not a text or a list of texts")
        return ()
    return tuple(text for text in texts if text.strip())


def _audio(value: Any, folder: Path, wrong: list[str]) -> Path | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        wrong.append(f"audio is {kind_of(value)}, not the name of a file")
        return None
    path = folder / value
    if not path.is_file():
        wrong.append(f"there is no recording {value} beside the data set")
    return path


def _tags(value: Any, wrong: list[str]) -> tuple[str, ...]:
    tags = value.replace(";", ",").split(",") if isinstance(value, str) else [] if value is None else value
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        wrong.append(f"tags are {kind_of(value)}, not a list of texts")
        return ()
    return tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _schema(value: Any, wrong: list[str]) -> Mapping[str, Any] | None:
    if value in (None, ""):
        return None
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        schema = json.loads(value) if isinstance(value, str) else value
        if not isinstance(schema, dict):
            raise TypeError(f"it is {kind_of(schema)}")
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        wrong.append(f"schema is no JSON schema: {' '.join(error.message.split())[:200]}")
    except (ValueError, TypeError) as error:
        wrong.append(f"schema is no JSON schema: {error}")
    else:
        return schema
    return None


def _mark(value: Any, wrong: list[str]) -> float | None:
    if value in (None, ""):
        return None
    mark = MARKS.get(str(value).strip().lower())
    try:
        mark = float(value) if mark is None else mark
    except (TypeError, ValueError):
        mark = -1.0
    if not 0 <= mark <= 1:
        wrong.append(f"mark is {value!r}; it takes a number from 0 to 1, or up or down")
        return None
    return mark


def _same_ids(rows: Sequence[Row]) -> Iterator[str]:
    first: dict[str, int] = {}
    for row in rows:
        if row.id in first:
            yield f"line {row.line} has the id {row.id!r} of line {first[row.id]}. Give each row its own."
        first.setdefault(row.id, row.line)
