"""Who turns texts into vectors: the embedding that is set, and the one that documents were indexed with before.

Questions go first, documents behind them and behind answers that somebody waits for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.documents import KnowledgeError

BEHIND_BATCH = 4
GIVE_WAY_S = 1.0
"""So long a few texts wait while an answer is written; after that they take their turn, or a busy day would end the reading."""
GIVE_WAY_TIMES = 50
ASKED_AGAIN_S = 60.0
"""So long an embedding that could not be had is not asked again."""

Embed = Callable[[Sequence[str]], Awaitable[np.ndarray]]
"""Texts to unit-length float32 vectors, shape (len(texts), dimensions)."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedding:
    """`name` tells model and precision. `behind` is the same as `documents` where nobody waits for it."""

    name: str
    documents: Embed
    questions: Embed
    behind: Embed


OpenEmbedding = Callable[[str], Embedding]
"""Opens an embedding by its name; that and what it gives raise KnowledgeError where it cannot be had any more."""


def no_other(name: str) -> Embedding:
    """Where only one embedding is known."""
    raise KnowledgeError(f"{name} cannot be loaded here.", "Words find documents until the new model is ready.")


class Embedders:
    """`give_way` tells whether something is computed that somebody waits for."""

    def __init__(self, own: Embedding) -> None:
        self.own = own
        self.open_former: OpenEmbedding = no_other
        self.give_way: Callable[[], bool] = lambda: False
        self._former: dict[str, Embedding] = {}
        self._missing: dict[str, tuple[float, KnowledgeError]] = {}
        self._asking = 0
        self._nobody_asks = asyncio.Event()
        self._nobody_asks.set()

    def names(self) -> list[str]:
        """Of all that are in use."""
        return [self.own.name, *self._former]

    async def questions(self, name: str, texts: Sequence[str]) -> np.ndarray | None:
        """At once. None where this embedding cannot be had; `missing` tells why."""
        self._asking += 1
        self._nobody_asks.clear()
        try:
            return await self._try(name, texts, lambda embedding: embedding.questions)
        finally:
            self._asking -= 1
            if not self._asking:
                self._nobody_asks.set()

    async def documents(self, name: str, texts: Sequence[str]) -> np.ndarray | None:
        """Texts that somebody waits for, such as parts of an answer."""
        return await self._try(name, texts, lambda embedding: embedding.documents)

    async def behind(self, name: str, texts: Sequence[str]) -> np.ndarray | None:
        """A few texts at a time, those of like length together."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors: dict[int, np.ndarray] = {}
        for start in range(0, len(order), BEHIND_BATCH):
            chosen = order[start : start + BEHIND_BATCH]
            await self._wait_for_others()
            made = await self._try(name, [texts[i] for i in chosen], lambda embedding: embedding.behind)
            if made is None:
                return None
            vectors.update(zip(chosen, made, strict=True))
        return np.array([vectors[i] for i in range(len(texts))])

    async def anew(self, texts: Sequence[str]) -> np.ndarray:
        """Documents that were indexed with another embedding. Raises what one's own embedding raises."""
        vectors = await self.behind(self.own.name, texts)
        assert vectors is not None
        return vectors

    def missing(self, name: str) -> KnowledgeError | None:
        """Why this embedding could not be had when it was asked last."""
        known = self._missing.get(name)
        return known[1] if known else None

    async def _try(self, name: str, texts: Sequence[str], embed: Callable[[Embedding], Embed]) -> np.ndarray | None:
        """What one's own embedding raises goes on to whoever asked; of a former one it is enough that it is missing."""
        if name == self.own.name:
            return await embed(self.own)(texts)
        if name in self._missing and time.monotonic() - self._missing[name][0] < ASKED_AGAIN_S:
            return None
        try:
            if name not in self._former:
                self._former[name] = self.open_former(name)
            vectors = await embed(self._former[name])(texts)
        except KnowledgeError as error:
            log.warning("%s cannot be had, words alone find something meanwhile: %s", name, error)
            self._missing[name] = time.monotonic(), error
            return None
        self._missing.pop(name, None)
        return vectors

    async def _wait_for_others(self) -> None:
        """Let what somebody waits for go first: a question's embedding always, an answer for a while."""
        for _ in range(GIVE_WAY_TIMES):
            if not self.give_way():
                break
            await asyncio.sleep(GIVE_WAY_S / GIVE_WAY_TIMES)
        await self._nobody_asks.wait()
