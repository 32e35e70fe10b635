"""A question in the language of a document that is in another: words of one language are not found in the other."""

from __future__ import annotations

from tools.context import Cost, ToolContext
from tools.engines.base import Message

LONGEST = 80
"""Tokens of the translation."""
LANGUAGES = {"en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian"}
"""Those that `knowledge.ranking.language_of` tells apart."""
TRANSLATE = "Translate the question into {language}. Reply with the translation and nothing else."


async def translated(context: ToolContext, question: str, language: str, spent: list[Cost]) -> str:
    """By the text model, whose cost is added to `spent`. Raises: EngineError."""
    asked = [Message("system", TRANSLATE.format(language=LANGUAGES[language])), Message("user", question)]
    said = ""
    async for chunk in context.text().stream(asked, max_tokens=LONGEST, temperature=0.0):
        said += chunk.text
        if chunk.usage:
            spent.append(Cost(chunk.usage))
    return " ".join(said.split())
