"""Old photographs: restored, or given colours. What is drawn anew is told, since a model makes up what it cannot see."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tools.engines.base import GeneratedImage
from tools.engines.picture_input import fitting_size, open_picture, size_of_picture

Repair = Literal["restore", "colour"]
MOST = (1024, 1024)


@dataclass(frozen=True)
class Treatment:
    """How a picture model is asked for it; `strength` is how much of the photograph is drawn anew."""

    prompt: str
    negative_prompt: str
    strength: float
    told: str


TREATMENTS: dict[Repair, Treatment] = {
    "restore": Treatment(
        "the same photograph restored: sharp, clean, without scratches or stains",
        "scratches, stains, dust, tears, blur, noise",
        0.35,
        "The photograph was drawn anew where it was worn: small things, faces too, may differ from it.",
    ),
    "colour": Treatment(
        "the same photograph in natural colours",
        "black and white, monochrome, sepia",
        0.6,
        "The colours are the model's guess; light, shade and every detail are the photograph's own.",
    ),
}


def size_for(photo: Path) -> tuple[int, int]:
    """The size to draw at: the photograph's own, or as large as models take it. Raises: BadInput."""
    return fitting_size(size_of_picture(photo), MOST)


def with_light_of(photo: Path, drawn: GeneratedImage) -> GeneratedImage:
    """The colours that were drawn, on the photograph's own light and shade, at the photograph's size. Raises: BadInput."""
    from PIL import Image

    original = open_picture(photo)[0].convert("YCbCr")
    with Image.open(io.BytesIO(drawn.png)) as opened:
        colours = opened.convert("YCbCr").resize(original.size, Image.Resampling.BICUBIC)
    parts = original.getchannel(0), colours.getchannel(1), colours.getchannel(2)
    buffer = io.BytesIO()
    Image.merge("YCbCr", parts).convert("RGB").save(buffer, "PNG")
    return replace(drawn, png=buffer.getvalue(), width=original.width, height=original.height)
