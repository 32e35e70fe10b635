"""Recordings of a data set: what a speech model makes of one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from assistant.engines import Engines
from tools.engines.base import Segment, SpeechInfo, SpeechRequest


@dataclass(frozen=True)
class Heard:
    """`total_s` is how long it took, `duration_s` how long the sound is."""

    text: str
    total_s: float
    duration_s: float


async def transcribe(engines: Engines, model: str | None, recording: Path) -> Heard:
    """By `model`, or the one that is set. Raises: EngineError, SettingsError."""
    stop, started = threading.Event(), time.monotonic()
    settings = engines.settings.speech
    request = SpeechRequest(recording, language=settings.language, vocabulary=settings.vocabulary)
    texts, duration_s = [], 0.0
    try:
        async for piece in engines.speech({"speech": model} if model else None).transcribe(request, stop):
            if isinstance(piece, Segment):
                texts.append(piece.text.strip())
            elif isinstance(piece, SpeechInfo):
                duration_s = piece.duration_s
    finally:
        stop.set()
    return Heard(" ".join(texts), time.monotonic() - started, duration_s)
