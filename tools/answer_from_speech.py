"""Answers a request about recordings from what was heard, with citations that code puts in and that open at their second.

What the text model can read at once it reads whole. Of a longer recording a question gets the pieces that fit it, and a request
about the whole (a summary, a translation, a list of promises) is worked on part by part: nothing is left out silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from knowledge.documents import Passage
from knowledge.evidence import Support, best_quote, coverage
from knowledge.ranking import content_words, language_of
from tools.context import Notice, TextDelta, ToolContext, ToolOutput, as_outputs
from tools.engines.base import Message, TextGenerator
from tools.grounded import Cited, refuses, sentences, with_earlier_question
from tools.hearing import Heard
from tools.part_by_part import SPARE_TOKENS, Note, messages_for, parts_of, shortened, shown, size, take_notes
from tools.prompts import FROM_NOTES, NOT_SAID, NOTES, TRANSCRIPT
from tools.speech_passages import Piece, pieces_of, ranked, spans_of
from tools.speech_wishes import asks_translation, asks_when, asks_whole, topic_of
from tools.transcript import short_stamp

ANSWER_TOKENS = 512
NOTE_TOKENS = 160
QUESTION_TOKENS = 1500
"""How much of a long recording a question reads: on two processor cores this takes the starter model half a minute."""
PLACES = 5
APART_S = 20.0
SURE_COVERAGE = 0.5


@dataclass(frozen=True)
class _Words:
    """What the tool itself says, in one language."""

    not_said: str
    unmatched: str
    selected: str
    place: str


WORDS = {
    "en": _Words(
        "I did not find this in {names}.",
        "This answer could not be matched to the recording; check it.",
        "The recording is long: this answer stands on the {read} of its {all} parts that fit the question best.",
        "**{time}**: “{quote}” [{n}]",
    ),
    "fr": _Words(
        "Je n'ai pas trouvé cela dans {names}.",
        "Cette réponse n'a pas pu être rapprochée de l'enregistrement ; vérifiez-la.",
        "L'enregistrement est long : cette réponse s'appuie sur les {read} de ses {all} parties qui répondent le mieux.",
        "**{time}** : « {quote} » [{n}]",
    ),
    "de": _Words(
        "Das habe ich in {names} nicht gefunden.",
        "Diese Antwort ließ sich der Aufnahme nicht zuordnen; prüfen Sie sie.",
        "Die Aufnahme ist lang: Diese Antwort stützt sich auf die {read} ihrer {all} Teile, die am besten passen.",
        "**{time}**: „{quote}“ [{n}]",
    ),
    "es": _Words(
        "No he encontrado esto en {names}.",
        "Esta respuesta no se pudo relacionar con la grabación; compruébela.",
        "La grabación es larga: esta respuesta se basa en las {read} de sus {all} partes que mejor responden.",
        "**{time}**: «{quote}» [{n}]",
    ),
    "it": _Words(
        "Non ho trovato questo in {names}.",
        "Questa risposta non corrisponde alla registrazione; la verifichi.",
        "La registrazione è lunga: questa risposta si basa sulle {read} delle sue {all} parti più adatte.",
        "**{time}**: «{quote}» [{n}]",
    ),
}


async def answer_from_speech(context: ToolContext, heard: Sequence[Heard]) -> AsyncGenerator[ToolOutput, None]:
    """Raises: EngineError."""
    question = with_earlier_question(context)
    pieces = [piece for one in heard for piece in pieces_of(one)]
    words = WORDS[language_of(context.request)]
    not_said = words.not_said.format(names=", ".join(one.name for one in heard))
    engine = context.text()
    whole = asks_whole(context.request)
    if asks_when(context.request):
        answer = _places(context, question, pieces, words, not_said)
    elif await size(engine, TRANSCRIPT, pieces, question) <= _budget(engine, context):
        answer = _from(context, question, pieces, words, "" if whole else not_said)
    elif asks_translation(context.request):
        answer = _part_by_part(context, pieces)
    elif whole:
        answer = _from_notes(context, question, pieces)
    else:
        answer = _from_best(context, question, pieces, words, not_said)
    async with aclosing(answer) as outputs:
        async for output in outputs:
            yield output


async def _from(
    context: ToolContext, question: str, pieces: Sequence[Piece], words: _Words, not_said: str
) -> AsyncGenerator[ToolOutput, None]:
    """From pieces that fit the model; `not_said` is the answer where the model finds none, "" where there always is one."""
    system = TRANSCRIPT + (NOT_SAID if not_said else "")
    messages = messages_for(system, shown(pieces), question)
    async with aclosing(_cited(context, question, messages, pieces, not_said, words.unmatched)) as outputs:
        async for output in outputs:
            yield output


async def _from_best(
    context: ToolContext, question: str, pieces: Sequence[Piece], words: _Words, not_said: str
) -> AsyncGenerator[ToolOutput, None]:
    engine = context.text()
    budget = min(QUESTION_TOKENS, _budget(engine, context))
    chosen = await ranked(context.knowledge(), question, pieces, context.collections[0])
    while len(chosen) > 1 and await size(engine, TRANSCRIPT + NOT_SAID, chosen, question) > budget:
        chosen = chosen[:-1]
    chosen.sort(key=pieces.index)
    yield Notice(words.selected.format(read=len(chosen), all=len(pieces)))
    async with aclosing(_from(context, question, chosen, words, not_said)) as outputs:
        async for output in outputs:
            yield output


async def _cited(
    context: ToolContext,
    question: str,
    messages: Sequence[Message],
    pieces: Sequence[Piece],
    not_said: str,
    unmatched: str,
) -> AsyncGenerator[ToolOutput, None]:
    """Sentences as they are complete, each with the place that bears it out."""
    cited = Cited(question, spans_of(pieces))
    said = False
    async for sentence in sentences(context, messages, _longest(context)):
        if not isinstance(sentence, str):
            yield sentence
            continue
        if not_said and not said and refuses(sentence):
            yield TextDelta(not_said)
            return
        said = True
        yield TextDelta(await asyncio.to_thread(cited.sentence, sentence))
    for citation in cited.citations():
        yield citation
    if said and not_said and not cited.supports and language_of(question) == language_of(pieces[0].text):
        yield Notice(unmatched)


# Where something is said


async def _places(
    context: ToolContext, question: str, pieces: Sequence[Piece], words: _Words, not_said: str
) -> AsyncGenerator[ToolOutput, None]:
    """The times themselves, found by code: no model is asked."""
    topic = topic_of(question)
    cited = Cited(question, ())
    best = await ranked(context.knowledge(), topic, pieces, context.collections[0])
    for passage in _said_at(topic, pieces) or _near(topic, best):
        quote = best_quote(topic, passage.text)
        n = cited.number(Support(passage, quote))
        line = words.place.format(time=short_stamp(passage.start_s or 0.0), quote=quote, n=n)
        yield TextDelta(f"- {line}\n")
    if not cited.supports:
        yield TextDelta(not_said)
    for citation in cited.citations():
        yield citation


def _said_at(topic: str, pieces: Sequence[Piece]) -> list[Passage]:
    """The segments that hold most of the topic's words, in their order; close ones count as one place."""
    wanted = content_words(topic)
    scored = [(coverage(wanted, span.text), span) for span in spans_of(pieces, longest=1)]
    best = max((score for score, _ in scored), default=0.0)
    if best < SURE_COVERAGE:
        return []
    places: list[Passage] = []
    for score, span in scored:
        near = places and places[-1].source == span.source and _start(span) - _start(places[-1]) < APART_S
        if score >= max(SURE_COVERAGE, best) and not near:
            places.append(span)
    return places[:PLACES]


