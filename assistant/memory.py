"""What of a conversation the model is told again: the newest turns that fit, and word of those that no longer do.

Citations are left out of it: code puts them in, and a model that sees them writes some of its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.history import TurnRecord
from tools.context import MOST_SEEN
from tools.engines.base import Message

CITATION = re.compile(r"\s*\[\d{1,3}\]")
PICTURE_TURNS = 2
"""Turns whose pictures are shown again, so that "and the left one?" can be asked."""
CountTokens = Callable[[Sequence[Message]], Awaitable[int]]


@dataclass(frozen=True)
class Memory:
    """`dropped` turns at the beginning of the thread did not fit."""

    messages: Sequence[Message]
    dropped: int


async def recall(turns: Sequence[TurnRecord], count: CountTokens, budget: int, *, sees: bool = False) -> Memory:
    """The messages of `turns` (oldest first) within `budget` tokens. A model that `sees` is shown the newest pictures again, where
    they leave half of it free.

    Where they overflow, the oldest go until half the budget is free (the newest stays if it fits at all): the following turns then start with the same
    messages, and the runtime need not read them again.
    """
    sizes: list[int] = []
    first = 0
    shown = [t.id for t in turns if _pictures(t)][-PICTURE_TURNS:] if sees else []
    told = [_messages(turn) for turn in turns]
    for n, turn in enumerate(turns):
        if turn.id in shown and await count(seen := _messages(turn, True)) <= budget // (2 * len(shown)):
            told[n] = seen
    for messages in told:
        sizes.append(await count(messages))
        if sum(sizes[first:]) > budget:
            while first < len(sizes) and sum(sizes[first:]) > (budget // 2 if first < len(sizes) - 1 else budget):
                first += 1
    return Memory([m for messages in told[first:] for m in messages], first)


def asked_of(turn: TurnRecord) -> str:
    """What the model was asked: with the words of a prompt, where one was used."""
    return str((turn.receipt.get("prompt") or {}).get("message") or turn.request)


def _pictures(turn: TurnRecord) -> tuple[Path, ...]:
    paths = [Path(a["path"]) for a in turn.attachments if a["kind"] == "image"]
    return tuple(path for path in paths if path.is_file())[:MOST_SEEN]


def _messages(turn: TurnRecord, with_pictures: bool = False) -> list[Message]:
    request = asked_of(turn) or "(" + ", ".join(str(a["name"]) for a in turn.attachments) + ")"
    answer = CITATION.sub("", turn.answer) if turn.tool == "search_knowledge" else turn.answer
    pictures = _pictures(turn) if with_pictures else ()
    return [Message("user", request, pictures), Message("assistant", answer or f"({turn.tool or 'no answer'})")]
