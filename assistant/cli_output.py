"""How the command line speaks: results on stdout, everything else on stderr, progress only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO, cast

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
CALLERS_MISTAKES = {"MissingKey", "ModelNotFound", "BadInput", "SettingsError", "AccountError"}
"""Errors that the caller can mend by asking otherwise: exit status 2."""


class CallerError(Exception):
    """The command cannot be carried out as it was given: one line, exit status 2."""


def use_utf8() -> None:
    """Any text can be written everywhere; what is not text (a file name of broken bytes) is written escaped."""
    for stream in (sys.stdout, sys.stderr):
        cast(Any, stream).reconfigure(encoding="utf-8", errors="backslashreplace")


def print_json(value: Mapping[str, Any]) -> None:
    print_text(json.dumps(value, ensure_ascii=False) + "\n")


def print_text(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """One line for the person, beside the result."""
    sys.stderr.write(" ".join(text.split()) + "\n")
    sys.stderr.flush()


def failure_status(error: str) -> int:
    """The exit status for the class name of an error."""
    return MISTAKE if error in CALLERS_MISTAKES else FAILED


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest cell, two spaces between."""
    lines = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print_text("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


def megabytes(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "?"
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


class Meter:
    """A progress bar on stderr that appears with the first word of progress and vanishes when text comes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._task: Any = None

    def show(self, text: str, fraction: float | None) -> None:
        if not self._stream.isatty():
            return
        if self._bar is None:
            self._bar = _bar(self._stream)
            self._task = self._bar.add_task(text, total=None)
            self._bar.start()
        total = None if fraction is None else 1.0
        self._bar.update(self._task, description=text, total=total, completed=fraction or 0)

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(stream: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=stream), transient=True)
