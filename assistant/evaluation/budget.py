"""The spend cap: a call is begun only if the most it can cost still fits, together with what is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from assistant.answers import Price
from tools.engines.base import Usage


class Budget:
    """`cap` is None for none, else in the one currency of all prices, as is what an interrupted run spent `before`. `paid` is what
    calls of this run cost, by currency; `unknown` counts those whose price is not known. `tell` hears what is spent at most, before
    each call is begun and after it has ended."""

    def __init__(
        self,
        cap: float | None,
        price: Price,
        before: float = 0.0,
        tell: Callable[[float], None] = lambda _most: None,
    ) -> None:
        self.cap = cap
        self.paid: Counter[str] = Counter()
        self.unknown = 0
        self.reached = False
        self._price = price
        self._before = before
        self._tell = tell
        self._reserved = 0.0

    @property
    def spent(self) -> float | None:
        """None where it is in several currencies, which cannot be added."""
        return None if len(self.paid) > 1 else sum(self.paid.values(), self._before)

    def most(self, model: str, prompt_tokens: int, max_tokens: int) -> float | None:
        """What a call can cost at most; None where the price is unknown."""
        cost = self._price(model, Usage(prompt_tokens, max_tokens))
        return cost.amount if cost else None

    def reserve(self, most: float | None) -> bool:
        """Whether the call may begin. With a cap, none may whose price is unknown."""
        if self.cap is None:
            return True
        if most is None or (self.spent or 0.0) + self._reserved + most > self.cap:
            self.reached = True
            return False
        self._reserved += most
        if most:
            self._tell_spent()
        return True

    def settle(self, most: float | None, cost: float | None, currency: str = "USD") -> None:
        """The call has ended and cost `cost`; where that is unknown, the most that it can have cost counts."""
        if self.cap is not None and most is not None:
            self._reserved -= most
        paid = cost if cost is not None else most
        if paid is None:
            self.unknown += 1
            return
        if paid:
            self.paid[currency] += paid  # type: ignore[assignment]
        if paid or most:
            self._tell_spent()

    def _tell_spent(self) -> None:
        if self.spent is not None:
            self._tell(self.spent + self._reserved)
