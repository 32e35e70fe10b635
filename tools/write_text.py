"""write_text: the text engine answers in words, from the conversation and the pictures that came with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from knowledge.ranking import language_of
from tools.context import MOST_SEEN, Notice, TextDelta, ToolContext, ToolOutput, as_outputs
from tools.engines.base import Message
from tools.prompts import SYSTEM

BLIND = {
    "en": "{model} cannot look at pictures. Describe it in words, or say how it should be changed.",
    "fr": "{model} ne peut pas regarder les images. Décrivez-la, ou dites comment la modifier.",
    "de": "{model} kann Bilder nicht ansehen. Beschreiben Sie es, oder sagen Sie, was daran anders werden soll.",
    "es": "{model} no puede ver imágenes. Descríbala, o diga cómo cambiarla.",
    "it": "{model} non può guardare le immagini. La descriva, o dica come cambiarla.",
}
"""Said instead of an answer: from words alone a model would invent what the picture shows."""
SEEING = {
    "en": "These see: {models}. Choose one in the settings.",
    "fr": "Ceux-ci voient : {models}. Choisissez-en un dans les réglages.",
    "de": "Diese sehen: {models}. Wählen Sie eines in den Einstellungen.",
    "es": "Estos ven: {models}. Elija uno en los ajustes.",
    "it": "Questi vedono: {models}. Ne scelga uno nelle impostazioni.",
}
NONE_SEES = {
    "en": "No model that is set up here sees. Set ASSISTANT_CHAT=ollama:llava:7b, or openai:gpt-5-mini with its key.",
    "fr": "Aucun modèle installé ici ne voit. Réglez ASSISTANT_CHAT=ollama:llava:7b, ou openai:gpt-5-mini avec sa clé.",
    "de": "Kein hier eingerichtetes Modell sieht. Setzen Sie ASSISTANT_CHAT=ollama:llava:7b oder openai:gpt-5-mini mit Schlüssel.",
    "es": "Ningún modelo instalado aquí ve. Ponga ASSISTANT_CHAT=ollama:llava:7b, u openai:gpt-5-mini con su clave.",
    "it": "Nessun modello installato qui vede. Imposti ASSISTANT_CHAT=ollama:llava:7b, o openai:gpt-5-mini con la chiave.",
}
NAMED = 3
SHOWN = "{shown} of {all} pictures were looked at; that many go with one message."
BARE = {
    "en": "What does this show?",
    "fr": "Que montre ceci ?",
    "de": "Was ist hier zu sehen?",
    "es": "¿Qué muestra esto?",
    "it": "Che cosa mostra questo?",
}


async def write_text(context: ToolContext) -> AsyncIterator[ToolOutput]:
    """Answer in words: chat, general knowledge, code, writing, translating, explaining, and what pictures show."""
    pictures = [a.path for a in context.attachments if a.kind == "image"]
    language = language_of(context.request)
    if pictures and not context.sees:
        yield TextDelta(blind(context, language))
        return
    if len(pictures) > MOST_SEEN:
        yield Notice(SHOWN.format(shown=MOST_SEEN, all=len(pictures)))
    asked = context.request if context.request.strip() or not pictures else BARE[_page_language(context)]
    messages = [
        Message("system", SYSTEM if context.system is None else context.system),
        *context.examples,
        *context.history,
        Message("user", asked, tuple(pictures[:MOST_SEEN])),
    ]
    chunks = context.text().stream(
        messages, max_tokens=context.options["max_tokens"], temperature=context.options["temperature"]
    )
    async for output in as_outputs(chunks):
        yield output


def blind(context: ToolContext, language: str) -> str:
    """That the model does not see, and which does."""
    models = ", ".join(context.seeing[:NAMED])
    more = SEEING[language].format(models=models) if models else NONE_SEES[language]
    return f"{BLIND[language].format(model=context.text().card.id)} {more}"


def _page_language(context: ToolContext) -> str:
    language = str(context.options.get("page_language", "en"))
    return language if language in BARE else "en"
