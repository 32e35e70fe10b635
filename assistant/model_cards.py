"""A model's card as it is told: what the catalogue knows, what fits now, what this machine measured and holds of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from assistant.endpoints import served_cards
from assistant.engines import TASKS, endpoint_of, model_of
from assistant.measured import Known, measurements
from assistant.meter import Tariff, tariff_of
from assistant.price_words import price_json
from assistant.prices import load_prices
from assistant.settings import CAPABILITIES, Settings, SettingsError
from assistant.using import settings_for
from tools.engines.base import ModelCard
from tools.engines.catalogue import Fit, cards
from tools.engines.filters import Filter, gives, openness_of, select, takes
from tools.engines.hub import Fetched, fetched_of, folder_of

UNKNOWN_HOST = "?"
"""Where a model would be asked whose address nobody set yet."""


@dataclass(frozen=True)
class Card:
    """One row. `used_for` names the capabilities that are set to it; `fetched` says what of it lies here from the hub, and
    `tariff` what a call costs."""

    model: ModelCard
    fit: Fit
    known: Known
    used_for: tuple[str, ...]
    fetched: Fetched | None
    tariff: Tariff


def find_cards(settings: Settings, wanted: Filter, served: tuple[ModelCard, ...] = ()) -> list[Card]:
    """The cards that meet `wanted`, those that servers told of (`served`) behind the listed ones, and those of servers' models that
    are set or were tried here.

    Raises: BadInput, SettingsError (a price file that cannot be used).
    """
    listed = cards()
    known = measurements(settings.home)
    used = {name: model_of(settings, name) for name in CAPABILITIES}
    own = served_cards(settings, [*filter(None, used.values()), *known.models()])
    by_id = {card.id: card for card in (*own, *served)} | {card.id: card for card in listed}
    order = dict.fromkeys(card.id for card in (*listed, *served, *own))
    every = [as_tried(by_id[name], known.of(name)) for name in order]
    return [
        Card(
            card,
            fit,
            known.of(card.id),
            tuple(name for name, model in used.items() if model == card.id),
            fetched_of(folder_of(card.source, settings.home / "models")) if _on_hub(card) else None,
            tariff_for(settings, card),
        )
        for card, fit in select(wanted, every)
    ]


def as_tried(card: ModelCard, known: Known) -> ModelCard:
    """Whether it calls tools and sees: what was tried here counts more than what its maker says."""
    return replace(
        card,
        calls_tools=known.tool_calls.works if known.tool_calls else card.calls_tools,
        sees_images=known.sight.works if known.sight else card.sees_images,
    )


def card_json(card: Card) -> dict[str, Any]:
    """The object that `--json` prints. What is not known is null or empty."""
    values = asdict(replace(card.model, options={}))
    del values["options"]
    first = {
        name: values.pop(name)
        for name in ("id", "task", "runs", "licence", "size_bytes", "context_tokens", "languages")
    }
    more = {
        "openness": openness_of(card.model),
        "takes": takes(card.model),
        "gives": gives(card.model),
        "capability": capability_for(card.model),
        "used_for": card.used_for,
        "measured": asdict(card.known.measured) if card.known.measured else None,
        "tool_calls": asdict(card.known.tool_calls) if card.known.tool_calls else None,
        "sight": asdict(card.known.sight) if card.known.sight else None,
        "price": price_json(card.tariff),
        "fetched": asdict(card.fetched) if card.fetched else None,
    }
    return {**first, "fits": card.fit.fits, "why": card.fit.why, **values, **more}


def tariff_for(settings: Settings, card: ModelCard) -> Tariff:
    """What calls of it cost where it would be asked with these settings. Raises: SettingsError (the price file)."""
    capability = capability_for(card)
    table = getattr(settings_for(settings, capability, card.id, card), capability)
    try:
        endpoint = endpoint_of(settings, card.id.partition(":")[0], table.base_url)
    except SettingsError:
        price = load_prices(settings.home).of(card.id)
        return Tariff(card.id, UNKNOWN_HOST, price if price and price.own else None, False)
    return tariff_of(card.id, endpoint, settings.home)


def capability_for(card: ModelCard) -> str:
    """The setting that a model of this task is chosen by."""
    return next(name for name, task in TASKS.items() if task == card.task)


def _on_hub(card: ModelCard) -> bool:
    return card.runs == "local" and card.source.count("/") == 1 and not Path(card.source).is_absolute()
