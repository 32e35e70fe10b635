"""Spreadsheets and tables as text: each row on a line of its own, every value with its header, so that a row is understood alone."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from knowledge.parsing.encoding import encoding_of
from knowledge.parsing.lines import Line, Unreadable, damaged, page, skipped, start

PAGE_ROWS = 200
PAGE_CHARACTERS = 100_000
HEADER_DEPTH = 10
"""The header is looked for in this many rows."""
SAMPLE_RECORDS = 50
GAP_ROWS = 20
"""More empty rows than this part two pages."""

NAME_CHARACTERS = 80
_YEAR = re.compile(r"(?:19|20)\d\d")

Row = Sequence[Any]


def read_sheets(path: Path, name: str) -> Iterator[Line]:
    """Excel (.xlsx, .xlsb, .xls) and OpenDocument (.ods), each sheet in turn."""
    from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum

    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = book.sheets_metadata
    except PasswordError as error:
        raise Unreadable(f"{name} is encrypted.", "Open it, remove its password and save it.") from error
    except BaseException as error:
        _raise_unless_damaged(error)
        raise damaged(name) from error
    yield start(name)
    for sheet in sheets:
        if sheet.typ != SheetTypeEnum.WorkSheet:
            yield skipped(f"{sheet.name} is a chart or a macro, not a table")
            continue
        try:
            found = _opened(book, sheet.name)
        except Unreadable:
            yield skipped(f"the sheet {sheet.name} is damaged")
            continue
        above = found.start[0] if found.start else 0
        yield from _pages(found.iter_rows(), sheet.name, above + 1)


def _opened(book: Any, name: str) -> Any:
    try:
        return book.get_sheet_by_name(name)
    except BaseException as error:
        _raise_unless_damaged(error)
        raise damaged(name) from error


def _raise_unless_damaged(error: BaseException) -> None:
    """A damaged file makes calamine, which is written in Rust, raise its own errors, or a panic that is no Exception."""
    from python_calamine import CalamineError

    if not isinstance(error, (CalamineError, OSError, ValueError)) and type(error).__name__ != "PanicException":
        raise error


def read_table(path: Path, name: str) -> Iterator[Line]:
    """Values between commas, semicolons, tabs or bars, a record a row."""
    encoding, errors = encoding_of(path.read_bytes())
    csv.field_size_limit(10_000_000)
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        delimiter = delimiter_of(file.read(20_000), named=True) or ","
        file.seek(0)
        yield start(name)
        records = csv.reader((line.replace("\0", "") for line in file), delimiter=delimiter)
        try:
            yield from _pages(records, "", 1)
        except csv.Error as error:
            yield skipped(f"the rest of the table is damaged ({error})")


def delimiter_of(text: str, *, named: bool) -> str:
    """What stands between the values of a table; empty where `text` is none. `named` tables may be uneven and short."""
    lines = text[:20_000].split("\n")
    lines = [line for line in lines[: -1 if len(text) >= 20_000 else None] if line.strip()][:SAMPLE_RECORDS]
    best, best_score = "", 0.0
    for delimiter in "\t;,|":
        try:
            widths = [len(record) for record in csv.reader(lines, delimiter=delimiter, strict=True)]
        except csv.Error:
            continue
        most = max(widths, key=widths.count, default=0)
        score = most * widths.count(most) / max(1, len(widths))
        even = widths.count(most) == len(widths) >= 3 and most >= (2 if delimiter == "\t" else 3)
        if most > 1 and score > best_score and (named or even):
            best, best_score = delimiter, score
    return best


def _pages(rows: Iterable[Row], sheet: str, first: int) -> Iterator[Line]:
    """Rows as lines, some hundred on a page; rows above the header stand as they are, empty ones stay empty lines."""
    cells = ([_as_text(value) for value in row] for row in rows)
    top = list(islice(cells, HEADER_DEPTH))
    header_at = _header_row(top)
    headers = top[header_at] if header_at is not None else []
    lines: list[str] = []
    size = empty = 0
    for number, row in enumerate(chain(top, cells), first):
        below = header_at is not None and number - first > header_at
        line = _line(headers if below else [], row)
        empty = 0 if line else empty + 1
        if lines and (len(lines) >= PAGE_ROWS or size > PAGE_CHARACTERS or empty > GAP_ROWS):
            yield _page(lines, sheet, number - len(lines))
            lines, size = [], 0
        if line or lines:
            lines.append(line)
            size += len(line)
    if any(lines):
        yield _page(lines, sheet, number - len(lines) + 1)


def _page(lines: Sequence[str], sheet: str, first: int) -> Line:
    return page("\n".join(lines).rstrip("\n"), place=sheet, counted="row", first=first)


def _line(headers: Sequence[str], row: Sequence[str]) -> str:
    named = [*headers, *[""] * (len(row) - len(headers))]
    return "; ".join(f"{h}: {v}" if h else v for h, v in zip(named, row, strict=False) if v)


def _header_row(top: Sequence[Sequence[str]]) -> int | None:
    """The first row whose cells are all names, no two alike, and that is about as wide as the table."""
    width = max((sum(map(bool, row)) for row in top), default=0)
    for at, row in enumerate(top[:-1]):
        filled = [cell for cell in row if cell]
        wide = len(filled) >= max(2, 0.6 * width)
        if (
            wide
            and len(set(filled)) == len(filled)
            and all(map(_is_name, filled))
            and not all(map(_YEAR.fullmatch, filled))
        ):
            return at
    return None


def _is_name(cell: str) -> bool:
    """Whether a cell may head a column: words or a year, and no number, date or long text."""
    digits = sum(character.isdigit() for character in cell)
    letters = sum(character.isalpha() for character in cell)
    worded = letters > (digits if cell[0].isdigit() else 0)
    return len(cell) <= NAME_CHARACTERS and (worded or bool(_YEAR.fullmatch(cell)))


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return " ".join(str(value).split())
