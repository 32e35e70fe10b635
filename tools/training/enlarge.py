"""Training of the upscaler: from what the transformer makes of a real drawing to that drawing at four times the size.

Its input is the transformer's one-step guess from a noisy drawing, so that it learns to clean just the flaws it will be given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tools.engines.starter_picture.text import TextStates
from tools.training.dataset import Dataset

MOST_SIGMA = 0.5
CROP = 32
BATCH = 16
LEARNING_RATE = 2e-3
SEED = 11


def train_upscaler(
    network: Any,
    upscaler: Any,
    dataset: Dataset,
    text: TextStates,
    *,
    minutes: float,
    sources: Sequence[str] = (),
    report: Callable[[str], None] = print,
) -> float:
    """On drawings of `sources`, those that `network` has learned (empty: all). Trains `upscaler` in place, the learning rate falling to nothing; returns the mean error of the last part, of 0 to 2."""
    import torch

    device = next(upscaler.parameters()).device
    known = [k for k, i in enumerate(dataset.large_rows) if not sources or dataset.rows[i].source in sources]
    chosen = dataset.large_rows[known]
    small = torch.from_numpy(dataset.pictures[chosen]).permute(0, 3, 1, 2).to(device)
    large = torch.from_numpy(dataset.large[known]).permute(0, 3, 1, 2).to(device)
    states, meaning = text.encode([dataset.rows[i].captions[0] for i in chosen])
    words, meanings = torch.from_numpy(states).to(device), torch.from_numpy(meaning).to(device)
    optimizer = torch.optim.Adam(upscaler.parameters(), lr=LEARNING_RATE)
    chance = torch.Generator(device).manual_seed(SEED)
    began = said = time.monotonic()
    errors: list[float] = []
    while (done := (time.monotonic() - began) / (minutes * 60)) < 1 or not errors:
        rows = torch.randint(len(small), (BATCH,), generator=chance, device=device)
        clean = small[rows].float() / 127.5 - 1
        guessed = _guess(network, clean, words[rows].float(), meanings[rows].float(), chance)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * max(1 - done, 0.01)
        source, target = _crops(guessed, large[rows].float() / 127.5 - 1, upscaler.times, chance)
        error = (upscaler(source) - target).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        optimizer.step()
        errors.append(error.item())
        if time.monotonic() - said > 30:
            said = time.monotonic()
            report(f"upscaler {len(errors)} steps  error {sum(errors[-50:]) / len(errors[-50:]):.4f}")
    last = errors[-100:]
    return sum(last) / len(last)


def _guess(network: Any, clean: Any, words: Any, meaning: Any, chance: Any) -> Any:
    """Half of the drawings as they are, half as the transformer sees them through noise."""
    import torch

    n = len(clean)
    sigma = torch.rand(n, generator=chance, device=clean.device) * MOST_SIGMA
    sigma[: n // 2] = 0
    level = sigma[:, None, None, None]
    noise = torch.randn(clean.shape, generator=chance, device=clean.device)
    with torch.no_grad():
        half = n // 2
        noisy = (1 - level) * clean + level * noise
        drawn = network(noisy[half:], sigma[half:], words[half:], meaning[half:]).float().clamp(-1, 1)
    return torch.cat([clean[:half], drawn])


def _crops(small: Any, large: Any, times: int, chance: Any) -> tuple[Any, Any]:
    """The same random square of each pair; one place a batch."""
    import torch

    most = small.shape[-1] - CROP
    top, left = (int(torch.randint(most + 1, (1,), generator=chance, device=small.device)) for _ in range(2))
    source = small[:, :, top : top + CROP, left : left + CROP]
    target = large[:, :, top * times : (top + CROP) * times, left * times : (left + CROP) * times]
    return source, target
