"""Pictures by any diffusers pipeline, from a local folder or the hub: from words, from a picture, or in a part of one.

Only safetensors are opened (pickled weights can run code), no code of a repository is ever run, and no second model is fetched.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import io
import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.base import EngineOptions, GeneratedImage, ImageRequest, ModelCard, StepCallback
from tools.engines.device import CPU, CUDA, Resident, devices_for, measure_free_bytes, worker_threads
from tools.engines.diffusers_models import GIGABYTE, MODELS, PROVIDER, Family, family_of
from tools.engines.diffusers_preview import Previews, fit_colours
from tools.engines.diffusers_weights import (
    Plan,
    check_folder,
    decodes_in_tiles,
    least_bytes,
    parameters,
    plan,
    read_lora,
)
from tools.engines.errors import BadInput, CannotChange, EngineError, ModelNotFound, OutOfMemory, Stopped
from tools.engines.hub import hub_folder
from tools.engines.memory import out_of_memory_told
from tools.engines.picture_input import SIDES, check_size, fitting_size, open_mask, open_picture, rounded_size

MOST_STEPS = 200
STRENGTH = 0.6
FILES = ("*.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors")
NOT_FILES = ("safety_checker/*", "*.fp16.*", "*.non_ema.*", "*/openvino*", "*/flax*")
IN_TILES = "Memory ran out; the picture was decoded in smaller tiles."
IN_FULL = "Half precision gave no valid numbers; the picture was drawn again in full precision, which is slower."
ON_CPU = "The graphics card's memory is full; the picture was drawn on the processor, which is slower."
NO_NEGATIVE = "This model takes no list of what to leave out; it was not used."


def load_image(model: str, options: EngineOptions) -> Diffusers:
    """`model` is the folder of a pipeline or a hub id; weights load on first use.

    Raises: ModelNotFound (no such folder, pickled or truncated weights, code of its own).
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


