"""The commands that tell: models, models show, models pull, check."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

from assistant.check import check_capabilities, machine_facts
from assistant.cli_output import DONE, FAILED, Meter, megabytes, note, print_json, print_table, print_text
from assistant.engines import TASKS, engine_options
from assistant.settings import Settings, with_model
from tools.engines.base import ModelCard, Task
from tools.engines.catalogue import PROVIDERS, Fit, card_of, fit_of, select, split_id
from tools.engines.device import DeviceArbiter
from tools.engines.weights import fetch_weights

ANSWERS = {True: "yes", False: "no", None: "?"}


def card_json(card: ModelCard, fit: Fit) -> dict[str, Any]:
    values = asdict(replace(card, options={}))
    del values["options"]
    first = {
        name: values.pop(name)
        for name in ("id", "task", "runs", "licence", "size_bytes", "context_tokens", "languages")
    }
    return {**first, "fits": fit.fits, "why": fit.why, **values}


def list_models(
    task: str | None, licence: str | None, runs: str | None, name: str | None, fitting: bool, json_lines: bool
) -> None:
    found = select(task, licence, runs, name, fitting)
    if json_lines:
        for card, fit in found:
            print_json(card_json(card, fit))
    elif found:
        head = ("model", "task", "runs", "licence", "size", "fits")
        rows = [(c.id, c.task, c.runs, c.licence, megabytes(c.size_bytes), ANSWERS[f.fits]) for c, f in found]
        print_table([head, *rows])
    else:
        note("No model matches.")


def show(model: str, json_lines: bool) -> None:
    """Raises: ModelNotFound."""
    card = card_of(model)
    values = card_json(card, fit_of(card))
    if json_lines:
        print_json(values)
        return
    rows = {name: _in_words(value) for name, value in values.items()}
    print_table((name, text) for name, text in rows.items() if text)


def _in_words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return ANSWERS[value]
        case tuple() | list():
            return ", ".join(value)
    return str(value)


async def pull(settings: Settings, model: str, json_lines: bool) -> int:
    """Raises: EngineError."""
    task = _task_of(model)
    capability = next(name for name, of in TASKS.items() if of == task)
    meter = Meter()
    options = engine_options(with_model(settings, capability, model), capability, DeviceArbiter(), meter.show)
    try:
        where = await asyncio.to_thread(fetch_weights, model, task, options)
    finally:
        meter.clear()
    listed = [(card, fit) for card, fit in select(name=model) if card.id == model]
    if json_lines and listed:
        print_json(card_json(*listed[0]))
    else:
        print_text(f"{where}\n")
    return DONE


def _task_of(model: str) -> Task:
    """Raises: ModelNotFound."""
    provider = PROVIDERS.get(split_id(model)[0])
    if provider and len(provider.tasks) == 1:
        return provider.tasks[0]
    return card_of(model).task


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
