"""Whole documents in a few lines: every part is read, each line carries the page it stands on.

Lines appear part by part, so that a stop keeps what was done. Where the model says too little that the part bears out, the part's
most central sentences stand in for it, verbatim.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from knowledge.central import central_sentences
from knowledge.documents import Passage, Source
from knowledge.evidence import Support
from knowledge.knowledge_base import KnowledgeBase
from knowledge.ranking import near_duplicates
from knowledge.splitting import split_sentences
from tools.context import TextDelta, ToolContext, ToolOutput
from tools.document_words import Words
from tools.engines.base import TextGenerator
from tools.find_passages import in_another_language
from tools.grounded import Cited, sentences
from tools.part_by_part import SPARE_TOKENS, Note, messages_for, parts_of, shortened, size, take_notes
from tools.plain_text import flat, inert, inert_but_numbers
from tools.prompts import IN_SHORT, SUMMARY
from tools.transcript import short_stamp

PART_TOKENS = 900
MOST_PARTS = 12
LINES_OF_ONE = 6
LINES_A_PART = 3
LEAST_LINES = 3
LINE_TOKENS = 45
IN_SHORT_TOKENS = 160
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")


@dataclass(frozen=True)
class Piece:
    """A passage as a part of what is read."""

    passage: Passage

    @property
    def name(self) -> str:
        return self.passage.title

    @property
    def place(self) -> str:
        p = self.passage
        if p.page:
            return f"p. {p.page}"
        return short_stamp(p.start_s) if p.start_s is not None else p.place

    def shown(self) -> str:
        return self.passage.text


async def summarize_documents(
    context: ToolContext, base: KnowledgeBase, sources: Sequence[Source], words: Words
) -> AsyncGenerator[ToolOutput, None]:
    """Raises: EngineError."""
    for source in sources:
        if len(sources) > 1:
            yield TextDelta(f"### {inert(source.title)}\n\n")
        passages = await base.passages(source.source, collection=source.collection)
        async with aclosing(_summary(context, [Piece(p) for p in passages], words)) as outputs:
            async for output in outputs:
                yield output


async def _summary(context: ToolContext, pieces: Sequence[Piece], words: Words) -> AsyncGenerator[ToolOutput, None]:
    engine = context.text()
    parts = await _parts(engine, pieces, context.request)
    lines = LINES_OF_ONE if len(parts) == 1 else LINES_A_PART
    system = SUMMARY.format(count=lines)
    cited = Cited(context.request, ())
    notes: list[str] = []
    given, said = 0, False
    async with aclosing(take_notes(engine, system, parts, context.request, LINE_TOKENS * lines)) as steps:
        async for step in steps:
            if not isinstance(step, Note):
                yield step
                continue
            told = _lines(step.text, parts[step.number], cited, lines, len(parts) == 1)
            notes.append(f"[{parts[step.number][0].place}] {' '.join(said for said, _ in told)}")
            said = said or bool(told)
            yield TextDelta(_shown(told, parts[step.number], alone=len(parts) == 1))
            for citation in list(cited.citations())[given:]:
                given += 1
                yield citation
    if not said:
        yield TextDelta(words.no_summary.format(name=inert(pieces[0].name)))
    elif len(parts) > 1:
        async with aclosing(_in_short(context, notes, pieces, words)) as outputs:
            async for output in outputs:
                yield output


async def _parts(engine: TextGenerator, pieces: Sequence[Piece], request: str) -> list[Sequence[Piece]]:
    """Parts small enough to be told in a few lines, and not too many of them while the model's context allows."""
    system = SUMMARY.format(count=LINES_OF_ONE)
    room = engine.context_tokens - LINES_OF_ONE * LINE_TOKENS - SPARE_TOKENS
    whole = await size(engine, system, pieces, request)
    return await parts_of(engine, system, pieces, request, min(room, max(PART_TOKENS, whole // MOST_PARTS)))


def _lines(note: str, part: Sequence[Piece], cited: Cited, most: int, fill: bool) -> list[tuple[str, str]]:
    """(what is said, the same with its number) for each line of a note; those that no passage bears out are kept as unsupported
    only where another language explains it."""
    passages = [piece.passage for piece in part]
    cited.passages = passages
    told: list[tuple[str, str]] = []
    for line in _sentences(note):
        if any(near_duplicates(line, other) for other, _ in told):
            continue
        numbered = cited.sentence(line)
        if numbered == line and in_another_language(line, passages[0].text):
            numbered = cited.checked(line)
        if numbered != line:
            told.append((line, numbered))
    wanted = LEAST_LINES if fill else 1
    if len(told) < wanted:
        told += _central(passages, cited, [line for line, _ in told], wanted - len(told))
    return told[:most]


def _central(passages: Sequence[Passage], cited: Cited, told: Sequence[str], count: int) -> list[tuple[str, str]]:
    found = central_sentences(passages, count, besides=told)
    return [(flat(quote), f"{flat(quote)} [{cited.number(Support(passage, quote))}]") for passage, quote in found]


def _sentences(note: str) -> Iterator[str]:
    """Without bullets and numbering; what only introduces the list is left out."""
    for sentence in split_sentences(re.sub(r"\[\d+\]", "", note)):
        line = flat(_BULLET.sub("", sentence))
        if len(line.split()) > 2 and not line.endswith(":"):
            yield line


def _shown(told: Sequence[tuple[str, str]], part: Sequence[Piece], *, alone: bool) -> str:
    lines = "".join(f"- {inert_but_numbers(said, numbered)}\n" for said, numbered in told)
    if alone or not told:
        return lines
    first, last = part[0].place, part[-1].place
    return f"**{first if first == last else f'{first} – {last}'}**\n\n{lines}\n"


async def _in_short(
    context: ToolContext, notes: Sequence[str], pieces: Sequence[Piece], words: Words
) -> AsyncGenerator[ToolOutput, None]:
    """The whole in a few sentences, from the notes on its parts; only what a passage bears out."""
    engine = context.text()
    budget = engine.context_tokens - IN_SHORT_TOKENS - SPARE_TOKENS
    systems = (SUMMARY.format(count=LINES_A_PART), IN_SHORT)
    left = await shortened(engine, systems, context.request, notes, budget, LINE_TOKENS * LINES_A_PART)
    cited = Cited(context.request, [piece.passage for piece in pieces])
    said: list[str] = []
    messages = messages_for(IN_SHORT, "\n".join(left), context.request)
    async for sentence in sentences(context, messages, IN_SHORT_TOKENS):
        if not isinstance(sentence, str):
            yield sentence
        elif cited.sentence(sentence) != sentence or in_another_language(sentence, pieces[0].passage.text):
            said.append(inert(sentence))
    if said:
        yield TextDelta(f"**{words.in_short}**: {flat(' '.join(said))}\n")
