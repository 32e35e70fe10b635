"""How one candidate of a comparison answers a question: its words as they come, then what the answer took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from assistant.answers import Answered, AnswerFailed, Retrieve, answer
from assistant.candidates import Candidate
from assistant.comparing import Ask, Event, Figures, failed, rounded
from assistant.engines import Engines
from assistant.shelf import SHARED
from knowledge.documents import KnowledgeError, Passage
from knowledge.knowledge_base import KnowledgeBase
from tools.context import TextDelta
from tools.engines.base import Message, Usage
from tools.find_passages import find
from tools.follow_up import Asked

LONGEST_PASSAGE = 300
LEAST_SPAN_S = 0.01
"""Tokens that come together say nothing of a pace."""


def asking(question: str, engines: Engines, retrieve: Retrieve | None = None) -> Ask:
    """Asks a candidate `question`. "done" has text, first_token_s, tokens_per_s, prompt_tokens, completion_tokens, memory_bytes, device, loading_s, retrieval_s, total_s, cut, counted, passages; what is not known is None."""

    async def ask(_letter: str, candidate: Candidate) -> AsyncIterator[Event]:
        figures, found_s = Figures(candidate.model, engines), [0.0]
        timed = None if retrieve is None else _timed(retrieve, found_s)
        replies = answer(candidate, [Message("user", question)], engines, retrieve=timed)
        async with aclosing(cast(Any, replies)) as outputs:
            async for output in outputs:
                match output:
                    case TextDelta(text):
                        yield {"event": "delta", "text": text}
                    case AnswerFailed():
                        yield {**failed(output.error, output.message, output.remedy), "text": output.text}
                    case Answered():
                        memory = figures.memory(engines.text({"chat": candidate.model}).card.id)
                        searched = rounded(found_s[0]) if candidate.retrieval else None
                        yield {**_done(output), **memory, "retrieval_s": searched}

    return ask


def retriever(base: KnowledgeBase, readable: Sequence[str] | None = None) -> Retrieve:
    """Passages as the documents tool finds them. Where `readable` names the collections that a person may read, "shared" stands for
    all of them, and others are refused."""

    async def retrieve(collection: str, question: str) -> Sequence[Passage]:
        if readable is not None and collection not in (SHARED, *readable):
            raise KnowledgeError(f"There is no collection {collection}.", f"Choose one of: {', '.join(readable)}.")
        wanted = list(readable) if readable is not None and collection == SHARED else [collection]
        sources = await asyncio.to_thread(base.sources, wanted)
        if readable is None and not sources:
            known = sorted({source.collection for source in base.sources()})
            raise KnowledgeError(
                f"There is no collection {collection}.", f"There are: {', '.join(known) or 'none yet'}."
            )
        found = await find(base, Asked(question, [question]), sources, wanted)
        return found.passages

    return retrieve


def tokens_per_s(usage: Usage) -> float | None:
    """Of what follows the first token. None where too little came to tell."""
    if usage.completion_tokens is None or usage.first_token_s is None or usage.total_s is None:
        return None
    span_s = usage.total_s - usage.first_token_s
    return (
        round((usage.completion_tokens - 1) / span_s, 1)
        if usage.completion_tokens > 1 and span_s > LEAST_SPAN_S
        else None
    )


def _done(end: Answered) -> Event:
    usage = end.usage
    return {
        "event": "done",
        "text": end.text,
        "first_token_s": rounded(usage.first_token_s),
        "tokens_per_s": tokens_per_s(usage),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_s": rounded(usage.total_s),
        "cut": end.cut,
        "counted": end.counted or usage.counted,
        "passages": [{"title": p.title, "page": p.page, "text": p.text[:LONGEST_PASSAGE]} for p in end.passages],
    }


def _timed(retrieve: Retrieve, found_s: list[float]) -> Retrieve:
    async def timed(collection: str, question: str) -> Sequence[Passage]:
        started = time.monotonic()
        try:
            return await retrieve(collection, question)
        finally:
            found_s[0] = time.monotonic() - started

    return timed
