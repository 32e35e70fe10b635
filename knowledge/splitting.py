"""Cuts pages into chunks along headings, paragraphs, sentences, rows and functions, small enough that an embedding reads them whole."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from knowledge.documents import Chunk, Page
from knowledge.parts import (
    CHUNK_TOKENS,
    LINE,
    PARAGRAPH,
    PLACE_CHARACTERS,
    SENTENCE,
    Part,
    Span,
    counted_parts,
    cut,
    estimate_tokens,
    parts_of,
)

__all__ = ["CHUNK_TOKENS", "estimate_tokens", "iter_chunks", "split_pages", "split_sentences"]

OVERLAP_TOKENS = 30
_WORD = re.compile(r"\S+\s*")


def split_pages(pages: Iterable[Page], chunk_tokens: int = CHUNK_TOKENS) -> list[Chunk]:
    """All of what `iter_chunks` gives."""
    return list(iter_chunks(pages, chunk_tokens))


def iter_chunks(pages: Iterable[Page], chunk_tokens: int = CHUNK_TOKENS) -> Iterator[Chunk]:
    """Chunks of at most about `chunk_tokens`, page by page as these come; a chunk never spans two.

    A chunk in the middle of a section begins with the section's heading, one in the middle of a table also with the table's
    header, so that it can be understood alone. What follows this is verbatim in the page, from the chunk's `offset` on.
    """
    heading = ""
    before: Page | None = None
    for page in pages:
        heading = heading if before is not None and _goes_on(before, page) else ""
        before = page
        parts = counted_parts(page) if page.counted else parts_of(page.text, heading)
        lines = [match.start() for match in LINE.finditer(page.text)] if page.counted else []
        for part in parts:
            for prefix, start, end in _fill(page.text, part, chunk_tokens):
                place = _place(page, part, lines, start, end)
                yield Chunk(prefix + page.text[start:end], page.number, page.start_s, place, start)
            heading = part.heading


def _goes_on(before: Page, page: Page) -> bool:
    """Whether a page belongs to the one before, and not to another file of the same archive."""
    stems = {before.place.rpartition(" ")[0], page.place.rpartition(" ")[0]}
    return before.place == page.place or (len(stems) == 1 and stems != {""})


def _place(page: Page, part: Part, lines: Sequence[int], start: int, end: int) -> str:
    """In words, where a page number does not say it: rows or lines, the page's own place, or the heading."""
    if not page.counted:
        return page.place or (part.heading[:PLACE_CHARACTERS] if page.number is None else "")
    first = page.first + bisect_left(lines, start)
    last = page.first + bisect_left(lines, end)
    span = f"{page.counted} {first}" if first == last else f"{page.counted}s {first}–{last}"
    return f"{page.place}, {span}" if page.place else span


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`, verbatim and in order; a list item, a table row or a short line counts as a sentence."""
    sentences: list[str] = []
    for block in PARAGRAPH.split(text):
        for line in _lines(block):
            found = [line[slice(*span)].strip() for span in cut(SENTENCE, line, 0, len(line))]
            sentences += [sentence for sentence in found if sentence]
    return sentences


def _fill(text: str, part: Part, limit: int) -> Iterator[tuple[str, int, int]]:
    """Fill chunks with whole pieces, as (what opens the chunk, start, end); the last sentence of a chunk opens the next one where
    it is short."""
    heading = f"{part.heading}\n" if part.heading and part.titled else ""
    fits = estimate_tokens(heading + part.repeated) <= limit // 2
    repeated = f"{part.repeated}\n" if part.repeated and fits else ""
    room = max(limit // 2, limit - estimate_tokens(part.opening + heading + repeated))
    prefix = part.opening + heading
    held: list[Span] = []
    size = 0
    for piece in _pieces(text, part.start, part.end, part.cuts, room):
        cost = estimate_tokens(text[slice(*piece)])
        if held and size + cost > room:
            if (span := _stripped(text, held[0][0], held[-1][1])) is not None:
                yield prefix, *span
                prefix = heading + repeated
            held = _overlap(text, held, room - cost) if part.overlaps else []
            size = sum(estimate_tokens(text[slice(*span)]) for span in held)
        held.append(piece)
        size += cost
    if held and (span := _stripped(text, held[0][0], held[-1][1])) is not None:
        yield prefix, *span


def _stripped(text: str, start: int, end: int) -> Span | None:
    inner = text[start:end]
    if not inner.strip():
        return None
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())


def _overlap(text: str, held: Sequence[Span], room: int) -> list[Span]:
    last = held[-1]
    fits = len(held) > 1 and estimate_tokens(text[slice(*last)]) <= min(OVERLAP_TOKENS, room)
    return [last] if fits else []


def _pieces(text: str, start: int, end: int, cuts: Sequence[re.Pattern[str]], room: int) -> Iterator[Span]:
    """Whole where it fits, else cut at the first of `cuts`, and so on, at last between words and characters; joined the pieces
    give the stretch again. A paragraph is only taken whole up to half a chunk, so that sentences fill chunks better."""
    if not cuts:
        yield from _broken(text, start, end, room)
        return
    for piece in cut(cuts[0], text, start, end):
        whole = room // 2 if cuts[0] is PARAGRAPH and SENTENCE in cuts else room
        if cuts[0] is LINE and SENTENCE in cuts:
            whole = 0
        if estimate_tokens(text[slice(*piece)]) <= whole:
            yield piece
        else:
            yield from _pieces(text, *piece, cuts[1:], room)


def _broken(text: str, start: int, end: int, room: int) -> Iterator[Span]:
    held = start
    for word in _WORD.finditer(text, start, end):
        at, stop = word.span()
        if at > held and estimate_tokens(text[held:stop]) > room:
            yield held, at
            held = at
        if estimate_tokens(text[at:stop]) > room:
            yield from ((i, min(i + room, stop)) for i in range(at, stop, room))
            held = stop
    if held < end:
        yield held, end


def _lines(block: str) -> list[str]:
    """Wrapped prose stays together, its line breaks kept; list items, table rows and short lines stand by themselves."""
    lines: list[str] = []
    for line in block.splitlines(keepends=True):
        wrapped = lines and len(lines[-1].rpartition("\n")[2] or lines[-1].strip()) > 60
        if wrapped and not lines[-1].startswith("|") and not line.lstrip().startswith(("-", "*", "•", "|", "#")):
            lines[-1] += line
        else:
            lines.append(line)
    return lines
