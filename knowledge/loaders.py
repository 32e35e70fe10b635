"""Reads a file into a Document, page by page. The parsing itself happens in a process of its own, under limits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from knowledge.documents import Document, KnowledgeError, Page, Skipped, Start
from knowledge.parsing.kinds import document_kind
from knowledge.parsing.lines import Unreadable
from knowledge.parsing.reading import read_document
from knowledge.reader_process import ReaderCrash, run_parser

MAX_FILE_BYTES = 200_000_000
MAX_CRASHES = 3
"""So many pages, or files inside, may end the process that reads them; they are left out."""

SMALL_BYTES = 64_000
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")


def iter_document(
    path: Path, name: str | None = None, *, stop: threading.Event | None = None
) -> Iterator[Start | Page | Skipped]:
    """Read a file, told apart by content, and give what is read as it is read: a `Start`, then pages and what was left out.

    Blocks between two of them; meant for a worker thread. Take your time with a page: only the waiting for the next one is
    limited. Closing the iterator ends the reading.

    Raises: KnowledgeError, one line that says what is wrong with the file and what helps; possibly after some pages.
    """
    name = name or path.name
    check_file(path, name)
    course = _Course()
    if lines := _small_text(path, name):
        yield from course.items(iter(lines), name)
        return
    while True:
        try:
            yield from course.items(run_parser("read", [str(path), name, *course.arguments()], name, stop), name)
            return
        except ReaderCrash as crash:
            yield from course.around(crash)


class _Course:
    """How far a file was read, and where to go on after a crash: in a PDF behind the page, elsewhere once more without the
    file inside that caused it."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._last = 0
        self._given = 0
        self._opened: tuple[int, int] | None = None
        self._left_out: list[int] = []
        self._crashes = 0

    def arguments(self) -> list[str]:
        return [str(self._last + 1), ",".join(map(str, self._left_out))]

    def items(self, lines: Iterator[dict[str, Any]], name: str) -> Iterator[Start | Page | Skipped]:
        """What the lines mean, without what was given before a crash."""
        again = self._opened[1] if self._opened else int(self._crashes > 0)
        self._given = 0
        for line in lines:
            if "opening" in line:
                self._opened = (line["opening"], self._given)
                continue
            item = item_of(line, name)
            self._given += 1
            if isinstance(item, Start):
                self._count = item.page_count
            elif self._count is not None:
                self._last = line["page"] or self._last
            if self._given > again:
                yield item

    def around(self, crash: ReaderCrash) -> Iterator[Skipped]:
        """Raises: KnowledgeError where there is no way around."""
        self._crashes += 1
        inside = self._opened is not None and self._opened[0] not in self._left_out
        between_pages = self._count is not None and self._last < self._count
        if self._crashes > MAX_CRASHES or not (inside or between_pages):
            raise KnowledgeError(crash.message, crash.remedy) from crash
        if self._opened is not None:
            self._left_out.append(self._opened[0])
        else:
            self._last += 1
            yield Skipped(self._last, "the page is damaged, or wants too much memory or time")


def _small_text(path: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a small file of plain UTF-8, which needs no process of its own: that would take a thousand times as long.
    Nothing where it is anything else."""
    if path.stat().st_size > SMALL_BYTES:
        return []
    try:
        text = path.read_bytes().decode()
        if CONTROLS.search(text) or document_kind(path, name) not in ("text", "markdown"):
            return []
        return list(read_document(path, name))
    except (UnicodeDecodeError, Unreadable):
        return []


def load_document(
    path: Path,
    name: str | None = None,
    *,
    progress: Callable[[float], None] = lambda _fraction: None,
    stop: threading.Event | None = None,
) -> Document:
    """The whole of what `iter_document` gives. Raises: KnowledgeError."""
    start = Start(name or path.name)
    pages: list[Page] = []
    skipped: list[Skipped] = []
    for item in iter_document(path, name, stop=stop):
        if isinstance(item, Start):
            start = item
        elif isinstance(item, Skipped):
            skipped.append(item)
        else:
            pages.append(item)
        if start.page_count:
            progress(min(1.0, (len(pages) + len(skipped)) / start.page_count))
    return Document(start.title, pages, start.page_count, skipped)


def check_file(path: Path, name: str, max_bytes: int = MAX_FILE_BYTES) -> None:
    """Raises: KnowledgeError when the file is missing, no plain file, unreadable, empty or too large."""
    if path.is_dir():
        raise KnowledgeError(f"{name} is a folder.", "Name the files in it one by one.")
    try:
        if not path.is_file():
            raise KnowledgeError(f"{name} was not found.", "Check the path.")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise KnowledgeError(f"{name} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if not size:
        raise KnowledgeError(f"{name} is empty (0 bytes).", "Check that it was saved or uploaded completely.")
    if size > max_bytes:
        limit = max_bytes // 1_000_000
        raise KnowledgeError(
            f"{name} is {size / 1e6:,.0f} MB; files of up to {limit} MB are read.", "Split it into smaller files."
        )


def item_of(line: dict[str, Any], name: str) -> Start | Page | Skipped:
    """A line of `knowledge.parsing.lines` as the value that crosses the room."""
    if "start" in line:
        return Start(line["start"]["title"] or name, line["start"]["pages"])
    if "skipped" in line:
        return Skipped(line["page"], line["skipped"])
    return Page(
        line["page"],
        line["text"],
        line.get("place", ""),
        line.get("counted", ""),
        line.get("first", 1),
        line.get("start_s"),
    )
