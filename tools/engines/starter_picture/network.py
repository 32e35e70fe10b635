"""The networks of the starter picture model, in plain torch: the transformer that draws, and the upscaler that makes it large.

The transformer works on pixels and predicts the clean picture, not the noise (Li and He, "Back to Basics: Let Denoising
Generative Models Denoise", 2025), so that no autoencoder is needed; one modulation serves all its blocks (Chen et al., PixArt-α,
2023). The words stand as tokens beside the patches of the picture.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

TIME_WIDTH = 128


class PictureNetwork(nn.Module):  # type: ignore[misc]
    """Predicts the clean picture from a noisy one, its noise level and a description."""

    def __init__(
        self,
        side: int = 64,
        patch: int = 8,
        width: int = 320,
        depth: int = 8,
        heads: int = 5,
        text_width: int = 384,
        text_tokens: int = 16,
    ) -> None:
        super().__init__()
        self.side, self.patch = side, patch
        cells = side // patch
        self.embed = nn.Linear(3 * patch * patch, width)
        self.places = nn.Parameter(_places(cells, width))
        self.read = nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, width))
        self.word_places = nn.Parameter(torch.randn(text_tokens, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))
        self.meaning = nn.Linear(text_width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.last = nn.Linear(width, 3 * patch * patch)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, noisy: Any, sigma: Any, words: Any, meaning: Any) -> Any:
        """`noisy` (n, 3, side, side), white 1 and black -1, of which the fraction `sigma` (n,) is noise; `words`
        (n, text_tokens or more, text_width), zeros where there is none; `meaning` (n, text_width). Returns (n, 3, side, side)."""
        # Of unit length, the meaning would be drowned by the time, and the words hardly heard.
        heard = self.meaning(meaning * math.sqrt(meaning.shape[1]))
        condition = functional.silu(self.time(_waves(sigma).to(noisy.dtype)) + heard)
        told = self.read(words[:, : len(self.word_places)]) + self.word_places
        x = torch.cat([told, self.embed(_to_patches(noisy, self.patch)) + self.places], dim=1)
        shared = self.modulation(condition).view(len(x), 1, 6, -1)
        for block in self.blocks:
            x = block(x, shared)
        x = functional.layer_norm(x[:, told.shape[1] :], x.shape[-1:])
        return _to_picture(self.last(x), self.patch, self.side)


class _Block(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.own = nn.Parameter(torch.randn(6, width) / math.sqrt(width))
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.grow = nn.Linear(width, 4 * width)
        self.shrink = nn.Linear(4 * width, width)
        self.query_norm = nn.RMSNorm(width // heads)
        self.key_norm = nn.RMSNorm(width // heads)

    def forward(self, x: Any, shared: Any) -> Any:
        shift, scale, gate, shift_2, scale_2, gate_2 = (shared + self.own).unbind(2)
        x = x + gate * self._attend(functional.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)
        y = functional.layer_norm(x, x.shape[-1:]) * (1 + scale_2) + shift_2
        return x + gate_2 * self.shrink(functional.gelu(self.grow(y), approximate="tanh"))

    def _attend(self, x: Any) -> Any:
        n, tokens, width = x.shape
        query, key, value = self.qkv(x).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = self.query_norm(query).to(value.dtype), self.key_norm(key).to(value.dtype)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.mix(mixed.transpose(1, 2).reshape(n, tokens, width))


class UpscalerNetwork(nn.Module):  # type: ignore[misc]
    """Four times the size: cleans what the transformer drew, and draws its edges sharp. A correction to plain enlargement."""

    def __init__(self, channels: int = 48, depth: int = 5, times: int = 4) -> None:
        super().__init__()
        self.channels, self.depth, self.times = channels, depth, times
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)
            )
            for _ in range(depth)
        )
        self.last = nn.Conv2d(channels, 3 * times * times, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, small: Any) -> Any:
        """(n, 3, h, w) to (n, 3, times·h, times·w), white 1 and black -1."""
        x = self.first(small)
        for block in self.body:
            x = x + block(x)
        plain = functional.interpolate(small, scale_factor=self.times, mode="bilinear", align_corners=False)
        return plain + functional.pixel_shuffle(self.last(x), self.times)


def _waves(sigma: Any) -> Any:
    """Sines and cosines of the noise level, (n,) to (n, 128)."""
    half = TIME_WIDTH // 2
    speeds = torch.exp(torch.arange(half, device=sigma.device) * (-math.log(10_000) / half))
    angles = sigma.float()[:, None] * 1000 * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _places(cells: int, width: int) -> Any:
    """Sines and cosines of line and column, a quarter of the width each, (cells², width)."""
    quarter = width // 4
    speeds = torch.exp(torch.arange(quarter) * (-math.log(1000) / quarter))
    line, column = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    angles = [place.reshape(-1, 1) * speeds for place in (line, column)]
    return torch.cat([wave for a in angles for wave in (a.sin(), a.cos())], dim=1)


def _to_patches(picture: Any, patch: int) -> Any:
    n, channels, height, width = picture.shape
    cut = picture.reshape(n, channels, height // patch, patch, width // patch, patch)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * patch * patch)


def _to_picture(patches: Any, patch: int, side: int) -> Any:
    n, cells = len(patches), side // patch
    cut = patches.reshape(n, cells, cells, 3, patch, patch)
    return cut.permute(0, 3, 1, 4, 2, 5).reshape(n, 3, side, side)
