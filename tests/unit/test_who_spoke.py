"""Speakers and their names, kept beside a transcript; the voices are told apart by a rule."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tools.engines.base import Segment
from tools.engines.errors import BadInput
from tools.transcript import Transcript, to_json, to_srt
from tools.who_spoke import Speakers, read_speakers, read_spoken, rename_speakers, tell_apart

SEGMENTS = (Segment(0, 2, "I will call."), Segment(2, 4, "And I pay."), Segment(4, 6, "Good."))


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "talk.json"
    path.write_text(to_json(Transcript("en", 6.0, SEGMENTS)), "utf-8")
    return path


def in_turn(
    _path: Path,
    segments: Sequence[Segment],
    _stop: threading.Event,
    count: int | None,
    on_progress: Callable[[float], None],
) -> list[Segment]:
    on_progress(1.0)
    return [replace(s, speaker=f"Speaker {n % (count or 2) + 1}") for n, s in enumerate(segments)]


def told(transcript: Path, count: int | None = None) -> Speakers:
    return tell_apart(transcript, Path("talk.wav"), in_turn, threading.Event(), count, "Intervenant {n}")


def spoken(transcript: Path) -> list[str | None]:
    return [segment.speaker for segment in read_spoken(transcript)["segments"]]


def test_speakers_are_called_in_the_persons_language(transcript: Path) -> None:
    assert spoken(transcript) == [None, None, None]
    told(transcript)
    assert spoken(transcript) == ["Intervenant 1", "Intervenant 2", "Intervenant 1"]


def test_a_name_is_kept_when_as_many_are_told_apart_again(transcript: Path) -> None:
    told(transcript)
    rename_speakers(transcript, {"Speaker 2": "  Ada \n Lovelace "})
    told(transcript)
    assert spoken(transcript) == ["Intervenant 1", "Ada Lovelace", "Intervenant 1"]
    srt = to_srt(Transcript("en", 6.0, read_spoken(transcript)["segments"]))
    assert "Ada Lovelace: And I pay." in srt


def test_another_number_of_speakers_starts_from_what_was_heard(transcript: Path) -> None:
    told(transcript)
    rename_speakers(transcript, {"Speaker 2": "Ada"})
    told(transcript, 3)
    assert spoken(transcript) == ["Intervenant 1", "Intervenant 2", "Intervenant 3"]


def test_a_transcript_that_has_changed_has_no_speakers_yet(transcript: Path) -> None:
    told(transcript)
    transcript.write_text(to_json(Transcript("en", 2.0, SEGMENTS[:1])), "utf-8")
    assert read_speakers(transcript) is None
    assert spoken(transcript) == [None]


def test_a_torn_file_is_as_good_as_none(transcript: Path) -> None:
    told(transcript)
    kept = transcript.with_suffix(".speakers.json")
    kept.write_text(kept.read_text("utf-8")[:50], "utf-8")
    assert read_speakers(transcript) is None


@pytest.mark.parametrize("names", [{"Speaker 9": "Ada"}, {"Speaker 1": " "}, {"Speaker 1": "A" * 61}])
def test_a_name_that_cannot_be_one_is_refused(transcript: Path, names: dict[str, str]) -> None:
    told(transcript)
    with pytest.raises(BadInput, match="1 to 60 letters"):
        rename_speakers(transcript, names)


def test_nobody_can_be_named_before_the_voices_are_told_apart(transcript: Path) -> None:
    with pytest.raises(BadInput, match="not told apart yet"):
        rename_speakers(transcript, {"Speaker 1": "Ada"})
