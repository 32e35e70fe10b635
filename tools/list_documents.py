"""Answers about the documents themselves, by code alone: which there are, and which mention something, with pages and counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from knowledge.documents import Source
from knowledge.evidence import Support
from knowledge.knowledge_base import KnowledgeBase
from knowledge.mentions import Mentions, find_mentions
from tools.context import Progress, TextDelta, ToolOutput
from tools.document_words import Words
from tools.grounded import Cited
from tools.plain_text import inert

LONGEST_LIST = 50
PAGES_NAMED = 12


def list_documents(sources: Sequence[Source], words: Words) -> str:
    """As a Markdown list, with the number of pages where there are any."""
    lines = [f"- {inert(s.title)}{_extent(s, words)}" for s in sources[:LONGEST_LIST]]
    more = ["- …"] if len(sources) > LONGEST_LIST else []
    return "\n".join([words.documents.format(count=len(sources)), "", *lines, *more])


async def find_documents(
    base: KnowledgeBase, phrase: str, sources: Sequence[Source], words: Words
) -> AsyncIterator[ToolOutput]:
    """Every document that holds `phrase`, those with most mentions first."""
    found: list[Mentions] = []
    for done, source in enumerate(sources):
        yield Progress(done / len(sources), text=source.title)
        passages = await base.passages(source.source, collection=source.collection)
        if mentions := find_mentions(phrase, source, passages):
            found.append(mentions)
    found.sort(key=lambda mentions: -mentions.count)
    shown = inert(phrase)
    if not found:
        yield TextDelta(words.not_mentioned.format(phrase=shown, all=len(sources)))
        return
    cited = Cited(phrase, ())
    yield TextDelta(words.mentioned.format(phrase=shown, count=len(found), all=len(sources)) + "\n\n")
    for mentions in found:
        n = cited.number(Support(mentions.first, mentions.quote))
        line = (
            f"- {inert(mentions.source.title)}: {words.times.format(n=mentions.count)}{_pages(mentions, words)} [{n}]\n"
        )
        yield TextDelta(line)
    for citation in cited.citations():
        yield citation


def _extent(source: Source, words: Words) -> str:
    if not source.pages:
        return ""
    return f" ({source.pages} {(words.page if source.pages == 1 else words.pages).format(n='').strip()})"


def _pages(mentions: Mentions, words: Words) -> str:
    if not mentions.pages:
        return ""
    named = ", ".join(map(str, mentions.pages[:PAGES_NAMED])) + ("…" if len(mentions.pages) > PAGES_NAMED else "")
    return f", {(words.page if len(mentions.pages) == 1 else words.pages).format(n=named)}"
