"""Ten-line stand-ins for engines, each with a queue of replies, so that the turn can be tried without weights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.agent import Assistant, Turn
from assistant.engines import Engines
from assistant.events import Event
from assistant.history import History, sqlite_url
from assistant.prompt_library import PromptLibrary
from assistant.router import Router, Scores
from assistant.settings import Settings
from tools.context import Tool, ToolName
from tools.engines.base import Message, ModelCard, TextChunk, Usage
from tools.engines.errors import EngineError
from tools.write_text import write_text

OPENED: list[Assistant] = []
"""What `fake_assistant` made in this test; closed after it (`conftest.py`)."""

CARD = ModelCard("fake:text", "text", "local", "MIT", "tests")


class FakeText:
    """Says the queued replies in order: a string is streamed word by word, an exception is raised."""

    card = CARD
    context_tokens = 1000

    def __init__(self, *replies: str | EngineError, pause_s: float = 0.0) -> None:
        self.replies = list(replies)
        self.seen: list[Sequence[Message]] = []
        self.schemas: list[Mapping[str, Any] | None] = []
        self.closed_early = False
        self._pause_s = pause_s

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[TextChunk]:
        self.seen.append(messages)
        self.schemas.append(json_schema)
        reply = self.replies.pop(0)
        if isinstance(reply, EngineError):
            raise reply
        try:
            for word in reply.split(" "):
                await asyncio.sleep(self._pause_s)
                yield TextChunk(word + " ")
            yield TextChunk(usage=Usage(10, len(reply.split())))
        except (GeneratorExit, asyncio.CancelledError):
            self.closed_early = True
            raise

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(m.content.split()) for m in messages)

    def agent_model(self) -> Any:
        raise NotImplementedError

    async def close(self) -> None: ...


class FakeEngines(Engines):
    def __init__(self, settings: Settings, text: FakeText) -> None:
        super().__init__(settings)
        self._open["chat", settings.chat.model] = text


def scores(**probabilities: float) -> Scores:
    """Scores with the given probabilities; the other tools share nothing."""
    tools = ("write_text", "generate_image", "search_knowledge", "transcribe_audio")
    return Scores({tool: probabilities.get(tool, 0.0) for tool in tools})


def fake_assistant(
    home: Path, text: FakeText, verdict: Scores | None = None, tools: Mapping[ToolName, Tool] | None = None
) -> Assistant:
    """An assistant whose classifier always says `verdict` (write_text unless told)."""
    settings = Settings(home=home)
    said = verdict or scores(write_text=0.9, search_knowledge=0.1)
    router = Router(lambda _text, _kinds, _thread: said, home / "corrections.jsonl")
    history = History(sqlite_url(home))
    kinds: dict[ToolName, Tool] = {"write_text": write_text, **(tools or {})}

    def no_knowledge() -> Any:
        raise AssertionError("this turn needs no documents")

    assistant = Assistant(
        settings, FakeEngines(settings, text), router, history, no_knowledge, kinds, PromptLibrary(sqlite_url(home))
    )
    OPENED.append(assistant)
    return assistant


async def events_of(assistant: Assistant, turn: Turn) -> list[Event]:
    return [event async for event in assistant.reply(turn)]
