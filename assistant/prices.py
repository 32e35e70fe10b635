"""What models cost: dated rows that ship as data, and the person's own in ASSISTANT_HOME/prices.toml, which come first.

A model of this machine costs nothing. A price that is not known is None, never 0. Nothing here asks a server.
"""

from __future__ import annotations

import datetime
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from assistant.settings import SettingsError
from tools.engines.base import Usage
from tools.engines.catalogue import PROVIDERS

FILE = "prices.toml"
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """One row. `input`, `cached_input` and `output` are for a million tokens, `characters` for a million of them, `minute` for a
    minute of sound, `picture` for one picture; None is unknown. `date` is the day on which it stood at `source`; `own` is a row
    of the person's."""

    model: str
    input: float | None = None
    cached_input: float | None = None
    output: float | None = None
    minute: float | None = None
    characters: float | None = None
    picture: float | None = None
    currency: str = "USD"
    date: str = ""
    source: str = ""
    own: bool = False


@dataclass(frozen=True)
class Cost:
    """`amount` in `currency`; `local` says that it is nothing because the model runs here."""

    amount: float
    currency: str = "USD"
    local: bool = False


class Prices:
    def __init__(self, rows: Mapping[str, Price]) -> None:
        self._rows = dict(rows)

    def all(self) -> list[Price]:
        return list(self._rows.values())

    def of(self, model_id: str) -> Price | None:
        """The row of `provider:model`; a dated name such as gpt-5-mini-2025-08-07 has that of its family."""
        return self._rows.get(model_id) or self._rows.get(_without_date(model_id))

    def cost_of(self, model_id: str, usage: Usage) -> Cost | None:
        """What `usage` of the model cost; None where a part of it has no price."""
        if is_local(model_id):
            return Cost(0.0, local=True)
        price = self.of(model_id)
        return priced(price, usage) if price else None


def priced(price: Price, usage: Usage) -> Cost | None:
    """What `usage` comes to. None where a part has no price, or where nothing that has a price was counted."""
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens or 0)
    cached_price = price.input if price.cached_input is None else price.cached_input
    parts = [
        ((usage.prompt_tokens or 0) - cached, price.input, MILLION),
        (cached, cached_price, MILLION),
        (usage.completion_tokens or 0, price.output, MILLION),
        (usage.pictures or 0, price.picture, 1),
        _spoken(price, usage),
    ]
    counted = [(count, each, unit) for count, each, unit in parts if count]
    known = [count * each / unit for count, each, unit in counted if each is not None]
    if not known or len(known) < len(counted):
        return None
    return Cost(sum(known), price.currency)


def _spoken(price: Price, usage: Usage) -> tuple[float, float | None, float]:
    """A voice is paid for by the character or by the minute, whichever has a price."""
    if usage.characters and price.characters is not None:
        return usage.characters, price.characters, MILLION
    return usage.audio_s or (usage.characters or 0), price.minute if usage.audio_s else price.characters, 60


def by_currency(costs: Iterable[Cost | None]) -> list[Cost]:
    """The sum in each currency, of what costs anything; nothing where a cost is unknown."""
    sums: dict[str, float] = {}
    for cost in costs:
        if cost is None:
            return []
        if cost.amount and not cost.local:
            sums[cost.currency] = sums.get(cost.currency, 0.0) + cost.amount
    return [Cost(amount, currency) for currency, amount in sums.items()]


def cost_of(model_id: str, usage: Usage, home: Path | None = None) -> Cost | None:
    """What `usage` of `provider:model` cost, by the person's prices in `home` and those that ship; None where unknown.

    Raises: SettingsError for a price file that cannot be used.
    """
    return load_prices(home).cost_of(model_id, usage)


def is_local(model_id: str) -> bool:
    provider = PROVIDERS.get(model_id.partition(":")[0])
    return provider is not None and provider.runs == "local"


def load_prices(home: Path | None = None) -> Prices:
    """The rows that ship, and over them those of `home`. A changed file counts from the next call.

    Raises: SettingsError naming the row and what is wrong with it.
    """
    own = home / FILE if home else None
    try:
        stamp = own.stat().st_mtime_ns if own else 0
    except OSError:
        own, stamp = None, 0
    return _load(own, stamp)


@lru_cache(maxsize=8)
def _load(own: Path | None, _stamp: int) -> Prices:
    rows = dict(_shipped())
    if own:
        try:
            text = own.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{own} cannot be read: {error}.") from error
        rows |= {name: replace(row, own=True) for name, row in read_rows(text, str(own)).items()}
    return Prices(rows)


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Price]:
    return read_rows((files("assistant") / "data" / FILE).read_text("utf-8"), FILE)


def read_rows(text: str, name: str) -> dict[str, Price]:
    """The rows of a price file: `[models]` with a table each, and `[defaults]` for what they share.

    Raises: SettingsError naming the row and what is wrong with it.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} cannot be read: {error}. Correct that line.") from error
    if unknown := set(data) - {"models", "defaults"}:
        raise SettingsError(f"{name} has [{sorted(unknown)[0]}]. It takes [defaults] and [models].")
    defaults, models = data.get("defaults", {}), data.get("models", {})
    if not isinstance(defaults, dict) or not isinstance(models, dict):
        raise SettingsError(f"{name} takes the tables [defaults] and [models].")
    return {model: _row(model, {**defaults, **_table(model, row, name)}, name) for model, row in models.items()}


_WORDS = ("currency", "date", "source")
_NUMBERS = tuple(f.name for f in fields(Price) if f.name not in ("model", "own", *_WORDS))


def _table(model: str, row: Any, name: str) -> dict[str, Any]:
    if ":" not in model or not isinstance(row, dict):
        raise SettingsError(
            f'{name}: {model!r} is no row. Write it like "openai:gpt-5-mini" = {{ input = 0.25, output = 2.00 }}.'
        )
    return row


def _row(model: str, values: Mapping[str, Any], name: str) -> Price:
    for key, value in values.items():
        if key not in (*_NUMBERS, *_WORDS):
            raise SettingsError(f"{name}: {key} of {model} is unknown. A row takes {', '.join((*_NUMBERS, *_WORDS))}.")
        if key in _NUMBERS and not _is_price(value):
            raise SettingsError(f"{name}: {key} of {model} is {value!r}. It takes a price of 0 or more.")
        if key in _WORDS and not isinstance(value, str | datetime.date):
            raise SettingsError(f"{name}: {key} of {model} is {value!r}. It takes text.")
    read: dict[str, Any] = {k: str(v) if k in _WORDS else float(v) for k, v in values.items()}
    return Price(model, **read)


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _without_date(model_id: str) -> str:
    """`openai:gpt-5-mini` of `openai:gpt-5-mini-2025-08-07`."""
    family, day = model_id[:-11], model_id[-11:]
    try:
        return family if day[:1] == "-" and datetime.date.fromisoformat(day[1:]) else model_id
    except ValueError:
        return model_id
