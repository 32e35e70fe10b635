"""A transcript in the formats people use: plain text, SRT, WebVTT, JSON. Times count from the start of the recording."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.engines.base import Segment, Word


@dataclass(frozen=True)
class Transcript:
    language: str | None
    duration_s: float
    segments: Sequence[Segment]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


def to_text(transcript: Transcript) -> str:
    return "".join(f"{spoken(segment)}\n" for segment in transcript.segments)


def to_json(transcript: Transcript) -> str:
    """One JSON object: language, duration_s, segments of start_s, end_s and text, and the whole text."""
    value = {
        "language": transcript.language,
        "duration_s": round(transcript.duration_s, 3),
        "segments": [segment_json(segment) for segment in transcript.segments],
        "text": transcript.text,
    }
    return json.dumps(value, ensure_ascii=False)


def segment_json(segment: Segment) -> dict[str, Any]:
    """start_s, end_s and text; words and speaker only where they are known."""
    return {name: value for name, value in asdict(segment).items() if value or name not in ("words", "speaker")}


def segment_from(value: Mapping[str, Any]) -> Segment:
    """The segment that `segment_json` wrote."""
    return Segment(**{**value, "words": tuple(Word(**word) for word in value.get("words", ()))})


def read_transcript(path: Path) -> dict[str, Any]:
    """A transcript's file as it was written, its segments as values."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**value, "segments": [segment_from(segment) for segment in value["segments"]]}


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, comma before the milliseconds."""
    cues = (
        f"{n}\n{stamp(s.start_s, ',')} --> {stamp(s.end_s, ',')}\n{_cue(spoken(s))}\n"
        for n, s in enumerate(transcript.segments, 1)
    )
    return "\n".join(cues)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (W3C): `&`, `<` and `>` are escaped."""
    cues = (
        f"{stamp(s.start_s, '.')} --> {stamp(s.end_s, '.')}\n"
        f"{_cue(spoken(s)).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}\n"
        for s in transcript.segments
    )
    return "\n".join(["WEBVTT\n", *cues])


FORMATS: Mapping[str, Callable[[Transcript], str]] = {"txt": to_text, "srt": to_srt, "vtt": to_vtt, "json": to_json}


def stamp(seconds: float, point: str) -> str:
    """`75.4` as "00:01:15,400"."""
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def short_stamp(seconds: float) -> str:
    """`75.4` as "1:15"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def spoken(segment: Segment) -> str:
    """The text, behind the speaker's name where the speakers were told apart."""
    return f"{segment.speaker}: {segment.text}" if segment.speaker else segment.text


def _cue(text: str) -> str:
    """An empty line or an arrow would end the cue."""
    return " ".join(text.split()).replace("-->", "→")
