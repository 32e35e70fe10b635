"""What the readers share: the lines they give, tables as text, and the one way in which they give up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]
"""One of {"start"}, {"page", "text", …}, {"page", "skipped"}, {"attached", "path"}; to the outside also {"opening"}, the number of
a file inside that is read next, and {"error", "remedy"}."""

CHOOSE = "Choose a PDF, an Office or OpenDocument file, a web page, a book, an e-mail, a picture of text or plain text."


class Unreadable(Exception):
    """The file cannot be read; `remedy` says what would help."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def start(title: str, pages: int | None = None) -> Line:
    return {"start": {"title": title, "pages": pages}}


def page(text: str, number: int | None = None, **more: Any) -> Line:
    """`more` is of `place`, `counted`, `first` and `start_s`, which mean what they do in `knowledge.documents.Page`."""
    return {"page": number, "text": text, **more}


def skipped(why: str, number: int | None = None) -> Line:
    return {"page": number, "skipped": why}


def attached(name: str, path: Path) -> Line:
    """A file inside the file, to be read in its turn while it lies at `path`."""
    return {"attached": name, "path": str(path)}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in Markdown, the first one as the header; each stays on one line."""
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]] if len(lines) > 1 else lines)


def damaged(name: str) -> Unreadable:
    return Unreadable(f"{name} is damaged and cannot be opened.", "Save it anew, or download it again.")
