"""Receipts hold what decides an answer, a replay runs it again, and only the owner sees either."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from assistant import cli_receipts
from assistant.agent import Assistant, Turn
from assistant.cli_output import CallerError
from assistant.engines import Engines
from assistant.estimate_words import in_words
from assistant.estimates import estimate
from assistant.events import TurnDone, TurnFailed
from assistant.fingerprints import fingerprint
from assistant.history import History, sqlite_url
from assistant.prompt_library import PromptLibrary
from assistant.replay import compare_pictures, compare_words, replay
from assistant.router import Router
from assistant.settings import Chat, NamedEndpoint, Settings, Spending
from knowledge.knowledge_base import Passage
from tests.fakes import OPENED, events_of, scores
from tests.openai_server import OpenAIServer, Reply, png
from tools.context import Artifact, Citation, TextDelta, Tool, ToolContext, ToolName, ToolOutput
from tools.engines.errors import BadInput
from tools.write_text import write_text

PRICES = '[models]\n"work:m" = { input = 1000, output = 2000 }\n'


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def assistant_for(
    home: Path, server: OpenAIServer, tools: dict[ToolName, Tool] | None = None, **more: object
) -> Assistant:
    (home / "prices.toml").write_text(PRICES, "utf-8")
    endpoints = {"work": NamedEndpoint(server.url)}
    settings = replace(Settings(home=home, chat=Chat("work:m"), endpoints=endpoints), **more)  # type: ignore[arg-type]

    def no_knowledge() -> None:
        raise AssertionError("this turn needs no documents")

    router = Router(lambda *_: scores(write_text=0.9, search_knowledge=0.1), home / "corrections.jsonl")
    kinds: dict[ToolName, Tool] = {"write_text": write_text, **(tools or {})}
    made = Assistant(
        settings,
        Engines(settings),
        router,
        History(sqlite_url(home)),
        no_knowledge,
        kinds,
        PromptLibrary(sqlite_url(home)),
    )  # type: ignore[arg-type]
    OPENED.append(made)
    return made


async def done(assistant: Assistant, turn: Turn) -> TurnDone:
    last = (await events_of(assistant, turn))[-1]
    assert isinstance(last, TurnDone), last
    return last


async def test_a_turn_tells_its_tokens_and_price_and_its_receipt_how_it_was_made(
    tmp_path: Path, server: OpenAIServer
) -> None:
    assistant = assistant_for(tmp_path, server)
    first = await done(assistant, Turn("Hello", thread="t"))
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (11, 7)
    assert first.usage.cost == pytest.approx(0.025)
    second = await done(assistant, Turn("And now?", thread="t", options={"temperature": 0.9}))
    receipt = (await assistant.history.turn(second.receipt)).receipt  # type: ignore[union-attr]
    (call,) = receipt["calls"]
    assert [m["content"] for m in call["messages"]][1:] == ["Hello", "Hello there.", "And now?"]
    assert (call["temperature"], call["seed"], call["cost"]) == (0.9, receipt["seed"], pytest.approx(0.025))
    assert receipt["history"] == [first.receipt] and receipt["settings"]["temperature"] == 0.9
    assert receipt["weights"] == {"work:m": {"revision": "m"}}
    assert set(receipt["versions"]) >= {"assistant", "python", "machine"}
    assert receipt["models"]["chat"] == "work:m" and receipt["hosts"] == []


async def test_one_call_without_a_price_makes_the_price_of_the_turn_unknown(
    tmp_path: Path, server: OpenAIServer
) -> None:
    assistant = assistant_for(tmp_path, server)
    (tmp_path / "prices.toml").write_text('[models]\n"work:m" = { input = 1000 }\n', "utf-8")
    assert (await done(assistant, Turn("Hello"))).usage.cost is None


async def test_a_turn_that_may_pass_the_cap_is_one_line_and_sends_nothing(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server, spending=Spending(user_day=0.01))
    last = (await events_of(assistant, Turn("Hello", user="ada")))[-1]
    assert isinstance(last, TurnFailed) and last.error == "SpendingCap" and "spending.user_day" in last.remedy
    assert not server.received


async def test_a_replay_asks_the_same_again_and_tells_the_words_that_differ(
    tmp_path: Path, server: OpenAIServer
) -> None:
    assistant = assistant_for(tmp_path, server)
    server.queue(Reply(pieces=["It is ", "Paris", ", said Ada."]))
    await done(assistant, Turn("Which town?", thread="t"))
    server.queue(Reply(pieces=["Yes, ", "the same town."]))
    receipt = (await done(assistant, Turn("Sure?", thread="t"))).receipt
    asked = server.last.body
    await done(assistant, Turn("Something later", thread="t"))
    record = await assistant.history.turn(receipt)
    assert record is not None
    server.queue(Reply(pieces=["Yes, the same town."]), Reply(pieces=["Yes, another town."]))
    same = await replay(assistant, record, "local", tmp_path / "again")
    assert same.same and same.answer.words == 4 and not same.changed
    assert server.last.body == asked, "the same words, temperature and seed, without what was said later"
    other = await replay(assistant, record, "local", tmp_path / "again")
    assert not other.same and other.answer.changed == 2
    assert other.answer.diff == [("=", "Yes,"), ("-", "the same"), ("+", "another"), ("=", "town.")]
    assert len(await assistant.history.turns("t")) == 3


async def test_a_replay_of_a_picture_compares_its_pixels_and_draws_with_its_seed(
    tmp_path: Path, server: OpenAIServer
) -> None:
    asked: list[object] = []
    colours = iter([(200, 80, 40), (200, 80, 40), (200, 80, 44)])

    async def draw(context: ToolContext) -> AsyncIterator[ToolOutput]:
        asked.append(context.options.get("seed"))
        context.artifacts.mkdir(parents=True, exist_ok=True)
        path = context.artifacts / "a.png"
        path.write_bytes(png(rgb=next(colours)))
        meta = {"model": "m", "seed": 9, "steps": 2, "width": 64, "height": 48, "seconds": 1.0, "prompt": "a fox"}
        yield Artifact("image", path, "image/png", meta)

    assistant = assistant_for(tmp_path, server, {"generate_image": draw})
    receipt = (await done(assistant, Turn("a fox", tool="generate_image", options={"seed": 9}))).receipt
    record = await assistant.history.turn(receipt)
    assert record is not None
    same = await replay(assistant, record, "local", tmp_path / "again")
    assert same.same and same.pictures[0].same_bytes
    other = await replay(assistant, record, "local", tmp_path / "again")
    assert not other.same and (other.pictures[0].changed, other.pictures[0].mean) == (1.0, pytest.approx(1.333))
    assert asked == [9, 9, 9]


async def test_a_replay_tells_that_a_passage_has_changed(tmp_path: Path, server: OpenAIServer) -> None:
    texts = iter(["The house is red.", "The house is blue."])

    async def search(context: ToolContext) -> AsyncIterator[ToolOutput]:
        passage = Passage(next(texts), "a.pdf", "a", 3, None, 1.0, 1.0, "shared", "p1")
        yield TextDelta("It has a colour. [1]")
        yield Citation(1, "a.pdf", "a", 3, None, "The house", True, passage)

    assistant = assistant_for(tmp_path, server, {"search_knowledge": search})
    receipt = (await done(assistant, Turn("Which colour?", tool="search_knowledge"))).receipt
    record = await assistant.history.turn(receipt)
    assert record is not None
    assert record.receipt["passages"][0]["sha256"] == hashlib.sha256(b"The house is red.").hexdigest()
    found = await replay(assistant, record, "local", tmp_path / "again")
    assert found.same and found.changed == ["A passage of a.pdf, page 3 has changed, is gone, or is not cited now."]


async def test_what_cannot_be_run_again_is_told_in_one_line(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server)
    note = tmp_path / "note.txt"
    note.write_text("A note.", "utf-8")
    kept = await assistant.history.turn((await done(assistant, Turn("Hi", (note,), tool="write_text"))).receipt)
    assert kept is not None
    note.unlink()
    with pytest.raises(BadInput, match=r"note.txt.*no longer there"):
        await replay(assistant, kept, "local", tmp_path / "again")
    with pytest.raises(BadInput, match="it is stopped"):
        await replay(assistant, replace(kept, state="stopped"), "local", tmp_path / "again")
    with pytest.raises(BadInput, match="before receipts told enough"):
        await replay(assistant, replace(kept, receipt={}), "local", tmp_path / "again")


async def test_only_the_owner_sees_a_receipt(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server)
    receipt = (await done(assistant, Turn("My secret", user="ada"))).receipt
    assert (await cli_receipts.own_turn(assistant, receipt, "ada")).request == "My secret"
    for user, name in (("bob", receipt), ("local", receipt), ("ada", "01NONE")):
        with pytest.raises(CallerError, match=f"There is no receipt {name} of {user}"):
            await cli_receipts.own_turn(assistant, name, user)


async def test_replaying_on_the_command_line_ends_with_0_only_for_the_same(
    tmp_path: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = assistant_for(tmp_path, server)
    receipt = (await done(assistant, Turn("Hello"))).receipt
    assert await cli_receipts.run_again(assistant.settings, receipt, "local", False) == 0
    assert capsys.readouterr().out == "answer: same, 2 words\nsame\n"
    server.queue(Reply(pieces=["Hello you."]))
    assert await cli_receipts.run_again(assistant.settings, receipt, "local", True) == 1
    assert json.loads(capsys.readouterr().out)["answer"]["changed"] == 1
    assert await cli_receipts.show(assistant.settings, receipt, "local", True) == 0
    assert json.loads(capsys.readouterr().out)["calls"][0]["model"] == "work:m"
    assert cli_receipts.spending(assistant.settings, "", None, True) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["user"], row["model"], row["calls"], row["cost"]) == ("local", "work:m", 3, pytest.approx(0.075))


def test_words_are_compared_however_they_are_spaced() -> None:
    assert compare_words("a  b\nc", "a b c").same
    assert compare_words("", "a").diff == [("+", "a")]
    assert compare_words("", "").same


def test_pictures_of_other_sizes_differ_and_other_bytes_may_be_the_same_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    Image.open(tmp_path / "a.png").save(tmp_path / "b.png", compress_level=0)
    (tmp_path / "c.png").write_bytes(png(32, 48))
    same = compare_pictures(tmp_path / "a.png", tmp_path / "b.png")
    assert same.same and not same.same_bytes
    assert not compare_pictures(tmp_path / "a.png", tmp_path / "c.png").same


def test_weights_are_told_apart_by_their_content(tmp_path: Path) -> None:
    weights = tmp_path / "own.gguf"
    weights.write_bytes(b"one")
    model = f"llama-cpp:{weights}"
    first = fingerprint(model, tmp_path)
    assert first == {"sha256": hashlib.sha256(b"one").hexdigest(), "files": ["own.gguf"]}
    assert fingerprint(model, tmp_path) == first and (tmp_path / "fingerprints.json").exists()
    weights.write_bytes(b"two!")
    assert fingerprint(model, tmp_path)["sha256"] == hashlib.sha256(b"two!").hexdigest()
    assert fingerprint("llama-cpp:/nowhere.gguf", tmp_path) == {}


@pytest.mark.parametrize(
    ("chat", "image", "draws", "line"),
    [
        ("llama-cpp:smollm2-135m-instruct", "starter:drawings", 0.99, "stays here"),
        ("llama-cpp:smollm2-135m-instruct", "openai:dall-e-3", 0.99, "to OpenAI, about 8.0 ct"),
        ("openai:gpt-4.1-mini", "starter:drawings", 0.99, "to OpenAI, < 0.1 ct (at most 0.2 ct)"),
        ("openai:gpt-99", "starter:drawings", 0.99, "stays here"),
        ("openai:gpt-99", "starter:drawings", 0.4, "to OpenAI, price unknown"),
        ("llama-cpp:smollm2-135m-instruct", "openai:dall-e-3", 0.4, "to OpenAI, about 8.0 ct"),
        ("llama-cpp:smollm2-135m-instruct", "openai:dall-e-3", 0.01, "stays here"),
        ("openai:gpt-4.1-mini", "openai:dall-e-3", 0.01, "to OpenAI, < 0.1 ct (at most 8.2 ct)"),
    ],
)
async def test_it_goes_also_to_a_model_that_only_chooses_the_tool(
    tmp_path: Path, server: OpenAIServer, chat: str, image: str, draws: float, line: str
) -> None:
    """A model that calls tools reads every message first; where the router is unsure, the chat model is asked, and either may answer."""
    assistant = assistant_for(tmp_path, server)
    odds = scores(generate_image=draws, write_text=(1 - draws) / 2, search_knowledge=(1 - draws) / 2)
    if draws < 0.1:
        odds = scores(generate_image=draws, write_text=1 - draws)
    assistant.router = Router(lambda *_: odds, tmp_path / "corrections.jsonl")
    keys = {"OPENAI_API_KEY": "k"}
    assistant.engines.settings = assistant.settings = replace(
        assistant.settings,
        keys=keys,
        chat=Chat(chat, max_tokens=300),
        image=replace(assistant.settings.image, model=image),
    )
    assert in_words(await estimate(assistant, Turn("A red fox"))).startswith(line)


async def test_before_sending_it_is_told_where_it_goes_and_about_what_it_costs(
    tmp_path: Path, server: OpenAIServer
) -> None:
    assistant = assistant_for(tmp_path, server)
    gone = replace(assistant.settings, keys={"OPENAI_API_KEY": "k"}, chat=Chat("openai:gpt-5-mini", max_tokens=4000))
    assistant.engines.settings = gone
    found = await estimate(assistant, Turn("Hello"))
    assert in_words(found) == "to OpenAI, about 0.1 ct (at most 1.6 ct)" and not found.stays
    assistant.engines.settings = replace(gone, chat=Chat("openai:gpt-99"))
    assert in_words(await estimate(assistant, Turn("Hello"))) == "to OpenAI, price unknown"
    assistant.engines.settings = replace(gone, chat=Chat())
    assert in_words(await estimate(assistant, Turn("/write Hello"))) == "stays here"
    assistant.engines.settings = replace(gone, image=replace(gone.image, model="openai:dall-e-3"))
    drawn = await estimate(assistant, Turn("/image a fox", options={"count": 2}))
    assert in_words(drawn) == "to OpenAI, about 16.0 ct"
    assert not server.received
