"""The commands that tell: models, models show, models pull, check."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from assistant.check import check_capabilities, machine_facts
from assistant.cli_model_work import probed_in_words
from assistant.cli_output import DONE, FAILED, Meter, megabytes, note, print_json, print_table, print_text
from assistant.model_cards import Card, card_json, find_cards
from assistant.price_words import price_in_words
from assistant.pulling import pull_weights
from assistant.settings import Settings
from tools.engines.base import ModelCard
from tools.engines.catalogue import card_of
from tools.engines.errors import ModelNotFound
from tools.engines.filters import Filter

ANSWERS = {True: "yes", False: "no", None: "?"}
HEAD = ("model", "task", "runs", "licence", "parameters", "size", "fits", "sees")


async def list_models(settings: Settings, wanted: Filter, endpoints: bool, json_lines: bool) -> int:
    """Raises: BadInput."""
    served = await _served(settings) if endpoints else ()
    found = find_cards(settings, wanted, served)
    if json_lines:
        for card in found:
            print_json(card_json(card))
    elif found:
        print_table([HEAD, *(_row(card.model, card.fit.fits) for card in found)])
    else:
        note("No model matches.")
    return DONE


async def _served(settings: Settings) -> tuple[ModelCard, ...]:
    """What the configured servers say they serve; what is wrong with one goes to stderr."""
    from assistant.endpoints import ask_endpoints, configured_endpoints

    if not configured_endpoints(settings):
        note("No server is configured. Add [endpoints.<name>] with a base_url to assistant.toml, or put a key in .env.")
    answers = await ask_endpoints(settings)
    for answer in answers:
        if answer.trouble:
            note(answer.trouble)
    return tuple(card for answer in answers for card in answer.cards)


def _row(card: ModelCard, fits: bool | None) -> tuple[str, ...]:
    sees = "yes" if card.sees_images else ""
    size = "" if card.runs == "hosted" and card.size_bytes is None else megabytes(card.size_bytes)
    return card.id, card.task, card.runs, card.licence, parameters(card.parameters), size, ANSWERS[fits], sees


def parameters(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e9:.3g} B" if count >= 1e9 else f"{count / 1e6:.3g} M"


def show(settings: Settings, model: str, json_lines: bool) -> None:
    """Raises: ModelNotFound."""
    wanted = model.strip()
    card = next((card for card in find_cards(settings, Filter(name=wanted)) if card.model.id == wanted), None)
    if card is None:
        card_of(model)
        raise ModelNotFound(f"No card for {wanted!r}.")
    values = card_json(card)
    if json_lines:
        print_json(values)
        return
    rows = {name: _in_words(value) for name, value in values.items()} | _told(card)
    print_table((name, text) for name, text in rows.items() if text)


def _told(card: Card) -> dict[str, str]:
    """What stands better in a sentence than in its parts."""
    probed = {"tool_calls": card.known.tool_calls, "sight": card.known.sight}
    tried = {
        name: f"probed here on {found.date[:10]}, {probed_in_words(name, found)}"
        for name, found in probed.items()
        if found
    }
    return {**tried, "price": price_in_words(card.tariff)}


def _in_words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return ANSWERS[value]
        case tuple() | list():
            return ", ".join(_in_words(part) for part in value)
        case Mapping():
            return "; ".join(f"{name} {_in_words(part)}" for name, part in value.items() if part not in (None, {}, ""))
    return str(value)


async def pull(settings: Settings, model: str, json_lines: bool) -> int:
    """Says how large it is before it begins. Raises: EngineError."""
    meter, said = Meter(), set[str]()

    def tell(text: str, fraction: float | None) -> None:
        if text not in said:
            meter.clear()
            note(text)
        said.add(text)
        meter.show(text, fraction)

    try:
        where = await asyncio.to_thread(pull_weights, settings, model, tell)
    finally:
        meter.clear()
    listed = [card for card in find_cards(settings, Filter(name=model)) if card.model.id == model]
    if json_lines and listed:
        print_json(card_json(listed[0]))
    else:
        print_text(f"{where}\n")
    return DONE


def check(settings: Settings, json_lines: bool) -> int:
    """FAILED where a chosen model cannot run; a capability that nobody chose is no failure."""
    rows = check_capabilities(settings)
    for row in rows:
        if json_lines:
            print_json(asdict(row))
        else:
            print_text(f"{row.name}: {row.model or 'none'} {f'({row.device or row.runs})' if row.runs else ''}\n")
            print_text(f"  {'ok' if row.ok else 'not ok'}: {row.why} {row.remedy}".rstrip() + "\n")
    if not json_lines:
        print_text("\n".join(machine_facts(settings)) + "\n")
    for warning in settings.warnings:
        note(warning)
    return DONE if all(row.ok or row.model is None for row in rows) else FAILED
