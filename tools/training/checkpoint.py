"""A training run on disk, in safetensors files of at most 16 MiB, so that it can be carried and go on elsewhere.

`full` holds weights, average and optimizer: the next step is the same as without the stop. `light` holds the average alone, at half
precision: a quarter of a hundred megabytes, from which training goes on with a fresh optimizer.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.engines.errors import ModelNotFound

if TYPE_CHECKING:
    from tools.training.train import Recipe, Run

SHARD_BYTES = 15 * 1024 * 1024
STATE = "state.json"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save(run: Run, folder: Path, light: bool = False) -> None:
    """Written aside and renamed: a folder that stands is whole."""
    tensors = {f"average.{k}": v.half() if light else v for k, v in run.average.state_dict().items()}
    if not light:
        tensors |= {f"network.{k}": v for k, v in run.network.state_dict().items()}
        tensors |= {f"optimizer.{k}": v for k, v in _moments(run).items()}
    aside, before = folder.with_name(f"{folder.name}.part"), folder.with_name(f"{folder.name}.before")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    _write_shards(tensors, aside)
    state = {
        "recipe": asdict(run.recipe),
        "step": run.step,
        "fresh_at": run.fresh_at,
        "trace": run.trace,
        "light": light,
    }
    (aside / STATE).write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    aside.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def load(folder: Path, device: str) -> Run:
    """Raises: ModelNotFound where `folder` holds no whole checkpoint."""
    from tools.training.train import Recipe, optimizer_of, start

    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotFound(
            f"{folder} holds no training checkpoint.", "Name the folder that training wrote."
        ) from error
    recipe = Recipe(**{**state["recipe"], "sources": tuple(state["recipe"]["sources"])})
    run = start(recipe, device)
    tensors = _read_shards(folder)
    average = _part(tensors, "average")
    run.average.load_state_dict({k: v.float() for k, v in average.items()})
    run.network.load_state_dict(_part(tensors, "network") or {k: v.float() for k, v in average.items()})
    run.optimizer = optimizer_of(run.network, recipe)
    _set_moments(run, _part(tensors, "optimizer"))
    run.step, run.trace = state["step"], [(s, v) for s, v in state["trace"]]
    run.fresh_at = run.step if state["light"] else state["fresh_at"]
    return run


def of_exported(folder: Path, recipe: Recipe, device: str) -> Run:
    """A run with a fresh optimizer that goes on from the weights of an exported model. Its steps are counted from 0.

    Raises: ModelNotFound where `folder` holds no model, or one of another network than the recipe's.
    """
    from tools.engines.starter_picture.models import PictureTransformer
    from tools.training.train import start

    run = start(recipe, device)
    try:
        weights = PictureTransformer.from_pretrained(folder / "transformer", use_safetensors=True).state_dict()
        for network in (run.network, run.average):
            network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelNotFound(
            f"{folder} holds no exported model of this recipe.", "Name the folder that export wrote, and its --size."
        ) from error
    return run


def _moments(run: Run) -> dict[str, Any]:
    named = {id(p): name for name, p in run.network.named_parameters()}
    return {
        f"{moment}.{named[id(p)]}": values[moment] for p, values in run.optimizer.state.items() for moment in MOMENTS
    }


def _set_moments(run: Run, tensors: dict[str, Any]) -> None:
    if not tensors:
        return
    for name, p in run.network.named_parameters():
        run.optimizer.state[p] = {m: tensors[f"{m}.{name}"].to("cpu" if m == "step" else p.device) for m in MOMENTS}


def _part(tensors: dict[str, Any], name: str) -> dict[str, Any]:
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def _write_shards(tensors: dict[str, Any], folder: Path) -> None:
    from safetensors.torch import save_file

    shards: list[dict[str, Any]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        held = tensor.detach().cpu().contiguous().clone()
        nbytes = held.numel() * held.element_size()
        if shards[-1] and size + nbytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = held
        size += nbytes
    for n, shard in enumerate(shards):
        save_file(shard, folder / f"part-{n:03}.safetensors")


def _read_shards(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {k: v for path in sorted(folder.glob("part-*.safetensors")) for k, v in load_file(path).items()}
