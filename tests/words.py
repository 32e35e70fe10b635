"""An embedding for tests that need none of its meaning: words to places, quick, and the same every time."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np


async def embed(texts: Sequence[str]) -> np.ndarray:
    rows = np.full((len(texts), 64), 1e-3, dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row[zlib.crc32(word.encode()) % 64] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
