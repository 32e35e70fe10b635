"""The commands that do something with a model: models use, models measure, models probe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar

from assistant.cli_output import DONE, FAILED, Meter, megabytes, note, print_json, print_text
from assistant.engines import OnLoad
from assistant.measured import Measured, Probed, measurements
from assistant.settings import Settings
from assistant.using import TAKEN_UP, capability_of, card_or_none, use_model

T = TypeVar("T")


def use(settings: Settings, model: str, asked: str | None, json_lines: bool) -> None:
    """Raises: EngineError, SettingsError."""
    chosen = use_model(settings, model, asked)
    if chosen.warning:
        note(chosen.warning)
    if json_lines:
        names = ("capability", "model", "before", "overridden")
        print_json({**{name: getattr(chosen, name) for name in names}, "file": str(chosen.file)})
        return
    print_text(f"{chosen.capability} = {chosen.model}, written to {chosen.file}\n")
    took = "a page that is open takes it up when it is started again" if chosen.capability in TAKEN_UP else _LATER
    note(f"Commands use it from now on; {took}.")


_LATER = "a page that is open must be started again, and then embeds or sorts the documents with it"


async def measure_model(settings: Settings, model: str, asked: str | None, json_lines: bool) -> int:
    """Raises: EngineError, SettingsError."""
    from assistant.measuring import measure

    capability = capability_of(settings, model, card_or_none(model), asked)
    found = await _with_meter(lambda on_load: measure(settings, capability, model, on_load))
    return _keep(settings, model, "measured", found, in_words(found), json_lines)


async def probe_model(settings: Settings, model: str, only: str | None, json_lines: bool) -> int:
    """Raises: EngineError, SettingsError."""
    from assistant.probing import PROBES, try_model

    wanted = [ONLY[only]] if only else list(PROBES)
    tried = await _with_meter(lambda on_load: try_model(settings, model, wanted, on_load))
    for trouble in tried.troubles:
        note(str(trouble))
    statuses = [
        _keep(settings, model, name, found, probed_in_words(name, found), json_lines)
        for name, found in tried.found.items()
    ]
    return max(statuses)


ONLY = {"tools": "tool_calls", "sight": "sight"}
VERDICTS = {
    "tool_calls": {True: "it calls tools as it should", False: "do not rely on its tool calls"},
    "sight": {True: "it sees pictures", False: "it does not see pictures"},
}


def probed_in_words(name: str, found: Probed) -> str:
    return f"{found.right} of {found.of} right: {VERDICTS[name][found.works]}"


def in_words(found: Measured) -> str:
    first = f", first token after {found.first_token_s} s" if found.first_token_s is not None else ""
    memory = f", {megabytes(found.memory_bytes)} of memory" if found.memory_bytes is not None else ""
    return f"{found.speed:g} {found.unit}{first}{memory}, ready after {found.load_s} s, on {found.device}"


async def _with_meter(work: Callable[[OnLoad], Awaitable[T]]) -> T:
    meter = Meter()
    try:
        return await work(meter.show)
    finally:
        meter.clear()


def _keep(settings: Settings, model: str, name: str, found: Measured | Probed, words: str, json_lines: bool) -> int:
    """The result is told even where it cannot be kept."""
    what = {} if name == "measured" else {"probed": name}
    values: dict[str, Any] = {"id": model, **what, **asdict(found)}
    if json_lines:
        print_json(values)
    else:
        print_text(f"{model}: {words}\n")
    try:
        measurements(settings.home).put(model, **{name: found})
    except OSError as error:
        note(f"It could not be kept in {settings.home}: {error.strerror or error}.")
        return FAILED
    return DONE
