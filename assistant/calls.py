"""The calls of models that one turn made, as its receipt tells them, and for whom: kept in the turn's own context.

Engines are shared by everybody; what they are asked meanwhile is written to the bill of whoever asks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.prices import Cost, by_currency
from tools.engines.base import Message, Usage

SMALL = ("embedding", "reranking", "voice")
LARGEST_PROMPTS = 200_000
"""Characters of prompts that one receipt keeps word for word; of later ones it tells the length."""


@dataclass(frozen=True)
class Call:
    """`request` is what decides the answer: messages, temperature, max_tokens, seed. `host` is where it went, empty for this
    machine. `cost` is None where the price is not known."""

    model: str
    task: str
    host: str
    usage: Usage
    cost: Cost | None
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Bill:
    """`seed` is what models that repeat themselves are asked with."""

    user: str = "local"
    seed: int | None = None
    calls: list[Call] = field(default_factory=list)
    _kept: int = 0

    def add(self, call: Call) -> None:
        """Many small calls of a kind, as of embeddings, are told as one."""
        same = (call.model, call.host, call.cost is None)
        for n, before in enumerate(self.calls):
            if call.task in SMALL and (before.model, before.host, before.cost is None) == same:
                self.calls[n] = _together(before, call)
                return
        self.calls.append(call)

    def prompt(self, messages: Sequence[Message]) -> Any:
        """The messages as a receipt keeps them."""
        size = sum(len(m.content) for m in messages)
        if self._kept + size > LARGEST_PROMPTS:
            return {"left_out": f"{len(messages)} messages, {size} characters"}
        self._kept += size
        return [
            {"role": m.role, "content": m.content, **({"pictures": [p.name for p in m.pictures]} if m.pictures else {})}
            for m in messages
        ]

    def cost(self) -> Cost | None:
        """All calls together; None as soon as one of them has no price, or where they are in several currencies."""
        if any(call.cost is None for call in self.calls):
            return None
        paid = [call.cost for call in self.calls if call.cost and not call.cost.local]
        if not paid:
            return Cost(0.0, local=True)
        if len({cost.currency for cost in paid}) > 1:
            return None
        return Cost(sum(cost.amount for cost in paid), paid[0].currency)

    def costs(self) -> list[Cost]:
        """In each currency; nothing where a price is unknown, or where all is free."""
        return by_currency(call.cost for call in self.calls)

    def hosts(self) -> list[str]:
        """Where something was sent, in order."""
        return list(dict.fromkeys(call.host for call in self.calls if call.host))


def _together(a: Call, b: Call) -> Call:
    def plus(name: str) -> Any:
        both = [value for value in (getattr(a.usage, name), getattr(b.usage, name)) if value is not None]
        return sum(both) if both else None

    names = ("prompt_tokens", "completion_tokens", "audio_s", "characters")
    usage = replace(b.usage, **{name: plus(name) for name in names})
    cost = replace(a.cost, amount=a.cost.amount + b.cost.amount) if a.cost and b.cost else None
    return replace(a, usage=usage, cost=cost)


_bill: ContextVar[Bill | None] = ContextVar("bill", default=None)


def current_bill() -> Bill:
    """That of the turn which is being answered; one that nobody reads where there is none."""
    return _bill.get() or Bill()


@contextlib.contextmanager
def billed_to(bill: Bill) -> Iterator[Bill]:
    """What models are asked meanwhile, here and in tasks begun meanwhile, goes onto `bill`. Never around a `yield` of a generator."""
    token = _bill.set(bill)
    try:
        yield bill
    finally:
        _bill.reset(token)


def call_json(call: Call) -> dict[str, Any]:
    usage = {
        name: value for name, value in vars(call.usage).items() if value not in (None, False) and name != "currency"
    }
    cost = {"cost": call.cost and call.cost.amount, "currency": call.cost.currency if call.cost else None}
    return {"model": call.model, "task": call.task, "host": call.host, **usage, **cost, **call.request}
