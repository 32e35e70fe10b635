"""Builds the assistant from settings: the one place where plain values leave Settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from assistant.agent import Assistant
from assistant.classifier import Classifier
from assistant.embeddings import embedding_of, former_embedding
from assistant.engines import Engines
from assistant.history import History, sqlite_url
from assistant.prompt_library import PromptLibrary
from assistant.recordings import read_recording
from assistant.router import Router
from assistant.settings import Settings, SettingsError
from assistant.sources import operators, read_elsewhere
from knowledge.knowledge_base import KnowledgeBase
from tools.context import Tool, ToolName
from tools.generate_image import generate_image
from tools.search_knowledge import search_knowledge
from tools.transcribe_audio import transcribe_audio
from tools.write_text import write_text

TOOLS: dict[ToolName, Tool] = {
    "write_text": write_text,
    "generate_image": generate_image,
    "search_knowledge": search_knowledge,
    "transcribe_audio": transcribe_audio,
}


def build_assistant(settings: Settings) -> Assistant:
    """Cheap: weights, documents and databases open on first use.

    Raises: SettingsError when the home folder cannot be made.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{settings.home} cannot be made: {error.strerror}. Set ASSISTANT_HOME elsewhere."
        ) from error
    engines = Engines(settings)
    database = settings.database or sqlite_url(settings.home)
    history, prompts = History(database), PromptLibrary(database)
    router = Router(Classifier(), settings.home / "corrections.jsonl")
    return Assistant(settings, engines, router, history, knowledge_of(settings, engines), TOOLS, prompts)


def knowledge_of(settings: Settings, engines: Engines) -> Callable[[], KnowledgeBase]:
    def open_knowledge() -> KnowledgeBase:
        embedder = engines.embedding()
        reranker = engines.reranker()
        base = KnowledgeBase(
            settings.home / "knowledge",
            embedder.embed,
            embedder.name,
            embed_questions=embedder.embed_questions,
            rerank=reranker.rerank if reranker else None,
            chroma_url=settings.chroma_url,
        )
        base.embedders.own = embedding_of(embedder)
        base.embedders.open_former = partial(former_embedding, engines)
        base.embedders.give_way = lambda: engines.arbiter.busy_besides(*base.embedders.names())
        base.readers.append(partial(read_recording, settings, engines, base))
        base.read_elsewhere = partial(read_elsewhere, settings, base, operators)
        return base

    return open_knowledge
