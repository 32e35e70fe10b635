"""Weights brought to this machine before a model is used: what `assistant models pull` and the page of models do alike."""

from __future__ import annotations

from pathlib import Path

from assistant.engines import TASKS, engine_options
from assistant.settings import Settings, with_model
from tools.engines.base import LoadProgress, Task
from tools.engines.catalogue import PROVIDERS, card_of, split_id
from tools.engines.device import DeviceArbiter
from tools.engines.weights import fetch_weights


def pull_weights(settings: Settings, model: str, tell: LoadProgress) -> Path:
    """Where they are now. `tell` hears how large they are before they come, then how much is there; what it raises stops the work,
    and what has come is kept. Blocks.

    Raises: EngineError.
    """
    task = task_of(model)
    capability = next(name for name, of in TASKS.items() if of == task)
    options = engine_options(with_model(settings, capability, model), capability, DeviceArbiter(), tell)
    return fetch_weights(model, task, options)


def task_of(model: str) -> Task:
    """Raises: ModelNotFound."""
    provider = PROVIDERS.get(split_id(model)[0])
    if provider and len(provider.tasks) == 1:
        return provider.tasks[0]
    return card_of(model).task
