"""The price of a model in words, as its card tells it: a part a unit, the currency, and the day it stood so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from assistant.meter import Tariff
from assistant.prices import Price

OF_TOKENS = ("input", "cached_input", "output")
OTHERS = ("minute", "characters", "picture")
WORDS = {
    "price_free": "costs nothing per call (runs here)",
    "price_unknown": "price unknown",
    "price_input": "{price} in",
    "price_cached_input": "{price} in from the cache",
    "price_output": "{price} out",
    "price_tokens": "{parts} for a million tokens",
    "price_minute": "{price} a minute of sound",
    "price_characters": "{price} for a million characters",
    "price_picture": "{price} a picture",
    "price_date": "as of {date}",
    "price_own": "as your own file says",
}


def price_in_words(tariff: Tariff, say: Mapping[str, str] = WORDS, comma: str = ".") -> str:
    """`0.25 USD in, 2.00 USD out for a million tokens, as of 2026-02-07`. An unknown price is said, and never nothing."""
    if tariff.free:
        return say["price_free"]
    if tariff.price is None or not (told := _parts(tariff.price, say, comma)):
        return say["price_unknown"]
    if tariff.price.own:
        told.append(say["price_own"])
    if tariff.price.date:
        told.append(say["price_date"].format(date=tariff.price.date))
    return ", ".join(told)


def price_json(tariff: Tariff) -> dict[str, Any] | None:
    """`{"local": true}` where a call costs nothing; the row of the price list; None where the price is unknown."""
    if tariff.free:
        return {"local": True}
    if tariff.price is None:
        return None
    values = asdict(tariff.price)
    del values["model"]
    return {"local": False, **values}


def _parts(price: Price, say: Mapping[str, str], comma: str) -> list[str]:
    def known(names: Sequence[str]) -> list[str]:
        amounts = {name: getattr(price, name) for name in names}
        return [
            say[f"price_{name}"].format(price=f"{_amount(amount)} {price.currency}".replace(".", comma))
            for name, amount in amounts.items()
            if amount is not None
        ]

    tokens = ", ".join(known(OF_TOKENS))
    return [*([say["price_tokens"].format(parts=tokens)] if tokens else []), *known(OTHERS)]


def _amount(value: float) -> str:
    """At least two decimals, and as many more as a small price needs."""
    shortest = f"{value:.10f}".rstrip("0")
    return shortest if len(shortest.partition(".")[2]) > 2 else f"{value:.2f}"
