"""Trying a text model for its card: whether it calls tools, and whether it sees. What is found is for whoever asked to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.engines import OnLoad
from assistant.measured import Probed
from assistant.settings import Settings
from assistant.sight_probe import probe_sight
from assistant.tool_probe import probe_tools
from assistant.using import capability_of, card_or_none
from tools.engines.errors import BadInput

PROBES = {"tool_calls": probe_tools, "sight": probe_sight}


@dataclass
class Tried:
    """`found` by what was tried; `troubles` say of the others why they could not be."""

    found: dict[str, Probed] = field(default_factory=dict)
    troubles: list[BadInput] = field(default_factory=list)


async def try_model(settings: Settings, model_id: str, names: Sequence[str], on_load: OnLoad) -> Tried:
    """One after the other. A server may refuse one of them and still do the other.

    Raises: EngineError, SettingsError (BadInput where none could be tried).
    """
    capability_of(settings, model_id, card_or_none(model_id), "chat")
    tried = Tried()
    for name in names:
        try:
            tried.found[name] = await PROBES[name](settings, model_id, on_load)
        except BadInput as error:
            tried.troubles.append(error)
    if not tried.found:
        raise tried.troubles[0]
    return tried
