"""What will run, where and why, and what is missing: each capability, then the machine. Loads no weights and sends nothing out."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from assistant.engines import NONE_CHOSEN, TASKS, endpoint_of, model_of, open_engine
from assistant.settings import CAPABILITIES, Settings, SettingsError, with_model
from knowledge.documents import KnowledgeError
from knowledge.index import Index
from knowledge.jobs import Jobs
from knowledge.reembedding import reembedding_of
from tools.engines.base import Endpoint, ModelCard, Runs
from tools.engines.catalogue import Provider, cards, find_provider, fit_of, free_bytes, gpu_usable, has_gpu, split_id
from tools.engines.device import CPU, CUDA, DeviceArbiter
from tools.engines.errors import EngineError
from tools.engines.hosted import is_loopback
from tools.engines.weights import find_weights

CONNECT_S = 1.0


@dataclass(frozen=True)
class Capability:
    """One row of the check. `model` and `device` are None where there is none; a hosted model has no device."""

    name: str
    model: str | None
    runs: Runs | None
    device: str | None
    ok: bool
    why: str
    remedy: str = ""


def check_capabilities(settings: Settings) -> list[Capability]:
    wanted = [name for name in CAPABILITIES if name != "reranker" or settings.reranker.model]
    rows = [_check(settings, name) for name in wanted]
    rows = [_with_documents(settings, row) if row.name == "embedding" else row for row in rows]
    return [*rows, _check_chroma(settings)] if settings.chroma_url else rows


def machine_facts(settings: Settings) -> list[str]:
    """Memory, disk and graphics card, a line each."""
    import psutil

    free = free_bytes()
    total = psutil.virtual_memory().total
    gpu = f"{free[CUDA] / 1e9:.1f} GB free" if has_gpu() else "none found; everything runs on the CPU"
    home = _standing(settings.home)
    writable = "" if os.access(home, os.W_OK) else ", which cannot be written: set ASSISTANT_HOME elsewhere"
    return [
        f"Memory: {free[CPU] / 1e9:.1f} of {total / 1e9:.1f} GB free",
        f"Disk: {shutil.disk_usage(home).free / 1e9:.1f} GB free for {settings.home}{writable}",
        f"GPU: {gpu}",
    ]


def _standing(path: Path) -> Path:
    """The nearest folder that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def _check(settings: Settings, name: str) -> Capability:
    model = model_of(settings, name)
    if name == "image" and not settings.image.enabled:
        return Capability(
            name, None, None, None, False, "Pictures are switched off.", "Set ASSISTANT_IMAGE_ENABLED=true."
        )
    if model is None:
        return Capability(name, None, None, None, False, *NONE_CHOSEN[name])
    settings = with_model(settings, name, model)
    provider = find_provider(model, TASKS[name], settings.endpoints)
    try:
        endpoint = endpoint_of(settings, split_id(model)[0], getattr(settings, name).base_url)
        if missing := _missing_package(provider):
            return Capability(name, model, provider.runs, None, False, missing, f"Run `{provider.brought_by}`.")
        open_engine(settings, name, DeviceArbiter(), lambda _text, _fraction: None)
    except (EngineError, SettingsError) as error:
        message, remedy = (error.message, error.remedy) if isinstance(error, EngineError) else (str(error), "")
        return Capability(name, model, provider.runs, None, False, message, remedy)
    if provider.runs == "hosted":
        return _check_server(name, model, endpoint or Endpoint())
    return _check_local(settings, name, model, provider)


def _with_documents(settings: Settings, row: Capability) -> Capability:
    """How far the documents are on their way to this embedding, where another one made their vectors."""
    folder = settings.home / "knowledge"
    if not (folder / "knowledge.sqlite3").exists():
        return row
    try:
        name = open_engine(settings, "embedding", DeviceArbiter(), lambda _text, _fraction: None).name
        with contextlib.closing(Index(folder, name)) as index:
            found = reembedding_of(index, Jobs(index.database))
    except (EngineError, SettingsError):
        return row
    except KnowledgeError as error:
        return replace(row, ok=False, why=f"{row.why}; {error.message}", remedy=error.remedy)
    return replace(row, why=f"{row.why}; {found.notices()[0]}") if found else row


def _check_chroma(settings: Settings) -> Capability:
    url = settings.chroma_url or ""
    try:
        with contextlib.closing(Index(settings.home / "knowledge", settings.embedding.model, url)) as index:
            trouble = index.look()
    except KnowledgeError as error:
        trouble = error
    if trouble:
        return Capability("vectors", url, "local", None, False, trouble.message, trouble.remedy)
    return Capability("vectors", url, "local", None, True, "the Chroma server holds all vectors")


def _missing_package(provider: Provider) -> str:
    found = importlib.util.find_spec(provider.package)
    return "" if found else f"The Python package {provider.package} is not installed."


def _check_server(name: str, model: str, endpoint: Endpoint) -> Capability:
    """A server on this machine is knocked at; others are not, since nothing leaves the machine unasked."""
    url = endpoint.base_url or "https://api.openai.com/v1"
    if not is_loopback(url):
        return Capability(name, model, "hosted", None, True, f"asks {urlsplit(url).netloc}; {_key(endpoint)}")
    if not _answers(url):
        remedy = "Start the server, or correct base_url."
        return Capability(name, model, "local", None, False, f"Nothing answers at {url}.", remedy)
    return Capability(name, model, "local", None, True, f"a server answers at {url}")


def _key(endpoint: Endpoint) -> str:
    return f"the key {endpoint.key_name} is set" if endpoint.api_key else "no key is set"


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), CONNECT_S).close()
    except OSError:
        return False
    return True


def _check_local(settings: Settings, name: str, model: str, provider: Provider) -> Capability:
    card = _card_of(model)
    device, device_why = _device(getattr(settings, name).device, provider)
    weights = find_weights(model, card, settings.home / "models")
    fit = fit_of(card) if card else None
    if not weights.present and (settings.offline or (card and card.starter)):
        remedy = (
            "Run `make install`."
            if card and card.starter
            else f"Go online once and run `assistant models pull {model}`."
        )
        return Capability(name, model, "local", device, False, f"Not ready: {weights.why}.", remedy)
    if fit and fit.fits is False:
        return Capability(
            name, model, "local", device, False, f"{fit.why}.", "Close other programs or choose a smaller model."
        )
    remedy = "" if weights.present else f"They are fetched on first use; `assistant models pull {model}` does it now."
    why = "; ".join(part for part in (device_why, weights.why, fit.why if fit else "") if part)
    return Capability(name, model, "local", device, True, why, remedy)


def _card_of(model: str) -> ModelCard | None:
    return {card.id: card for card in cards()}.get(model)


def _device(wanted: str, provider: Provider) -> tuple[str, str]:
    """(device, why)."""
    if wanted == CPU:
        return CPU, "the CPU is set"
    if not provider.gpu:
        return CPU, "quick enough on the CPU"
    if gpu_usable(provider):
        return CUDA, "a GPU was found"
    return CPU, "no usable GPU was found"
