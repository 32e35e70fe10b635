"""The spend cap: a call is begun only if the most it can cost still fits, together with what is under way."""

from __future__ import annotations

from collections.abc import Callable

from assistant.answers import Price
from tools.engines.base import Usage


class Budget:
    """`cap` is in US dollars, None for none. `spent` counts what calls of this run cost, from what an interrupted run spent `before`;
    `unknown` those whose price is not known. `tell` hears what is spent at most, before each call is begun and after it has ended."""

    def __init__(
        self,
        cap: float | None,
        price: Price,
        before: float = 0.0,
        tell: Callable[[float], None] = lambda _most: None,
    ) -> None:
        self.cap = cap
        self.spent = before
        self._tell = tell
        self.unknown = 0
        self.reached = False
        self._price = price
        self._reserved = 0.0

    def most(self, model: str, prompt_tokens: int, max_tokens: int) -> float | None:
        """What a call can cost at most; None where the price is unknown."""
        return self._price(model, Usage(prompt_tokens, max_tokens))

    def reserve(self, most: float | None) -> bool:
        """Whether the call may begin. With a cap, none may whose price is unknown."""
        if self.cap is None:
            return True
        if most is None or self.spent + self._reserved + most > self.cap:
            self.reached = True
            return False
        self._reserved += most
        if most:
            self._tell(self.spent + self._reserved)
        return True

    def settle(self, most: float | None, cost: float | None) -> None:
        """The call has ended and cost `cost`; where that is unknown, the most that it can have cost counts."""
        if self.cap is not None and most is not None:
            self._reserved -= most
        paid = cost if cost is not None else most
        if paid is None:
            self.unknown += 1
        else:
            self.spent += paid
            if paid or most:
                self._tell(self.spent + self._reserved)
