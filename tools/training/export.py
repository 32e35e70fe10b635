"""The trained networks as a folder in diffusers' format: half-precision safetensors in parts of at most 15 MB, and a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.training.train import Run

CARD = Path(__file__).with_name("card.md")
SHARD = "15MB"
SHIFT = 8.0
"""More of the few steps where it is decided what is drawn: in thick noise."""


def export(run: Run, upscaler: Any, target: Path) -> None:
    """Write the averaged weights of `run` and `upscaler` into `target`, and the card of the model beside them."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler

    from tools.engines.starter_picture.models import PictureTransformer, PictureUpscaler

    transformer = PictureTransformer(**run.recipe.network)
    transformer.load_state_dict(run.average.state_dict())
    larger = PictureUpscaler(upscaler.channels, upscaler.depth, upscaler.times)
    larger.load_state_dict(upscaler.state_dict())
    transformer.to(torch.float16).save_pretrained(target / "transformer", max_shard_size=SHARD)
    larger.to(torch.float16).save_pretrained(target / "upscaler", max_shard_size=SHARD)
    FlowMatchEulerDiscreteScheduler(shift=SHIFT).save_pretrained(target / "scheduler")
    module = "tools.engines.starter_picture"
    index = {
        "_class_name": "StarterPicturePipeline",
        "transformer": [module, "PictureTransformer"],
        "upscaler": [module, "PictureUpscaler"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "style": "flat",
    }
    (target / "model_index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    text = CARD.read_text(encoding="utf-8")
    for name, value in _facts(run).items():
        text = text.replace(f"{{{name}}}", value)
    (target / "README.md").write_text(text, encoding="utf-8")


def _facts(run: Run) -> dict[str, str]:
    parameters = sum(p.numel() for p in run.average.parameters())
    return {
        "parameters": f"{parameters / 1e6:.1f} million",
        "sets": ", ".join(run.recipe.sources) or "all sets",
        "steps": f"{run.step:,} steps of {run.recipe.batch} drawings",
    }
