"""All scores of all answers: those counted, the likeness of meaning, and what the judge said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from assistant.evaluation.dataset import Row
from assistant.evaluation.run import Results
from assistant.evaluation.scores import Score, counted
from tools.engines.base import Embedder

BATCH = 256


async def score_all(
    rows: Sequence[Row], results: Results, embedder: Callable[[], Embedder]
) -> dict[tuple[str, str], dict[Score, float | None]]:
    """By (setup, row) the scores of every answer that came. Raises: EngineError (the embedding)."""
    by_id = {row.id: row for row in rows}
    answered = {key: o for key, o in results.outcomes.items() if not o.error}

    def count() -> dict[tuple[str, str], dict[Score, float | None]]:
        return {key: dict(counted(by_id[key[1]], o.text, o.passages)) for key, o in answered.items()}

    found = await asyncio.to_thread(count)
    pairs = {key: (o.text, by_id[key[1]].reference) for key, o in answered.items() if by_id[key[1]].reference}
    for key, value in (await similarities(pairs, embedder)).items():
        found[key]["similarity"] = value
    for key, verdict in (results.judged.verdicts if results.judged else {}).items():
        found[key]["judge"] = verdict
    return found


async def similarities(
    pairs: Mapping[tuple[str, str], tuple[str, str]], embedder: Callable[[], Embedder]
) -> dict[tuple[str, str], float]:
    """The cosine of two texts, 0 where it is below: each text is embedded once. An empty answer is like nothing."""
    texts = sorted({text for pair in pairs.values() for text in pair if text.strip()})
    if not texts:
        return dict.fromkeys(pairs, 0.0)
    engine = embedder()
    vectors: dict[str, np.ndarray] = {}
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        vectors |= dict(zip(batch, await engine.embed(batch), strict=True))
    return {
        key: max(0.0, min(1.0, float(vectors[one] @ vectors[other]))) if one in vectors and other in vectors else 0.0
        for key, (one, other) in pairs.items()
    }
