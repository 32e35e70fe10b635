"""What an evaluation would take, before anything is asked: how many calls, and about and at most what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.answers import Price, options_of, prompt_of
from assistant.engines import Engines
from assistant.estimates import BYTES_A_TOKEN, PASSAGES, USUAL_ANSWER
from assistant.evaluation.calls import is_local
from assistant.evaluation.carry_out import task_of
from assistant.evaluation.evaluate import Wish, check_prices, prices_of
from assistant.evaluation.levers import WITH_EXAMPLES, Setup, Split, check_examples, context_of, setups_of, split
from assistant.prices import Cost, by_currency
from tools.engines.base import Message, Usage
from tools.engines.catalogue import split_id

FREE = Cost(0.0, local=True)


@dataclass(frozen=True)
class Estimated:
    """`rows` are scored, `pool` kept for examples. `about` and `most` are sums by currency, empty where nothing is paid and None where
    a price is unknown; `unknown` are the models without one; `elsewhere` the providers that rows are sent to."""

    rows: int
    pool: int
    calls: int
    about: Sequence[Cost] | None
    most: Sequence[Cost] | None
    unknown: Sequence[str]
    elsewhere: Sequence[str]


def estimate(wish: Wish, engines: Engines) -> Estimated:
    """Answers that are known from before cost nothing again, so this is what it takes at most the first time.

    Raises: SettingsError (also DatasetError) for what could not be run either.
    """
    found = split(wish.dataset, wish.levers, wish.pool, wish.seed)
    check_examples(wish.candidates, found.scored)
    price = prices_of(engines)
    check_prices(wish, price)
    setups = setups_of(wish.candidates, wish.levers, wish.collection)
    hears = task_of(wish.dataset) == "speech"
    costs = [
        (None, None)
        if hears and not is_local(s.candidate.model)
        else (FREE, FREE)
        if hears
        else _cost(s, found, wish.k, engines, price)
        for s in setups
    ]
    models = list(dict.fromkeys(s.candidate.model for s, cost in zip(setups, costs, strict=True) if None in cost))
    away = [split_id(s.candidate.model)[0] for s in setups if _goes_away(s, engines)]
    return Estimated(
        len(found.scored),
        len(found.pool),
        len(setups) * len(found.scored),
        _sum([about for about, _ in costs]),
        _sum([most for _, most in costs]),
        models,
        list(dict.fromkeys(away)),
    )


def _cost(setup: Setup, found: Split, k: int, engines: Engines, price: Price) -> tuple[Cost | None, Cost | None]:
    """Of one column: (about, at most). The examples that stand first in the pool are as long as any."""
    candidate = setup.candidate
    if setup.lever in WITH_EXAMPLES:
        shown = found.pool[: 1 if setup.lever == "one-shot" else k]
        more = tuple((row.question, row.reference) for row in shown)
        candidate = replace(candidate, examples=(*candidate.examples, *more))
    longest = options_of(candidate, engines)["max_tokens"]
    read = 0
    for row in found.scored:
        context = context_of(row) if setup.lever == "context" else []
        asked = prompt_of(candidate, [Message("user", row.question)], context)
        read += sum(len(m.content.encode(errors="replace")) for m in asked) // BYTES_A_TOKEN + 1
        read += PASSAGES if candidate.retrieval else 0
    rows = len(found.scored)
    about = price(candidate.model, Usage(read, rows * min(USUAL_ANSWER, longest)))
    return about, price(candidate.model, Usage(read, rows * longest))


def _goes_away(setup: Setup, engines: Engines) -> bool:
    return not is_local(setup.candidate.model) and bool(engines.tariff("chat", {"chat": setup.candidate.model}).host)


def _sum(costs: Sequence[Cost | None]) -> Sequence[Cost] | None:
    return None if None in costs else by_currency(costs)
