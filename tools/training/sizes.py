"""The recipes that were tried: one for an hour on a processor, one for half an hour on a large GPU."""

from __future__ import annotations

from tools.training.train import Recipe

SIZES: dict[str, Recipe] = {
    # One hour of one core sees a drawing too seldom for patches and five styles to come together: the whole picture is one patch,
    # told by the meaning of its caption alone, and only the flat style is learned.
    "cpu": Recipe(
        sources=("fluent-flat",),
        batch=64,
        average=0.999,
        sigma_mean=2.5,
        sigma_spread=1.5,
        network={"patch": 64, "width": 320, "depth": 6, "heads": 5, "text_tokens": 0},
    ),
    "gpu": Recipe(
        batch=512,
        learning_rate=8e-4,
        warm_steps=1000,
        network={"patch": 4, "width": 384, "depth": 8, "heads": 6, "text_tokens": 16},
    ),
}

UPSCALERS = {"cpu": {"channels": 32, "depth": 4}, "gpu": {"channels": 64, "depth": 8}}
