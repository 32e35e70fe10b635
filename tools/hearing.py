"""A recording on its way to a transcript: heard piece by piece, kept as it goes, gone on with where it was left."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.context import Artifact, Progress
from tools.engines.base import SURE, ModelCard, Segment, SpeechInfo, SpeechRecognizer, SpeechRequest
from tools.journal import Journal
from tools.transcript import Transcript, to_json
from tools.who_spoke import read_spoken

SAME_S = 0.02
"""Two times that differ by less are the same."""


@dataclass
class Heard:
    """What has been heard of one recording. `target` is its transcript's file, the same for the same recording, model and
    wishes, so that a question about it later need not hear it again."""

    name: str
    request: SpeechRequest
    card: ModelCard
    digest: str
    target: Path
    info: SpeechInfo | None = None
    segments: list[Segment] = field(default_factory=list)
    complete: bool = False

    @property
    def heard_s(self) -> float:
        return self.segments[-1].end_s if self.segments else 0.0

    @property
    def duration_s(self) -> float:
        return self.info.duration_s if self.info else 0.0

    @property
    def transcript(self) -> Transcript:
        return Transcript(self.info.language if self.info else None, self.duration_s, self.segments)

    def artifact(self) -> Artifact:
        """`stopped_s` is there only where the recording was not heard to its end."""
        meta: dict[str, Any] = {
            "language": self.transcript.language,
            "language_probability": self.info.language_probability if self.info else None,
            "duration_s": round(self.duration_s, 2),
            "model": self.card.id,
            "name": self.name,
            "recording": str(self.request.path),
        }
        if self.request.language:
            meta["asked_language"] = self.request.language
        if any(segment.speaker for segment in self.segments):
            meta["speakers"] = True
        if self.request.translate:
            meta["translated"] = True
        if not self.complete:
            meta["stopped_s"] = round(self.heard_s, 2)
        return Artifact("transcript", self.target, "application/json", meta)

    def load(self) -> None:
        """Take up what an earlier turn heard, whole or in part."""
        if self.target.exists():
            value = read_spoken(self.target)
            if value.get("stopped_s") is None:
                self.info, self.segments, self.complete = _info_from(value), list(value["segments"]), True
                self._journal().remove()
                return
        kept = self._journal().read()
        self.info, self.segments = kept.info, kept.segments

    def keep(self, item: SpeechInfo | Segment) -> None:
        self._journal().append(item)

    def save(self) -> None:
        """Write the transcript, whole or as far as it goes; a whole one needs no journal any more."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        info = self.info or SpeechInfo(None, None, 0.0)
        value = {
            **json.loads(to_json(self.transcript)),
            "language_probability": info.language_probability,
            "warning": info.warning,
            "model": self.card.id,
            "stopped_s": None if self.complete else round(self.heard_s, 2),
        }
        aside = self.target.with_suffix(".part")
        aside.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        aside.replace(self.target)
        if self.complete:
            self._journal().remove()

    def doubts(self) -> list[str]:
        """What the person should know before trusting the text."""
        info = self.info
        if info is None:
            return []
        doubts = [f"{self.name}: {info.warning}"] if info.warning else []
        unsure = info.language_probability is not None and info.language_probability < SURE
        if self.segments and not self.request.language and unsure:
            doubts.append(
                f"The language is a guess ({info.language}, {info.language_probability:.0%} sure). "
                "If the text looks wrong, choose the language and transcribe again."
            )
        if self.segments and info.language and self.card.languages and info.language not in self.card.languages:
            doubts.append(
                f"{self.card.id} is weak in this language ({info.language}): expect mistakes. "
                "A larger model, such as faster-whisper:large-v3-turbo, does better."
            )
        return doubts

    def _journal(self) -> Journal:
        wishes = {"language": self.request.language, "translate": self.request.translate}
        more = {"vocabulary": self.request.vocabulary, "word_times": self.request.word_times}
        return Journal(
            self.target.with_suffix(".heard.jsonl"),
            {"digest": self.digest, "model": self.card.id, **wishes, **more},
        )


def open_heard(name: str, request: SpeechRequest, card: ModelCard, folder: Path) -> Heard:
    """The recording with what is already known of it. Reads the whole file: for worker threads."""
    with request.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    recording = digest.hexdigest()
    digest.update(repr((card.id, request.language, request.translate, request.vocabulary)).encode())
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem).strip("-.")[:60] or "recording"
    heard = Heard(name, request, card, recording, folder / f"{stem}-{digest.hexdigest()[:12]}.json")
    heard.load()
    return heard


async def hear(
    heard: Heard, speech: SpeechRecognizer, stop: threading.Event
) -> AsyncGenerator[Segment | Progress, None]:
    """Go on behind what was heard, to the end. However this ends, the transcript so far is in its file.

    Raises: EngineError.
    """
    from_s, began = heard.heard_s, time.monotonic()
    language = heard.request.language or (heard.info.language if heard.info and heard.segments else None)
    request = replace(heard.request, language=language, start_s=from_s)
    yield Progress(_fraction(heard), text=heard.name)
    try:
        async with aclosing(_stream(speech, request, stop)) as items:
            async for item in items:
                if isinstance(item, Segment) and item.end_s <= heard.heard_s + SAME_S:
                    continue
                item = _first_guess(heard, item)  # noqa: PLW2901
                await asyncio.to_thread(heard.keep, item)
                if isinstance(item, SpeechInfo):
                    heard.info = item
                    continue
                heard.segments.append(item)
                yield Progress(_fraction(heard), _left_s(heard, from_s, time.monotonic() - began), item.text)
                yield item
        heard.complete = True
    finally:
        if heard.segments or heard.complete:
            heard.save()


def _first_guess(heard: Heard, item: SpeechInfo | Segment) -> SpeechInfo | Segment:
    """The language was found at the beginning; gone on with, it is only repeated."""
    if isinstance(item, Segment) or heard.info is None or not heard.segments:
        return item
    return replace(item, language=heard.info.language, language_probability=heard.info.language_probability)


def _fraction(heard: Heard) -> float | None:
    return min(1.0, heard.heard_s / heard.duration_s) if heard.duration_s and heard.segments else None


def _left_s(heard: Heard, from_s: float, took_s: float) -> float | None:
    """By the pace of this run: what was taken up from an earlier one took no time."""
    if not heard.duration_s or heard.heard_s <= from_s:
        return None
    return round(max(0.0, heard.duration_s - heard.heard_s) * took_s / (heard.heard_s - from_s), 1)


async def _stream(
    speech: SpeechRecognizer, request: SpeechRequest, stop: threading.Event
) -> AsyncGenerator[SpeechInfo | Segment, None]:
    items = speech.transcribe(request, stop)
    try:
        async for item in items:
            yield item
    finally:
        if close := getattr(items, "aclose", None):
            await close()


def _info_from(value: dict[str, Any]) -> SpeechInfo:
    return SpeechInfo(value["language"], value["language_probability"], value["duration_s"], value["warning"])
