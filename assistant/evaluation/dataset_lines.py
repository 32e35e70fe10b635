"""A file of rows, JSON Lines or CSV, as its lines: what each holds, or why it is no row. Whether a row is right is told by dataset.py."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 200_000
"""Characters of one text."""


@dataclass(frozen=True)
class Line:
    """`values` are its columns, `raw` what stands there besides them; where it is no row at all, `trouble` says why."""

    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    raw: str = ""
    trouble: str = ""


def lines_of(name: str, text: str) -> list[Line]:
    """By the ending of `name`: CSV, else JSON Lines. Empty lines are left out."""
    return list(_csv_lines(text) if name.lower().endswith(".csv") else _json_lines(text))


def kind_of(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "nothing")


def _json_lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            where = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
            said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            yield Line(number, raw=line, trouble=f"is not JSON{where}: {said}")
            continue
        if isinstance(values, dict):
            yield Line(number, values)
        else:
            what = f"is {kind_of(values)}, not an object with a question and a reference"
            yield Line(number, raw=line, trouble=what)


def _csv_lines(text: str) -> Iterator[Line]:
    """Rows by the names in the first line; separated by whichever of , ; and tab that line holds most of."""
    csv.field_size_limit(10 * LONGEST)
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    while True:
        number = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            values = {"": f"{error}"}
        if values is None:
            return
        number = max(2, number)
        more = values.pop(None, None)
        cells = {str(key).strip().lower(): cell for key, cell in values.items() if cell not in (None, "")}
        if more:
            cells[""] = f"it has {len(more)} more cells than the first line names. Put quotes around cells with commas"
        if cells:
            yield Line(number, cells, " ".join(map(str, more or ())))
