"""What can be seen of a picture while it is sampled: its latents turned into colours by one small matrix.

The matrix is fitted once from the pipeline's own autoencoder: patches of random colours are encoded, and their latents mapped
back by least squares. So it works for every model without a table of numbers, and costs a millisecond where decoding costs seconds.
"""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np

EVERY_S = 0.5
SHARE = 0.04
"""Of the time of the whole picture: what previews may take at most, beyond the first."""
SIDE = 256
PATCHES = 6
LATENTS = 24


class Previews:
    """The previews of one picture; `matrix` is that of `fit_colours`."""

    def __init__(self, matrix: np.ndarray, size: tuple[int, int]) -> None:
        self._matrix, self._size = matrix, size
        self._began = self._last = time.monotonic()
        self._spent_s = 0.0

    def of(self, pipe: Any, latents: Any) -> bytes | None:
        """A small JPEG of the picture so far; None where it is too early for another one."""
        now = time.monotonic()
        if (now - self._last < EVERY_S and self._spent_s) or self._spent_s > SHARE * (now - self._began):
            return None
        grid = _as_grid(pipe, latents[:1], self._size)
        if grid is None or len(grid) != len(self._matrix) - 1:
            return None
        jpeg = _jpeg(grid, self._matrix, self._size)
        self._last = time.monotonic()
        self._spent_s += self._last - now
        return jpeg


def fit_colours(pipe: Any) -> np.ndarray | None:
    """The matrix from latents and a one to red, green and blue, shape (channels + 1, 3), colours from 0 to 1; None for a
    pipeline whose autoencoder does not encode pictures."""
    import torch
    from PIL import Image

    vae: Any = getattr(pipe, "vae", None)
    if not hasattr(vae, "encode") or getattr(vae, "temporal_compression_ratio", None):
        return None
    scale = int(getattr(pipe, "vae_scale_factor", 8))
    coarse = np.random.default_rng(0).integers(0, 256, (PATCHES, PATCHES, 3), np.uint8)
    colours = Image.fromarray(coarse).resize((LATENTS, LATENTS), Image.Resampling.BILINEAR)
    large = np.asarray(colours.resize((LATENTS * scale, LATENTS * scale), Image.Resampling.BILINEAR), np.float32)
    pixels = torch.from_numpy(large / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.inference_mode():
        found = vae.encode(pixels.to(vae.device, vae.dtype))
    if not hasattr(found, "latent_dist"):
        return None
    latents = (found.latent_dist.mode() - (vae.config.get("shift_factor") or 0.0)) * vae.config.get(
        "scaling_factor", 1.0
    )
    rows = latents[0].float().cpu().numpy().reshape(latents.shape[1], -1).T
    if rows.shape[0] != LATENTS * LATENTS or not np.isfinite(rows).all():
        return None
    wanted = np.asarray(colours, np.float32).reshape(-1, 3) / 255
    return np.asarray(np.linalg.lstsq(np.c_[rows, np.ones(len(rows))], wanted, rcond=None)[0], np.float32)


def _as_grid(pipe: Any, latents: Any, size: tuple[int, int]) -> np.ndarray | None:
    """Latents of one picture, shape (channels, height, width). FLUX keeps 2×2 patches of them in a row."""
    if latents.ndim == 3 and hasattr(pipe, "_unpack_latents"):
        latents = pipe._unpack_latents(latents, size[1], size[0], pipe.vae_scale_factor)
    return None if latents.ndim != 4 else np.asarray(latents[0].float().cpu().numpy())


def _jpeg(grid: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> bytes:
    from PIL import Image

    colours = np.tensordot(matrix[:-1].T, grid, 1) + matrix[-1][:, None, None]
    pixels = (np.nan_to_num(colours).clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    scale = min(1.0, SIDE / max(size))
    shown = Image.fromarray(pixels).resize(
        (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), Image.Resampling.BICUBIC
    )
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
