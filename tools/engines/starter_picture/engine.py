"""Pictures by the starter model, which comes with the project: icons and simple drawings, from words alone, on a processor."""

from __future__ import annotations

import asyncio
import io
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines import starter_picture
from tools.engines.base import EngineOptions, GeneratedImage, ImageRequest, ModelCard, StepCallback
from tools.engines.device import Resident, devices_for, worker_threads
from tools.engines.errors import BadInput, CannotChange, ModelNotFound, Stopped
from tools.engines.memory import out_of_memory_told
from tools.engines.onnx import exported_folder

TEXT_MODEL = "all-MiniLM-L6-v2"
STEPS = 12
SIDES = (64, 2048)
MOST_STEPS = 200

MODELS: dict[str, ModelCard] = {
    "drawings": ModelCard(
        id=starter_picture.MODEL_ID,
        task="image",
        runs="local",
        licence="Apache-2.0",
        source="trained by this project: tools/training",
        size_bytes=33_000_000,
        memory_bytes=500_000_000,
        languages=("en", "fr"),
        starter=True,
        maker="this project",
        architecture="diffusion",
        words_only=True,
        limits="Starter model: icons and simple drawings of single things, 512 pixels; reads 16 tokens. No photographs: "
        "for those set diffusers:stabilityai/sd-turbo or another pipeline.",
    ),
}


def load_image(model: str, options: EngineOptions, weights: Path = starter_picture.WEIGHTS) -> StarterPictures:
    """Raises: ModelNotFound (another name than "drawings", or weights that did not come along)."""
    if model not in MODELS:
        raise ModelNotFound(f"starter has no picture model {model}.", f"Choose one of: {', '.join(MODELS)}.")
    if not starter_picture.is_present(weights):
        raise ModelNotFound(
            "The weights of the starter picture model are not installed.",
            "Reinstall the project, or set ASSISTANT_IMAGE to another picture model.",
        )
    return StarterPictures(options, weights)


class StarterPictures:
    """Implements `ImageGenerator`. `options.values` may hold steps and guidance_scale."""

    def __init__(self, options: EngineOptions, weights: Path) -> None:
        self.card = MODELS["drawings"]
        self._options = options
        self._weights = weights
        size = self.card.memory_bytes or 0
        self._resident = Resident(self.card.id, size, self._load, lambda _pipe: None, self._devices)

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        """Raises: BadInput (CannotChange with a picture or mask), OutOfMemory, Stopped, ModelNotFound."""
        _check(request)
        left = threading.Event()

        def stopped() -> bool:
            return stop.is_set() or left.is_set()

        work = self._options.arbiter.run(self._resident, lambda pipe: self._draw(pipe, request, on_step, stopped))
        task = asyncio.create_task(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            left.set()
            task.cancel()
            await asyncio.wait([task])
            raise

    async def close(self) -> None:
        await self._options.arbiter.release(self.card.id)

    def _devices(self) -> tuple[str, ...]:
        import torch

        return devices_for(self._options.device, torch.cuda.is_available)

    def _load(self, device: str) -> Any:
        import diffusers
        import torch

        from tools.engines.starter_picture.pipeline import open_pipeline
        from tools.engines.starter_picture.text import TextStates

        diffusers.utils.logging.set_verbosity_error()
        torch.set_num_threads(worker_threads())
        text = TextStates(exported_folder(TEXT_MODEL, self._options), worker_threads())
        try:
            with out_of_memory_told(self.card.id):
                return open_pipeline(self._weights, text).to(device)
        except (OSError, ValueError, KeyError) as error:
            raise ModelNotFound(
                f"The starter picture model could not be opened: {error}".splitlines()[0],
                "Reinstall the project, or set ASSISTANT_IMAGE to another picture model.",
            ) from error

    def _draw(
        self, pipe: Any, request: ImageRequest, on_step: StepCallback, stopped: Callable[[], bool]
    ) -> GeneratedImage:
        import torch

        began = time.monotonic()
        values = self._options.values
        steps = int(request.steps or values.get("steps") or STEPS)
        guidance = request.guidance_scale if request.guidance_scale is not None else values.get("guidance_scale")
        seed = request.seed if request.seed is not None else random.randrange(2**31)

        def after_step(_pipe: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if stopped():
                raise Stopped("The picture was stopped.")
            on_step(step + 1, steps)
            return tensors

        if stopped():
            raise Stopped("The picture was stopped.")
        width, height = request.size or (None, None)
        with out_of_memory_told(self.card.id):
            pixels = pipe(
                request.prompt,
                negative_prompt=request.negative_prompt or None,
                num_inference_steps=steps,
                guidance_scale=guidance,
                width=width,
                height=height,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
                callback_on_step_end=after_step,
            ).images[0]
        seconds = round(time.monotonic() - began, 2)
        height, width = pixels.shape[:2]
        return GeneratedImage(
            _png(pixels), width, height, self.card.id, seed, steps, seconds, _unread(pipe.text.unread(request.prompt))
        )


def _check(request: ImageRequest) -> None:
    if not request.prompt.strip():
        raise BadInput("There is nothing to draw: the prompt is empty.", "Say what the picture should show.")
    if request.image or request.mask:
        raise CannotChange(
            "The starter picture model draws from words only.",
            "Ask without the picture, or set ASSISTANT_IMAGE to a larger picture model.",
        )
    if request.loras:
        raise BadInput("This picture model takes no LoRA.", "Leave it out, or choose another model.")
    if request.size and any(side % 8 or not SIDES[0] <= side <= SIDES[1] for side in request.size):
        raise BadInput(
            f"A picture cannot be {request.size[0]}×{request.size[1]} pixels.",
            f"Each side must be a multiple of 8 from {SIDES[0]} to {SIDES[1]}.",
        )
    if request.steps is not None and not 1 <= request.steps <= MOST_STEPS:
        raise BadInput(f"{request.steps} steps cannot be done.", f"Take 1 to {MOST_STEPS}.")


def _unread(rest: str) -> str:
    return f"The starter picture model reads short descriptions; this end was not used: “{rest[:200]}”" if rest else ""


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
