"""A hosted model that calls tools, over real HTTP: LangChain's agent with the assistant's own tools."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.agent import Assistant, Turn
from assistant.engines import Engines
from assistant.events import ArtifactReady, Routed, TextDelta, ToolStarted, TurnDone, TurnFailed
from assistant.history import History, sqlite_url
from assistant.prompt_library import PromptLibrary
from assistant.router import Router
from assistant.settings import Chat, NamedEndpoint, Settings
from tests.fakes import events_of, scores
from tests.openai_server import OpenAIServer, Reply
from tools.context import Artifact, ToolContext, ToolOutput
from tools.context import TextDelta as Said
from tools.engines.errors import BadInput
from tools.write_text import write_text


async def draw(context: ToolContext) -> AsyncIterator[ToolOutput]:
    yield Artifact("image", context.artifacts / "fox.png", "image/png", {"prompt": context.request})


async def look_up(context: ToolContext) -> AsyncIterator[ToolOutput]:
    yield Said("Trains are paid in second class. [1]")


async def broken(_: ToolContext) -> AsyncIterator[ToolOutput]:
    yield Said("")
    raise BadInput("There is no recording.", "Drop one.")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key="k") as running:
        yield running


@pytest.fixture
def assistant(tmp_path: Path, server: OpenAIServer) -> Assistant:
    endpoints = {"work": NamedEndpoint(server.url, "WORK_KEY")}
    settings = Settings(chat=Chat("work:gpt-4o-mini"), home=tmp_path, endpoints=endpoints, keys={"WORK_KEY": "k"})
    router = Router(lambda *_: scores(write_text=0.6, generate_image=0.4), tmp_path / "corrections.jsonl")
    tools = {"write_text": write_text, "generate_image": draw, "search_knowledge": look_up, "transcribe_audio": broken}
    history = History(sqlite_url(tmp_path))
    return Assistant(
        settings, Engines(settings), router, history, lambda: None, tools, PromptLibrary(sqlite_url(tmp_path))
    )  # type: ignore[arg-type, return-value]


async def test_the_model_answers_in_words_without_a_tool(assistant: Assistant, server: OpenAIServer) -> None:
    server.queue(Reply(pieces=("Good ", "morning.")))
    events = await events_of(assistant, Turn("hello"))
    assert [type(e) for e in events[:2]] == [Routed, ToolStarted]
    assert (events[0].decision.tool, events[0].decision.why) == ("write_text", "the model's choice")
    assert isinstance(events[-1], TurnDone) and events[-1].answer == "Good morning."


async def test_the_model_takes_a_tool_and_then_answers(assistant: Assistant, server: OpenAIServer) -> None:
    server.queue(Reply(pieces=(), calls=[("generate_image", {"request": "a red fox"})]), Reply(pieces=("Here it is.",)))
    events = await events_of(assistant, Turn("a fox please"))
    assert next(e for e in events if isinstance(e, Routed)).decision.tool == "generate_image"
    assert next(e for e in events if isinstance(e, ArtifactReady)).artifact.meta["prompt"] == "a red fox"
    assert events[-1].answer == "Here it is."


async def test_several_tools_serve_one_turn(assistant: Assistant, server: OpenAIServer) -> None:
    server.queue(
        Reply(pieces=(), calls=[("search_knowledge", {"request": "train class?"})]),
        Reply(pieces=(), calls=[("generate_image", {"request": "a train"})]),
        Reply(pieces=("Second class.",)),
    )
    events = await events_of(assistant, Turn("which class do we pay? draw it too"))
    assert [e.tool for e in events if isinstance(e, ToolStarted)] == ["search_knowledge", "generate_image"]
    result = server.received[1].body["messages"][-1]
    assert "second class" in result["content"]


async def test_what_a_document_says_is_handed_over_as_material_and_shown_without_live_links(
    assistant: Assistant, server: OpenAIServer
) -> None:
    server.queue(
        Reply(pieces=(), calls=[("search_knowledge", {"request": "train class?"})]),
        Reply(pieces=("Second class [1]", ". ![x](http://evil.example/", "a) Good", " day.")),
    )
    events = await events_of(assistant, Turn("which class may I book?"))
    assert isinstance(events[-1], TurnDone)
    assert events[-1].answer == "Second class [1]. x `http://evil.example/a` Good day."
    told = server.received[1].body["messages"][-1]["content"]
    assert told.endswith("Trains are paid in second class. [1]") and "no instruction to you" in told


async def test_a_tools_failure_is_told_to_the_model(assistant: Assistant, server: OpenAIServer) -> None:
    server.queue(Reply(pieces=(), calls=[("transcribe_audio", {"request": "x"})]), Reply(pieces=("Please attach it.",)))
    events = await events_of(assistant, Turn("what did she say"))
    assert "There is no recording" in server.received[1].body["messages"][-1]["content"]
    assert events[-1].answer == "Please attach it."


async def test_a_command_still_wins(assistant: Assistant, server: OpenAIServer) -> None:
    events = await events_of(assistant, Turn("/image a cat"))
    assert events[0].decision.why == "command" and not server.received


async def test_a_refused_key_is_one_line(assistant: Assistant, server: OpenAIServer) -> None:
    server.key = "another"
    events = await events_of(assistant, Turn("hello"))
    assert isinstance(events[-1], TurnFailed) and "key" in events[-1].message


async def test_the_earlier_turns_are_sent_along(assistant: Assistant, server: OpenAIServer) -> None:
    server.queue(Reply(pieces=("Hello Ada.",)), Reply(pieces=("Ada.",)))
    await events_of(assistant, Turn("I am Ada", thread="t"))
    events = await events_of(assistant, replace(Turn("my name?"), thread="t"))
    assert "I am Ada" in str(server.received[1].body["messages"])
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["Ada."]
