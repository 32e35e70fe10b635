"""Telling speakers apart on the packaged weights, with espeak-ng's voices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.sound import record, samples_of, silence
from tools.engines.base import Segment, Word
from tools.engines.errors import Stopped
from tools.engines.speakers import label_speakers

TURNS = ("en+f2", "en+m3", "en+f2", "en+m3")
SAID = "The museum opens on Sundays, and the entrance is free for students."


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Segment]]:
    """Two voices in turn, and where each speaks."""
    folder, parts, segments, at = tmp_path_factory.mktemp("dialogue"), [], [], 0.0
    for voice in TURNS:
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(folder / "turn.wav"), SAID], check=True)
        said = samples_of(folder / "turn.wav")
        parts += [said, silence(0.5)]
        segments.append(Segment(at, at + len(said) / 16_000, SAID))
        at += len(said) / 16_000 + 0.5
    return record(folder / "dialogue.wav", np.concatenate(parts)), segments


@pytest.mark.parametrize("known", [None, 2])
def test_two_voices_are_told_apart(
    dialogue: tuple[Path, list[Segment]], models_folder: Path, known: int | None
) -> None:
    told = label_speakers(*dialogue, threading.Event(), models_folder, known)
    assert [segment.speaker for segment in told] == ["Speaker 1", "Speaker 2", "Speaker 1", "Speaker 2"]


def test_one_voice_is_one_speaker(dialogue: tuple[Path, list[Segment]], models_folder: Path) -> None:
    path, segments = dialogue
    told = label_speakers(path, segments[::2], threading.Event(), models_folder)
    assert [segment.speaker for segment in told] == ["Speaker 1", "Speaker 1"]


def test_a_segment_of_two_voices_is_divided_at_the_word(
    dialogue: tuple[Path, list[Segment]], models_folder: Path
) -> None:
    path, (first, second, *_) = dialogue
    both = replace(first, end_s=second.end_s, text=f"{SAID} {SAID}", words=(*_evenly(first), *_evenly(second)))
    told = label_speakers(path, [both], threading.Event(), models_folder)
    assert [(segment.speaker, segment.text) for segment in told] == [("Speaker 1", SAID), ("Speaker 2", SAID)]
    assert (told[0].end_s, told[1].start_s) == (both.words[11].end_s, both.words[12].start_s)


def _evenly(segment: Segment) -> list[Word]:
    words = segment.text.split()
    edges = np.linspace(segment.start_s, segment.end_s, len(words) + 1)
    return [Word(float(a), float(b), word) for a, b, word in zip(edges, edges[1:], words, strict=False)]


def test_stop_ends_it(dialogue: tuple[Path, list[Segment]], models_folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        label_speakers(*dialogue, stop, models_folder)


@pytest.mark.parametrize(
    ("options", "more"), [([], set()), (["--words"], {"words"}), (["--speakers", "2"], {"speaker"})]
)
def test_the_command_tells_words_and_speakers_only_where_asked(
    dialogue: tuple[Path, list[Segment]], home: Path, options: list[str], more: set[str]
) -> None:
    command = [sys.executable, "-m", "assistant.cli", "transcribe", str(dialogue[0]), "--json", *options]
    surroundings = {"ASSISTANT_HOME": str(home), "ASSISTANT_SPEECH": "faster-whisper:tiny.en"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **surroundings})
    segments = json.loads(done.stdout)["segments"]
    assert all(set(segment) == {"start_s", "end_s", "text"} | more for segment in segments)
    if "speaker" in more:
        assert {segment["speaker"] for segment in segments} == {"Speaker 1", "Speaker 2"}
