"""write_text: the text engine answers in words, from the conversation alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from knowledge.ranking import language_of
from tools.context import TextDelta, ToolContext, ToolOutput, as_outputs
from tools.engines.base import Message
from tools.prompts import SYSTEM

BLIND = {
    "en": "I cannot look at pictures yet. Describe it in words, or say how it should be changed.",
    "fr": "Je ne peux pas encore regarder les images. Décrivez-la, ou dites comment la modifier.",
    "de": "Bilder kann ich noch nicht ansehen. Beschreiben Sie es, oder sagen Sie, was daran anders werden soll.",
    "es": "Todavía no puedo ver imágenes. Descríbala, o diga cómo cambiarla.",
    "it": "Non posso ancora guardare le immagini. La descriva, o dica come cambiarla.",
}
"""Said instead of an answer: from words alone a model would invent what the picture shows."""


async def write_text(context: ToolContext) -> AsyncIterator[ToolOutput]:
    """Answer in words: chat, general knowledge, code, writing, translating, explaining."""
    if any(a.kind == "image" for a in context.attachments):
        yield TextDelta(BLIND[language_of(context.request)])
        return
    messages = [Message("system", SYSTEM), *context.history, Message("user", context.request)]
    chunks = context.text().stream(
        messages, max_tokens=context.options["max_tokens"], temperature=context.options["temperature"]
    )
    async for output in as_outputs(chunks):
        yield output
