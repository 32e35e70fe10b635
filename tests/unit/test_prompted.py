"""A turn under a prompt: what the model is sent, what the receipt keeps, and what goes on from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.agent import Assistant, Turn
from assistant.answers import prompt_of
from assistant.candidates import Candidate, CandidateError
from assistant.estimates import estimate
from assistant.evaluation.dataset import Row
from assistant.evaluation.levers import Setup, Split, with_examples
from assistant.events import Notice, Routed, TurnDone, TurnFailed
from assistant.prompt_reading import read_prompt
from assistant.prompted import about_tokens, tokens_added, with_prompts
from tests.fakes import FakeText, events_of, fake_assistant
from tools.engines.base import Message
from tools.prompts import SYSTEM

PIRATE = {
    "name": "pirate",
    "system": "You are a pirate.",
    "message": "As a pirate of {{sea}}: {{text}}",
    "inputs": [{"name": "sea", "default": "the Baltic"}],
    "examples": [{"question": "Hello", "answer": "Ahoy!"}],
    "profile": True,
}


async def assistant_with(home: Path, *replies: str) -> tuple[Assistant, FakeText]:
    text = FakeText(*replies)
    assistant = fake_assistant(home, text)
    await assistant.prompts.save(read_prompt(PIRATE), "local")
    return assistant, text


def sent(text: FakeText, n: int = -1) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in text.seen[n]]


async def test_a_command_of_the_library_words_the_message(tmp_path: Path) -> None:
    assistant, text = await assistant_with(tmp_path, "Arr.")
    events = await events_of(assistant, Turn('/pirate sea="the North Sea" Where is the gold?', thread="t"))
    assert sent(text) == [
        ("system", "You are a pirate."),
        ("user", "Hello"),
        ("assistant", "Ahoy!"),
        ("user", "As a pirate of the North Sea: Where is the gold?"),
    ]
    assert next(e for e in events if isinstance(e, Routed)).decision.why == "command"
    (turn,) = await assistant.history.turns("t")
    kept = turn.receipt["prompt"]
    assert turn.request == "Where is the gold?"
    assert (kept["name"], kept["version"], kept["inputs"]) == ("pirate", 1, {"sea": "the North Sea"})


async def test_the_next_turn_remembers_what_the_model_was_asked(tmp_path: Path) -> None:
    assistant, text = await assistant_with(tmp_path, "Arr.", "Aye.")
    await events_of(assistant, Turn("/pirate Where?", thread="t"))
    await events_of(assistant, Turn("Really?", thread="t"))
    assert sent(text) == [
        ("system", SYSTEM),
        ("user", "As a pirate of the Baltic: Where?"),
        ("assistant", "Arr. "),
        ("user", "Really?"),
    ]


async def test_a_profile_holds_for_what_is_typed_as_it_is(tmp_path: Path) -> None:
    assistant, text = await assistant_with(tmp_path, "Arr.")
    await events_of(assistant, Turn("Where?", profile="pirate"))
    assert sent(text)[0] == ("system", "You are a pirate.")
    assert sent(text)[-1] == ("user", "Where?")


async def test_a_profile_that_is_gone_is_told_and_the_turn_is_answered(tmp_path: Path) -> None:
    assistant, text = await assistant_with(tmp_path, "Here.")
    events = await events_of(assistant, Turn("Where?", profile="ghost"))
    assert any(isinstance(e, Notice) and "ghost" in e.text for e in events)
    assert isinstance(events[-1], TurnDone) and sent(text)[0] == ("system", SYSTEM)


async def test_a_slash_that_names_no_prompt_is_text(tmp_path: Path) -> None:
    assistant, text = await assistant_with(tmp_path, "A folder.")
    await events_of(assistant, Turn("/tmp is what?"))
    assert sent(text)[-1] == ("user", "/tmp is what?")


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (Turn("/pirate"), "needs a text"),
        (Turn("Where?", prompt="ghost"), "There is no prompt ghost"),
        (Turn("Where?", prompt="pirate", inputs={"ship": "x"}), "has no input 'ship'"),
    ],
)
async def test_what_is_missing_ends_the_turn_in_a_line(tmp_path: Path, turn: Turn, told: str) -> None:
    assistant, _ = await assistant_with(tmp_path)
    last = (await events_of(assistant, turn))[-1]
    assert isinstance(last, TurnFailed) and told in last.message


async def test_a_turn_is_run_again_with_the_prompt_as_it_was(tmp_path: Path) -> None:
    assistant, text = await assistant_with(tmp_path, "Arr.", "Arr.")
    await events_of(assistant, Turn("/pirate Where?", thread="t"))
    await assistant.prompts.remove("pirate", "local")
    (record,) = await assistant.history.turns("t")
    await assistant.again(record, "local", tmp_path / "again")
    assert sent(text, 0) == sent(text, 1)


async def test_what_a_prompt_adds_is_counted_with_its_examples(tmp_path: Path) -> None:
    prompt = read_prompt(PIRATE)
    bare = replace(prompt, examples=())
    assert await tokens_added(prompt, FakeText()) > await tokens_added(bare, FakeText())
    assert about_tokens(prompt) > about_tokens(bare)


async def test_the_estimate_counts_the_prompt(tmp_path: Path) -> None:
    assistant, _ = await assistant_with(tmp_path)
    found = await estimate(assistant, Turn("/pirate Where?"))
    assert found.tool == "write_text"


async def test_a_candidate_takes_what_its_prompt_says(tmp_path: Path) -> None:
    assistant, _ = await assistant_with(tmp_path)
    (one,) = await with_prompts([Candidate("openai:m", prompt="/pirate sea=Azov")], assistant.prompts, "local")
    assert one.prompt == '/pirate@1 sea="Azov"'
    shown = prompt_of(one, [Message("user", "Where?")])
    assert [m.content for m in shown] == ["You are a pirate.", "Hello", "Ahoy!", "As a pirate of Azov: Where?"]


async def test_examples_of_a_data_set_are_worded_as_the_question_is() -> None:
    rows = (Row("1", "2+2?", "4"), Row("2", "3+3?", "6"))
    import numpy as np

    candidate = Candidate("openai:m", message="Solve: {{text}}")
    few = with_examples(Setup("s", candidate, "few-shot"), rows[0], Split(rows[:1], rows[1:]), {"1": np.ones(1)})
    assert few.examples == (("Solve: 3+3?", "6"),)


@pytest.mark.parametrize("written", ["/pirate@x", "/pirate@9", "/ghost", "/pirate where?"])
async def test_a_candidates_prompt_that_cannot_be_used_is_told(tmp_path: Path, written: str) -> None:
    assistant, _ = await assistant_with(tmp_path)
    with pytest.raises(Exception, match=r"There is no|names no version|Only inputs go there"):
        await with_prompts([Candidate("openai:m", prompt=written)], assistant.prompts, "local")


async def test_a_candidate_has_a_prompt_or_words_of_its_own(tmp_path: Path) -> None:
    assistant, _ = await assistant_with(tmp_path)
    with pytest.raises(CandidateError, match="Keep one of the two"):
        await with_prompts([Candidate("openai:m", prompt="pirate", system="Be brief.")], assistant.prompts, "local")
