"""Training of the transformer that draws: flow matching on pixels, classifier-free guidance, an average of the weights.

Every random number follows from the seed and the step, so that a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.starter_picture.text import TextStates
from tools.training import checkpoint
from tools.training.dataset import Dataset

LEAST_SIGMA = 0.05


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run gives, besides the drawings. Minutes are not part of it.

    Noise levels are logit-normal (Li and He, 2025, whose t is 1 - sigma). Of few drawings each is known again through thick noise,
    and the words go unheard, unless much of the training is nearly all noise: then `sigma_mean` is high.
    """

    seed: int = 7
    sources: tuple[str, ...] = ()
    batch: int = 64
    learning_rate: float = 1e-3
    warm_steps: int = 200
    average: float = 0.9995
    drop_text: float = 0.1
    sigma_mean: float = 1.5
    sigma_spread: float = 1.2
    network: dict[str, int] = field(default_factory=dict)


@dataclass
class Run:
    """A network in training. `fresh_at` is the step at which its optimizer began; `trace` keeps (step, loss) of the report lines."""

    recipe: Recipe
    network: Any
    average: Any
    optimizer: Any
    step: int = 0
    fresh_at: int = 0
    trace: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Material:
    """The drawings and descriptions of training, as tensors on one device. `first` and `count` say where a drawing's
    captions stand among `states` and `meanings`."""

    pictures: Any
    states: Any
    meanings: Any
    first: Any
    count: Any


def start(recipe: Recipe, device: str) -> Run:
    import torch

    from tools.engines.starter_picture.network import PictureNetwork

    torch.manual_seed(recipe.seed)
    network = PictureNetwork(**recipe.network).to(device)
    return Run(recipe, network, copy.deepcopy(network).requires_grad_(False), optimizer_of(network, recipe))


def optimizer_of(network: Any, recipe: Recipe) -> Any:
    import torch

    return torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)


def material_of(dataset: Dataset, sources: Sequence[str], text: TextStates, device: str) -> Material:
    """The training part of `dataset`; each distinct caption is read once."""
    import torch

    rows = dataset.indices("train", sources)
    captions = [dataset.rows[i].captions for i in rows]
    states, meanings = text.encode([c for told in captions for c in told])
    count = np.array([len(told) for told in captions])
    return Material(
        torch.from_numpy(dataset.pictures[rows]).permute(0, 3, 1, 2).contiguous().to(device),
        torch.from_numpy(states).to(device),
        torch.from_numpy(meanings).to(device),
        torch.from_numpy(np.cumsum(count) - count).to(device),
        torch.from_numpy(count).to(device),
    )


def train(
    run: Run,
    material: Material,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    cool: bool = False,
    save_to: Path | None = None,
    save_minutes: float = 4.0,
    report: Callable[[str], None] = print,
    fast: bool = False,
) -> None:
    """Go on for `steps` or `minutes`, whichever ends first. With `cool` the learning rate falls to nothing towards that end:
    for the last call of a training. `fast` compiles the network (GPU)."""
    import torch

    device = material.pictures.device
    network = torch.compile(run.network) if fast else run.network
    began = saved = said = time.monotonic()
    first, losses = run.step, list[Any]()
    run.network.train()
    while True:
        done = _part_done(run.step - first, steps, time.monotonic() - began, minutes)
        if done >= 1:
            break
        rate = (
            run.recipe.learning_rate
            * min(1.0, (run.step - run.fresh_at + 1) / run.recipe.warm_steps)
            * (1 - done if cool else 1)
        )
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(network, material, run.recipe, run.step)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
        run.optimizer.step()
        run.step += 1
        _follow(run)
        losses.append(loss.detach())
        now = time.monotonic()
        if now - said > 30:
            mean = float(torch.stack(losses).mean())
            run.trace.append((run.step, round(mean, 5)))
            rate_ = len(losses) * run.recipe.batch / (now - said)
            report(f"step {run.step}  loss {mean:.4f}  {rate_:.0f} drawings/s")
            losses, said = [], now
        if save_to and now - saved > save_minutes * 60:
            checkpoint.save(run, save_to)
            saved = time.monotonic()
    if save_to:
        checkpoint.save(run, save_to)


def loss_of(network: Any, material: Material, recipe: Recipe, step: int) -> Any:
    """The loss of one batch, a function of the seed and the step."""
    import torch

    device = material.pictures.device
    chance = torch.Generator(device).manual_seed(recipe.seed * 1_000_003 + step)
    n = recipe.batch
    rows = torch.randint(len(material.pictures), (n,), generator=chance, device=device)
    told = material.first[rows] + (torch.rand(n, generator=chance, device=device) * material.count[rows]).long()
    kept = (torch.rand(n, generator=chance, device=device) >= recipe.drop_text).float()
    clean = material.pictures[rows].float() / 127.5 - 1
    normal = torch.randn(n, generator=chance, device=device)
    sigma = torch.sigmoid(normal * recipe.sigma_spread + recipe.sigma_mean)
    noise = torch.randn(clean.shape, generator=chance, device=device)
    level = sigma[:, None, None, None]
    noisy = (1 - level) * clean + level * noise
    words = material.states[told].float() * kept[:, None, None]
    drawn = network(noisy, sigma, words, material.meanings[told].float() * kept[:, None])
    # The error of the velocity, (clean - drawn) / sigma, as the paper weighs it.
    return ((drawn.float() - clean) / level.clamp(min=LEAST_SIGMA)).square().mean()


def _part_done(steps_done: int, steps: int | None, seconds: float, minutes: float | None) -> float:
    return max(steps_done / steps if steps else 0.0, seconds / (minutes * 60) if minutes else 0.0)


def _follow(run: Run) -> None:
    """Move the average of the weights; early it follows more closely."""
    import torch

    part = 1 - min(run.recipe.average, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        torch._foreach_lerp_(list(run.average.parameters()), list(run.network.parameters()), part)
