"""The parts of a page that are cut by themselves: what stands below a heading, a large table, a run of functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.documents import Page

CHUNK_TOKENS = 150
HEADING_TOKENS = 50
"""A longer line is a paragraph, whatever it begins with."""
PLACE_CHARACTERS = 100

PARAGRAPH = re.compile(r"\n[ \t]*\n+")
LINE = re.compile(r"\n")
SENTENCE = re.compile(r"(?<=[.!?…؟۔।])[\"'”’»)\]]*\s+|(?<=[。！？])")
_TOP_LEVEL = re.compile(r"\n[ \t]*\n+(?=[^\s})\]])")
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"(={3,}|-{3,})[ \t]*")
_TABLE = re.compile(r"^\|.*\|[ \t]*\n(?:\|.*(?:\n|\Z))+", re.MULTILINE)
_LATIN = re.compile(r"[\x00-\u024f]")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

Span = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """A stretch of a page that is cut by itself. `heading` opens its chunks, `opening` only the first of them; `repeated` opens
    all others. `cuts` are where it may be cut, the best places first. A part that is not `titled` is the heading itself."""

    start: int
    end: int
    heading: str = ""
    opening: str = ""
    repeated: str = ""
    cuts: tuple[re.Pattern[str], ...] = (PARAGRAPH, LINE, SENTENCE)
    overlaps: bool = True
    titled: bool = True


def counted_parts(page: Page) -> Iterator[Part]:
    """Rows are never cut if they fit, and source code between functions and classes where it can be."""
    if page.counted != "line":
        yield Part(0, len(page.text), cuts=(LINE,), overlaps=False)
        return
    run = 0
    for start, end in cut(_TOP_LEVEL, page.text, 0, len(page.text)):
        if estimate_tokens(page.text[start:end]) <= CHUNK_TOKENS:
            continue
        if page.text[run:start].strip():
            yield _code(run, start)
        yield _code(start, end, _opener(page.text[start:end]))
        run = end
    if page.text[run:].strip():
        yield _code(run, len(page.text))


def _code(start: int, end: int, repeated: str = "") -> Part:
    return Part(start, end, repeated=repeated, cuts=(_TOP_LEVEL, PARAGRAPH, LINE), overlaps=False)


def _opener(block: str) -> str:
    """The line that opens a class or a function; empty for anything else."""
    first = block.lstrip("\n").split("\n", 1)[0].rstrip()
    return first if len(first) <= PLACE_CHARACTERS and first.endswith((":", "{", "(")) else ""


def parts_of(text: str, heading: str) -> Iterator[Part]:
    """What stands below each heading, large tables apart; the first part of a page goes on under the heading of the page
    before. A heading with nothing below it opens the part after it."""
    alone: list[Span] = []
    for title, start, end in _sections(text, heading):
        if not text[start:end].strip():
            alone += [title] if isinstance(title, tuple) else []
            continue
        name = title if isinstance(title, str) else text[slice(*title)]
        opening = "".join(f"{text[slice(*span)]}\n" for span in alone)
        if opening and estimate_tokens(opening + name) > HEADING_TOKENS:
            yield Part(alone[0][0], alone[-1][1], name, titled=False)
            opening = ""
        alone = []
        yield from _split_at_tables(text, start, end, name, opening)
    if alone:
        yield Part(alone[0][0], alone[-1][1], text[slice(*alone[-1])], titled=False)


def _split_at_tables(text: str, start: int, end: int, heading: str, opening: str) -> Iterator[Part]:
    for table in _TABLE.finditer(text, start, end):
        if estimate_tokens(table.group()) <= CHUNK_TOKENS // 2:
            continue
        if text[start : table.start()].strip():
            yield Part(start, table.start(), heading, opening)
            opening = ""
        header = table.group().split("\n", 1)[0]
        yield Part(table.start(), table.end(), heading, opening, header, (LINE,), overlaps=False)
        start, opening = table.end(), ""
    if text[start:end].strip():
        yield Part(start, end, heading, opening)


def _sections(text: str, heading: str) -> Iterator[tuple[str | Span, int, int]]:
    """Headings, the first as given and the others as they stand in `text`, each with the stretch below it."""
    title: str | Span = heading
    start = 0
    fenced = False
    before: Span = (0, 0)
    blank = True
    for at, end in cut(LINE, text, 0, len(text)):
        line = text[at:end].rstrip()
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        found: Span | None = None
        above = at
        if not fenced and (match := _HEADING.fullmatch(line)) and estimate_tokens(line) <= HEADING_TOKENS:
            found = (at + match.start(2), at + match.end(2))
        elif not fenced and _UNDERLINE.fullmatch(line) and blank and 0 < before[1] - before[0] <= PLACE_CHARACTERS:
            found, above = before, before[0]
        if found is not None:
            yield title, start, above
            title, start = found, end
            line = ""
        blank = before[0] == before[1]
        before = (at, at + len(line)) if not line.startswith(("|", "-", "*", ">")) else (at, at)
    yield title, start, len(text)


def estimate_tokens(text: str) -> int:
    """About how many tokens a word-piece vocabulary makes of `text`: a Latin letter is a quarter of one, a letter of another
    alphabet half, a Chinese, Japanese or Korean character one."""
    if text.isascii():
        return (len(text) + 3) // 4
    latin = len(_LATIN.findall(text))
    dense = len(_DENSE.findall(text))
    return (latin + 2 * (len(text) - latin - dense) + 3) // 4 + dense


def cut(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Span]:
    """The parts of a stretch, each with the separator that follows it."""
    for match in pattern.finditer(text, start, end):
        if match.end() > start:
            yield start, match.end()
            start = match.end()
    if start < end:
        yield start, end
