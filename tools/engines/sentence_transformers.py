"""Embedders and cross-encoders by sentence-transformers: any model id of the hub, or a local folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.base import Benchmark, EngineOptions, ModelCard, Task
from tools.engines.device import Resident, devices_for
from tools.engines.errors import ModelNotFound
from tools.engines.hub import hub_folder

FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
NOT_FILES = ("onnx/*", "openvino/*")
BATCH = 16
_HUB = "https://huggingface.co/"
UNKNOWN_BYTES = 500_000_000
E5_PROMPTS = {"query": "query: ", "document": "passage: "}
"""What the E5 family was trained with (arXiv:2402.05672); its folders do not always say so."""

MODELS: dict[str, ModelCard] = {
    "intfloat/multilingual-e5-small": ModelCard(
        id="sentence-transformers:intfloat/multilingual-e5-small",
        task="embedding",
        runs="local",
        licence="MIT",
        source="intfloat/multilingual-e5-small",
        size_bytes=471_000_000,
        memory_bytes=1_000_000_000,
        context_tokens=512,
        languages=("multilingual",),
        maker="Microsoft",
        parameters=118_000_000,
        architecture="encoder",
    ),
    "cross-encoder/ms-marco-MiniLM-L6-v2": ModelCard(
        id="sentence-transformers:cross-encoder/ms-marco-MiniLM-L6-v2",
        task="reranking",
        runs="local",
        licence="Apache-2.0",
        source="cross-encoder/ms-marco-MiniLM-L6-v2",
        size_bytes=91_000_000,
        memory_bytes=400_000_000,
        context_tokens=512,
        languages=("en",),
        limits="English only.",
        maker="sentence-transformers",
        parameters=22_700_000,
        architecture="encoder",
        benchmarks=(
            Benchmark("TREC Deep Learning 2019", 74.30, "nDCG@10", f"{_HUB}cross-encoder/ms-marco-MiniLM-L6-v2"),
            Benchmark("MS MARCO, dev", 39.01, "MRR@10", f"{_HUB}cross-encoder/ms-marco-MiniLM-L6-v2"),
        ),
    ),
}


def load_embedding(model: str, options: EngineOptions) -> SentenceEmbedder:
    """The encoder `model`, a hub id or a folder; its weights load on the first `embed`. Raises: ModelNotFound."""
    return SentenceEmbedder(_card(model, "embedding"), options)


def load_reranking(model: str, options: EngineOptions) -> CrossEncoderReranker:
    """The cross-encoder `model`, a hub id or a folder; its weights load on the first `rerank`. Raises: ModelNotFound."""
    return CrossEncoderReranker(_card(model, "reranking"), options)


class SentenceEmbedder:
    """Implements `Embedder`. Questions and passages get the prompts that the model was trained with."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self.card = card
        self.name = f"{card.id}/float32"
        self._options = options
        self._resident = _resident(self.name, card, options, self._load)

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length float32 vectors, shape (len(texts), dimensions). Raises: EngineError."""
        return await self._options.arbiter.run(
            self._resident, lambda model: _encoded(model.encode_document, list(texts))
        )

    async def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        return await self._options.arbiter.run(self._resident, lambda model: _encoded(model.encode_query, list(texts)))

    async def close(self) -> None:
        await self._options.arbiter.release(self.name)

    def _load(self, device: str) -> Any:
        from sentence_transformers import SentenceTransformer

        folder = _folder(self.card, self._options)
        model = _opened(lambda: SentenceTransformer(str(folder), device=device, local_files_only=True), folder)
        if "e5" in self.card.id.rpartition("/")[2].lower() and not any(model.prompts.values()):
            model.prompts = dict(E5_PROMPTS)
        return model


class CrossEncoderReranker:
    """Implements `Reranker`."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self.card = card
        self._options = options
        self._resident = _resident(f"{card.id}/reranker", card, options, self._load)

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker. Raises: EngineError."""
        return await self._options.arbiter.run(self._resident, lambda model: _judged(model, query, texts))

    async def close(self) -> None:
        await self._options.arbiter.release(self._resident.name)

    def _load(self, device: str) -> Any:
        from sentence_transformers import CrossEncoder

        folder = _folder(self.card, self._options)
        model = _opened(lambda: CrossEncoder(str(folder), device=device, local_files_only=True), folder)
        if model.num_labels != 1:
            raise ModelNotFound(
                f"{self.card.id} tells {model.num_labels} classes apart instead of scoring a passage.",
                "Choose a cross-encoder with one output, such as cross-encoder/ms-marco-MiniLM-L6-v2.",
            )
        return model


def _encoded(encode: Callable[..., Any], texts: list[str]) -> np.ndarray:
    vectors = encode(texts, batch_size=BATCH, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def _judged(model: Any, query: str, texts: Sequence[str]) -> list[float]:
    import torch

    if not texts:
        return []
    scores = model.predict(
        [(query, text) for text in texts],
        batch_size=BATCH,
        activation_fn=torch.nn.Sigmoid(),
        show_progress_bar=False,
    )
    return [float(score) for score in scores]


def _card(model: str, task: Task) -> ModelCard:
    listed = MODELS.get(model)
    if listed and listed.task != task:
        known = ", ".join(name for name, card in MODELS.items() if card.task == task)
        raise ModelNotFound(f"{model} is a model for {listed.task}, not for {task}.", f"Known for {task}: {known}.")
    return listed or ModelCard(f"sentence-transformers:{model}", task, "local", "unknown", model)


def fetch(model: str, options: EngineOptions) -> Path:
    """The folder of a hub id, fetched on the first call. Raises: EngineError."""
    return hub_folder(model, options, allow=FILES, ignore=NOT_FILES)


def _folder(card: ModelCard, options: EngineOptions) -> Path:
    model = card.id.partition(":")[2]
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else fetch(model, options)


def _opened(load: Callable[[], Any], folder: Path) -> Any:
    try:
        return load()
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFound(
            f"{folder} holds no model that sentence-transformers can open: {error}.", "Choose another model or folder."
        ) from error


def _resident(name: str, card: ModelCard, options: EngineOptions, load: Callable[[str], Any]) -> Resident[Any]:
    def devices() -> tuple[str, ...]:
        import torch

        return devices_for(options.device, torch.cuda.is_available)

    return Resident(
        name=name,
        size_bytes=card.memory_bytes or UNKNOWN_BYTES,
        load=load,
        unload=lambda _model: None,
        devices=devices,
    )