def _start(passage: Passage) -> float:
    return passage.start_s or 0.0


def _near(topic: str, best: Sequence[Piece]) -> list[Passage]:
    """Where the words do not occur, the piece that is closest in meaning, if it shares anything with the topic."""
    wanted = content_words(topic)
    return [span for piece in best[:1] for span in spans_of([piece], longest=1)[:1] if coverage(wanted, piece.text)]


# Recordings that the model cannot read at once


async def _part_by_part(context: ToolContext, pieces: Sequence[Piece]) -> AsyncGenerator[ToolOutput, None]:
    """Each part is worked on by itself, its answers put one behind the other."""
    engine = context.text()
    room = (engine.context_tokens - SPARE_TOKENS) // 3
    parts = await parts_of(engine, TRANSCRIPT, pieces, context.request, room)
    for part in parts:
        messages = messages_for(TRANSCRIPT, shown(part), context.request)
        async for output in as_outputs(engine.stream(messages, max_tokens=2 * room, temperature=0.0)):
            yield output
        yield TextDelta("\n\n")


async def _from_notes(context: ToolContext, question: str, pieces: Sequence[Piece]) -> AsyncGenerator[ToolOutput, None]:
    """Notes on every part, and the answer from the notes."""
    engine = context.text()
    room = engine.context_tokens - NOTE_TOKENS - SPARE_TOKENS
    parts = await parts_of(engine, NOTES, pieces, question, room)
    notes: list[str] = []
    async with aclosing(take_notes(engine, NOTES, parts, question, NOTE_TOKENS)) as steps:
        async for step in steps:
            if not isinstance(step, Note):
                yield step
            elif step.text:
                notes.append(f"[{parts[step.number][0].place}] {step.text}")
    notes = await shortened(engine, (NOTES, FROM_NOTES), question, notes, _budget(engine, context), NOTE_TOKENS)
    messages = messages_for(FROM_NOTES, "\n".join(notes), question)
    async with aclosing(_cited(context, question, messages, pieces, "", "")) as outputs:
        async for output in outputs:
            yield output


def _longest(context: ToolContext) -> int:
    asked = int(context.options.get("max_tokens", ANSWER_TOKENS))
    return min(asked, ANSWER_TOKENS, context.text().context_tokens // 2)


def _budget(engine: TextGenerator, context: ToolContext) -> int:
    return engine.context_tokens - _longest(context) - SPARE_TOKENS
