"""Pictures by any diffusers pipeline, from a local folder or the hub.

Only safetensors are opened (pickled weights can run code), no code of a repository is ever run, and no second model is fetched.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.base import EngineOptions, GeneratedImage, ImageRequest, ModelCard, StepCallback
from tools.engines.device import CUDA, Resident, devices_for, worker_threads
from tools.engines.errors import BadInput, EngineError, ModelNotFound, Stopped
from tools.engines.hub import hub_folder
from tools.engines.memory import out_of_memory_told

PROVIDER = "diffusers"
SIDES = (64, 2048)
STEP_PX = 8
MOST_STEPS = 200
STRENGTH = 0.6
GIGABYTE = 1_000_000_000
PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
FILES = ("*.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors")
NOT_FILES = ("safety_checker/*", "*.fp16.*", "*.non_ema.*", "*/openvino*", "*/flax*")


@dataclass(frozen=True)
class Family:
    """How a kind of pipeline is best run: sampling steps, guidance scale (None: its own), and pixels a side."""

    steps: int
    guidance_scale: float | None
    side: int


# By a word in the model's name or in the class of its pipeline; the first that fits. Values are those of the model cards.
FAMILIES: dict[str, Family] = {
    "turbo": Family(2, 0.0, 512),
    "lightning": Family(4, 0.0, 1024),
    "schnell": Family(4, 0.0, 1024),
    "lcm": Family(4, 1.0, 512),
    "latentconsistency": Family(4, 8.0, 512),
    "flux": Family(28, 3.5, 1024),
    "stablediffusion3": Family(28, 4.5, 1024),
    "stablediffusionxl": Family(30, 5.0, 1024),
    "pixart": Family(20, 4.5, 512),
    "sana": Family(20, 4.5, 1024),
    "stablediffusion": Family(25, 7.5, 512),
}
OTHER = Family(25, None, 512)


def _card(repo: str, licence: str, size_gb: float, limits: str) -> ModelCard:
    size = int(size_gb * GIGABYTE)
    return ModelCard(
        f"{PROVIDER}:{repo}", "image", "local", licence, source=repo, size_bytes=size, memory_bytes=size, limits=limits
    )


MODELS: dict[str, ModelCard] = {
    "stabilityai/sd-turbo": _card(
        "stabilityai/sd-turbo", "Stability AI Community", 5.2, "512 pixels; about a minute a picture on a small CPU."
    ),
    "stabilityai/sdxl-turbo": _card(
        "stabilityai/sdxl-turbo", "Stability AI Community", 13.9, "512 pixels; wants a GPU."
    ),
    "stable-diffusion-v1-5/stable-diffusion-v1-5": _card(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "CreativeML OpenRAIL-M", 4.3, "512 pixels; slow on a CPU."
    ),
    "stabilityai/stable-diffusion-xl-base-1.0": _card(
        "stabilityai/stable-diffusion-xl-base-1.0", "CreativeML OpenRAIL++-M", 13.9, "1024 pixels; wants a GPU."
    ),
    "black-forest-labs/FLUX.1-schnell": _card(
        "black-forest-labs/FLUX.1-schnell", "Apache-2.0", 33.7, "1024 pixels; wants a large GPU."
    ),
}


def load_image(model: str, options: EngineOptions) -> Diffusers:
    """`model` is the folder of a pipeline or a hub id; weights load on first use.

    Raises: ModelNotFound (no such folder, pickled weights, code of its own).
    """
    path = Path(model).expanduser()
    if path.is_dir():
        check_folder(path)
    elif path.is_file():
        raise ModelNotFound(
            f"{model} is one file.", "Give the folder of a pipeline, the one that holds model_index.json."
        )
    elif model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise ModelNotFound(
            f"There is no folder {model}.",
            f"Give the folder of a diffusers pipeline, or a hub id such as {', '.join(MODELS)}.",
        )
    return Diffusers(model, options)


def check_folder(folder: Path) -> None:
    """Refuse what would run code when opened. Raises: ModelNotFound."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        components = {k: v for k, v in index.items() if isinstance(v, list)}
        class_name = index["_class_name"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelNotFound(
            f"{folder} is not a diffusers pipeline: it has no readable model_index.json.", "Give a pipeline's folder."
        ) from error
    code = [str(v[0]) for v in components.values() if v and v[0] and (folder / f"{v[0]}.py").exists()]
    if not isinstance(class_name, str) or code or any(folder.glob("*/*.py")):
        raise ModelNotFound(
            f"{folder.name} brings Python code of its own, which is never run.",
            "Choose a pipeline without custom code.",
        )
    for name in (n for n in components if (folder / n).is_dir() and n != "safety_checker"):
        pickled = [f.name for f in (folder / name).iterdir() if f.suffix in PICKLED]
        if pickled and not any((folder / name).glob("*.safetensors")):
            raise ModelNotFound(
                f"{name}/{pickled[0]} in {folder.name} is a pickle file, which can run code when opened.",
                "Use weights in safetensors format: convert them, or choose another copy of the model.",
            )


class Diffusers:
    """`options.values` may hold dtype ("float32", "float16", "bfloat16"), steps, guidance_scale and strength (0 … 1)."""

    def __init__(self, model: str, options: EngineOptions) -> None:
        self.card = MODELS.get(model) or ModelCard(f"{PROVIDER}:{model}", "image", "local", "unknown", model)
        self._model = model
        self._options = options
        size = self.card.memory_bytes or _folder_bytes(Path(model).expanduser()) or 4 * GIGABYTE
        self._resident = Resident(self.card.id, size, self._load, _unload, self._devices)

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        check_request(request)
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
        import transformers

        diffusers.utils.logging.set_verbosity_error()
        diffusers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(worker_threads())
        folder = self._folder()
        self._options.on_load(f"Loading {self.card.id}", None)
        wanted = self._options.values.get("dtype") or ("float16" if device == CUDA else "float32")
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        unchecked = {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in index else {}
        try:
            with out_of_memory_told(self.card.id):
                pipe = diffusers.DiffusionPipeline.from_pretrained(
                    str(folder),
                    dtype=getattr(torch, wanted),
                    use_safetensors=True,
                    local_files_only=True,
                    trust_remote_code=False,
                    **unchecked,
                )
                pipe.set_progress_bar_config(disable=True)
                return pipe.to(device)
        except (OSError, ValueError, KeyError, AttributeError, TypeError, ImportError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelNotFound(
                f"The pipeline {self._model} could not be opened: {reason}", "Fetch it again, or choose another."
            ) from error

    def _folder(self) -> Path:
        path = Path(self._model).expanduser()
        folder = path if path.is_dir() else hub_folder(self._model, self._options, allow=FILES, ignore=NOT_FILES)
        check_folder(folder)
        return folder

    def _draw(
        self, loaded: Any, request: ImageRequest, on_step: StepCallback, stopped: Callable[[], bool]
    ) -> GeneratedImage:
        import torch

        began = time.monotonic()
        if stopped():
            raise Stopped("The picture was stopped.")
        pipe = _for_request(loaded, request, self._model)
        values = self._values(loaded, pipe, request)
        values["callback_on_step_end"] = _watch(values["num_inference_steps"], on_step, stopped)
        seed = request.seed if request.seed is not None else random.randrange(2**31)
        pixels = self._sample(pipe, values, seed)
        if not np.isfinite(pixels).all() and _dtype(loaded) is not torch.float32:
            loaded.to(torch.float32)  # half precision overflowed; it would again
            pipe = _for_request(loaded, request, self._model)
            pixels = self._sample(pipe, values, seed)
        if not np.isfinite(pixels).all():
            raise EngineError(f"{self.card.id} gave no picture, only invalid numbers.", "Try another seed or model.")
        png, width, height = _encode(pixels)
        warning = prompt_cut(loaded, request.prompt)
        steps = values["num_inference_steps"]
        seconds = round(time.monotonic() - began, 2)
        return GeneratedImage(png, width, height, self.card.id, seed, steps, seconds, warning)

    def _sample(self, pipe: Any, values: dict[str, Any], seed: int) -> np.ndarray:
        """One picture, float, shape (height, width, 3), from 0 to 1. Seeds give the same noise on every device."""
        import torch

        accepted = inspect.signature(pipe.__call__).parameters
        known = {name: value for name, value in values.items() if name in accepted and value is not None}
        generator = torch.Generator("cpu").manual_seed(seed)
        with out_of_memory_told(self.card.id), torch.inference_mode(), np.errstate(invalid="ignore"):
            return np.asarray(pipe(**known, generator=generator, output_type="np").images[0])

    def _values(self, loaded: Any, pipe: Any, request: ImageRequest) -> dict[str, Any]:
        """The arguments of the pipeline: from the request, else the options, else the family."""
        family, chosen = family_of(self._model, type(loaded).__name__), self._options.values
        steps = request.steps or chosen.get("steps") or family.steps
        guidance = request.guidance_scale if request.guidance_scale is not None else chosen.get("guidance_scale")
        size = request.size or (None if request.image else _native_size(loaded, family))
        values: dict[str, Any] = {
            "prompt": request.prompt.strip(),
            "negative_prompt": request.negative_prompt or None,
            "num_inference_steps": int(steps),
            "guidance_scale": guidance if guidance is not None else family.guidance_scale,
        }
        if request.image:
            picture = open_picture(request.image, size, _native_size(loaded, family))
            strength = float(chosen.get("strength") or STRENGTH)
            values |= {"image": picture, "strength": strength}
            values["num_inference_steps"] = max(values["num_inference_steps"], math.ceil(1 / strength))
            size = picture.size
        if request.mask:
            values["mask_image"] = open_picture(request.mask, size, size or SIDES)
        values |= {"width": size[0], "height": size[1]} if size else {}
        return values


def check_request(request: ImageRequest) -> None:
    """Raises: BadInput for an empty prompt, an impossible size or number of steps, a mask without a picture."""
    if not request.prompt.strip():
        raise BadInput("There is nothing to draw: the prompt is empty.", "Say what the picture should show.")
    if request.size and any(side % STEP_PX or not SIDES[0] <= side <= SIDES[1] for side in request.size):
        raise BadInput(
            f"A picture cannot be {request.size[0]}×{request.size[1]} pixels.",
            f"Each side must be a multiple of {STEP_PX} from {SIDES[0]} to {SIDES[1]}.",
        )
    if request.steps is not None and not 1 <= request.steps <= MOST_STEPS:
        raise BadInput(f"{request.steps} steps cannot be done.", f"Take 1 to {MOST_STEPS}.")
    if request.mask and not request.image:
        raise BadInput("A mask needs the picture that it belongs to.", "Give both.")


def family_of(model: str, class_name: str) -> Family:
    words = f"{Path(model).name} {class_name}".lower()
    return next((family for word, family in FAMILIES.items() if word in words), OTHER)


def open_picture(path: Path, size: tuple[int, int] | None, most: tuple[int, int]) -> Any:
    """The picture as RGB, `size` pixels; without a size its own, shrunk to the area of `most` and to multiples of 8.

    Raises: BadInput.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path.name} is not a picture that can be read.", "Send a PNG, JPEG or WebP file.") from error
    if size is None:
        scale = math.sqrt(min(1.0, most[0] * most[1] / (picture.width * picture.height)))
        size = (_rounded(picture.width * scale), _rounded(picture.height * scale))
    return picture.resize(size)


def prompt_cut(pipe: Any, prompt: str) -> str:
    """What the longest-reading text encoder of the pipeline leaves out of the prompt, in words; empty when nothing."""
    tokenizers = [t for name in ("tokenizer", "tokenizer_2", "tokenizer_3") if (t := getattr(pipe, name, None))]
    if not tokenizers:
        return ""
    tokenizer = max(tokenizers, key=lambda t: t.model_max_length)
    tokens, limit = tokenizer(prompt).input_ids, tokenizer.model_max_length
    if len(tokens) <= limit:
        return ""
    rest = tokenizer.decode(tokens[limit - 1 : -1], skip_special_tokens=True).strip()
    return f"The picture model reads {limit} tokens; this end of the prompt was not used: “{rest[:200]}”"


def _for_request(loaded: Any, request: ImageRequest, model: str) -> Any:
    """The same weights behind the pipeline for text, a picture, or a picture with a mask."""
    if not request.image:
        return loaded
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

    auto = AutoPipelineForInpainting if request.mask else AutoPipelineForImage2Image
    try:
        pipe = auto.from_pipe(loaded, dtype=_dtype(loaded))
    except (ValueError, OSError) as error:
        way = "repaint a part of a picture" if request.mask else "start from a picture"
        raise BadInput(f"{model} cannot {way}.", "Choose another picture model, or ask without the picture.") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _watch(steps: int, on_step: StepCallback, stopped: Callable[[], bool]) -> Any:
    def after_step(pipe: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if stopped():
            raise Stopped("The picture was stopped.")
        on_step(step + 1, int(getattr(pipe, "num_timesteps", 0) or steps))
        return tensors

    return after_step


def _native_size(pipe: Any, family: Family) -> tuple[int, int]:
    """The size the weights were trained for, where their configuration tells."""
    network = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    sample = getattr(getattr(network, "config", None), "sample_size", None)
    scale = getattr(pipe, "vae_scale_factor", 1)
    side = sample * scale if isinstance(sample, int) and not isinstance(sample, bool) else family.side
    side = _rounded(side if SIDES[0] <= side <= SIDES[1] else family.side)
    return (side, side)


def _rounded(side: float) -> int:
    return int(min(max(round(side / STEP_PX) * STEP_PX, SIDES[0]), SIDES[1]))


def _encode(pixels: np.ndarray) -> tuple[bytes, int, int]:
    from PIL import Image

    picture = Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue(), picture.width, picture.height


def _dtype(pipe: Any) -> Any:
    return (getattr(pipe, "unet", None) or getattr(pipe, "transformer", None) or pipe).dtype


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*/*.safetensors")) if folder.is_dir() else 0


def _unload(pipe: Any) -> None:
    import torch

    pipe.to("cpu")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
