"""A judge of drawings: a small network from a picture to the embedding of its caption, trained on real drawings alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tools.engines.starter_picture.text import TextStates
from tools.training.dataset import Dataset

BATCH = 128
LEARNING_RATE = 2e-3
SHARPNESS = 20.0
SEED = 13


def new_judge(width: int = 32, meaning: int = 384) -> Any:
    """(n, 3, 64, 64), white 1 and black -1, to (n, 384)."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    layers: list[Any] = [nn.AvgPool2d(2)]
    channels = 3
    for times in (1, 3, 6):
        layers += [
            nn.Conv2d(channels, width * times, 3, stride=2, padding=1),
            nn.BatchNorm2d(width * times),
            nn.GELU(),
            nn.Conv2d(width * times, width * times, 3, padding=1),
            nn.BatchNorm2d(width * times),
            nn.GELU(),
        ]
        channels = width * times
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels * 16, meaning))


def train_judge(
    judge: Any,
    dataset: Dataset,
    text: TextStates,
    *,
    minutes: float,
    report: Callable[[str], None] = print,
) -> None:
    """Contrastive (Radford et al., CLIP, 2021), on drawings shifted and mirrored at random, towards their English captions."""
    import torch
    from torch.nn import functional

    device = next(judge.parameters()).device
    rows = dataset.indices("train")
    pictures = torch.from_numpy(dataset.pictures[rows]).permute(0, 3, 1, 2).to(device)
    meaning = torch.from_numpy(text.encode([dataset.rows[i].concept for i in rows])[1]).to(device)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    chance = torch.Generator(device).manual_seed(SEED)
    began = said = time.monotonic()
    losses: list[float] = []
    judge.train()
    while (done := (time.monotonic() - began) / (minutes * 60)) < 1 or not losses:
        picked = torch.randint(len(pictures), (BATCH,), generator=chance, device=device)
        seen = _varied(pictures[picked].float() / 127.5 - 1, chance)
        wanted = meaning[picked].float()
        likeness = functional.normalize(judge(seen), dim=1) @ wanted.T * SHARPNESS
        # The same words more than once in a batch share the probability.
        target = (wanted @ wanted.T > 0.999).float()
        target /= target.sum(1, keepdim=True)
        loss = functional.cross_entropy(likeness, target) + functional.cross_entropy(likeness.T, target)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * max(1 - done, 0.01)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if time.monotonic() - said > 30:
            said = time.monotonic()
            report(f"judge {len(losses)} steps  loss {sum(losses[-50:]) / len(losses[-50:]):.3f}")
    judge.eval()


def embed(judge: Any, pictures: Any) -> np.ndarray:
    """Unit vectors (n, 384) of pictures (n, 3, 64, 64), white 1 and black -1."""
    import torch
    from torch.nn import functional

    with torch.no_grad():
        parts = [functional.normalize(judge(part), dim=1) for part in pictures.split(BATCH)]
    vectors: np.ndarray = torch.cat(parts).float().cpu().numpy()
    return vectors


def retrieval(
    vectors: np.ndarray, captions: np.ndarray, right: np.ndarray, ranks: tuple[int, ...] = (1, 5)
) -> list[float]:
    """Which part of `vectors` has its caption, row `right` of `captions`, among the nearest 1, 5, …"""
    likeness = vectors @ captions.T
    own = likeness[np.arange(len(vectors)), right][:, None]
    better = (likeness > own).sum(axis=1)
    return [round(float((better < rank).mean()), 4) for rank in ranks]


def _varied(pictures: Any, chance: Any) -> Any:
    import torch
    from torch.nn import functional

    if torch.rand(1, generator=chance, device=pictures.device) < 0.5:
        pictures = pictures.flip(3)
    down, right = (int(torch.randint(-4, 5, (1,), generator=chance, device=pictures.device)) for _ in range(2))
    padded = functional.pad(pictures, (4, 4, 4, 4), value=1.0)
    return padded[:, :, 4 + down : 68 + down, 4 + right : 68 + right]
