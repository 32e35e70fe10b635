"""Evaluations of other kinds: the choice of a tool, recordings, the starter model for real; and a disk that takes nothing more."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.bootstrap import build_assistant
from assistant.candidates import parse_candidate
from assistant.cli import call
from assistant.evaluation import routing
from assistant.evaluation.cache import Cache
from assistant.evaluation.dataset import Dataset, Row, read_dataset
from assistant.evaluation.evaluate import FOLDER, Wish, evaluate
from assistant.evaluation.results import Report
from assistant.settings import Chat, NamedEndpoint, Settings, SettingsError, Speech
from tests.openai_server import OpenAIServer, Received, Reply
from tests.sound import record, silence

LAB = {"lab"}


async def report_of(settings: Settings, wish: Wish) -> Report:
    assistant = build_assistant(settings)
    try:
        return await evaluate(settings, assistant.engines, wish)
    finally:
        await assistant.close()


async def test_the_choice_of_a_tool_is_compared_between_the_classifier_and_a_chat_model(home: Path) -> None:
    held_to: list[Any] = []

    def always_writes(received: Received) -> Reply:
        held_to.append(received.body["response_format"]["json_schema"]["schema"])
        return Reply(('{"tool": "write_text"}',))

    with OpenAIServer(rule=always_writes) as server:
        settings = Settings(home=home, chat=Chat("lab:small"), endpoints={"lab": NamedEndpoint(server.url)})
        assistant = build_assistant(settings)
        try:
            model = routing.as_router(parse_candidate("lab:small", settings.endpoints))
            wish = routing.wish_of([model], ["zero-shot"], 40, seed=0)
            wish = replace(wish, special=routing.specials(assistant.engines))
            report = await evaluate(settings, assistant.engines, wish)
        finally:
            await assistant.close()
    right = {s.name: s.scores["exact"].mean for s in report.setups}
    assert right["the classifier"] > 0.8 and right["the router"] > 0.7 > right["lab:small"]  # type: ignore[operator]
    assert held_to.count(routing.SCHEMA) == 40
    assert report.setups[2].worse and {"en", "near miss"} <= report.data["tags"].keys()


async def test_the_starter_model_is_asked_for_real_and_never_twice(home: Path) -> None:
    rows = tuple(
        Row(str(n), f"Which colour has door {n}?", colour, context=(f"Door {n} is {colour}.",))
        for n, colour in enumerate(("red", "green", "blue"))
    )
    candidate = parse_candidate("llama-cpp:smollm2-135m-instruct max_tokens=12 temperature=0")
    settings = Settings(home=home)
    assistant = build_assistant(settings)
    try:
        wish = Wish(Dataset("doors.jsonl", rows, ""), [candidate], ["zero-shot", "context"])
        first = await evaluate(settings, assistant.engines, wish)
        again = await evaluate(settings, assistant.engines, wish)
    finally:
        await assistant.close()
    plain, reads = first.setups
    assert plain.failed == reads.failed == 0 and plain.cost == 0.0
    assert reads.prompt_tokens > plain.prompt_tokens > 0  # type: ignore[operator]
    assert 0 < plain.first_token_s <= plain.latency_s  # type: ignore[operator]
    assert "groundedness" in reads.scores and "Too few rows" in first.recommendation.sentence
    assert (first.calls["asked"], again.calls["asked"], again.calls["known"]) == (6, 0, 6)
    assert again.rows == first.rows


async def test_recordings_are_transcribed_and_their_words_counted(home: Path, tmp_path: Path) -> None:
    record(tmp_path / "a.wav", silence(1))
    record(tmp_path / "b.wav", silence(2))
    rows = [{"audio": "a.wav", "reference": "Hello there!"}, {"audio": "b.wav", "reference": "Hello, who is there?"}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    with OpenAIServer() as server:
        settings = Settings(home=home, endpoints={"lab": NamedEndpoint(server.url)})
        candidate = parse_candidate("lab:hears", LAB, task="speech")
        report = await report_of(settings, Wish(read_dataset(tmp_path / "d.jsonl"), [candidate], ["zero-shot"]))
    assert report.main == "word_error" and report.setups[0].failed == 0
    errors = [row["answers"]["lab:hears"]["scores"]["word_error"] for row in report.rows]
    assert errors == [0.0, 0.5]


async def test_what_a_recording_says_is_shown_before_the_question(home: Path, tmp_path: Path) -> None:
    record(tmp_path / "a.wav", silence(1))
    row = Row("1", "Who is greeted?", "there", audio=tmp_path / "a.wav")
    with OpenAIServer() as server:
        settings = Settings(home=home, speech=Speech("lab:hears"), endpoints={"lab": NamedEndpoint(server.url)})
        wish = Wish(Dataset("d", (row, replace(row, id="2")), ""), [parse_candidate("lab:m", LAB)], ["zero-shot"])
        await report_of(settings, wish)
        asked = [r.body["messages"][-1]["content"] for r in server.received if "messages" in r.body]
    assert asked and all("Hello there." in text and "Who is greeted?" in text for text in asked)


async def test_a_disk_that_is_full_ends_it_with_the_remedy(home: Path) -> None:
    Cache(home / FOLDER).close()
    with sqlite3.connect(home / FOLDER / "answers.sqlite3") as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON answers BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    rows = tuple(Row(str(n), f"What is {n}?", str(n)) for n in range(9))
    with OpenAIServer() as server:
        settings = Settings(home=home, endpoints={"lab": NamedEndpoint(server.url)})
        wish = Wish(Dataset("d", rows, ""), [parse_candidate("lab:m", LAB)], ["zero-shot"])
        with pytest.raises(SettingsError, match="disk is full"):
            await report_of(settings, wish)


def test_the_command_writes_a_report_and_prints_it_as_json(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    rows = [{"question": f"What is {n}?", "reference": "Hello"} for n in range(10)]
    Path("d.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    with OpenAIServer() as server:
        Path("assistant.toml").write_text(f'[endpoints.lab]\nbase_url = "{server.url}"\n', "utf-8")
        words = ["evaluate", "d.jsonl", "-c", "lab:a", "-c", "lab:b", "--lever", "zero-shot", "--by", "contains"]
        assert call([*words, "--json"]) == 0
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert call(words) == 0
        shown = capsys.readouterr().out
    assert Path(printed["report"]).read_text("utf-8").startswith("<!doctype html>")
    assert json.loads(Path(printed["json"]).read_text("utf-8"))["rows"][0]["answers"]["lab:a"]["text"] == "Hello there."
    assert printed["recommendation"]["no_difference"] and "no difference that this data can show" in shown
    assert call(["evaluate", "diff", printed["json"], printed["json"]]) == 0
    assert "no difference that this data can show" in capsys.readouterr().out
