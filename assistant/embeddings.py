"""The embeddings of the knowledge base: the one that is set, and the one that documents were indexed with before, found by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from assistant.engines import TASKS, Engines, endpoint_of
from assistant.settings import SettingsError, with_model
from knowledge.embedders import Embed, Embedding
from knowledge.knowledge_base import KnowledgeError
from tools.engines.base import Embedder
from tools.engines.catalogue import find_provider, split_id
from tools.engines.device import behind
from tools.engines.errors import EngineError
from tools.engines.hosted import OPENAI_URL, is_loopback


def embedding_of(embedder: Embedder) -> Embedding:
    async def embed_behind(texts: Sequence[str]) -> np.ndarray:
        with behind():
            return await embedder.embed(texts)

    return Embedding(embedder.name, embedder.embed, embedder.embed_questions, embed_behind)


def former_embedding(engines: Engines, name: str) -> Embedding:
    """What documents were indexed with, as the name in their collection tells it: model and precision.

    A hosted one whose provider is no longer chosen is not asked: somebody may have chosen another so that nothing goes there.
    Raises: KnowledgeError, also from what it returns.
    """
    for model in (name, name.rpartition("/")[0], name.rpartition("@")[0]):
        try:
            if model and (embedder := engines.embedding(model)).name == name:
                _check_asked(engines, model)
                found = embedding_of(embedder)
                return Embedding(name, _told(found.documents), _told(found.questions), _told(found.behind))
        except (EngineError, SettingsError):
            continue
    raise KnowledgeError(f"{name} can no longer be loaded here.", "Words find documents until the new model is ready.")


def _check_asked(engines: Engines, model: str) -> None:
    """Raises: KnowledgeError."""
    settings = with_model(engines.settings, "embedding", model)
    provider, chosen = split_id(model)[0], split_id(engines.settings.embedding.model)[0]
    if find_provider(model, TASKS["embedding"], settings.endpoints).runs == "local" or provider == chosen:
        return
    endpoint = endpoint_of(settings, provider, settings.embedding.base_url)
    if endpoint is None or not is_loopback(endpoint.base_url or OPENAI_URL):
        raise KnowledgeError(
            f"{model} is hosted and no longer chosen, so nothing is sent there.",
            "Words find documents until the new model is ready.",
        )


def _told(embed: Embed) -> Callable[[Sequence[str]], Awaitable[np.ndarray]]:
    async def embed_or_tell(texts: Sequence[str]) -> np.ndarray:
        try:
            return await embed(texts)
        except EngineError as error:
            raise KnowledgeError(error.message, error.remedy) from error

    return embed_or_tell
