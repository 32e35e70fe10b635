"""search_knowledge: answers from the person's documents and the manual, with citations that code puts in.

What is asked decides how: a summary, a comparison, a list and "which documents mention …?" are questions of their own kind; all
others are answered from the passages that fit them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing

from knowledge.documents import KnowledgeError, Source
from knowledge.handbook import install_handbook
from knowledge.knowledge_base import HANDBOOK, KnowledgeBase
from knowledge.ranking import language_of
from tools.answer_from_passages import answer_from_passages
from tools.compare_documents import MOST_DOCUMENTS, compare_documents
from tools.context import Attachment, Notice, Progress, TextDelta, ToolContext, ToolOutput
from tools.document_wishes import asked_phrase, asks_comparison, asks_list, asks_overview, named_documents
from tools.document_words import WORDS, Words
from tools.follow_up import as_asked
from tools.list_documents import find_documents, list_documents
from tools.plain_text import inert
from tools.summarize_documents import summarize_documents

log = logging.getLogger(__name__)

LISTED_SOURCES = 5
FINDABLE = frozenset({"indexed", "partial"})
BEING_READ = frozenset({"pending", "partial"})


async def search_knowledge(context: ToolContext) -> AsyncIterator[ToolOutput]:
    """Answer from the person's documents and from this assistant's manual."""
    base = context.knowledge()
    await _bring_manual(base)
    async for output in _take_in(context, base):
        yield output
    every = base.sources(context.collections)
    words = WORDS[_language(context)]
    sources = [s for s in every if s.state in FINDABLE]
    if not context.request.strip() and context.attachments:
        yield TextDelta(words.was_read.format(name=inert(context.attachments[-1].name)))
        return
    if unread := [inert(s.title) for s in every if s.state in BEING_READ]:
        yield Notice(words.being_read.format(names=_named(unread)))
    if not sources:
        yield TextDelta(words.empty)
        return
    async with aclosing(_reply(context, base, sources, words)) as outputs:  # type: ignore[type-var]
        async for output in outputs:
            yield output


def _reply(
    context: ToolContext, base: KnowledgeBase, sources: Sequence[Source], words: Words
) -> AsyncIterator[ToolOutput]:
    """By what the request wants."""
    own = [s for s in sources if s.collection != HANDBOOK]
    request = context.request
    if asks_list(request):
        return _said(list_documents(own, words))
    if own and (phrase := asked_phrase(request)):
        return find_documents(base, phrase, own, words)
    if own and asks_overview(request, [s.title for s in own]):
        wanted = _meant(context, own)
        if not wanted:
            return _said(words.which.format(names=_named([inert(s.title) for s in own])))
        return summarize_documents(context, base, wanted, words)
    asked = as_asked(context, own)
    if len(compared := _compared(context, asked.alone, own)) > 1:
        return compare_documents(context, base, asked.alone, compared, words)
    return answer_from_passages(context, base, asked, sources, _not_found(words, sources), words)


async def _said(text: str) -> AsyncIterator[ToolOutput]:
    yield TextDelta(text)


def _meant(context: ToolContext, own: Sequence[Source]) -> list[Source]:
    """The documents that a request about a whole document means: those it names, those that came with it, the newest of the
    thread, or the only one there is."""
    if named := named_documents(context.request, own):
        return named
    dropped = {a.name for a in context.attachments if a.kind == "document"}
    thread = [s for s in own if s.collection == context.collections[0]]
    return [s for s in thread if s.source in dropped] or thread[-1:] or (list(own) if len(own) == 1 else [])


def _compared(context: ToolContext, request: str, own: Sequence[Source]) -> list[Source]:
    """The documents to be put side by side, none or one where that is not asked."""
    found = named_documents(request, own)
    if asks_comparison(request):
        thread = [s for s in own if s.collection == context.collections[0]]
        loosely = named_documents(request, own, loosely=True)
        found = loosely if len(loosely) > 1 else found
        found = found if len(found) > 1 else next((list(few) for few in (thread, own) if len(few) == 2), found)
    return list(found[:MOST_DOCUMENTS])


def _language(context: ToolContext) -> str:
    """Of the question; where a file comes without words, of the page."""
    page_language = str(context.options.get("page_language", "en"))
    asked = context.request.strip()
    return language_of(asked) if asked or page_language not in WORDS else page_language


def _not_found(words: Words, sources: Sequence[Source]) -> str:
    titles = list(dict.fromkeys(inert(s.title) for s in sources if s.collection != HANDBOOK))
    return f"{words.not_found} {words.searched.format(names=_named(titles))}" if titles else words.not_found


def _named(titles: Sequence[str]) -> str:
    return ", ".join(titles[:LISTED_SOURCES]) + ("…" if len(titles) > LISTED_SOURCES else "")


async def _bring_manual(base: KnowledgeBase) -> None:
    """The product's manual is searched too; where another process writes, that one brings it up to date."""
    try:
        await install_handbook(base)
    except KnowledgeError as error:
        log.info("the manual was not brought up to date: %s", error)


async def _take_in(context: ToolContext, base: KnowledgeBase) -> AsyncIterator[ToolOutput]:
    """Index the documents of this turn, and those of earlier turns that no tool has read yet, for this thread alone.

    Raises: KnowledgeError when the only document of the turn cannot be read.
    """
    collection = context.collections[0]
    known = {s.source for s in base.sources([collection]) if s.state in FINDABLE}
    documents = [a for a in context.thread_attachments if a.kind == "document" and a.name not in known]
    documents += [a for a in context.attachments if a.kind == "document"]
    for attachment in documents:
        try:
            async for output in _add(context, base, attachment, collection):
                yield output
        except KnowledgeError as error:
            if len(documents) == 1 and attachment in context.attachments:
                raise
            yield Notice(str(error))


async def _add(
    context: ToolContext, base: KnowledgeBase, attachment: Attachment, collection: str
) -> AsyncIterator[ToolOutput]:
    loop = asyncio.get_running_loop()
    steps: asyncio.Queue[Progress | None] = asyncio.Queue()

    def progress(fraction: float, stage: str) -> None:
        loop.call_soon_threadsafe(steps.put_nowait, Progress(fraction, text=stage))

    task = asyncio.ensure_future(
        base.add(
            attachment.path,
            collection=collection,
            source=attachment.name,
            title=attachment.name,
            progress=progress,
            stop=context.stop,
        )
    )
    task.add_done_callback(lambda _task: steps.put_nowait(None))
    try:
        while (step := await steps.get()) is not None:
            yield step
    finally:
        if not task.done():
            task.cancel()
    source = await task
    for skipped in _skipped(source):
        yield Notice(skipped)


def _skipped(source: Source) -> Iterator[str]:
    """One line for each reason why pages were not read."""
    reasons: dict[str, list[str]] = {}
    for item in source.skipped:
        reasons.setdefault(item.why, []).extend([str(item.page)] if item.page else [])
    for why, pages in reasons.items():
        where = f", p. {', '.join(pages)}" if pages else ""
        yield f"{inert(source.title)}{where}: {why}."
