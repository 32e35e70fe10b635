"""Documents as the page shows them: their passages put together again, and the words of a question marked in a passage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.knowledge_base import Passage

LONGEST_HEADING = 120
LONGEST_OVERLAP = 400
SHORTEST_OVERLAP = 12
WINDOW = 60
"""Blocks shown at once; a long document comes in parts."""

_SPACED = re.compile(r"[\u0000-\u0dff]")
"""Letters of scripts that put spaces between words, as far as they come before those that do not."""


@dataclass(frozen=True)
class Block:
    """One passage of a document: the heading it begins a section with, or "", and what it adds to the passage before."""

    id: str
    page: int | None
    place: str
    start_s: float | None
    heading: str
    text: str


@dataclass(frozen=True)
class Window:
    """Part of a document. `first` counts from 0; `count` are the blocks of the whole document."""

    blocks: Sequence[Block]
    first: int
    count: int


def document_window(passages: Sequence[Passage], first: int = 0, around: str = "") -> Window:
    """The blocks from number `first` on, or those around the passage with the id `around`."""
    if around:
        number = next((n for n, passage in enumerate(passages) if passage.id == around), 0)
        first = max(0, number - WINDOW // 3)
    first = max(0, min(first, len(passages) - 1))
    return Window(
        blocks_of(passages[first : first + WINDOW], passages[first - 1] if first else None), first, len(passages)
    )


def blocks_of(passages: Sequence[Passage], before: Passage | None = None) -> list[Block]:
    """Passages that follow one another, and the first of them follows `before`."""
    return [_block(passage, last) for passage, last in zip(passages, [before, *passages], strict=False)]


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """`text` in pieces, each with whether it is one of the words; together they give the text again."""
    if not words:
        return [(text, False)] if text else []
    longest_first = sorted(map(_pattern, words), key=len, reverse=True)
    pieces = re.split(f"({'|'.join(longest_first)})", text, flags=re.IGNORECASE)
    return [(piece, bool(number % 2)) for number, piece in enumerate(pieces) if piece]


def _pattern(word: str) -> str:
    """A word whole; of a script without spaces between words, wherever it stands."""
    return re.escape(word) if not word.isascii() and not _SPACED.search(word) else rf"\b{re.escape(word)}\b"


def _block(passage: Passage, before: Passage | None) -> Block:
    heading, body = _split(passage.text)
    if before is not None:
        known, text = _split(before.text)
        if heading and heading == known:
            heading = ""
        if before.page == passage.page:
            body = _without_overlap(text, body)
    return Block(passage.id, passage.page, passage.place, passage.start_s, heading, body.strip("\n"))


def _split(text: str) -> tuple[str, str]:
    """(heading, body): a chunk within a section begins with the section's heading, a short line that ends no sentence."""
    line, _, rest = text.partition("\n")
    heading = line.lstrip("#").strip()
    if rest.strip() and 0 < len(heading) <= LONGEST_HEADING and heading[-1] not in ".,;!?…|" and heading[0].isalnum():
        return heading, rest
    return "", text


def _without_overlap(before: str, text: str) -> str:
    """`text` without the words that it repeats from the end of `before`."""
    before = before.strip()
    for size in range(min(LONGEST_OVERLAP, len(before), len(text)), SHORTEST_OVERLAP - 1, -1):
        if before.endswith(text[:size].strip()) and _ends_word(text, size):
            return text[size:].lstrip(" ")
    return text


def _ends_word(text: str, size: int) -> bool:
    return size == len(text) or text[size].isspace() or text[size - 1].isspace()
