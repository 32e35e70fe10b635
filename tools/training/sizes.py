"""The recipes that were tried: one for an hour on a processor, one for half an hour on a large GPU."""

from __future__ import annotations

from tools.training.train import Recipe

EMOJI = ("fluent-flat", "fluent", "noto", "twemoji", "flat-color")

SIZES: dict[str, Recipe] = {
    # One hour of one core sees a drawing too seldom for five styles: it learns the flat one alone.
    "cpu": Recipe(
        sources=("fluent-flat",),
        batch=32,
        average=0.999,
        network={"patch": 16, "width": 256, "depth": 6, "heads": 4, "text_tokens": 10},
    ),
    "gpu": Recipe(
        batch=512,
        learning_rate=8e-4,
        warm_steps=1000,
        network={"patch": 4, "width": 384, "depth": 7, "heads": 6, "text_tokens": 16},
    ),
}

UPSCALERS = {"cpu": {"channels": 32, "depth": 4}, "gpu": {"channels": 64, "depth": 8}}
