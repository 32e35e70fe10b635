"""kill -9 half-way through a recording: asked again, it goes on where it was; no sentence is lost or said twice."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sound import speak
from tests.speech import STORY
from tools.transcript import read_transcript

ASSISTANT = str(Path(sys.executable).parent / "assistant")
ONCE = ("half past seven", "signed contract", "museum", "old clock", "long journey", "lighthouse")


def test_a_killed_transcription_goes_on_where_it_was(home: Path, tmp_path: Path) -> None:
    story = speak(tmp_path / "story.wav", f"{STORY} Then the second half of the story begins. " * 2)
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_SPEECH": "faster-whisper:tiny.en"}
    command = [ASSISTANT, "ask", "Transcribe this", "--attach", str(story), "--thread", "t", "--json"]
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert killed.stdout is not None
    for line in killed.stdout:
        if json.loads(line)["event"] == "text_delta":
            break
    killed.kill()
    killed.wait(10)

    (journal,) = (home / "artifacts" / "t").glob("*.jsonl")
    lines = journal.read_text("utf-8").splitlines()
    before = [row["segment"]["text"] for row in map(json.loads, lines) if "segment" in row]
    assert 0 < len(before) < 20
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=True)
    done = json.loads(again.stdout.splitlines()[-1])
    (artifact,) = done["artifacts"]
    segments = read_transcript(Path(artifact["path"]))["segments"]
    assert [s.text for s in segments[: len(before)]] == before
    assert all(one.end_s <= other.start_s + 0.5 for one, other in itertools.pairwise(segments))
    text = " ".join(s.text for s in segments).lower()
    assert {words: text.count(words) for words in ONCE} == dict.fromkeys(ONCE, 2)
    assert "stopped_s" not in artifact["meta"]
    assert not journal.exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_transcribe_command_goes_on_where_it_was_stopped(home: Path, tmp_path: Path, how: signal.Signals) -> None:
    story = speak(tmp_path / "story.wav", f"{STORY} Then the second half of the story begins. " * 2)
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_SPEECH": "faster-whisper:tiny.en"}
    command, folder = [ASSISTANT, "transcribe", str(story), "--json"], home / "transcribing"
    stopped = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    before = _sentences_in(folder, stopped)
    stopped.send_signal(how)
    printed, said = stopped.communicate(timeout=30)
    assert printed == ""
    assert ("goes on from there" in said) == (how == signal.SIGINT)

    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=True)
    value = json.loads(again.stdout)
    assert [segment["text"] for segment in value["segments"][: len(before)]] == before
    assert {words: value["text"].lower().count(words) for words in ONCE} == dict.fromkeys(ONCE, 2)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def _sentences_in(folder: Path, running: subprocess.Popen[str]) -> list[str]:
    """What the journal of a running command holds, as soon as there is a sentence in it."""
    while running.poll() is None:
        rows = [json.loads(line) for path in folder.rglob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
        if sentences := [row["segment"]["text"] for row in rows if "segment" in row]:
            return sentences
        time.sleep(0.02)
    raise AssertionError(f"It ended before a sentence was kept: {running.communicate()}")


def test_an_ingested_recording_is_found_with_its_time(home: Path, tmp_path: Path) -> None:
    story = speak(tmp_path / "story.wav", STORY)
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_SPEECH": "faster-whisper:tiny.en"}

    def printed(*arguments: str) -> list[dict[str, object]]:
        command = [ASSISTANT, *arguments, "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    (source,) = printed("ingest", str(story))
    assert (source["source"], source["state"]) == (str(story), "indexed")
    (passage,) = printed("search", "a walk to the lighthouse tomorrow", "-k", "1")
    assert passage["source"] == str(story)
    assert float(str(passage["start_s"])) > 10
    assert list((home / "artifacts" / "ingest").glob("story-*.json"))
    printed("forget", str(story))
    assert list((home / "artifacts" / "ingest").iterdir()) == []
