"""The diffusion pipelines that are known: how each family is best run, and the cards of models by their hub ids.

Steps, guidance and sizes are those of the model cards on the hub. None of the listed weights were at hand when this was
written: each class of pipeline was run with small random weights instead (`tests/tiny_pipelines.py`), and the cards say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.engines.base import ModelCard

PROVIDER = "diffusers"
GIGABYTE = 1_000_000_000
NEVER_RUN = "Never run on its real weights here, only a pipeline of its class with random ones."


@dataclass(frozen=True)
class Family:
    """How a kind of pipeline is best run: sampling steps, guidance scale (None: its own), pixels a side, the numbers it
    computes with on a GPU, and what the sides of its pictures are multiples of."""

    steps: int
    guidance_scale: float | None
    side: int
    dtype: Literal["float16", "bfloat16"] = "float16"
    step_px: int = 8


# By a word in the model's name or in the class of its pipeline; the first that fits.
FAMILIES: dict[str, Family] = {
    "3.5-large-turbo": Family(4, 0.0, 1024, "bfloat16", 16),
    "turbo": Family(2, 0.0, 512),
    "lightning": Family(4, 0.0, 1024),
    "schnell": Family(4, 0.0, 1024, "bfloat16", 16),
    "lcm": Family(4, 1.0, 512),
    "latentconsistency": Family(4, 8.0, 512),
    "flux": Family(28, 3.5, 1024, "bfloat16", 16),
    "stablediffusion3": Family(28, 4.5, 1024, "float16", 16),
    "stablediffusionxl": Family(30, 5.0, 1024),
    "pixart": Family(20, 4.5, 512, "float16", 16),
    "sana": Family(20, 4.5, 1024, "bfloat16", 32),
    "stablediffusion": Family(25, 7.5, 512),
}
OTHER = Family(25, None, 512, "bfloat16", 16)


def family_of(model: str, class_name: str) -> Family:
    words = f"{Path(model).name} {class_name}".lower()
    return next((family for word, family in FAMILIES.items() if word in words), OTHER)


_MAKERS = {
    "stabilityai": "Stability AI",
    "stable-diffusion-v1-5": "Stability AI",
    "black-forest-labs": "Black Forest Labs",
}
_RAIL = "the uses that its attachment A lists, such as harming or deceiving people"


def _card(
    repo: str, licence: str, size_gb: float, limits: str, commercial_use: str = "", parameters: int | None = None
) -> ModelCard:
    size = int(size_gb * GIGABYTE)
    return ModelCard(
        f"{PROVIDER}:{repo}",
        "image",
        "local",
        licence,
        source=repo,
        size_bytes=size,
        memory_bytes=size,
        limits=f"{limits} {NEVER_RUN}",
        commercial_use=commercial_use,
        forbids=_RAIL if "RAIL" in licence else "",
        maker=_MAKERS[repo.partition("/")[0]],
        parameters=parameters,
        architecture="diffusion",
    )


_UNDER_A_MILLION = "free only below one million dollars of revenue a year"
_RESEARCH = "forbidden"

MODELS: dict[str, ModelCard] = {
    card.source: card
    for card in (
        _card(
            "stabilityai/sd-turbo",
            "Stability AI Community",
            5.2,
            "512 pixels; slow on a small CPU.",
            _UNDER_A_MILLION,
            866_000_000,
        ),
        _card(
            "stabilityai/sdxl-turbo",
            "SAI Non-Commercial Research",
            13.9,
            "512 pixels; wants a GPU.",
            _RESEARCH,
            2_600_000_000,
        ),
        _card(
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "CreativeML OpenRAIL-M",
            4.3,
            "512 pixels; slow on a CPU.",
            parameters=860_000_000,
        ),
        _card(
            "stabilityai/stable-diffusion-xl-base-1.0",
            "CreativeML OpenRAIL++-M",
            13.9,
            "1024 pixels; wants a GPU.",
            parameters=2_600_000_000,
        ),
        _card(
            "stabilityai/stable-diffusion-3-medium-diffusers",
            "Stability AI Community",
            15.5,
            "1024 pixels; gated on the hub; wants a GPU.",
            _UNDER_A_MILLION,
            2_000_000_000,
        ),
        _card(
            "black-forest-labs/FLUX.1-schnell",
            "Apache-2.0",
            33.7,
            "1024 pixels; wants a large GPU.",
            parameters=12_000_000_000,
        ),
        _card(
            "black-forest-labs/FLUX.1-dev",
            "FLUX.1 [dev] Non-Commercial",
            33.7,
            "1024 pixels; gated on the hub; wants a large GPU.",
            _RESEARCH,
            12_000_000_000,
        ),
    )
}
