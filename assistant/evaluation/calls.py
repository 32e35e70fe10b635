"""One call of a model as an evaluation makes it: asked once and never again, within the spend cap, patient where a server is busy."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from assistant.answers import Answered, AnswerFailed, Price, answer, options_of, prompt_of
from assistant.candidates import Candidate
from assistant.engines import Engines, endpoint_of
from assistant.evaluation.budget import Budget
from assistant.evaluation.cache import Cache, key_of
from assistant.evaluation.hearing import transcribe
from assistant.settings import Settings, SettingsError
from knowledge.documents import Passage
from tools.engines.base import Message, Usage
from tools.engines.catalogue import PROVIDERS, split_id
from tools.engines.errors import EngineError

HOPELESS = 5
"""Failures in a row, without one success, after which a model is not asked again."""
AT_ONCE = {"MissingKey", "MissingPackage", "ModelNotFound", "SettingsError"}
"""Failures that the next call would only repeat."""
TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 20.0
FIRST_PRICED = Usage(1000, 1000)
"""A call to ask a price about, before there is any."""
NOT_ASKED, CAPPED = "NotAsked", "SpendCap"


@dataclass(frozen=True)
class Outcome:
    """What came of one call. `error` is "" for an answer; else its class name, and `message` says why. Seconds, tokens and cost,
    None where they are not known; `cost` is in `currency`. `passages` is what it was shown."""

    text: str = ""
    error: str = ""
    message: str = ""
    first_token_s: float | None = None
    total_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    currency: str = "USD"
    cut: bool = False
    counted: bool = False
    cached: bool = False
    passages: tuple[Passage, ...] = ()


@dataclass
class Calls:
    """Shared by all calls of one evaluation: how many were `asked` now and how many `known` from before, and how long models took for
    those asked. `slow_down` holds the providers that said they have too many requests."""

    engines: Engines
    cache: Cache
    budget: Budget
    price: Price
    slow_down: Counter[str] = field(default_factory=Counter)
    model_s: float = 0.0
    asked: int = 0
    known: int = 0
    _failed: Counter[str] = field(default_factory=Counter)
    _answered: set[str] = field(default_factory=set)
    _hopeless: dict[str, Outcome] = field(default_factory=dict)

    async def ask(
        self,
        candidate: Candidate,
        messages: Sequence[Message],
        passages: Sequence[Passage] = (),
        schema: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """The answer to a conversation: from the cache, or asked now. Raises: SettingsError where the cache cannot be written."""
        asked = prompt_of(candidate, messages, passages)
        options = options_of(candidate, self.engines)
        said = [[m.role, m.content] for m in asked]
        key = key_of(
            model=candidate.model,
            at=address_of(self.engines.settings, candidate.model),
            messages=said,
            schema=schema,
            **options,
        )

        async def once() -> Outcome:
            most = await self._most(candidate.model, asked, options["max_tokens"])
            if not self.budget.reserve(most):
                return Outcome(error=CAPPED, message="The spend cap was reached before.")
            outcome = Outcome(error="Stopped")
            try:
                stream = answer(
                    candidate, messages, self.engines, price=self.price, passages=passages, json_schema=schema
                )
                async for piece in stream:
                    if isinstance(piece, Answered | AnswerFailed):
                        outcome = _outcome(piece)
            finally:
                self.budget.settle(most, _paid(outcome, most), self._currency(candidate.model, outcome))
            return outcome

        return replace(await self._kept(key, candidate.model, once), passages=tuple(passages))

    async def hear(self, candidate: Candidate, recording: Path) -> Outcome:
        """What a speech model makes of a recording."""
        digest = hashlib.sha256(await asyncio.to_thread(recording.read_bytes)).hexdigest()
        key = key_of(
            model=candidate.model, at=address_of(self.engines.settings, candidate.model, "speech"), sha256=digest
        )

        async def once() -> Outcome:
            if not self.budget.reserve(0.0 if is_local(candidate.model) else None):
                return Outcome(
                    error=CAPPED, message="A recording's price is not known beforehand, and there is a spend cap."
                )
            try:
                heard = await transcribe(self.engines, candidate.model, recording)
            except (EngineError, SettingsError) as error:
                return Outcome(error=type(error).__name__, message=str(error))
            cost = self.price(candidate.model, Usage(audio_s=heard.duration_s))
            self.budget.settle(None, cost.amount if cost else None, cost.currency if cost else "USD")
            if cost is None:
                return Outcome(heard.text, total_s=heard.total_s)
            return Outcome(heard.text, total_s=heard.total_s, cost=cost.amount, currency=cost.currency)

        return await self._kept(key, candidate.model, once)

    async def _kept(self, key: str, model: str, once: Any) -> Outcome:
        if (known := self.cache.get(key)) is not None:
            self.known += 1
            return replace(_from_json(known), cached=True)
        if model in self._hopeless:
            return self._hopeless[model]
        self.asked += 1
        outcome: Outcome = await once()
        for attempt in range(TRIES - 1):
            if outcome.error != "RateLimited":
                break
            self.slow_down[split_id(model)[0]] += 1
            await asyncio.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt))
            outcome = await once()
        self._note(model, outcome)
        if not outcome.error:
            self.model_s += outcome.total_s or 0.0
            self.cache.put(key, _to_json(outcome))
        return outcome

    def _note(self, model: str, outcome: Outcome) -> None:
        """A model that never answers is not asked for ever."""
        if outcome.error in (CAPPED, "Stopped"):
            return
        if not outcome.error:
            self._answered.add(model)
            return
        self._failed[model] += 1
        if model not in self._answered and (outcome.error in AT_ONCE or self._failed[model] >= HOPELESS):
            why = f"Not asked, since {model} failed every time before: {outcome.message}"
            self._hopeless[model] = Outcome(error=NOT_ASKED, message=why)

    def _currency(self, model: str, outcome: Outcome) -> str:
        """That of the answer; of one that broke off that of the model's price."""
        cost = self.price(model, FIRST_PRICED) if outcome.cost is None else None
        return cost.currency if cost else outcome.currency

    async def _most(self, model: str, asked: Sequence[Message], max_tokens: int) -> float | None:
        """What the call can cost at most. Tokens are counted only where a cap makes it matter."""
        if self.budget.cap is None:
            return None
        if is_local(model):
            return 0.0
        try:
            prompt_tokens = await self.engines.text({"chat": model}).count_tokens(asked)
        except (EngineError, SettingsError):
            return 0.0
        return self.budget.most(model, prompt_tokens, max_tokens)


