"""Who spoke when: the lines of a transcript with their speakers, and the names that a person gave them, kept in a file beside it.

The transcript itself stays as it was heard, so that its speakers can be told apart anew, into more or fewer.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.engines.base import Segment, TellApart
from tools.engines.errors import BadInput
from tools.transcript import read_transcript, segment_from, segment_json

MOST_SPEAKERS = 8
LONGEST_NAME = 60
LABEL = "Speaker "


@dataclass(frozen=True)
class Speakers:
    """`segments` name their speakers by label, "Speaker 1"; `names` tell what each is called."""

    segments: Sequence[Segment]
    names: Mapping[str, str]

    @property
    def named(self) -> list[Segment]:
        return [replace(s, speaker=self.names.get(s.speaker, s.speaker)) for s in self.segments if s.speaker]


def read_spoken(transcript: Path) -> dict[str, Any]:
    """A transcript's file as it was written, its segments as values, with the names of their speakers where they were told apart."""
    value, speakers = read_transcript(transcript), read_speakers(transcript)
    return {**value, "segments": speakers.named} if speakers else value


def read_speakers(transcript: Path) -> Speakers | None:
    """None where they were not told apart, or the transcript has changed since."""
    try:
        kept = json.loads(_beside(transcript).read_text("utf-8"))
        if kept["of"] != _digest(transcript):
            return None
        return Speakers([segment_from(segment) for segment in kept["segments"]], kept["names"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def tell_apart(
    transcript: Path,
    recording: Path,
    apart: TellApart,
    stop: threading.Event,
    count: int | None = None,
    called: str = "Speaker {n}",
    on_progress: Callable[[float], None] = lambda _: None,
) -> Speakers:
    """Who speaks in the recording, each called as `called` says; as many as before keep their names. For worker threads.

    Raises: EngineError.
    """
    segments = apart(recording, read_transcript(transcript)["segments"], stop, count, on_progress)
    labels = dict.fromkeys(s.speaker for s in segments if s.speaker)
    before = read_speakers(transcript)
    names = {label: called.format(n=label.removeprefix(LABEL)) for label in labels}
    if before and before.names.keys() == names.keys():
        names = dict(before.names)
    return _keep(transcript, Speakers(segments, names))


def rename_speakers(transcript: Path, names: Mapping[str, str]) -> Speakers:
    """Raises: BadInput where nobody was told apart, for an unknown label, an empty or an endless name."""
    speakers = read_speakers(transcript)
    if speakers is None:
        raise BadInput("The speakers of this recording are not told apart yet.", "Do that first.")
    cleaned = {label: " ".join(name.split()) for label, name in names.items()}
    if not all(label in speakers.names and 0 < len(name) <= LONGEST_NAME for label, name in cleaned.items()):
        raise BadInput(f"A speaker's name has 1 to {LONGEST_NAME} letters.", "Choose another.")
    return _keep(transcript, replace(speakers, names={**speakers.names, **cleaned}))


def _keep(transcript: Path, speakers: Speakers) -> Speakers:
    """Whole or not at all."""
    segments = [segment_json(segment) for segment in speakers.segments]
    value = {"of": _digest(transcript), "names": speakers.names, "segments": segments}
    aside = _beside(transcript).with_suffix(".part")
    aside.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    aside.replace(_beside(transcript))
    return speakers


def _beside(transcript: Path) -> Path:
    return transcript.with_suffix(".speakers.json")


def _digest(transcript: Path) -> str:
    return hashlib.sha256(transcript.read_bytes()).hexdigest()
