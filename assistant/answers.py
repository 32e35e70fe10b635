"""How a candidate answers: its text as it streams, then what it took, or a failure as a value that holds up nobody else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

from assistant.candidates import Candidate
from assistant.engines import Engines
from assistant.prices import Cost
from assistant.prompts import BLANK, TEXT, put_in
from assistant.settings import SettingsError
from knowledge.documents import KnowledgeError, Passage
from tools.answer_from_passages import prompt as prompt_with_passages
from tools.context import TextDelta
from tools.engines.base import Message, TextGenerator, Usage
from tools.engines.errors import EngineError
from tools.prompts import SYSTEM

Price = Callable[[str, Usage], Cost | None]
"""(`provider:model`, what a call took) to its cost; None where the price is unknown, never 0."""
Retrieve = Callable[[str, str], Awaitable[Sequence[Passage]]]
"""(collection, question) to the passages that are shown before it, the best first; none where nothing fits."""


@dataclass(frozen=True)
class Answered:
    """The end of an answer. `usage` has first_token_s, total_s, tokens and cost; `counted` tells that the server gave no tokens
    and they were counted here; `cut` that the answer reached its length limit; `passages` are those it was shown."""

    text: str
    usage: Usage
    cut: bool = False
    counted: bool = False
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class AnswerFailed:
    """Why there is no answer: the class name of the error, what happened, what to do; `text` had come before."""

    error: str
    message: str
    remedy: str = ""
    text: str = ""
    total_s: float = 0.0


@dataclass
class _Reply:
    """What has come so far, and when."""

    started: float = field(default_factory=time.monotonic)
    text: str = ""
    first_token_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    cut: bool = False

    def take(self, text: str) -> None:
        if text and self.first_token_s is None:
            self.first_token_s = self.seconds()
        self.text += text

    def seconds(self) -> float:
        return time.monotonic() - self.started


async def answer(
    candidate: Candidate,
    messages: Sequence[Message],
    engines: Engines,
    *,
    price: Price | None = None,
    retrieve: Retrieve | None = None,
    passages: Sequence[Passage] | None = None,
    json_schema: Mapping[str, Any] | None = None,
) -> AsyncIterator[TextDelta | Answered | AnswerFailed]:
    """Text as it comes, then one Answered or AnswerFailed. `messages` are a conversation that ends with the person's question.
    `passages`, where they are given, are shown in place of what would be retrieved; `price` stands in for the engine's own meter.

    Never raises what an engine, the settings or the documents may tell; leaving the iteration frees the model.
    """
    reply = _Reply()
    try:
        if passages is None:
            passages = await _passages(candidate, messages[-1].content, retrieve)
        asked = prompt_of(candidate, messages, passages)
        text = engines.text({"chat": candidate.model})
        options = options_of(candidate, engines)
        async with aclosing(cast(Any, text.stream(asked, **options, json_schema=json_schema))) as chunks:
            async for chunk in chunks:
                reply.take(chunk.text)
                reply.usage = chunk.usage or reply.usage
                reply.cut = reply.cut or chunk.cut
                if chunk.text:
                    yield TextDelta(chunk.text)
        usage = await _usage(text, asked, reply)
    except (EngineError, KnowledgeError) as error:
        yield AnswerFailed(type(error).__name__, error.message, error.remedy, reply.text, reply.seconds())
    except SettingsError as error:
        yield AnswerFailed("SettingsError", str(error), "", reply.text, reply.seconds())
    else:
        usage = _priced(usage, price(candidate.model, usage)) if price else usage
        yield Answered(reply.text, usage, reply.cut, usage.counted, tuple(passages))


def _priced(usage: Usage, cost: Cost | None) -> Usage:
    return replace(usage, cost=cost.amount, currency=cost.currency) if cost else replace(usage, cost=None)


def prompt_of(candidate: Candidate, messages: Sequence[Message], passages: Sequence[Passage] = ()) -> list[Message]:
    """What the model is sent: system prompt, examples, the conversation; passages stand before its last question."""
    examples = [m for q, a in candidate.examples for m in (Message("user", q), Message("assistant", a))]
    *before, question = messages
    question = replace(question, content=worded(candidate, question.content))
    if not passages:
        system = SYSTEM if candidate.system is None else candidate.system
        return [*_system(system), *examples, *before, question]
    *shown, asked = prompt_with_passages(question.content, passages)
    if candidate.system is not None:
        shown = _system(candidate.system)
    return [*shown, *examples, *before, asked]


def worded(candidate: Candidate, question: str) -> str:
    """The question as the candidate's message has it."""
    if candidate.message is None:
        return question
    return (
        put_in(candidate.message, {TEXT: question})
        if TEXT in BLANK.findall(candidate.message)
        else f"{candidate.message}\n\n{question}"
    )


def options_of(candidate: Candidate, engines: Engines) -> dict[str, Any]:
    """max_tokens and temperature: the candidate's own, else those that are set for the chat."""
    chat = engines.settings.chat
    return {
        "max_tokens": chat.max_tokens if candidate.max_tokens is None else candidate.max_tokens,
        "temperature": chat.temperature if candidate.temperature is None else candidate.temperature,
    }


def _system(text: str) -> list[Message]:
    return [Message("system", text)] if text else []


async def _passages(candidate: Candidate, question: str, retrieve: Retrieve | None) -> Sequence[Passage]:
    """Raises: KnowledgeError."""
    if not candidate.retrieval:
        return ()
    if retrieve is None:
        raise KnowledgeError("There is no knowledge base here.", "Take `retrieval` from the candidate.")
    return await retrieve(candidate.retrieval, question)


async def _usage(text: TextGenerator, asked: Sequence[Message], reply: _Reply) -> Usage:
    """What the server counted; what it did not count is counted here. Times are the engine's own, without the loading of weights."""
    said = reply.usage
    if said.prompt_tokens is None or said.completion_tokens is None:
        prompt_tokens = await text.count_tokens(asked)
        completion_tokens = await text.count_tokens([Message("assistant", reply.text)])
        said = replace(said, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, counted=True)
    first = reply.first_token_s if said.first_token_s is None else said.first_token_s
    total = reply.seconds() if said.total_s is None else said.total_s
    return replace(said, first_token_s=first, total_s=total)
