"""A recording that is stopped, killed or failed half-way goes on where it was, and nothing is lost or said twice."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.test_transcribe_audio import FakeSpeech, context, kept, outputs_of, words
from tools.context import Artifact, Progress
from tools.engines.base import Segment, SpeechInfo, SpeechRequest, Word
from tools.engines.errors import Unreachable
from tools.hearing import Heard, hear, open_heard
from tools.journal import Journal
from tools.transcribe_audio import transcribe_audio
from tools.transcript import read_transcript

INFO = SpeechInfo("fr", 0.4, 40.0)
SEGMENTS = [Segment(10.0 * n, 10.0 * n + 9, f"Sentence {n}.") for n in range(4)]


class Breaks(FakeSpeech):
    """Breaks off after `count` items, unless it is asked to go on behind them."""

    def __init__(self, count: int, *, obeys: bool = True) -> None:
        super().__init__(INFO, *SEGMENTS)
        self.count, self.obeys = count, obeys

    async def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        self.requests.append(request)
        for number, item in enumerate(self.items):
            if number == self.count and not request.start_s:
                raise Unreachable("The server broke off.")
            if isinstance(item, Segment) and self.obeys and item.end_s <= request.start_s:
                continue
            yield replace(item, language=request.language or "fr") if isinstance(item, SpeechInfo) else item


@pytest.mark.parametrize("obeys", [True, False])
async def test_what_was_heard_before_a_failure_is_neither_heard_nor_said_again(tmp_path: Path, obeys: bool) -> None:
    speech = Breaks(3, obeys=obeys)
    with pytest.raises(Unreachable):
        await outputs_of(context(tmp_path, speech))
    outputs = await outputs_of(context(tmp_path, speech))
    assert [(r.start_s, r.language) for r in speech.requests] == [(0.0, None), (19.0, "fr")]
    assert [line.partition("] ")[2] for line in words(outputs).split("  \n")[:4]] == [s.text for s in SEGMENTS]
    artifact = next(o for o in outputs if isinstance(o, Artifact))
    assert read_transcript(artifact.path)["segments"] == SEGMENTS
    assert list(artifact.path.parent.glob("*.jsonl")) == []


async def test_a_failure_hands_over_a_transcript_that_says_where_it_stopped(tmp_path: Path) -> None:
    turn = context(tmp_path, Breaks(3))
    with pytest.raises(Unreachable):
        await outputs_of(turn)
    assert kept[0].meta["stopped_s"] == 19.0
    value = json.loads(kept[0].path.read_text())
    assert (value["stopped_s"], value["text"]) == (19.0, "Sentence 0. Sentence 1.")


async def test_the_first_guess_of_the_language_stays_doubtful(tmp_path: Path) -> None:
    speech = Breaks(3)
    with pytest.raises(Unreachable):
        await outputs_of(context(tmp_path, speech))
    outputs = await outputs_of(context(tmp_path, speech))
    assert any("guess" in getattr(o, "text", "") for o in outputs)


class Waits(FakeSpeech):
    """Never comes to an end."""

    async def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        for item in self.items:
            yield item
        await asyncio.Event().wait()


async def test_stop_keeps_what_is_done(tmp_path: Path) -> None:
    turn = context(tmp_path, Waits(INFO, *SEGMENTS[:2]))
    said = asyncio.Event()

    async def listen() -> None:
        async for output in transcribe_audio(turn):
            if "Sentence 1" in getattr(output, "text", ""):
                said.set()

    task = asyncio.create_task(listen())
    await asyncio.wait_for(said.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert read_transcript(kept[0].path)["segments"] == SEGMENTS[:2]


async def test_the_time_left_counts_only_what_this_run_heard(tmp_path: Path) -> None:
    recording = tmp_path / "talk.wav"
    recording.write_bytes(b"sound")
    heard = Heard("talk.wav", SpeechRequest(recording), FakeSpeech.card, "", tmp_path / "talk.json")
    heard.info, heard.segments = INFO, SEGMENTS[:3]
    outputs = [o async for o in hear(heard, FakeSpeech(INFO, *SEGMENTS), threading.Event())]
    bars = [o for o in outputs if isinstance(o, Progress)]
    assert [bar.fraction for bar in bars] == [29 / 40, 39 / 40]
    assert bars[-1].eta_s is not None and bars[-1].eta_s < 1


def journal(folder: Path, **header: str) -> Journal:
    return Journal(folder / "a.jsonl", header)


def test_a_torn_last_line_is_left_out_and_written_over(tmp_path: Path) -> None:
    for item in (INFO, *SEGMENTS[:2]):
        journal(tmp_path, digest="1").append(item)
    path = tmp_path / "a.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert journal(tmp_path, digest="1").read().segments == SEGMENTS[:1]
    journal(tmp_path, digest="1").append(SEGMENTS[1])
    again = journal(tmp_path, digest="1").read()
    assert (again.info, again.segments) == (INFO, SEGMENTS[:2])


def test_a_journal_of_another_recording_is_begun_anew(tmp_path: Path) -> None:
    journal(tmp_path, digest="1").append(INFO)
    assert journal(tmp_path, digest="2").read().info is None
    journal(tmp_path, digest="2").append(INFO)
    assert journal(tmp_path, digest="2").read().info == INFO


def test_lines_that_two_writers_wrote_at_once_count_once(tmp_path: Path) -> None:
    for item in (INFO, SEGMENTS[0], SEGMENTS[0], SEGMENTS[1], SEGMENTS[0]):
        journal(tmp_path).append(item)
    assert journal(tmp_path).read().segments == SEGMENTS[:2]


def test_words_and_speakers_are_kept(tmp_path: Path) -> None:
    segment = Segment(0, 2, "Hello there.", (Word(0, 1, "Hello"), Word(1, 2, "there.")), "Speaker 1")
    journal(tmp_path).append(segment)
    assert journal(tmp_path).read().segments == [segment]


def test_other_wishes_make_another_transcript(tmp_path: Path) -> None:
    recording = tmp_path / "talk.wav"
    recording.write_bytes(b"sound")
    requests = [SpeechRequest(recording, language=language) for language in (None, "fr")]
    targets = {open_heard("talk.wav", r, FakeSpeech.card, tmp_path).target for r in requests}
    assert len(targets) == 2
