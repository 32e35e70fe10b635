"""The command line: what is refused and how, what is printed where, and the shapes of --json."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from assistant import cli_groups
from assistant.cli import call
from assistant.cli_documents import passage_json, source_json
from assistant.cli_output import failure_status
from assistant.cli_turns import Words
from assistant.events import ArtifactReady, Cited, Decision, Notice, Routed, TextDelta, TurnDone, TurnFailed
from knowledge.documents import Passage, Skipped, Source
from tools.context import Artifact, Citation
from tools.engines.base import Task, Usage

COMMANDS = [
    "run",
    "ask",
    "route",
    "transcribe",
    "imagine",
    "ingest",
    "sources",
    "forget",
    "export-knowledge",
    "search",
    "models",
    "check",
    "users",
    "evaluate",
]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    (tmp_path / "sound.wav").write_bytes(b"RIFF")


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    heavy = "numpy torch chainlit openai langchain sqlalchemy chromadb httpx rich pydantic"
    code = f"import sys, assistant.cli; print([m for m in {heavy.split()!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_models_can_be_filtered_by_every_task() -> None:
    assert set(get_args(cli_groups.Task)) == set(get_args(Task))


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call([]) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call([command, "--help"]) == 0
    assert f"Usage: assistant {command}" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"]) == 0
    assert capsys.readouterr().out.startswith("assistant ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sing"], "sing"),
        (["ask"], "ask --help"),
        (["ask", "  "], "empty"),
        (["ask", "hi", "--attach", "none.pdf"], "none.pdf"),
        (["ask", "hi", "--attach", "."], "."),
        (["ask", "hi", "--tool", "paint"], "generate_image"),
        (["ask", "hi", "--toool", "write_text"], "--tool"),
        (["route"], "--batch"),
        (["route", "hi", "--batch"], "--batch"),
        (["route", "--batch", "--attach", "sound.wav"], "kinds"),
        (["transcribe", "none.wav"], "none.wav"),
        (["transcribe", "sound.wav", "--format", "doc"], "srt"),
        (["transcribe", "sound.wav", "--format", "srt", "--json"], "exclude"),
        (["imagine", "a cat"], "-o"),
        (["imagine", "  ", "-o", "a.png"], "empty"),
        (["imagine", "", "-o", "a.png", "--upscale", "2"], "empty"),
        (["imagine", "a cat", "-o", "a.png", "--upscale", "9"], "--upscale"),
        (["imagine", "a cat", "-o", "a.gif"], ".png"),
        (["imagine", "a cat", "-o", "no/where/a.png"], "folder"),
        (["imagine", "a cat", "-o", "a.png"], "ASSISTANT_IMAGE="),
        (["imagine", "a cat", "-o", "a.png", "--size", "big"], "512x512"),
        (["imagine", "a cat", "-o", "a.png", "--steps", "0"], "--steps"),
        (["imagine", "a cat", "-o", "a.png", "--mask", "sound.wav"], "--from"),
        (["imagine", "a cat", "-o", "a.png", "--strength", "0.5"], "--from"),
        (["ingest"], "ingest --help"),
        (["search", " "], "empty"),
        (["search", "x", "-k", "0"], "-k"),
        (["models", "--task", "smell"], "speech"),
        (["models", "--runs", "nowhere"], "hosted"),
        (["models", "show", "faster-whisper:bas"], "faster-whisper:base"),
        (["models", "show", "gpt-5-mini"], "openai:gpt-5-mini"),
        (["models", "pull", "openai:gpt-5-mini"], "nothing to fetch"),
        (["models", "pull", "faster-whisper:bas"], "base"),
        (["run", "--port", "99999"], "--port"),
        (["run", "--cert", "sound.wav"], "--key"),
        (["users", "remove", "ada"], "ada"),
        (["users"], "users --help"),
    ],
)
def test_a_mistake_of_the_caller_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


def test_a_mistake_in_the_settings_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSISTANT_SPEECH", "foo:bar")
    assert call(["transcribe", "sound.wav"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ASSISTANT_SPEECH" in err
    assert "faster-whisper" in err


def test_the_caller_is_told_apart_from_bad_luck() -> None:
    assert [failure_status(e) for e in ("BadInput", "MissingKey", "Unreachable", "OutOfMemory")] == [2, 2, 1, 1]


def test_models_are_printed_as_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["models", "--task", "speech", "--runs", "local", "--json"]) == 0
    cards = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wanted = [
        "id",
        "task",
        "runs",
        "licence",
        "size_bytes",
        "context_tokens",
        "languages",
        "fits",
        "why",
        "source",
        "sha256",
    ]
    assert all(set(wanted) <= set(card) for card in cards)
    assert {card["task"] for card in cards} == {"speech"}
    assert cards[0]["id"] == "faster-whisper:base"
    assert cards[0]["fits"] is True


def test_no_model_that_matches_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["models", "--name", "nothing like it", "--json"]) == 0
    assert capsys.readouterr().out == ""


def test_one_model_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["models", "show", "onnx:all-MiniLM-L6-v2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["licence"] == "Apache-2.0"


def test_the_check_tells_every_capability(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["check", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == ["chat", "speech", "image", "embedding", "voice"]
    assert all(list(row) == ["name", "model", "runs", "device", "ok", "why", "remedy"] for row in rows)
    assert [row["ok"] for row in rows] == [True, True, False, True, True]
    assert "ASSISTANT_IMAGE=" in rows[2]["remedy"]


def test_the_check_fails_where_a_chosen_model_cannot_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSISTANT_CHAT", "openai:gpt-5-mini")
    monkeypatch.setenv("ASSISTANT_EMBEDDING", "ollama:nomic-embed-text")
    monkeypatch.setenv("ASSISTANT_EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ASSISTANT_SPEACH", "typing mistake")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert call(["check", "--json"]) == 1
    out, err = capsys.readouterr()
    chat, _, _, embedding, _ = [json.loads(line) for line in out.splitlines()]
    assert "OPENAI_API_KEY" in chat["remedy"]
    assert (embedding["ok"], embedding["runs"]) == (False, "local")
    assert "Did you mean ASSISTANT_SPEECH?" in err


def test_the_check_tells_of_the_machine_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["check"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("Memory:", "Disk:", "GPU:"))


def test_accounts_are_added_listed_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("correct horse battery\n", "utf-8")
    with (tmp_path / "password").open(encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert call(["users", "add", "ada"]) == 0
    capsys.readouterr()
    assert call(["users", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "ada"
    assert call(["users", "remove", "ada"]) == 0
    capsys.readouterr()
    assert call(["users", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_a_short_password_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("password").open("w+", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert call(["users", "add", "ada"]) == 2
    assert "too short" in capsys.readouterr().err


def test_a_source_and_a_passage_have_the_published_shape() -> None:
    source = Source(
        "a.pdf", "A", "indexed", 3, 9, "ab", "2025-01-01T00:00:00+00:00", "shared", (Skipped(2, "scanned"),)
    )
    assert list(source_json(source)) == ["source", "title", "state", "pages", "chunks", "sha256", "added", "skipped"]
    assert json.loads(json.dumps(source_json(source)))["skipped"] == [{"page": 2, "why": "scanned"}]
    passage = Passage("text", "a.pdf", "A", 3, None, 0.5, 0.6, "shared", "id")
    assert list(passage_json(passage)) == ["text", "source", "title", "page", "start_s", "score"]


def test_words_go_to_stdout_and_everything_else_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    words = Words()
    words(Routed(Decision("search_knowledge", 0.9, None, False, "classifier")))
    words(TextDelta("It is blue "))
    words(TextDelta("[1]."))
    words(Notice("One page was skipped."))
    words(Cited(Citation(1, "/a.pdf", "Colours", 3, None, "blue", True)))
    words(ArtifactReady(Artifact("image", Path("/a.png"), "image/png")))
    words(TurnDone("It is blue [1].", "search_knowledge", (), (), Usage(), "R"))
    out, err = capsys.readouterr()
    assert out == "It is blue [1].\n/a.png\n[1] Colours, page 3\n"
    assert err == "One page was skipped.\n"
    assert words.status == 0


def test_a_failed_turn_keeps_its_words_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    words = Words()
    words(TextDelta("Half an"))
    words(TurnFailed("Unreachable", "The server was cut off.", "Try again."))
    out, err = capsys.readouterr()
    assert (out, err) == ("Half an\n", "The server was cut off. Try again.\n")
    assert words.status == 1
