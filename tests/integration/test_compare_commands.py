"""`assistant compare` and `assistant leaderboard` on the starter models and on servers on loopback."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.cli import call
from tests.openai_server import OpenAIServer, Reply
from tests.speech import FOX

SMALL = "llama-cpp:smollm2-135m-instruct"
Events = list[dict[str, Any]]
Run = Callable[..., tuple[int, Events, str]]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def run(
    home: Path,
    tmp_path: Path,
    server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """A command with --json: its exit status, its lines, what it says beside. `here:…` is a server on loopback."""
    (tmp_path / "assistant.toml").write_text(
        f'[endpoints.here]\nbase_url = "{server.url}"\n[endpoints.down]\nbase_url = "http://127.0.0.1:9/v1"\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": str(home), "CHAT": SMALL, "CHAT_MAX_TOKENS": "16", "CHAT_TEMPERATURE": "0"}.items():
        monkeypatch.setenv(f"ASSISTANT_{name}", value)

    def command(*arguments: str) -> tuple[int, Events, str]:
        status = call([*arguments, "--json"])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return command


def ends(events: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {e["letter"]: e for e in events if e["event"] in ("done", "failed")}


def test_the_starter_model_with_two_prompts_beside_one_that_is_down(run: Run, tmp_path: Path) -> None:
    asked = ("What colour is the sky?", "--candidates", SMALL, f'{SMALL} system="Answer in one word."', "down:x")
    status, events, _ = run("compare", *asked)
    first, second, down = (ends(events)[letter] for letter in "ABC")
    assert status == 0 and events[0]["in_turn"] == ["A", "B"]
    assert first["loading_s"] > second["loading_s"] == 0
    assert first["memory_bytes"] > 50_000_000 and first["device"] == second["device"]
    assert first["first_token_s"] < first["loading_s"] + first["total_s"]
    assert (first["cost"], first["hosts"], first["counted"]) == (0, [], False)
    assert (down["event"], down["error"]) == ("failed", "Unreachable")
    assert next(n for n, e in enumerate(events) if e == down) < next(n for n, e in enumerate(events) if e == second)

    status, (voted,), _ = run("compare", "vote", events[0]["id"], "b")
    assert status == 0 and voted["choice"] == "B"
    status, board, _ = run("leaderboard")
    assert [(row["name"], row["wins"], row["losses"]) for row in board] == [
        (f"{SMALL}, “Answer in one word.”", 1, 0),
        (SMALL, 0, 1),
    ]
    assert board[0]["low"] < board[0]["rating"] < board[0]["high"]
    call(["leaderboard", "--export", "votes.csv"])
    (row,) = csv.DictReader((tmp_path / "votes.csv").read_text("utf-8").splitlines())
    assert row["choice"] == "B" and json.loads(row["candidates"])[2]["model"] == "down:x"
    assert run("leaderboard", "--forget")[1] == [{"forgotten": 1}] and run("leaderboard")[1] == []


def test_transcribers_are_set_against_what_was_said(run: Run, clips: Mapping[str, Path], server: OpenAIServer) -> None:
    server.queue(Reply(pieces=["A slow red fox."]))
    models = ("faster-whisper:tiny.en", "here:ear")
    status, events, _ = run("compare", "--audio", str(clips["fox"]), "--reference", FOX, "--candidates", *models)
    told = {e["letter"]: e for e in events if e["event"] == "concluded"}
    assert status == 0 and told["A"]["error_rate"] < told["B"]["error_rate"]
    assert {piece["kind"] for piece in told["B"]["diff"]} > {"equal"}
    heard = ends(events)["A"]
    assert heard["loading_s"] > 0 and heard["duration_s"] > 1 and heard["speed"] > 0


def test_pictures_go_into_files_and_a_grid(run: Run, tmp_path: Path) -> None:
    drawn = ("--picture", "A red house", "--seed", "7", "-o", "drawn", "--candidates", "here:a", "here:b", "down:c")
    status, events, _ = run("compare", *drawn)
    assert status == 0 and events[-1] == {"event": "grid", "path": "drawn/grid.png", "seed": 7}
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["A.png", "B.png", "grid.png"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("Why?", "--candidates", "here:a"), "two to four"),
        (("Why?",), "No candidates"),
        (("--candidates", "here:a", "here:b"), "one of the three"),
        (("Why?", "--audio", "assistant.toml"), "one of the three"),
        (("Why?", "--seed", "1", "-c", "here:a", "here:b"), "go with --picture"),
        (("--picture", "x", "-c", "here:a", "here:b temperature=1"), "questions only"),
        (("", "-c", "here:a", "here:b"), "question is empty"),
        (("--picture", " ", "-c", "here:a", "here:b"), "question is empty"),
        (("vote", "01X", "A"), "There is no comparison"),
    ],
)
def test_mistakes_are_told_in_a_line(run: Run, arguments: Sequence[str], part: str) -> None:
    status, events, said = run("compare", *arguments)
    assert (status, events) == (2, []) and part in said and said.count("\n") == 1


def test_all_that_fail_is_a_failure(run: Run) -> None:
    status, events, _ = run("compare", "Why?", "--candidates", "down:a", "down:b", "--time-limit", "20")
    assert status == 1 and {e["event"] for e in ends(events).values()} == {"failed"}


def test_a_dry_run_tells_where_it_would_go_and_sends_nothing(
    run: Run, clips: Mapping[str, Path], server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    status, (told,), _ = run("compare", "Why?", "-c", "openai:gpt-5", SMALL, "--dry-run")
    assert status == 0 and told["to"] == ["OpenAI"] and 0 < told["cost"] <= told["at_most"]
    assert [leg["model"] for leg in told["calls"]] == ["openai:gpt-5", SMALL]
    _, (heard,), _ = run("compare", "--audio", str(clips["fox"]), "-c", "openai:whisper-1", "here:ear", "--dry-run")
    assert heard["currency"] == "USD" and 0 < heard["cost"] < 0.01
    assert call(["compare", "--picture", "A fox", "-c", "here:a", "here:b", "--dry-run"]) == 0
    assert capsys.readouterr().out == "stays here — here:a, here:b\n" and not server.received
