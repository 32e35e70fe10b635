"""The `assistant` command as people run it: a process of its own, with the starter models."""

import asyncio
import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from assistant.cli import call
from assistant.history import History, sqlite_url
from knowledge.lock import WriteLock
from tests.tiny_pipeline import build_tiny_pipeline
from tools.picture_files import read_facts

SENTENCE = "The meeting starts at nine in the morning."


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Path:
    """One home for all: its knowledge base and weights are set up once."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    folder.mkdir()
    (folder / "models").symlink_to(models_folder)
    return folder


@pytest.fixture
def environment(shared_home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSISTANT_")}
    chosen = {"ASSISTANT_HOME": str(shared_home), "ASSISTANT_CHAT": "llama-cpp:smollm2-135m-instruct"}
    repeatable = {"ASSISTANT_CHAT_TEMPERATURE": "0", "ASSISTANT_CHAT_MAX_TOKENS": "24"}
    return {**kept, **chosen, **repeatable, "ASSISTANT_SPEECH": "faster-whisper:tiny.en"}


@pytest.fixture
def process(environment: dict[str, str], tmp_path: Path) -> Run:
    """The command in a process of its own."""

    def run(*arguments: str, **settings: str) -> Done:
        done = subprocess.run(
            command(*arguments),
            check=False,
            cwd=tmp_path,
            env={**environment, **settings},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def assistant(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The same command within this process, which need not import everything again."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str = "", **settings: str) -> Done:
        for name, value in {**environment, **settings}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        capsys.readouterr()
        status = call(arguments)
        return Done(status, *capsys.readouterr())

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "assistant.cli", *arguments]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "meeting.wav"
    subprocess.run(["espeak-ng", "-s", "140", "-w", str(path), SENTENCE], check=True)
    return path


def lines(done: Done) -> list[Any]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_question_streams_events_and_ends_with_done(process: Run) -> None:
    events = lines(process("ask", "What is the capital of France?", "--tool", "write_text", "--json"))
    assert [events[0]["event"], events[1]["event"], events[-1]["event"]] == ["routed", "tool_started", "done"]
    assert list(events[0])[1:] == ["tool", "confidence", "runner_up", "abstained", "why"]
    said = "".join(event["text"] for event in events if event["event"] == "text_delta")
    done = events[-1]
    assert list(done) == ["event", "answer", "tool", "artifacts", "citations", "usage", "receipt"]
    assert done["answer"] == said != ""
    assert done["usage"]["cost"] == 0, "a model of this machine costs nothing"
    assert done["usage"]["completion_tokens"] > 0


def test_an_answer_in_words_is_all_that_stdout_holds(assistant: Run) -> None:
    done = assistant("ask", "What is the capital of France?", "--tool", "write_text")
    assert done.returncode == 0
    assert "Paris" in done.stdout
    assert "routed" not in done.stdout + done.stderr


def test_a_thread_is_remembered_from_one_call_to_the_next(assistant: Run) -> None:
    assistant("ask", "draw a lighthouse", "--thread", "t", "--tool", "write_text")
    second = lines(assistant("ask", "Again, please.", "--thread", "t", "--tool", "write_text", "--json"))[-1]
    alone = lines(assistant("ask", "Again, please.", "--tool", "write_text", "--json"))[-1]
    assert second["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"]


def test_ctrl_c_stops_and_keeps_what_was_answered(
    environment: dict[str, str], tmp_path: Path, shared_home: Path
) -> None:
    question = ["ask", "Write a long story about a horse.", "--tool", "write_text", "--thread", "stopped", "--json"]
    environment = {**environment, "ASSISTANT_CHAT_MAX_TOKENS": "2000"}
    with subprocess.Popen(
        command(*question), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        said = []
        for line in process.stdout or ():
            event = json.loads(line)
            said += [event["text"]] if event["event"] == "text_delta" else []
            if len(said) == 5:
                process.send_signal(signal.SIGINT)
        assert event["event"] == "failed"
        assert event["error"] == "Stopped"
        assert process.wait(timeout=30) == 130
    with contextlib.closing(sqlite3.connect(shared_home / "history.db")) as history:
        query = "SELECT state, answer FROM assistant_turns WHERE thread = 'stopped'"
        ((state, answer),) = history.execute(query).fetchall()
    assert state == "stopped"
    assert answer.startswith("".join(said[:5]))


def test_a_reader_that_leaves_early_hears_no_complaint(environment: dict[str, str], tmp_path: Path) -> None:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command("models", "--json"), cwd=tmp_path, env=environment, **streams) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_decision_alone_has_the_published_shape(assistant: Run) -> None:
    (decision,) = lines(assistant("route", "draw a red fox in the snow", "--json"))
    assert list(decision) == ["tool", "confidence", "runner_up", "abstained", "why"]
    assert decision["tool"] == "generate_image"


def test_an_attached_recording_is_routed_to_the_transcript(assistant: Run, recording: Path) -> None:
    (decision,) = lines(assistant("route", "what is said here?", "--attach", str(recording), "--json"))
    assert decision["tool"] == "transcribe_audio"


def test_a_batch_is_decided_line_by_line_in_order(assistant: Run) -> None:
    batch = [
        {"id": "a", "text": "dessine un chat"},
        {"id": 7, "text": "what does it say?", "kinds": ["document"], "label": "ignored"},
        {"id": "c", "text": "now at night", "thread": [{"text": "draw a house", "tool": "generate_image"}]},
    ]
    decisions = lines(assistant("route", "--batch", stdin="\ufeff" + "\n\n".join(map(json.dumps, batch)) + "\n"))
    assert [decision["id"] for decision in decisions] == ["a", 7, "c"]
    assert [decision["tool"] for decision in decisions] == ["generate_image", "search_knowledge", "generate_image"]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"id": "b"}',
        '{"text": "b"}',
        '{"id": "b", "text": 5}',
        '{"id": "b", "text": "b", "kinds": ["smell"]}',
        '{"id": "b", "text": "b", "kinds": "audio"}',
        '{"id": "b", "text": "b", "thread": ["b"]}',
        '{"id": "b", "text": "b", "thread": [{"text": "b", "tool": "paint"}]}',
    ],
)
def test_a_malformed_line_of_a_batch_is_named_by_its_number(assistant: Run, line: str) -> None:
    done = assistant("route", "--batch", stdin=f'{{"id": "a", "text": "draw a cat"}}\n{line}\n')
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.startswith("Line 2 ")
    assert done.stderr.count("\n") == 1


def test_a_recording_is_transcribed_in_every_format(process: Run, assistant: Run, recording: Path) -> None:
    (value,) = lines(process("transcribe", str(recording), "--json"))
    assert list(value) == ["language", "duration_s", "segments", "text"]
    assert list(value["segments"][0]) == ["start_s", "end_s", "text"]
    assert "meeting" in value["text"].lower()
    assert assistant("transcribe", str(recording)).stdout.strip() == "\n".join(s["text"] for s in value["segments"])
    assert assistant("transcribe", str(recording), "--format", "srt").stdout.startswith("1\n00:00:00,")
    assert assistant("transcribe", str(recording), "--format", "vtt").stdout.startswith("WEBVTT\n\n00:00:00.")


@pytest.mark.parametrize("content", [b"", b"RIFF\x00", b"\x89PNG\r\n\x1a\n" + bytes(99), b"just words, no sound"])
def test_what_is_no_recording_is_refused_in_one_line(assistant: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    done = assistant("transcribe", "a.wav", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "a.wav" in done.stderr


def test_a_picture_is_drawn_into_the_file_that_was_named(assistant: Run, tmp_path: Path) -> None:
    pipeline = build_tiny_pipeline(tmp_path / "tiny")
    choice = {"ASSISTANT_IMAGE": f"diffusers:{pipeline}"}
    options = ["--seed", "7", "--steps", "2", "--size", "64x64"]
    drawn, other = lines(
        assistant("imagine", "a red fox", "-o", "fox.png", *options, "--count", "2", "--json", **choice)
    )
    assert list(drawn) == ["path", "width", "height", "seed", "model", "seconds"]
    assert (drawn["path"], drawn["width"], drawn["height"], drawn["seed"]) == ("fox-1.png", 64, 64, 7)
    assert (other["path"], other["seed"]) == ("fox-2.png", 8)
    facts = read_facts(tmp_path / "fox-1.png")
    assert (facts["prompt"], facts["seed"], facts["steps"]) == ("a red fox", 7, 2)
    again = assistant(
        "imagine",
        "a red fox",
        "-o",
        "again.jpg",
        *options,
        "--negative",
        "grass",
        "--from",
        "fox-1.png",
        "--strength",
        "0.9",
        **choice,
    )
    assert (again.returncode, again.stdout) == (0, "again.jpg\n"), again.stderr
    assert (tmp_path / "again.jpg").read_bytes().startswith(b"\xff\xd8")
    larger = assistant("imagine", "", "-o", "large.png", "--from", "fox-1.png", "--upscale", "1.5", "--json", **choice)
    assert [lines(larger)[0][side] for side in ("width", "height")] == [96, 96]
    assert larger.stderr == ""
    assert read_facts(tmp_path / "large.png")["prompt"] == "a red fox"
    told = assistant("imagine", "", "-o", "plain.png", "--from", "again.jpg", "--upscale", "2", **choice)
    assert "without new detail" in told.stderr
    assert Image.open(tmp_path / "plain.png").size == (128, 128)
    assert list(tmp_path.glob(".*.part")) == []


def test_documents_go_in_are_found_and_go_out_again(assistant: Run, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / ".hidden").mkdir(parents=True)
    (folder / ".hidden" / "a.txt").write_text("secret", "utf-8")
    (folder / "cat.md").write_text("# Mimi\n\nThe office cat is called Mimi.\n", "utf-8")
    (source,) = lines(assistant("ingest", "papers", "--json"))
    assert list(source) == ["source", "title", "state", "pages", "chunks", "sha256", "added", "skipped"]
    assert (source["source"], source["state"]) == (str(folder / "cat.md"), "indexed")
    found = lines(assistant("search", "What is the cat called?", "-k", "1", "--collection", "shared", "--json"))
    assert list(found[0]) == ["text", "source", "title", "page", "start_s", "score"]
    assert "Mimi" in found[0]["text"]
    assert {**source, "collection": "shared", "tags": []} in lines(assistant("sources", "--json"))
    assistant("ingest", "papers", "--collection", "user-ada")
    refused = assistant("forget", "papers/cat.md")
    assert refused.returncode == 2 and "shared, user-ada" in refused.stderr
    assistant("forget", "papers/cat.md", "--collection", "user-ada")
    assert lines(assistant("forget", "papers/cat.md", "--json")) == [source]
    assert source["source"] not in [row["source"] for row in lines(assistant("sources", "--json"))]


def test_a_collection_is_forgotten_whole_with_what_was_kept_of_it(
    assistant: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(f"The {name} harbour.", "utf-8")
    sources = lines(assistant("ingest", "one.txt", "two.txt", "--collection", "quay", "--json"))
    refused = assistant("forget", "--collection", "quay")
    assert (refused.returncode, "Nothing was forgotten" in refused.stderr) == (2, True), refused.stderr
    kept = Path(environment["ASSISTANT_HOME"]) / "kept"
    kept.mkdir(exist_ok=True)
    (kept / str(sources[0]["sha256"])).write_text("The one harbour.", "utf-8")
    gone = lines(assistant("forget", "--collection", "quay", "--yes", "--json"))
    assert sorted(str(source["source"]) for source in gone) == sorted(str(source["source"]) for source in sources)
    assert not (kept / str(sources[0]["sha256"])).exists()
    assert not {str(source["source"]) for source in lines(assistant("sources", "--json"))} & {
        str(source["source"]) for source in sources
    }


def test_the_manual_is_searched_from_the_first_start(assistant: Run) -> None:
    found = lines(assistant("search", "Which files can I drop into a chat?", "--json"))
    assert found
    assert all(passage["source"].endswith(".md") for passage in found)


def test_one_bad_file_does_not_keep_the_others_out(assistant: Run, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("The printer is on the second floor.", "utf-8")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 cut off")
    done = assistant("ingest", "bad.pdf", "good.txt", "--collection", "floor", "--json")
    assert done.returncode == 1
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["failed", "indexed"]
    assert done.stderr.startswith("bad.pdf: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "none.pdf"], "none.pdf"),
        (["ingest", "empty"], "no files"),
        (["forget", "none.pdf"], "assistant sources"),
        (["search", "x", "--collection", "none"], "none"),
        (["ask", "hello", "--attach", "empty.pdf"], "empty"),
        (["ask", "hello", "--attach", "strange.bin"], "strange.bin"),
    ],
)
def test_what_is_not_there_is_one_line_and_status_2(
    assistant: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.pdf").touch()
    (tmp_path / "strange.bin").write_bytes(bytes(range(256)))
    done = assistant(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_while_another_process_writes_the_command_says_so(assistant: Run, shared_home: Path, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("Something new.", "utf-8")
    lock = WriteLock(shared_home / "knowledge" / "writer.lock")
    lock.take()
    try:
        done = assistant("ingest", "new.txt")
        found = assistant("search", "printer", "--json")
    finally:
        lock.release()
    assert done.returncode == 1
    assert "another process" in done.stderr
    assert found.returncode == 0


def test_text_of_any_script_and_broken_names_are_printed(process: Run, tmp_path: Path) -> None:
    (tmp_path / "日本語 🦊.txt").write_text("שלום עולם — a greeting", "utf-8")
    done = process("ingest", "日本語 🦊.txt", "--collection", "scripts", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "日本語 🦊.txt" in done.stdout
    found = process("search", "greeting", "--collection", "scripts", PYTHONIOENCODING="ascii")
    assert "שלום עולם" in found.stdout


def test_a_home_that_cannot_be_made_is_one_line(assistant: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = assistant("ask", "hello", ASSISTANT_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 2
    assert "ASSISTANT_HOME" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_history_that_cannot_be_kept_is_one_line(assistant: Run, tmp_path: Path, models_folder: Path) -> None:
    (tmp_path / "home" / "history.db").mkdir(parents=True)
    (tmp_path / "home" / "models").symlink_to(models_folder)
    done = assistant("ask", "hello", "--json", ASSISTANT_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["error"] == "HistoryError"
    assert done.stderr.startswith("The history cannot be kept")
    assert done.stderr.count("\n") == 1


def test_somebody_elses_thread_is_not_gone_on_with(assistant: Run, shared_home: Path) -> None:
    async def begin() -> None:
        history = History(sqlite_url(shared_home))
        await history.begin("hers", "ada", "hello", [])
        await history.close()

    asyncio.run(begin())
    done = assistant("ask", "what did I say?", "--thread", "hers")
    assert (done.returncode, done.stdout) == (2, "")
    assert "belongs to ada" in done.stderr


def test_a_starter_model_is_pulled_without_a_network(assistant: Run) -> None:
    done = assistant("models", "pull", "llama-cpp:smollm2-135m-instruct", ASSISTANT_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip(), "model.gguf").exists()


def test_a_model_of_the_hub_is_refused_offline_in_one_line(assistant: Run) -> None:
    done = assistant("models", "pull", "faster-whisper:small", ASSISTANT_OFFLINE="1")
    assert done.returncode == 2
    assert "offline" in done.stderr
    assert done.stderr.count("\n") == 1


PROMPTS = """
[[prompt]]
name = "capital"
message = "The capital of {{country}} is called what? {{text}}"
examples = [{ question = "The capital of Spain is called what?", answer = "Madrid" }]
inputs = [{ name = "country", type = "choice", choices = ["France", "Italy"], default = "France" }]
"""


def test_a_prompt_is_kept_asked_by_its_command_changed_and_restored(assistant: Run, tmp_path: Path) -> None:
    added = assistant("prompts", "add", "-", stdin=PROMPTS)
    assert (added.returncode, added.stdout) == (0, "/capital is kept as version 1.\n")
    asked = lines(assistant("ask", "/capital country=Italy In one word.", "--json"))
    assert [asked[0]["tool"], asked[-1]["event"]] == ["write_text", "done"]
    (receipt,) = lines(assistant("receipts", "show", asked[-1]["receipt"], "--json"))
    used = receipt["prompt"]
    assert used["message"] == "The capital of Italy is called what? In one word."
    assert used["examples"] == [["The capital of Spain is called what?", "Madrid"]]
    assert assistant("prompts", "add", "-", stdin=PROMPTS.replace("Madrid", "Madrid, Spain")).returncode == 0
    assert "version 3" in assistant("prompts", "restore", "capital", "1").stdout
    (shown,) = lines(assistant("prompts", "show", "capital", "--json"))
    assert shown["examples"][0]["answer"] == "Madrid" and shown["tokens"] > 0
    assert [one["version"] for one in shown["versions"]] == [3, 2, 1]
    exported = tmp_path / "mine.json"
    assert assistant("prompts", "export", "-o", str(exported)).returncode == 0
    assert assistant("prompts", "remove", "capital").stdout == "/capital is removed, with 3 versions.\n"
    assert assistant("prompts", "add", str(exported)).stdout == "/capital is kept as version 1.\n"


def test_a_prompt_that_lacks_something_says_what_and_asks_nothing(assistant: Run, tmp_path: Path) -> None:
    no_choice = assistant("ask", "/translate language=Klingon Good morning.")
    assert (no_choice.returncode, no_choice.stdout) == (2, "")
    assert "Klingon" in no_choice.stderr and "French" in no_choice.stderr
    no_text = assistant("ask", "/translate")
    assert no_text.returncode == 2 and "/translate needs a text." in no_text.stderr
    no_profile = assistant("ask", "Hello", "--profile", "nobody")
    assert no_profile.returncode == 0 and "The prompt nobody" in no_profile.stderr
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[prompt]]\nname = "a b"\nmessage = "{{x}}"\n')
    broken = assistant("prompts", "add", str(wrong))
    assert broken.returncode == 2 and "a b" in broken.stderr
    assert "a b" not in assistant("prompts").stdout
