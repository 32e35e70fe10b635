"""Reads a document of any kind, and the files inside it: picks the reader, joins what it gives, and stops where it is too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from knowledge.parsing import books, mail, notebook, ocr, opendocument, packed, pdf, sheets, slides, text, web, word
from knowledge.parsing.kinds import document_kind
from knowledge.parsing.lines import Line, Unreadable, skipped

TEXT_CHARACTERS = 20_000_000
DEPTH = 2
"""Files are read that stand in a file that stands in a file, and no deeper."""

READERS: dict[str, Callable[[Path, str], Iterator[Line]]] = {
    "archive": packed.read_archive,
    "book": books.read_book,
    "code": text.read_code,
    "mail": mail.read_mail,
    "mailbox": mail.read_mailbox,
    "markdown": text.read_markdown,
    "notebook": notebook.read_notebook,
    "opendocument": opendocument.read_opendocument,
    "pdf": pdf.read_pdf,
    "picture": ocr.read_picture,
    "rtf": text.read_rtf,
    "sheet": sheets.read_sheets,
    "slides": slides.read_slides,
    "subtitles": text.read_subtitles,
    "table": sheets.read_table,
    "text": text.read_text,
    "web": web.read_web,
    "word": word.read_word,
}
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def read_document(path: Path, name: str, first: int = 1, left_out: Collection[int] = ()) -> Iterator[Line]:
    """The lines of a document, of a PDF from page `first` on, and without the files inside that are `left_out` by number.

    Raises: Unreadable.
    """
    kind = document_kind(path, name)
    lines = pdf.read_pdf(path, name, first) if kind == "pdf" else READERS[kind](path, name)
    characters = 0
    why = ""
    for line in _expanded(lines, DEPTH, left_out):
        if "text" not in line:
            why = why or line.get("skipped", "")
            yield line
            continue
        room = TEXT_CHARACTERS - characters
        characters += len(line["text"])
        yield {**line, "text": line["text"][:room]}
        if characters > TEXT_CHARACTERS:
            yield skipped(f"only the first {TEXT_CHARACTERS:,} characters were read; split the file", line["page"])
            return
    if not characters and first == 1:
        reason = f": {why.removeprefix('no text: ')}" if why else ""
        raise Unreadable(f"{name} has no text in it{reason}.", "Check that it is the right file.")


def _expanded(lines: Iterator[Line], depth: int, left_out: Collection[int] = ()) -> Iterator[Line]:
    """The lines, with those of the files inside where these stand, and without empty pages. Says which file inside it opens."""
    opened = 0
    for line in lines:
        if "attached" in line:
            opened += 1
            if opened in left_out:
                yield skipped(f"{line['attached']} is damaged, or wants too much memory or time")
                continue
            if depth == DEPTH:
                yield {"opening": opened}
            yield from _inside(line["attached"], Path(line["path"]), depth)
        elif "text" in line:
            written = _UNWRITABLE.sub("\ufffd", line["text"])
            if written.strip():
                yield {**line, "text": written}
        else:
            yield line


def _inside(name: str, path: Path, depth: int) -> Iterator[Line]:
    """A file inside a file has its name for a place, and its pages are not those of the whole."""
    if not depth:
        yield skipped(f"{name} lies too deep inside other files; unpack it and add it by itself")
        return
    try:
        for line in _expanded(READERS[document_kind(path, name)](path, name), depth - 1):
            if "start" in line:
                continue
            number = line["page"] and f"page {line['page']}"
            where = ", ".join(filter(None, [name, number, line.get("place", "")]))
            if "skipped" in line:
                yield skipped(f"{where}: {line['skipped']}")
            else:
                yield {**line, "page": None, "place": where}
    except Unreadable as error:
        yield skipped(f"{error.message} {error.remedy}")
    except (MemoryError, RecursionError):
        yield skipped(f"{name} is damaged, or wants too much memory or time")
