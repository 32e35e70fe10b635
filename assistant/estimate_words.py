"""Where something would go and about what it would cost, in a line and as JSON; and how amounts are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.estimates import Estimate
from assistant.prices import Cost


def sums_in_words(costs: Sequence[Cost], comma: str = ".") -> str:
    """`0.4 ct`, or with the currencies where there are several: `0.4 ct (USD) + 0.2 ct (EUR)`."""
    return " + ".join(money(cost, comma, len(costs) > 1) for cost in costs)


def money(cost: Cost, comma: str = ".", named: bool = False) -> str:
    """`0.4 ct`, `1.20 USD`; what is less than a tenth of a cent says so. `named` says of cents too what they are hundredths of."""
    of = f" ({cost.currency})" if named else ""
    if cost.currency not in ("USD", "EUR"):
        text = f"{cost.amount:.3g} {cost.currency}"
    elif cost.amount >= 1:
        text = f"{cost.amount:.2f} {cost.currency}"
    elif cost.amount and cost.amount < 0.0005:
        text = "< 0.1 ct" + of
    else:
        text = f"{cost.amount * 100:.1f} ct" + of
    return text.replace(".", comma)


def in_words(found: Estimate, say: Mapping[str, str] | None = None) -> str:
    """`stays here`, `to OpenAI, about 0.4 ct (at most 2.1 ct)`. `say` has the words of another language."""
    say = say or WORDS
    about, most, places = found.about(), found.most(), ", ".join(found.places)
    sums = found.by_currency()
    if found.stays and (about.local if about else not sums):
        return say["stays_here"]
    to = say["goes_to"].format(places=places) if places else say["stays_here"]
    if about is None and not sums:
        return f"{to}, {say['price_unknown']}"
    pairs = sums if len(sums) > 1 else [(about or sums[0][0], most or sums[0][1])]
    shown, longest = (sums_in_words([each[n] for each in pairs], say["comma"]) for n in (0, 1))
    line = f"{to}, {shown if shown.startswith('<') else say['about_cost'].format(cost=shown)}"
    return line if longest == shown else f"{line} ({say['at_most'].format(cost=longest)})"


def estimate_json(found: Estimate) -> dict[str, Any]:
    about, most = found.about(), found.most()
    legs = [
        {
            "capability": leg.capability,
            "model": leg.model,
            "host": leg.host or None,
            "cost": leg.about and leg.about.amount,
            "currency": leg.about.currency if leg.about else None,
        }
        for leg in found.legs
    ]
    return {
        "tool": found.tool,
        "stays_here": found.stays,
        "to": found.places,
        "cost": about and about.amount,
        "at_most": most and most.amount,
        "currency": about.currency if about else None,
        "calls": legs,
    }


WORDS = {
    "stays_here": "stays here",
    "goes_to": "to {places}",
    "about_cost": "about {cost}",
    "at_most": "at most {cost}",
    "price_unknown": "price unknown",
    "comma": ".",
}
