"""Embeddings by ONNX Runtime: sentence encoders exported once to int8, 23 MB on disk and a few milliseconds a query.

At later starts neither torch nor transformers is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.base import EngineOptions, ModelCard
from tools.engines.device import CPU, Resident, worker_threads
from tools.engines.errors import ModelNotFound, NoDiskSpace
from tools.engines.starter import starter_folder

MAX_TOKENS = 256
PRECISION = "int8"
BATCH = 16

MODELS: dict[str, ModelCard] = {
    "all-MiniLM-L6-v2": ModelCard(
        id="onnx:all-MiniLM-L6-v2",
        task="embedding",
        runs="local",
        licence="Apache-2.0",
        source="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        size_bytes=23_000_000,
        memory_bytes=150_000_000,
        context_tokens=MAX_TOKENS,
        languages=("en",),
        starter=True,
        maker="sentence-transformers",
        parameters=22_700_000,
        architecture="encoder",
        limits="English only; reads the first 256 tokens of a text.",
    ),
}


def load_embedding(model: str, options: EngineOptions) -> OnnxEmbedder:
    """The encoder `model`; its weights are exported and loaded on the first `embed`.

    Raises: ModelNotFound.
    """
    if model not in MODELS:
        raise ModelNotFound(f"onnx has no embedding model {model}.", f"Choose one of: {', '.join(MODELS)}.")
    return OnnxEmbedder(model, options)


@dataclass(frozen=True)
class _Encoder:
    session: Any
    tokenizer: Any


class OnnxEmbedder:
    """Implements `Embedder`. Texts are cut at 256 tokens, pooled by their mean and brought to unit length."""

    def __init__(self, model: str, options: EngineOptions) -> None:
        self.card = MODELS[model]
        self.name = f"{self.card.id}/{PRECISION}"
        self._model = model
        self._options = options
        self._resident = Resident(
            name=self.name,
            size_bytes=self.card.memory_bytes or 0,
            load=lambda _device: self._load(),
            unload=lambda _encoder: None,
            devices=lambda: (CPU,),
            concurrent=True,
        )

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length float32 vectors, shape (len(texts), 384). Raises: ModelNotFound, NoDiskSpace, OutOfMemory."""
        return await self._options.arbiter.run(self._resident, lambda encoder: _encode(encoder, texts))

    async def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        return await self.embed(texts)

    async def close(self) -> None:
        await self._options.arbiter.release(self.name)

    def _load(self) -> _Encoder:
        import onnxruntime
        from tokenizers import Tokenizer

        folder = exported_folder(self._model, self._options)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = worker_threads()
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        settings.enable_cpu_mem_arena = False
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"), settings, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        return _Encoder(session, tokenizer)


def exported_folder(model: str, options: EngineOptions) -> Path:
    """The folder with model.onnx and tokenizer.json, exported on the first call. Raises: ModelNotFound, NoDiskSpace."""
    target = options.models / f"{model}-{PRECISION}"
    if not (target / "model.onnx").exists():
        from tools.engines.onnx_export import export_int8

        source = starter_folder(model, options.models, options.on_load)
        options.on_load(f"Preparing {model}", None)
        try:
            export_int8(source, target)
        except OSError as error:
            raise NoDiskSpace(
                f"{model} could not be written to {target.parent}: {error.strerror}.",
                "Free some space or set ASSISTANT_HOME to a folder on another disk.",
            ) from error
    return target


def _encode(encoder: _Encoder, texts: Sequence[str]) -> np.ndarray:
    """Texts of like length go together, so that little is spent on padding."""
    tokens = encoder.tokenizer.encode_batch(list(texts)) if texts else []
    vectors = np.zeros((len(texts), encoder.session.get_outputs()[0].shape[1]), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda i: sum(tokens[i].attention_mask))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        width = max(sum(tokens[i].attention_mask) for i in rows)
        feed = {
            "input_ids": np.array([tokens[i].ids[:width] for i in rows], dtype=np.int64),
            "attention_mask": np.array([tokens[i].attention_mask[:width] for i in rows], dtype=np.int64),
        }
        vectors[rows] = encoder.session.run(None, feed)[0]
    return vectors
