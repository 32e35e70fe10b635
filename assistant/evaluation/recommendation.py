"""One sentence on what to take: the cheapest that is not measurably worse. Where a price is unknown, the quickest, and it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.evaluation.statistics import Interval, paired


@dataclass(frozen=True)
class Measured:
    """What one setup came to. `values` are its main score row by row, in the order of all, better when larger; `cost` is that of an
    answer in `currency` and `latency_s` the median time of one, None where unknown; `failed` tells that it never answered."""

    name: str
    values: Sequence[float | None]
    mean: float | None
    cost: float | None
    latency_s: float | None
    failed: bool = False
    currency: str = "USD"


@dataclass(frozen=True)
class Versus:
    """The best setup against another one. `worse` is None where there are too few rows to tell."""

    difference: Interval
    worse: bool | None


@dataclass(frozen=True)
class Recommendation:
    """`setup` is "" where nothing can be recommended; `by` is cost or latency; `no_difference` that none is measurably worse."""

    setup: str
    sentence: str
    by: str = ""
    best: str = ""
    no_difference: bool = False


def recommend(measured: Sequence[Measured], seed: int = 0) -> tuple[Recommendation, dict[str, Versus]]:
    """The recommendation, and how every setup stands against the best one."""
    able = [m for m in measured if not m.failed and m.mean is not None]
    if not able:
        return Recommendation("", "No candidate can be recommended: none of them answered."), {}
    best = max(able, key=lambda m: (m.mean or 0.0, -(m.cost or 0.0), -(m.latency_s or 0.0)))
    versus = {m.name: _versus(best, m, len(able) - 1, seed) for m in able if m is not best}
    good = [m for m in able if m is best or not versus[m.name].worse]
    chosen, by = _cheapest(good)
    if len(able) == 1:
        return Recommendation(chosen.name, f"{chosen.name} is the only one that answered.", by, best.name), versus
    untold = [name for name, v in versus.items() if v.worse is None]
    no_difference = not any(v.worse for v in versus.values())
    why = _why(chosen, good, by, best)
    if len(untold) == len(versus):
        sentence = f"Too few rows to tell any difference; {why}"
    elif no_difference:
        sentence = f"There is no difference that this data can show between the {len(able)}; {why}"
    elif len(good) == 1:
        sentence = f"Take {chosen.name}: all others are measurably worse."
    else:
        sentence = f"{len(good)} of {len(able)} are not measurably worse than the best; {why}"
    return Recommendation(chosen.name, sentence, by, best.name, no_difference), versus


def _versus(best: Measured, other: Measured, comparisons: int, seed: int) -> Versus:
    difference = paired(best.values, other.values, comparisons, seed)
    return Versus(difference, None if difference.low is None else difference.low > 0)


def _cheapest(good: Sequence[Measured]) -> tuple[Measured, str]:
    """By cost where that of all is known, in one currency, and differs, else by latency; of equals the one with the better score."""

    def quick(m: Measured) -> tuple[float, float]:
        return (float("inf") if m.latency_s is None else m.latency_s), -(m.mean or 0.0)

    costs = [m.cost for m in good]
    if all(cost is not None for cost in costs) and len(set(costs)) > 1 and len(currencies_of(good)) < 2:
        return min(good, key=lambda m: (m.cost or 0.0, *quick(m))), "cost"
    return min(good, key=quick), "latency"


def _why(chosen: Measured, good: Sequence[Measured], by: str, best: Measured) -> str:
    took = "" if chosen.latency_s is None else f" ({chosen.latency_s:.2f} s an answer)"
    if by == "cost":
        return f"take {chosen.name}, the cheapest of them ({money(chosen.cost, chosen.currency)} an answer)."
    unknown = [m.name for m in good if m.cost is None]
    currencies = currencies_of(good)
    if not unknown and len(currencies) > 1:
        told = f"{', '.join(currencies[:-1])} and {currencies[-1]}"
        return f"take {chosen.name}, the quickest of them{took}. Prices are in {told}, so cost decides nothing here."
    if not unknown:
        return f"take {chosen.name}, the quickest of them{took}; all of them cost the same."
    whose = unknown[0] if len(unknown) == 1 else f"{len(unknown)} of them"
    return f"take {chosen.name}, the quickest of them{took}. The price of {whose} is unknown, so cost decides nothing here."


def currencies_of(measured: Sequence[Measured]) -> list[str]:
    """Of what costs anything."""
    return sorted({m.currency for m in measured if m.cost})


def money(cost: float | None, currency: str | None = "USD") -> str:
    """Two digits that count, with the currency; an unknown cost is a word, never 0."""
    if cost is None:
        return "unknown"
    if cost == 0:
        return "0"
    amount = f"{cost:.2f}" if cost >= 0.995 else f"{cost:.2g}" if cost >= 1e-4 else f"{cost:.1e}"
    return f"${amount}" if currency == "USD" else f"{amount} {currency or ''}".rstrip()
