"""What a model cannot read at once, read part by part: even parts that fit it, notes on each, and notes on notes.

Knows nothing of recordings or documents: only that pieces show themselves and name their place.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tools.context import Cost, Progress
from tools.engines.base import Message, TextGenerator
from tools.prompts import NOT_IN_PASSAGES

NOTES_AT_ONCE = 4
SPARE_TOKENS = 32


class Readable(Protocol):
    """A piece of a recording or of a document. `place` is short, such as "1:15" or "p. 3"."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> str: ...

    def shown(self) -> str:
        """As the model reads it."""
        ...


P = TypeVar("P", bound=Readable)


@dataclass(frozen=True)
class Note:
    """What the model wrote on part `number`; "" where it found nothing that matters."""

    number: int
    text: str


def shown(pieces: Sequence[Readable]) -> str:
    """As the model reads them, with the name of each source where there are several."""
    lines: list[str] = []
    several = len({piece.name for piece in pieces}) > 1
    for n, piece in enumerate(pieces):
        if several and (n == 0 or pieces[n - 1].name != piece.name):
            lines.append(f"{piece.name}:")
        lines.append(piece.shown())
    return "\n".join(lines)


def messages_for(system: str, text: str, request: str) -> list[Message]:
    return [Message("system", system), Message("user", f"{text}\n\n{request}")]


async def size(engine: TextGenerator, system: str, pieces: Sequence[Readable], request: str) -> int:
    """In tokens of the prompt."""
    return await engine.count_tokens(messages_for(system, shown(pieces), request))


async def parts_of(
    engine: TextGenerator, system: str, pieces: Sequence[P], request: str, budget: int
) -> list[Sequence[P]]:
    """The pieces in as few even parts as fit the budget of prompt tokens."""
    if len(pieces) == 1 or await size(engine, system, pieces, request) <= budget:
        return [pieces]
    half = len(pieces) // 2
    return [
        *await parts_of(engine, system, pieces[:half], request, budget),
        *await parts_of(engine, system, pieces[half:], request, budget),
    ]


async def take_notes(
    engine: TextGenerator, system: str, parts: Sequence[Sequence[Readable]], request: str, note_tokens: int
) -> AsyncGenerator[Progress | Cost | Note, None]:
    """A note on each part as soon as it is written, with progress and the time left in between."""
    began = time.monotonic()
    for number, part in enumerate(parts):
        text = ""
        stream = engine.stream(messages_for(system, shown(part), request), max_tokens=note_tokens, temperature=0.0)
        async with aclosing(stream) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                text += chunk.text
                if chunk.usage:
                    yield Cost(chunk.usage)
                if chunk.fraction is not None:
                    yield _progress(number + 0.9 * chunk.fraction, len(parts), began, part)
        yield Note(number, "" if NOT_IN_PASSAGES in text else text.strip())
        yield _progress(number + 1.0, len(parts), began, part)


async def shortened(
    engine: TextGenerator, systems: tuple[str, str], request: str, notes: Sequence[str], budget: int, note_tokens: int
) -> list[str]:
    """Notes that are too many for one prompt become notes on notes. `systems`: for notes, and for the answer from them."""
    left = list(notes)
    while len(left) > 1 and await engine.count_tokens(messages_for(systems[1], "\n".join(left), request)) > budget:
        merged: list[str] = []
        for first in range(0, len(left), NOTES_AT_ONCE):
            messages = messages_for(systems[0], "\n".join(left[first : first + NOTES_AT_ONCE]), request)
            stream = engine.stream(messages, max_tokens=note_tokens, temperature=0.0)
            merged.append("".join([chunk.text async for chunk in stream]).strip())
        left = merged
    return left


def _progress(done: float, parts: int, began: float, part: Sequence[Readable]) -> Progress:
    left_s = (time.monotonic() - began) * (parts - done) / done if done else None
    return Progress(done / parts, left_s and round(left_s, 1), part[0].place)
