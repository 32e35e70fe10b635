"""What of a conversation the model is told again: the newest turns that fit, and word of those that no longer do.

Citations are left out of it: code puts them in, and a model that sees them writes some of its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from assistant.history import TurnRecord
from tools.engines.base import Message

CITATION = re.compile(r"\s*\[\d{1,3}\]")
CountTokens = Callable[[Sequence[Message]], Awaitable[int]]


@dataclass(frozen=True)
class Memory:
    """`dropped` turns at the beginning of the thread did not fit."""

    messages: Sequence[Message]
    dropped: int


async def recall(turns: Sequence[TurnRecord], count: CountTokens, budget: int) -> Memory:
    """The messages of `turns` (oldest first) within `budget` tokens.

    Where they overflow, the oldest go until half the budget is free (the newest stays if it fits at all): the following turns then start with the same
    messages, and the runtime need not read them again.
    """
    sizes: list[int] = []
    first = 0
    for turn in turns:
        sizes.append(await count(_messages(turn)))
        if sum(sizes[first:]) > budget:
            while first < len(sizes) and sum(sizes[first:]) > (budget // 2 if first < len(sizes) - 1 else budget):
                first += 1
    return Memory([m for turn in turns[first:] for m in _messages(turn)], first)


def _messages(turn: TurnRecord) -> list[Message]:
    request = turn.request or "(" + ", ".join(str(a["name"]) for a in turn.attachments) + ")"
    answer = CITATION.sub("", turn.answer) if turn.tool == "search_knowledge" else turn.answer
    return [Message("user", request), Message("assistant", answer or f"({turn.tool or 'no answer'})")]