def is_local(model: str) -> bool:
    """Whether a model runs in this process, one at a time, and nothing is ever paid for it."""
    provider = split_id(model)[0]
    return provider == "router" or (provider in PROVIDERS and PROVIDERS[provider].runs == "local")


def address_of(settings: Settings, model: str, capability: str = "chat") -> str:
    """The server that is asked, "" where it is the provider's own or none."""
    table = getattr(settings, capability)
    same = split_id(model)[0] == split_id(table.model)[0]
    try:
        endpoint = endpoint_of(settings, split_id(model)[0], table.base_url if same else None)
    except SettingsError:
        return ""
    return (endpoint and endpoint.base_url) or ""


def _paid(outcome: Outcome, most: float | None) -> float | None:
    """What a call cost; a server that refused it took nothing, one that broke off may have taken all."""
    if outcome.error:
        return most if outcome.text or outcome.error == "Unreachable" else 0.0
    return outcome.cost


def _outcome(end: Answered | AnswerFailed) -> Outcome:
    if isinstance(end, AnswerFailed):
        return Outcome(end.text, end.error, f"{end.message} {end.remedy}".strip(), total_s=end.total_s)
    u = end.usage
    return Outcome(
        end.text,
        first_token_s=u.first_token_s,
        total_s=u.total_s,
        prompt_tokens=u.prompt_tokens,
        completion_tokens=u.completion_tokens,
        cost=u.cost,
        currency=u.currency,
        cut=end.cut,
        counted=end.counted,
    )


def _to_json(outcome: Outcome) -> dict[str, Any]:
    return {f.name: getattr(outcome, f.name) for f in fields(Outcome) if f.name not in ("passages", "cached")}


def _from_json(values: Mapping[str, Any]) -> Outcome:
    known = {f.name for f in fields(Outcome)} - {"passages", "cached"}
    return Outcome(**{name: value for name, value in values.items() if name in known})