class Diffusers:
    """`options.values` may hold dtype ("float32", "float16", "bfloat16"), steps, guidance_scale and strength (0 … 1)."""

    def __init__(self, model: str, options: EngineOptions) -> None:
        self.card = MODELS.get(model) or ModelCard(f"{PROVIDER}:{model}", "image", "local", "unknown", model)
        self._model = model
        self._options = options
        self._counted = parameters(Path(model).expanduser())
        size = self.card.memory_bytes or 4 * sum(self._counted.values()) or 4 * GIGABYTE
        self._resident = Resident(
            self.card.id, size, self._load, _unload, self._devices, least_bytes=functools.partial(self._least, size)
        )

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        check_request(request)
        left = threading.Event()
        full: list[str] = []

        def stopped() -> bool:
            return stop.is_set() or left.is_set()

        work = self._options.arbiter.run(
            self._resident, lambda pipe: _Drawing(self, pipe, request, on_step, stopped, full).draw()
        )
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

    @property
    def values(self) -> Any:
        return self._options.values

    def family(self, pipe: Any) -> Family:
        return family_of(self._model, type(pipe).__name__)

    def _devices(self) -> tuple[str, ...]:
        import torch

        return devices_for(self._options.device, torch.cuda.is_available)

    def _least(self, size_bytes: int, device: str) -> int:
        return least_bytes(self._counted, device) if self._counted else size_bytes // 2

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
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        family = family_of(self._model, str(index["_class_name"]))
        bfloat16 = device != CUDA or torch.cuda.is_bf16_supported()
        wanted = self._options.values.get("dtype")
        held = plan(parameters(folder), device, measure_free_bytes(device), family, wanted, bfloat16)
        unchecked = {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in index else {}
        try:
            with out_of_memory_told(self.card.id):
                pipe = diffusers.DiffusionPipeline.from_pretrained(
                    str(folder),
                    dtype=getattr(torch, held.dtype),
                    use_safetensors=True,
                    local_files_only=True,
                    trust_remote_code=False,
                    **unchecked,
                )
                pipe.set_progress_bar_config(disable=True)
                return _placed(pipe, held, device)
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


class _Drawing:
    """One picture with weights that are lent. `full` outlives it: the devices whose memory ran out, before this drawing."""

    def __init__(
        self,
        engine: Diffusers,
        loaded: Any,
        request: ImageRequest,
        on_step: StepCallback,
        stopped: Callable[[], bool],
        full: list[str],
    ) -> None:
        self._engine, self._loaded, self._request = engine, loaded, request
        self._on_step, self._stopped, self._full = on_step, stopped, full
        self._device = getattr(loaded, "_execution_device", loaded.device).type
        self._notes = [ON_CPU] if full and self._device == CPU else []

    def draw(self) -> GeneratedImage:
        began = time.monotonic()
        if self._stopped():
            raise Stopped("The picture was stopped.")
        seed = self._request.seed if self._request.seed is not None else random.randrange(2**31)
        with _with_loras(self._loaded, self._request.loras):
            pipe = _for_request(self._loaded, self._request, self._engine.card.id)
            values = self._values(pipe)
            pixels = self._valid(pipe, values, seed)
        png, width, height = _encode(pixels)
        cut = prompt_cut(self._loaded, self._request.prompt)
        warning = " ".join([*self._notes, *([cut] if cut else [])])
        seconds = round(time.monotonic() - began, 2)
        steps = values["num_inference_steps"]
        return GeneratedImage(png, width, height, self._engine.card.id, seed, steps, seconds, warning)

    def _valid(self, pipe: Any, values: dict[str, Any], seed: int) -> np.ndarray:
        """Once more in full precision where half precision overflowed: it would again.

        Raises: EngineError for a picture without valid numbers.
        """
        import torch

        pixels = self._in_memory(pipe, values, seed)
        if not np.isfinite(pixels).all() and _dtype(self._loaded) is not torch.float32:
            self._loaded.to(torch.float32)
            self._notes.append(IN_FULL)
            pixels = self._in_memory(_for_request(self._loaded, self._request, self._engine.card.id), values, seed)
        if not np.isfinite(pixels).all():
            raise EngineError(
                f"{self._engine.card.id} gave no picture, only invalid numbers.", "Try another seed or model."
            )
        return pixels

    def _in_memory(self, pipe: Any, values: dict[str, Any], seed: int) -> np.ndarray:
        """Decoded in tiles where memory is short, or runs out. Raises: OutOfMemory."""
        vae: Any = getattr(pipe, "vae", None)
        tiles = hasattr(vae, "enable_tiling")
        size = (values.get("width") or SIDES[0], values.get("height") or SIDES[0])
        if tiles and decodes_in_tiles(size, measure_free_bytes(self._device)):
            vae.enable_tiling()
        try:
            return self._sample(pipe, values, seed)
        except OutOfMemory:
            if not tiles or vae.use_tiling:
                self._full.append(self._device)
                raise
            vae.enable_tiling()
            self._notes.append(IN_TILES)
            return self._sample(pipe, values, seed)
        finally:
            if tiles:
                vae.disable_tiling()

    def _sample(self, pipe: Any, values: dict[str, Any], seed: int) -> np.ndarray:
        """One picture, float, shape (height, width, 3), from 0 to 1. Seeds give the same noise on every device."""
        import torch

        accepted = inspect.signature(pipe.__call__).parameters
        known = {name: value for name, value in values.items() if name in accepted and value is not None}
        if "callback_on_step_end" in accepted:
            known["callback_on_step_end"] = self._watch(values)
        generator = torch.Generator("cpu").manual_seed(seed)
        with out_of_memory_told(self._engine.card.id), torch.inference_mode(), np.errstate(invalid="ignore"):
            return np.asarray(pipe(**known, generator=generator, output_type="np").images[0])

    def _watch(self, values: dict[str, Any]) -> Any:
        steps, previews = values["num_inference_steps"], self._previews(values)

        def after_step(pipe: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if self._stopped():
                raise Stopped("The picture was stopped.")
            done, total = step + 1, int(getattr(pipe, "num_timesteps", 0) or steps)
            if previews and (seen := previews.of(pipe, tensors["latents"])):
                self._on_step(done, total, seen)
            else:
                self._on_step(done, total)
            return tensors

        return after_step

    def _previews(self, values: dict[str, Any]) -> Previews | None:
        if not self._request.preview or not values.get("width"):
            return None
        if not hasattr(self._loaded, "colours_of_latents"):
            self._loaded.colours_of_latents = fit_colours(self._loaded)
        matrix = self._loaded.colours_of_latents
        return None if matrix is None else Previews(matrix, (values["width"], values["height"]))

    def _values(self, pipe: Any) -> dict[str, Any]:
        """The arguments of the pipeline: from the request, else the options, else the family."""
        request, chosen, family = self._request, self._engine.values, self._engine.family(self._loaded)
        guidance = request.guidance_scale if request.guidance_scale is not None else chosen.get("guidance_scale")
        guidance = guidance if guidance is not None else family.guidance_scale
        values: dict[str, Any] = {
            "prompt": request.prompt.strip(),
            "negative_prompt": self._negative(pipe, guidance),
            "num_inference_steps": int(request.steps or chosen.get("steps") or family.steps),
            "guidance_scale": guidance,
        }
        native = _native_size(self._loaded, family)
        size = request.size or (None if request.image else native)
        if size:
            size, rounded = rounded_size(size, family.step_px)
            self._notes += rounded
        if request.image:
            picture, changed = open_picture(request.image)
            self._notes += changed
            sent, size = picture.size, size or fitting_size(picture.size, native, family.step_px)
            strength = float(request.strength or chosen.get("strength") or STRENGTH)
            values |= {"image": picture.resize(size), "strength": strength}
            values["num_inference_steps"] = max(values["num_inference_steps"], math.ceil(1 / strength))
            if request.mask:
                values["mask_image"], resized = open_mask(request.mask, size, sent)
                self._notes += resized
        return values | ({"width": size[0], "height": size[1]} if size else {})

    def _negative(self, pipe: Any, guidance: float | None) -> str | None:
        """What to leave out, where the model can: without guidance it is never looked at."""
        wanted = self._request.negative_prompt.strip()
        accepted, unguided = inspect.signature(pipe.__call__).parameters, guidance is not None and guidance <= 1.0
        if wanted and ("negative_prompt" not in accepted or "true_cfg_scale" in accepted or unguided):
            self._notes.append(NO_NEGATIVE)
            return None
        return wanted or None


def check_request(request: ImageRequest) -> None:
    """Raises: BadInput for an empty prompt, an impossible size, number of steps or strength, a mask without a picture."""
    if not request.prompt.strip():
        raise BadInput("There is nothing to draw: the prompt is empty.", "Say what the picture should show.")
    if request.size:
        check_size(request.size)
    if request.steps is not None and not 1 <= request.steps <= MOST_STEPS:
        raise BadInput(f"{request.steps} steps cannot be done.", f"Take 1 to {MOST_STEPS}.")
    if request.strength is not None and not 0 < request.strength <= 1:
        raise BadInput(f"A strength of {request.strength} cannot be used.", "Take more than 0, at most 1.")
    if request.mask and not request.image:
        raise BadInput("A mask needs the picture that it belongs to.", "Give both.")


def prompt_cut(pipe: Any, prompt: str) -> str:
    """What the longest-reading text encoder of the pipeline leaves out of the prompt, in words; empty when nothing."""
    tokenizers = [t for name in ("tokenizer", "tokenizer_2", "tokenizer_3") if (t := getattr(pipe, name, None))]
    if not tokenizers:
        return ""
    tokenizer = max(tokenizers, key=lambda t: t.model_max_length)
    reads = inspect.signature(pipe.__call__).parameters.get("max_sequence_length")
    limit = min(tokenizer.model_max_length, reads.default if reads and len(tokenizers) > 1 else 10**9)
    tokens = tokenizer(prompt).input_ids
    if len(tokens) <= limit:
        return ""
    rest = tokenizer.decode(tokens[limit - 1 : -1], skip_special_tokens=True).strip()
    return f"The picture model reads {limit} tokens; this end of the prompt was not used: “{rest[:200]}”"


@contextlib.contextmanager
def _with_loras(loaded: Any, files: tuple[Path, ...]) -> Iterator[None]:
    """The weights with these small changes to them, and afterwards without. Raises: BadInput."""
    if not files:
        yield
        return
    if not hasattr(loaded, "load_lora_weights"):
        raise BadInput("This picture model takes no LoRA.", "Leave it out, or choose another model.")
    names = [f"lora{n}" for n in range(len(files))]
    try:
        for name, file in zip(names, files, strict=True):
            tensors = read_lora(file)
            try:
                loaded.load_lora_weights(tensors, adapter_name=name)
                fits = any(name in adapters for adapters in loaded.get_list_adapters().values())
            except (ValueError, KeyError, RuntimeError, TypeError, IndexError, AttributeError):
                fits = False
            if not fits:
                raise BadInput(f"{file.name} does not fit this picture model.", "Take a LoRA made for its family.")
        loaded.set_adapters(names)
        yield
    finally:
        loaded.unload_lora_weights()


def _for_request(loaded: Any, request: ImageRequest, model: str) -> Any:
    """The same weights behind the pipeline for text, a picture, or a picture with a mask. Raises: CannotChange."""
    if not request.image:
        return loaded
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

    auto = AutoPipelineForInpainting if request.mask else AutoPipelineForImage2Image
    try:
        pipe = auto.from_pipe(loaded, dtype=_dtype(loaded))
    except (ValueError, OSError) as error:
        way = "repaint a part of a picture" if request.mask else "start from a picture"
        raise CannotChange(
            f"{model} cannot {way}.", "Choose another picture model, or ask without the picture."
        ) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _placed(pipe: Any, held: Plan, device: str) -> Any:
    if held.mode == "parts":
        pipe.enable_model_cpu_offload(device=device)
    elif held.mode == "layers":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)
    return pipe


def _native_size(pipe: Any, family: Family) -> tuple[int, int]:
    """The size the weights were trained for, where their configuration tells."""
    network = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    sample = getattr(getattr(network, "config", None), "sample_size", None)
    scale = getattr(pipe, "vae_scale_factor", 1)
    side = sample * scale if isinstance(sample, int) and not isinstance(sample, bool) else family.side
    side = side if SIDES[0] <= side <= SIDES[1] else family.side
    return rounded_size((side, side), family.step_px)[0]


def _encode(pixels: np.ndarray) -> tuple[bytes, int, int]:
    from PIL import Image

    picture = Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue(), picture.width, picture.height


def _dtype(pipe: Any) -> Any:
    return (getattr(pipe, "unet", None) or getattr(pipe, "transformer", None) or pipe).dtype


def _unload(pipe: Any) -> None:
    import torch

    if hasattr(pipe, "remove_all_hooks"):
        pipe.remove_all_hooks()
    pipe.to("cpu")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
