"""The meter of one engine: what its calls cost, that the caps are held, and that the turn's bill tells of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assistant.calls import Bill, Call, current_bill
from assistant.prices import Cost, Price, load_prices, priced
from assistant.settings import Settings
from assistant.spending import Ledger
from tools.engines.base import Endpoint, ModelCard, Usage
from tools.engines.errors import EngineError
from tools.engines.hosted import OPENAI_URL, is_loopback

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tariff:
    """Where the calls of a model go and what they cost. `host` is empty for this machine; `price` is None where it is unknown,
    and `free` says that there is none, because the model runs here."""

    model: str
    host: str
    price: Price | None
    free: bool

    def cost(self, usage: Usage) -> Cost | None:
        if self.free:
            return Cost(0.0, local=True)
        return priced(self.price, usage) if self.price else None


def tariff_of(model_id: str, endpoint: Endpoint | None, home: Path) -> Tariff:
    """`endpoint` is None for an engine of this machine. Prices that ship are those of OpenAI itself, wherever else a server says it
    has a model of that name; the person's own prices count everywhere, on this machine too.

    Raises: SettingsError for a price file that cannot be used.
    """
    if endpoint is None:
        return Tariff(model_id, "", None, True)
    url = urlsplit(endpoint.base_url or OPENAI_URL)
    named = url.hostname or ""
    host = "" if is_loopback(url.geturl()) else f"{named}:{url.port}" if url.port else named
    price = load_prices(home).of(model_id)
    if price and not price.own and not named.endswith(".openai.com"):
        price = None
    return Tariff(model_id, host, price, price is None and not host)


@dataclass
class Running:
    """A call under way. Whoever makes it says what it came to; until then it counts as the most it may come to."""

    most: Usage
    usage: Usage | None = None
    answered: bool = False
    """Whether anything came back: what fails before that was not paid for."""
    request: dict[str, Any] = field(default_factory=dict)

    def came_to(self, usage: Usage) -> None:
        self.usage, self.answered = usage, True


class Meter:
    def __init__(self, settings: Settings, card: ModelCard, tariff: Callable[[], Tariff]) -> None:
        self.caps = settings.spending
        self.card = card
        self.tariff = tariff
        self._ledger = Ledger(settings.home)

    def with_cost(self, usage: Usage) -> Usage:
        cost = self.tariff().cost(usage)
        return replace(usage, cost=cost.amount, currency=cost.currency) if cost else usage

    @asynccontextmanager
    async def call(self, most: Usage, **request: Any) -> AsyncIterator[Running]:
        """Around one call. Raises: SpendingCap before anything is sent."""
        tariff, running, bill = self.tariff(), Running(most, request=request), current_bill()
        if tariff.free:
            try:
                yield running
                running.answered = True
            finally:
                if running.answered:
                    self._note(bill, tariff, running)
            return
        held = await asyncio.to_thread(self._ledger.hold, bill.user, self.card.id, tariff.cost(most), self.caps)
        try:
            yield running
        except EngineError:
            if not running.answered:
                await self._end(self._ledger.release, held)
                raise
            await self._settle(bill, tariff, running, held)
            raise
        except BaseException:
            await asyncio.shield(self._settle(bill, tariff, running, held))
            raise
        await self._settle(bill, tariff, running, held)

    async def _settle(self, bill: Bill, tariff: Tariff, running: Running, held: int) -> None:
        usage = running.usage or running.most
        self._note(bill, tariff, running)
        await self._end(self._ledger.settle, held, tariff.cost(usage), usage)

    async def _end(self, work: Callable[..., None], *values: Any) -> None:
        """What cannot be written stays held, so that no cap is passed for it; the answer is not taken back."""
        try:
            await asyncio.to_thread(work, *values)
        except EngineError as error:
            log.warning("what was spent stays held", exc_info=error)

    def _note(self, bill: Bill, tariff: Tariff, running: Running) -> None:
        usage = running.usage or running.most
        card = self.card
        bill.add(Call(card.id, card.task, tariff.host, usage, tariff.cost(usage), running.request))
