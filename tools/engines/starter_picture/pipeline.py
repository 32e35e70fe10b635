"""The pipeline of the starter picture model, in diffusers' format: words to 64×64 in a few steps, then enlarged and cleaned.

Its class lives here and nowhere else: opening a folder of this model runs no code that came with the folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, ImagePipelineOutput
from torch.nn import functional

from tools.engines.starter_picture.models import PictureTransformer, PictureUpscaler
from tools.engines.starter_picture.text import TextStates

StepEnd = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]
STYLES = ("flat", "3d", "cartoon", "simple", "icon", "icône", "clip art", "plat", "dessin animé")
SIZE = 512
STEPS = 12
GUIDANCE_SCALE = 3.0


class StarterPicturePipeline(DiffusionPipeline):  # type: ignore[misc]
    """Draws icons and simple drawings. `text` is the starter text embedder, which is installed beside the model and no part of
    its folder; `style` is the word added to a prompt that names none."""

    model_cpu_offload_seq = "transformer->upscaler"

    def __init__(
        self,
        transformer: PictureTransformer,
        upscaler: PictureUpscaler,
        scheduler: FlowMatchEulerDiscreteScheduler,
        text: TextStates | None = None,
        style: str = "flat",
    ) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, upscaler=upscaler, scheduler=scheduler)
        self.register_to_config(style=style)
        self.text = text

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def __call__(
        self,
        prompt: str | list[str],
        negative_prompt: str | None = None,
        num_inference_steps: int = STEPS,
        guidance_scale: float | None = None,
        width: int | None = None,
        height: int | None = None,
        num_images_per_prompt: int = 1,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        callback_on_step_end: StepEnd | None = None,
    ) -> ImagePipelineOutput:
        """`output_type` is "pil", "np" (float, 0 to 1) or "small" (the drawing before it is enlarged, a tensor).

        A size that is not square shows the square drawing on white. Raises: ValueError for an empty prompt.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not all(p.strip() for p in prompts):
            raise ValueError("The prompt is empty.")
        guidance = GUIDANCE_SCALE if guidance_scale is None else float(guidance_scale)
        told = self._read([self._styled(p) for p in prompts for _ in range(num_images_per_prompt)])
        against = self._read([negative_prompt or ""] * len(told[0]))
        drawn = self._draw(told, against, num_inference_steps, guidance, generator, callback_on_step_end)
        if output_type == "small":
            return ImagePipelineOutput(images=drawn)
        pixels = self.enlarge(drawn, width or SIZE, height or SIZE)
        return ImagePipelineOutput(images=pixels if output_type == "np" else self.numpy_to_pil(pixels))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def enlarge(self, drawn: torch.Tensor, width: int, height: int) -> np.ndarray:
        """Drawings (n, 3, 64, 64) as pixels (n, height, width, 3), float, 0 to 1."""
        large = self.upscaler(drawn.to(self.device, self.upscaler.dtype)).float()
        side = min(width, height)
        large = functional.interpolate(large, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
        page = torch.ones(len(large), 3, height, width, device=large.device)
        top, left = (height - side) // 2, (width - side) // 2
        page[:, :, top : top + side, left : left + side] = large
        pixels: np.ndarray = (page.clamp(-1, 1) / 2 + 0.5).permute(0, 2, 3, 1).cpu().numpy()
        return pixels

    def _styled(self, prompt: str) -> str:
        words = prompt.strip().rstrip(".")
        named = any(style in words.lower() for style in STYLES)
        return words if named or not self.config.style else f"{words}, {self.config.style} style"

    def _read(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """States and meaning of each text; an empty one is all zeros, as in training."""
        if self.text is None:
            raise ValueError("The pipeline needs its text embedder: set `text`.")
        states, meaning = self.text.encode(texts)
        kept = np.array([bool(t) for t in texts], dtype=states.dtype)
        like = {"device": self.device, "dtype": self.transformer.dtype}
        return (
            torch.from_numpy(states * kept[:, None, None]).to(**like),
            torch.from_numpy(meaning * kept[:, None]).to(**like),
        )

    def _draw(
        self,
        told: tuple[torch.Tensor, torch.Tensor],
        against: tuple[torch.Tensor, torch.Tensor],
        steps: int,
        guidance: float,
        generator: torch.Generator | None,
        step_end: StepEnd | None,
    ) -> torch.Tensor:
        side, count = self.transformer.config.side, len(told[0])
        noisy = torch.randn((count, 3, side, side), generator=generator).to(self.device)
        guided = guidance != 1.0
        words, meaning = (torch.cat(pair) if guided else pair[0] for pair in zip(told, against, strict=True))
        self.scheduler.set_timesteps(steps, device=self.device)
        self._num_timesteps = len(self.scheduler.timesteps)
        for step, timestep in enumerate(self.scheduler.timesteps):
            sigma = self.scheduler.sigmas[step].to(self.device)
            both = (torch.cat([noisy, noisy]) if guided else noisy).to(self.transformer.dtype)
            clean = self.transformer(both, sigma.expand(len(both)), words, meaning).float()
            if guided:
                wanted, unwanted = clean.chunk(2)
                clean = unwanted + guidance * (wanted - unwanted)
            clean = clean.clamp(-1, 1)
            noisy = self.scheduler.step((noisy - clean) / sigma, timestep, noisy, return_dict=False)[0]
            if step_end:
                step_end(self, step, timestep, {"latents": noisy})
        return noisy.clamp(-1, 1)

    @property
    def num_timesteps(self) -> int:
        return self._num_timesteps


def open_pipeline(folder: Path, text: TextStates | None, dtype: Any = torch.float32) -> StarterPicturePipeline:
    """The pipeline in `folder`. Raises: OSError, ValueError where it is not whole."""
    opened = {"use_safetensors": True, "local_files_only": True, "torch_dtype": dtype}
    config = StarterPicturePipeline.load_config(str(folder), local_files_only=True)
    return StarterPicturePipeline(
        PictureTransformer.from_pretrained(str(folder / "transformer"), **opened),
        PictureUpscaler.from_pretrained(str(folder / "upscaler"), **opened),
        FlowMatchEulerDiscreteScheduler.from_pretrained(str(folder / "scheduler"), local_files_only=True),
        text,
        config["style"],
    )
