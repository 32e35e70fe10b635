"""The values that cross the knowledge room: what a document is, what a search returns, what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

SourceState = Literal["pending", "partial", "indexed", "failed"]


class KnowledgeError(Exception):
    """`message` says what happened, `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Skipped:
    """A page that was not read, and why. Pages count from 1; None where a file has no pages."""

    page: int | None
    why: str


@dataclass(frozen=True)
class Source:
    """A document in the knowledge base. `source` is its path or URL, `added` an ISO 8601 time in UTC.

    "partial": it is being read for the first time and answers with what is there; "pending": it cannot be found yet, its older
    version can."""

    source: str
    title: str
    state: SourceState
    pages: int | None
    chunks: int
    sha256: str
    added: str
    collection: str
    skipped: Sequence[Skipped] = field(default_factory=tuple)


@dataclass(frozen=True)
class Why:
    """Why a passage matched: the words of the question that it holds, as they stand there, and what nearness in meaning and
    these words gave to its score; the two add up to it."""

    words: tuple[str, ...]
    meaning: float
    wording: float


@dataclass(frozen=True)
class Passage:
    """A piece of a document that matched. `score` is higher for a better match; `similarity` is the cosine to the query.

    `place` names where it stands in words, such as "Prices, row 12", where a page number does not; `offset` is the character of
    its page's text that it begins with; `state` is that of its document, "indexed" or "partial".
    """

    text: str
    source: str
    title: str
    page: int | None
    start_s: float | None
    score: float
    similarity: float
    collection: str
    id: str
    place: str = ""
    offset: int | None = None
    state: SourceState = "indexed"
    why: Why | None = None


@dataclass(frozen=True)
class Page:
    """Text as it was read. `number` counts from 1, None where a file has no pages; `place` is as in `Passage`.

    Where `counted` names what its lines are ("row", "line"), the first of them has the number `first`, and each chunk says at
    which it stands. `start_s` is the second of a recording that it begins at.
    """

    number: int | None
    text: str
    place: str = ""
    counted: str = ""
    first: int = 1
    start_s: float | None = None


@dataclass(frozen=True)
class Start:
    """What is known of a file before its pages are read. `page_count` is None where a file has no pages."""

    title: str
    page_count: int | None = None


@dataclass(frozen=True)
class Document:
    """A file that was read: its pages in order, and what was left out. `page_count` is None where a file has no pages."""

    title: str
    pages: Sequence[Page]
    page_count: int | None = None
    skipped: Sequence[Skipped] = field(default_factory=tuple)


@dataclass(frozen=True)
class Chunk:
    """A piece of a page, small enough to be embedded whole. `place` and `offset` are as in `Passage`."""

    text: str
    page: int | None
    start_s: float | None = None
    place: str = ""
    offset: int | None = None
