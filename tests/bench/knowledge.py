"""Retrieval measured: `python -m tests.bench.knowledge [--part quality|size|embedding]… [SET.json…]`.

quality    recall@5 and nDCG@10 of whole documents on labelled sets: words alone (BM25), meaning alone, LangChain's stock Chroma
           pipeline, ours with the default weight and with the fitted one. A set is {"docs": [{"id", "text"}], "queries":
           [{"q", "rel": [ids]}]}.
size       milliseconds and memory at 100,000 chunks, with and without a filter (`knowledge_size.py`).
embedding  throughput of the product beside ONNX Runtime called directly.

Vectors and the large knowledge base are kept in a temporary folder, so that a bench that was broken off goes on where it was.
Fails where a goal lies wholly beyond its interval.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.documents import Page
from knowledge.fitting import GRID
from knowledge.knowledge_base import KnowledgeBase
from knowledge.ranking import DENSE_WEIGHT
from knowledge.splitting import split_pages
from knowledge.weights import Weights, write_weights
from tests.bench.pairs import PAIRS, ratio, verdict
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.onnx import BATCH, OnnxEmbedder, load_embedding

CACHE = Path(tempfile.gettempdir()) / "assistant-bench"
MODELS = Path(os.environ.get("ASSISTANT_TEST_MODELS", Path(__file__).parents[2] / ".venv" / "test-models"))
PARTS = ("quality", "size", "embedding")
FOUND = 30
KEPT_EVERY = 128
STOCK_GOAL = 1.05
THROUGHPUT_GOAL = 0.9
TEXTS = 48

Find = Callable[[str], Awaitable[Sequence[str]]]
"""A question to the ids of documents, best first."""


class KeptVectors:
    """Embeds, and keeps every vector in a file by the digest of its text."""

    def __init__(self, engine: OnnxEmbedder) -> None:
        self._engine = engine
        self._path = CACHE / f"{engine.name.replace('/', '-').replace(':', '-')}.npz"
        self._vectors: dict[str, np.ndarray] = {}
        if self._path.exists():
            with np.load(self._path) as kept:
                self._vectors = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))
        self._saved = len(self._vectors)

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        keys = [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
        if missing:
            self._vectors |= zip(missing, await self._engine.embed(list(missing.values())), strict=True)
        if len(self._vectors) - self._saved >= KEPT_EVERY:
            self.save()
        return np.array([self._vectors[key] for key in keys])

    def save(self) -> None:
        if len(self._vectors) == self._saved:
            return
        aside = self._path.with_suffix(".part.npz")
        np.savez(aside, keys=np.array(list(self._vectors)), vectors=np.array(list(self._vectors.values())))
        aside.replace(self._path)
        self._saved = len(self._vectors)


async def quality(sets: Sequence[Path], most_questions: int) -> bool:
    kept = KeptVectors(starter())
    reached, shares = True, []
    for path in sets:
        data = json.loads(path.read_text(encoding="utf-8"))
        questions = data["queries"][:: max(1, len(data["queries"]) // most_questions)]
        with tempfile.TemporaryDirectory() as folder:
            base = KnowledgeBase(Path(folder) / "knowledge", kept.embed, "bench")
            await _fill(base, path.stem, data["docs"])
            gains = await _ours(base, path.stem, questions)
            await base.close()
            gains["stock"] = await _gain(
                await _stock(Path(folder) / "chroma", data["docs"], kept), path.stem, "stock", questions
            )
        kept.save()
        better = max(gains["words"], gains["meaning"])
        reached &= gains["ours"] >= better and gains["fitted"] >= better
        shares.append(gains["fitted"] / gains["stock"])
        print(
            f"{path.stem}: ours ÷ the better half {gains['fitted'] / better:.3f}, ÷ stock {shares[-1]:.3f}", flush=True
        )
    mean = sum(shares) / len(shares)
    print(
        f"ours ÷ stock, on average: {mean:.3f}  goal at least {STOCK_GOAL}: {'reached' if mean >= STOCK_GOAL else 'MISSED'}"
    )
    return reached and mean >= STOCK_GOAL


async def _fill(base: KnowledgeBase, name: str, docs: Sequence[Mapping[str, Any]]) -> None:
    for doc in docs:
        digest = hashlib.sha256(f"{doc['id']} {doc['text']}".encode()).hexdigest()
        await base.add_chunks(
            split_pages([Page(None, doc["text"])]), source=str(doc["id"]), sha256=digest, collection=name
        )


async def _ours(base: KnowledgeBase, name: str, questions: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    async def find(question: str) -> list[str]:
        return [p.source for p in await base.search(question, k=FOUND, collections=[name])]

    gains = {}
    for label, dense in (("words", 0.0), ("meaning", 1.0), ("ours", DENSE_WEIGHT)):
        with base._index.database.writing() as db:
            write_weights(db, name, Weights(dense, 0, given=True, fitted=""))
        gains[label] = await _gain(find, name, f"{label} (meaning {dense:.1f})", questions)
    fitted = await base.fit(name)
    shown = "too few documents" if fitted is None else f"meaning {fitted.dense:.1f}, {fitted.questions} questions"
    gains["fitted"] = await _gain(find, name, f"fitted ({shown})", questions)
    if fitted:
        curve = " ".join(f"{dense:.1f}:{gain:.3f}" for dense, gain in zip(GRID, fitted.gains, strict=True))
        print(f"{name} on questions made from its documents: {curve}")
    return gains


async def _stock(folder: Path, docs: Sequence[Mapping[str, Any]], kept: KeptVectors) -> Find:
    """LangChain as its tutorial has it: cut at 1000 characters with an overlap of 200, similarity search in Chroma."""
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Starter(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise NotImplementedError

        def embed_query(self, text: str) -> list[float]:
            raise NotImplementedError

        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            vectors: list[list[float]] = (await kept.embed(texts)).tolist()
            return vectors

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    pieces = splitter.split_documents([Document(doc["text"], metadata={"id": str(doc["id"])}) for doc in docs])
    embedding = Starter()
    store = Chroma("stock", embedding, persist_directory=str(folder))
    for start in range(0, len(pieces), 500):
        part = pieces[start : start + 500]
        vectors = await embedding.aembed_documents([piece.page_content for piece in part])
        store._collection.add(
            ids=[str(start + i) for i in range(len(part))],
            embeddings=np.array(vectors, dtype=np.float32),
            documents=[piece.page_content for piece in part],
            metadatas=[piece.metadata for piece in part],
        )

    async def find(question: str) -> list[str]:
        vector = (await kept.embed([question]))[0].tolist()
        return [piece.metadata["id"] for piece in store.similarity_search_by_vector(vector, k=FOUND)]

    return find


async def _gain(find: Find, name: str, label: str, questions: Sequence[Mapping[str, Any]]) -> float:
    """Prints recall@5 and nDCG@10 (Järvelin & Kekäläinen 2002); returns the second."""
    results = []
    for question in questions:
        relevant = set(map(str, question["rel"]))
        found = list(dict.fromkeys(await find(question["q"])))
        recall = len(relevant & set(found[:5])) / min(5, len(relevant))
        gain = sum(1 / math.log2(i + 2) for i, doc in enumerate(found[:10]) if doc in relevant)
        results.append((recall, gain / sum(1 / math.log2(i + 2) for i in range(min(10, len(relevant))))))
    recall, gain = (sum(column) / len(results) for column in zip(*results, strict=True))
    print(f"{name} {label}: recall@5 {recall:.3f}, nDCG@10 {gain:.3f}", flush=True)
    return gain


async def embedding() -> bool:
    """Texts a second of the processor's time, which tells the same whatever else runs; tokenising included on both sides."""
    engine = starter()
    texts = [
        f"Item {i}. " + "The supplier delivers bread to the harbour every morning before six. " * 8
        for i in range(TEXTS)
    ]
    await engine.embed(texts[:BATCH])
    encoder = engine._load()
    ours, theirs = [], []
    for _ in range(PAIRS):
        started = time.process_time()
        await engine.embed(texts)
        middle = time.process_time()
        await asyncio.to_thread(_directly, encoder, texts)
        ours.append(TEXTS / (middle - started))
        theirs.append(TEXTS / (time.process_time() - middle))
    print(
        f"embedding: {np.median(ours):.1f} texts a second of the processor, ONNX Runtime alone {np.median(theirs):.1f}"
    )
    return verdict("embedding ÷ ONNX Runtime alone", ratio(ours, theirs), at_least=THROUGHPUT_GOAL)


def _directly(encoder: Any, texts: Sequence[str]) -> None:
    for start in range(0, len(texts), BATCH):
        tokens = encoder.tokenizer.encode_batch(list(texts[start : start + BATCH]))
        feed = {
            "input_ids": np.array([t.ids for t in tokens], dtype=np.int64),
            "attention_mask": np.array([t.attention_mask for t in tokens], dtype=np.int64),
        }
        encoder.session.run(None, feed)


def starter() -> OnnxEmbedder:
    return load_embedding("all-MiniLM-L6-v2", EngineOptions(MODELS, DeviceArbiter()))


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path, metavar="SET.json")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--questions", type=int, default=2000, help="of each set, at most about that many")
    arguments = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    parts = arguments.part or [part for part in PARTS if part != "quality" or arguments.sets]
    reached = True
    if "quality" in parts:
        if not arguments.sets:
            parser.error("quality needs labelled sets.")
        reached &= await quality(arguments.sets, arguments.questions)
    if "embedding" in parts:
        reached &= await embedding()
    if "size" in parts:
        from tests.bench.knowledge_size import size

        reached &= await size(CACHE / "large")
    return int(not reached)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
