"""Larger pictures: drawn anew with a little freedom, so that they gain detail, or stretched where a model cannot do that."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from typing import Any

from tools.engines.base import GeneratedImage, ImageGenerator, ImageRequest
from tools.engines.errors import BadInput, CannotChange
from tools.engines.picture_input import SIDES, Size, open_picture

REFINED = 0.3
"""How much of an enlarged picture is drawn anew, so that it gains detail and stays the same picture."""
STRETCHED = "{model} cannot refine a picture: it was enlarged without new detail."
WITHOUT_WORDS = "Without words that say what it shows, the picture was enlarged without new detail."


def larger_size(size: Size, factor: float) -> Size:
    """`size` times `factor`, or as large as a picture can be. Raises: BadInput where it is so large already."""
    factor = min(factor, SIDES[1] / max(size))
    if factor <= 1:
        raise BadInput(f"The picture is {size[0]}×{size[1]} pixels; none is drawn larger.", "Ask for another change.")
    return int(size[0] * factor), int(size[1] * factor)


async def refine(
    engine: ImageGenerator, request: ImageRequest, on_step: Any, stop: threading.Event
) -> tuple[GeneratedImage, str]:
    """(`request.image` at `request.size`, what was done instead of refining it). Hosted models draw at sizes of their own: none
    is asked. Raises: BadInput, EngineError."""
    model = engine.card.id
    if not request.prompt.strip():
        return await asyncio.to_thread(stretch, request, model), WITHOUT_WORDS
    if engine.card.runs == "local":
        try:
            return await engine.generate(request, on_step, stop), ""
        except CannotChange:
            pass
    return await asyncio.to_thread(stretch, request, model), STRETCHED.format(model=model)


def stretch(request: ImageRequest, model: str) -> GeneratedImage:
    """The picture stretched to the size that is asked for, by Lanczos' filter. Raises: BadInput."""
    from PIL import Image

    began = time.monotonic()
    if not request.image or not request.size:
        raise BadInput("There is no picture to enlarge.", "Attach one, or draw one first.")
    picture = open_picture(request.image)[0].resize(request.size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    seconds = round(time.monotonic() - began, 2)
    return GeneratedImage(buffer.getvalue(), *request.size, model, request.seed, None, seconds)
