"""The turn: what goes in, which events come out, what is kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.agent import LONGEST_MESSAGE, Turn
from assistant.events import (
    ArtifactReady,
    Notice,
    Routed,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnDone,
    TurnFailed,
)
from assistant.settings import Image
from tests.fakes import FakeText, events_of, fake_assistant, scores
from tools import context as said
from tools.context import Artifact, Progress, ToolContext, ToolOutput
from tools.engines.errors import EngineError, RateLimited, Unreachable


async def picture_tool(context: ToolContext) -> AsyncIterator[ToolOutput]:
    yield Progress(0.5, 1.0, "step 1 of 2")
    yield Artifact("image", context.artifacts / "a.png", "image/png", {"seed": 7})


async def failing_tool(_: ToolContext) -> AsyncIterator[ToolOutput]:
    yield Progress(None)
    raise EngineError("The picture model broke.", "Choose another.")


async def test_a_plain_question_streams_words_and_ends_with_done(tmp_path: Path) -> None:
    text = FakeText("Canberra is the capital.")
    events = await events_of(fake_assistant(tmp_path, text), Turn("What is the capital of Australia?"))
    assert [type(e) for e in events if not isinstance(e, TextDelta)] == [Routed, ToolStarted, ToolFinished, TurnDone]
    assert events[-1].answer.strip() == "Canberra is the capital."
    assert events[-1].usage.completion_tokens == 4
    assert len(text.seen) == 1, "a plain question costs one model call"


async def test_the_conversation_is_remembered(tmp_path: Path) -> None:
    text = FakeText("Hello Ada.", "Ada.")
    assistant = fake_assistant(tmp_path, text)
    await events_of(assistant, Turn("I am Ada.", thread="t"))
    await events_of(assistant, Turn("What is my name?", thread="t"))
    assert [m.content.strip() for m in text.seen[1]][1:] == ["I am Ada.", "Hello Ada.", "What is my name?"]


async def test_the_beginning_of_the_prompt_stays_the_same_from_turn_to_turn(tmp_path: Path) -> None:
    text = FakeText("one", "two", "three")
    assistant = fake_assistant(tmp_path, text)
    for question in ("a", "b", "c"):
        await events_of(assistant, Turn(question, thread="t"))
    assert list(text.seen[2])[: len(text.seen[1])] == list(text.seen[1])


async def test_older_turns_are_dropped_visibly(tmp_path: Path) -> None:
    text = FakeText(*["word " * 150] * 6)
    assistant = fake_assistant(tmp_path, text)
    notices = []
    for n in range(6):
        events = await events_of(assistant, Turn(f"question {n}", thread="t", options={"max_tokens": 300}))
        notices += [e for e in events if isinstance(e, Notice)]
    assert "left out" in notices[0].text
    assert len(text.seen[-1]) < 10


async def test_an_artifact_and_progress_become_events(tmp_path: Path) -> None:
    verdict = scores(generate_image=0.95, write_text=0.05)
    assistant = fake_assistant(tmp_path, FakeText(), verdict, {"generate_image": picture_tool})
    events = await events_of(assistant, Turn("draw a cat"))
    assert any(isinstance(e, ToolProgress) and e.fraction == 0.5 for e in events)
    assert any(isinstance(e, ArtifactReady) and e.artifact.meta["seed"] == 7 for e in events)
    assert events[-1].artifacts[0].kind == "image"


async def test_a_tools_failure_is_one_line_and_the_conversation_goes_on(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText("Still here."), tools={"generate_image": failing_tool})
    events = await events_of(assistant, Turn("/image a cat", thread="t"))
    assert events[-1] == TurnFailed("EngineError", "The picture model broke.", "Choose another.")
    assert isinstance((await events_of(assistant, Turn("hello", thread="t")))[-1], TurnDone)


async def test_a_file_is_called_by_the_name_that_its_person_gave_it(tmp_path: Path) -> None:
    stored = tmp_path / "5f2c.txt"
    stored.write_text("words", "utf-8")

    async def complaining(_: ToolContext) -> AsyncIterator[ToolOutput]:
        yield said.Notice("5f2c.txt has two frames: the first was taken.")
        raise EngineError("5f2c.txt is damaged.", "Send it again.")

    assistant = fake_assistant(tmp_path, FakeText(), tools={"generate_image": complaining})
    first = Turn("/image a cat", (stored,), thread="t", names={stored: "my cat.txt"})
    for turn in (first, Turn("/image a dog", thread="t")):
        events = await events_of(assistant, turn)
        assert Notice("my cat.txt has two frames: the first was taken.") in events
        assert events[-1] == TurnFailed("EngineError", "my cat.txt is damaged.", "Send it again.")


async def test_an_unknown_exception_becomes_a_line_too(tmp_path: Path) -> None:
    async def broken(_: ToolContext) -> AsyncIterator[ToolOutput]:
        yield Progress(None)
        raise ZeroDivisionError("oops")

    events = await events_of(fake_assistant(tmp_path, FakeText(), tools={"generate_image": broken}), Turn("/image x"))
    assert events[-1].error == "ZeroDivisionError"


@pytest.mark.parametrize("error", [Unreachable("The server is down.", "Try again."), RateLimited("Too many.", "Wait.")])
async def test_a_failed_answer_keeps_the_question(tmp_path: Path, error: EngineError) -> None:
    assistant = fake_assistant(tmp_path, FakeText(error))
    await events_of(assistant, Turn("keep me", thread="t"))
    (kept,) = await assistant.history.turns("t")
    assert (kept.request, kept.state) == ("keep me", "failed")


@pytest.mark.parametrize("text", ["", "   \n\t"])
async def test_an_empty_message_gets_a_line(tmp_path: Path, text: str) -> None:
    (event,) = await events_of(fake_assistant(tmp_path, FakeText()), Turn(text))
    assert isinstance(event, TurnFailed) and "empty" in event.message


async def test_a_huge_message_is_not_sent_and_the_remedy_is_a_document(tmp_path: Path) -> None:
    text = FakeText()
    (event,) = await events_of(fake_assistant(tmp_path, text), Turn("x" * (LONGEST_MESSAGE + 1)))
    assert "text file" in event.remedy and not text.seen


async def test_stopping_frees_the_model_and_keeps_what_was_said(tmp_path: Path) -> None:
    text = FakeText("one two three four five six seven eight", pause_s=0.02)
    assistant = fake_assistant(tmp_path, text)
    async with contextlib.aclosing(assistant.reply(Turn("count", thread="t"))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    (kept,) = await assistant.history.turns("t")
    assert text.closed_early and kept.state == "stopped" and kept.answer.strip() == "one"


async def test_cancelling_the_task_stops_the_work(tmp_path: Path) -> None:
    text = FakeText("a long reply that takes its time", pause_s=0.05)
    assistant = fake_assistant(tmp_path, text)
    task = asyncio.create_task(events_of(assistant, Turn("go", thread="t")))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert text.closed_early
    assert (await assistant.history.turns("t"))[0].state == "stopped"


async def test_two_questions_at_once_are_both_answered(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText("first answer", "second answer", pause_s=0.01))
    both = await asyncio.gather(
        events_of(assistant, Turn("one", thread="t")), events_of(assistant, Turn("two", thread="t"))
    )
    assert all(isinstance(events[-1], TurnDone) for events in both)
    assert len(await assistant.history.turns("t")) == 2


async def test_a_command_forces_its_tool_and_is_no_part_of_the_request(tmp_path: Path) -> None:
    asked = []

    async def draw(context: ToolContext) -> AsyncIterator[ToolOutput]:
        asked.append(context.request)
        yield Progress(1.0)

    assistant = fake_assistant(tmp_path, FakeText(), tools={"generate_image": draw})
    events = await events_of(assistant, Turn("/image a red fox"))
    assert asked == ["a red fox"] and events[0].decision.why == "command"


async def test_asking_again_replaces_the_turn(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText("first", "second"))
    first = (await events_of(assistant, Turn("hi", thread="t")))[-1]
    await events_of(assistant, Turn("hi", thread="t", replaces=first.receipt))
    assert [t.answer.strip() for t in await assistant.history.turns("t")] == ["second"]


async def test_asking_again_in_vain_keeps_the_first_answer(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText("first"))
    first = (await events_of(assistant, Turn("hi", thread="t")))[-1]
    await events_of(assistant, Turn("hi", thread="t", tool="dance", replaces=first.receipt))
    assert "first" in [t.answer.strip() for t in await assistant.history.turns("t")]


async def test_a_conversation_of_somebody_else_is_closed(tmp_path: Path) -> None:
    text = FakeText("secret")
    assistant = fake_assistant(tmp_path, text)
    await events_of(assistant, Turn("my salary", thread="t", user="ada"))
    (event,) = await events_of(assistant, Turn("what did I say?", thread="t", user="eve"))
    assert isinstance(event, TurnFailed) and "somebody else" in event.message and len(text.seen) == 1


@pytest.mark.parametrize("thread", ["../../x", "a/b", "x" * 65, "é"])
async def test_a_thread_that_could_be_a_path_is_refused(tmp_path: Path, thread: str) -> None:
    (event,) = await events_of(fake_assistant(tmp_path, FakeText()), Turn("hi", thread=thread))
    assert isinstance(event, TurnFailed) and "cannot name a conversation" in event.message


async def test_a_turn_keeps_the_id_it_was_given(tmp_path: Path) -> None:
    events = await events_of(fake_assistant(tmp_path, FakeText("hi")), Turn("hi", id="turn-1"))
    assert events[-1].receipt == "turn-1"


async def test_a_command_may_end_its_line(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText(), tools={"generate_image": picture_tool})
    assert (await events_of(assistant, Turn("/image\na cat")))[0].decision.why == "command"


async def test_an_abstaining_router_answers_in_words_and_says_it_is_unsure(tmp_path: Path) -> None:
    unsure = scores(write_text=0.3, generate_image=0.3, search_knowledge=0.2, transcribe_audio=0.2)
    text = FakeText('{"tool": "generate_image"}', "Do you want a picture?")
    events = await events_of(fake_assistant(tmp_path, text, unsure), Turn("blue"))
    assert events[0].decision.abstained and events[0].decision.tool is None
    assert events[-1].answer.strip() == "Do you want a picture?"


async def test_an_unknown_tool_is_named_with_the_known_ones(tmp_path: Path) -> None:
    (event,) = await events_of(fake_assistant(tmp_path, FakeText()), Turn("hi", tool="dance"))
    assert "write_text" in event.remedy


async def test_pictures_switched_off_say_how_to_switch_them_on(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText(), tools={"generate_image": picture_tool})
    assistant.settings = replace(assistant.settings, image=Image(enabled=False))
    (event,) = await events_of(assistant, Turn("/image a cat"))
    assert isinstance(event, TurnFailed) and "ASSISTANT_IMAGE_ENABLED=true" in event.remedy


async def test_a_killed_answer_is_marked_interrupted_at_the_next_start(tmp_path: Path) -> None:
    assistant = fake_assistant(tmp_path, FakeText())
    await assistant.history.begin("t", "local", "half-way", [])
    await assistant.history.close()
    again = fake_assistant(tmp_path, FakeText("ok"))
    assert await again.history.mark_interrupted() == 1
    assert (await again.history.turns("t"))[0].state == "interrupted"
