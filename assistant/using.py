"""“Use this”: a capability's model written to assistant.toml, where everything else, comments included, stays as it is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.engines import TASKS, open_engine
from assistant.settings import FILE, PREFIX, Settings, SettingsError, read_file, with_model
from tools.engines.base import ModelCard, Task
from tools.engines.catalogue import PROVIDERS, card_of, find_provider, split_id
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput, ModelNotFound

TAKEN_UP = ("chat", "speech", "image", "voice")
"""Capabilities that an open page changes at once; the vectors of the documents hang on the others."""


@dataclass(frozen=True)
class Chosen:
    """What was written where. `settings` are those from now on; `overridden` names the variables that win over the file."""

    capability: str
    model: str
    before: str | None
    file: Path
    settings: Settings
    overridden: tuple[str, ...]

    @property
    def warning(self) -> str:
        """One line where a variable keeps the choice from having an effect, else nothing."""
        if not self.overridden:
            return ""
        names = " and ".join(self.overridden)
        return f"{names} in the environment or .env wins over the file. Take it away there, then start again."


def capability_of(settings: Settings, model_id: str, card: ModelCard | None, asked: str | None) -> str:
    """What `model_id` would be used for. Raises: ModelNotFound, BadInput (it has to be said)."""
    if asked is not None:
        if asked not in TASKS:
            raise BadInput(f"There is no capability {asked!r}.", f"There are: {', '.join(TASKS)}.")
        find_provider(model_id, TASKS[asked], settings.endpoints)
        return asked
    task = card.task if card else _only_task(settings, model_id)
    return next(name for name, of in TASKS.items() if of == task)


def use_model(settings: Settings, model_id: str, asked: str | None = None, card: ModelCard | None = None) -> Chosen:
    """Writes the choice once it is sure that an engine opens for it: the provider and the model are known and its key is here.
    `asked` is the capability where the model does not tell; `card` what an endpoint said of it.

    Raises: EngineError, SettingsError.
    """
    card = card or card_or_none(model_id)
    model_id = model_id.strip()
    capability = capability_of(settings, model_id, card, asked)
    if card and card.task != TASKS[capability]:
        raise BadInput(f"{model_id} is for {card.task}, not for {TASKS[capability]}.", "Choose another.")
    before = getattr(settings, capability).model
    address = getattr(settings, capability).base_url
    changed = settings_for(settings, capability, model_id, card)
    kept_address = f"{PREFIX}{capability.upper()}_BASE_URL"
    if kept_address in settings.from_environment and getattr(changed, capability).base_url != address:
        raise BadInput(
            f"{kept_address} in the environment or .env is the address of another server.",
            "Take it away there first: it would be asked for this model, too.",
        )
    open_engine(changed, capability, DeviceArbiter(), lambda _text, _fraction: None)
    _write(settings.file, capability, model_id, getattr(changed, capability).base_url)
    variable = PREFIX + capability.upper()
    overridden = tuple(name for name in (variable,) if name in settings.from_environment)
    return Chosen(capability, model_id, before, settings.file, changed, overridden)


def settings_for(settings: Settings, capability: str, model_id: str, card: ModelCard | None = None) -> Settings:
    """The settings with this model for one capability, asked at its maker's own address where none is set."""
    card = card or card_or_none(model_id)
    changed = with_model(settings, capability, model_id)
    if card and card.base_url and not getattr(changed, capability).base_url:
        changed = replace(changed, **{capability: replace(getattr(changed, capability), base_url=card.base_url)})
    return changed


def _only_task(settings: Settings, model_id: str) -> Task:
    """Raises: ModelNotFound, BadInput."""
    name, _ = split_id(model_id)
    if name not in PROVIDERS and name not in settings.endpoints:
        card_of(model_id)
    provider = PROVIDERS.get(name)
    if provider and len(provider.tasks) == 1:
        return provider.tasks[0]
    able = [capability for capability, task in TASKS.items() if provider is None or task in provider.tasks]
    raise BadInput(f"What {model_id} is for is not known.", f"Say so with --for: {', '.join(able)}.")


def card_or_none(model_id: str) -> ModelCard | None:
    """The card of a listed model; None for others. Raises: ModelNotFound where it is no id."""
    try:
        return card_of(model_id)
    except ModelNotFound:
        split_id(model_id)
        return None


def _write(path: Path, capability: str, model_id: str, base_url: str | None) -> None:
    """Raises: SettingsError (the file cannot be read or written)."""
    path = path.resolve()
    line = f"Write there yourself: {capability} = {model_id!r}."
    try:
        text = path.read_text("utf-8-sig") if path.exists() else ""
        changed = _edited(text, capability, model_id, base_url)
        aside = path.with_name(f".{FILE}.{os.getpid()}.new")
        try:
            aside.write_text(changed, "utf-8")
            read_file(aside)
            if path.exists():
                shutil.copymode(path, aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be written: {getattr(error, 'strerror', error)}. {line}") from error


def _edited(text: str, capability: str, model_id: str, base_url: str | None) -> str:
    """The text of the file with another model for one capability. Raises: SettingsError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise SettingsError(f"{FILE} cannot be read: {error}. Correct that line.") from error
    there: Any = document.get(capability)
    if not hasattr(there, "get"):
        document[capability] = there = tomlkit.inline_table() if base_url else model_id
    if hasattr(there, "get"):
        there["model"] = model_id
        if base_url:
            there["base_url"] = base_url
        elif "base_url" in there:
            there.remove("base_url")
    return tomlkit.dumps(document)
