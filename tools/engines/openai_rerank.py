"""Hosted rerankers: `POST {base_url}/rerank` as Cohere, Jina, Voyage, vLLM and llama.cpp answer it (docs.cohere.com/reference/rerank)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tools.engines.hosted import Hosted


class HostedReranker:
    """Implements `Reranker`."""

    def __init__(self, hosted: Hosted) -> None:
        self.card = hosted.card
        self._hosted = hosted

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker. Raises: EngineError."""
        if not texts:
            return []
        body = {"model": self._hosted.model, "query": query, "documents": list(texts), "top_n": len(texts)}
        answer = await self._hosted.call(lambda: self._hosted.client.post("/rerank", body=body, cast_to=object))
        try:
            return _scores(answer, len(texts))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise self._hosted.not_the_format() from error

    async def close(self) -> None:
        await self._hosted.client.close()


def _scores(answer: Any, count: int) -> list[float]:
    """In the order of the texts. Some servers send the model's own numbers instead of shares from 0 to 1."""
    found = {int(row["index"]): float(row["relevance_score"]) for row in answer["results"]}
    scores = [found[index] for index in range(count)]
    if not all(map(math.isfinite, scores)):
        raise ValueError(scores)
    return (
        scores if all(0 <= score <= 1 for score in scores) else [0.5 + 0.5 * math.tanh(score / 2) for score in scores]
    )
