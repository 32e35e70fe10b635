"""Hosted speech recognition: a recording is decoded here and sent in windows, so that neither its size nor its format matters.

Each window travels as FLAC (lossless, 16 kHz mono, without the file's name or tags) and its times are moved to the recording's.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from tools.engines.audio import SAMPLE_RATE_HZ, Recording, Window
from tools.engines.base import Segment, SpeechInfo, SpeechRequest, Word
from tools.engines.errors import BadInput, Stopped
from tools.engines.hosted import Hosted, failures, refuses, until_stopped

WINDOW_S = 600.0
"""Ten minutes are below 20 MB even uncompressed; OpenAI takes 25 MB and, for gpt-4o-transcribe, 25 minutes a request
(platform.openai.com/docs/guides/speech-to-text)."""

LANGUAGES = dict(
    item.split(":")
    for item in [
        "afrikaans:af",
        "arabic:ar",
        "armenian:hy",
        "azerbaijani:az",
        "belarusian:be",
        "bosnian:bs",
        "bulgarian:bg",
        "catalan:ca",
        "chinese:zh",
        "croatian:hr",
        "czech:cs",
        "danish:da",
        "dutch:nl",
        "english:en",
        "estonian:et",
        "finnish:fi",
        "french:fr",
        "galician:gl",
        "german:de",
        "greek:el",
        "hebrew:he",
        "hindi:hi",
        "hungarian:hu",
        "icelandic:is",
        "indonesian:id",
        "italian:it",
        "japanese:ja",
        "kannada:kn",
        "kazakh:kk",
        "korean:ko",
        "latvian:lv",
        "lithuanian:lt",
        "macedonian:mk",
        "malay:ms",
        "marathi:mr",
        "maori:mi",
        "nepali:ne",
        "norwegian:no",
        "persian:fa",
        "polish:pl",
        "portuguese:pt",
        "romanian:ro",
        "russian:ru",
        "serbian:sr",
        "slovak:sk",
        "slovenian:sl",
        "spanish:es",
        "swahili:sw",
        "swedish:sv",
        "tagalog:tl",
        "tamil:ta",
        "thai:th",
        "turkish:tr",
        "ukrainian:uk",
        "urdu:ur",
        "vietnamese:vi",
        "welsh:cy",
    ]
)
"""The name that whisper-1 answers with, and its code."""


@dataclass(frozen=True)
class _Heard:
    language: str | None
    segments: Sequence[Segment]


class OpenAISpeech:
    def __init__(self, hosted: Hosted) -> None:
        self.card = hosted.card
        self._hosted = hosted
        self._form = _answer_form(hosted.model)

    async def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        """See SpeechRecognizer. Segments of a window come together, once the server has answered for it; a window that was
        heard before is not sent again.

        Raises: BadInput, Stopped, EngineError.
        """
        self._check(request)
        recording = await asyncio.to_thread(Recording, request.path)
        windows = recording.windows(stop.is_set, WINDOW_S)
        info: SpeechInfo | None = None
        while (window := await asyncio.to_thread(next, windows, None)) is not None:
            if window.start_s + window.seconds <= request.start_s:
                continue
            heard = await until_stopped(self._hear(window, request), stop)
            if info is None:
                info = _info(heard.language, recording)
                yield info
            for segment in heard.segments:
                if segment.end_s > request.start_s:
                    yield segment
        if stop.is_set():
            raise Stopped("The transcription was stopped.")
        last = _info(info.language if info else None, recording)
        if last != info:
            yield last

    async def close(self) -> None:
        await self._hosted.client.close()

    def _check(self, request: SpeechRequest) -> None:
        if request.translate and self._form != "verbose_json":
            raise BadInput(
                f"{self.card.id} does not translate.", "Choose whisper-1 or faster-whisper, or leave translation out."
            )

    async def _hear(self, window: Window, request: SpeechRequest) -> _Heard:
        file = ("recording.flac", await asyncio.to_thread(flac, window.samples), "audio/flac")

        async def send() -> Any:
            try:
                return await self._send(file, request)
            except failures() as error:
                if self._form != "verbose_json" or not refuses(error, "response_format"):
                    raise
                self._form = "json"
                return await self._send(file, request)

        answer = await self._hosted.call(send)
        try:
            language = language_code(getattr(answer, "language", None) or request.language)
            return _Heard(language, _segments(answer, window, request.word_times))
        except (AttributeError, TypeError, ValueError) as error:
            raise self._hosted.not_the_format() from error

    async def _send(self, file: tuple[str, bytes, str], request: SpeechRequest) -> Any:
        body: dict[str, Any] = {"model": self._hosted.model, "file": file, "response_format": self._form}
        if request.vocabulary:
            body["prompt"] = request.vocabulary
        if request.translate:
            return await self._hosted.client.audio.translations.create(**body)
        if code := language_code(request.language):
            body["language"] = code
        if request.word_times and self._form == "verbose_json":
            body["timestamp_granularities"] = ["segment", "word"]
        if self._form == "diarized_json":
            body["chunking_strategy"] = "auto"
        return await self._hosted.client.audio.transcriptions.create(**body)


def flac(samples: np.ndarray) -> bytes:
    """Mono float32 samples at 16 kHz, shape (n,), as a FLAC file with 16 bits a sample."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono", format="s16")
        whole = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()


def language_code(language: str | None) -> str | None:
    """`English`, `en-GB` or `en` as "en"."""
    word = (language or "").strip().lower()
    return LANGUAGES.get(word) or word.replace("_", "-").split("-")[0] or None


def _answer_form(model: str) -> str:
    """whisper-1 and compatible servers tell times; gpt-4o-transcribe knows plain text only, its diarizing sister speakers."""
    if "diarize" in model:
        return "diarized_json"
    return "json" if model.startswith("gpt-4o") else "verbose_json"


def _segments(answer: Any, window: Window, word_times: bool) -> list[Segment]:
    """The answer's segments; one as long as the window where the server tells no times. Words go where their middle lies."""
    words = [_word(word, window) for word in (getattr(answer, "words", None) or ()) if word_times]
    pieces = getattr(answer, "segments", None)
    if not pieces:
        start, end = (words[0].start_s, words[-1].end_s) if words else _moved(0.0, window.seconds, window)
        text = answer.text.strip()
        return [Segment(start, end, text, tuple(words))] if text else []
    segments = [_segment(piece, window) for piece in pieces]
    segments = [segment for segment in segments if segment.text]
    return [
        replace(segment, words=tuple(word for word in words if after <= _middle(word) < before))
        for segment, (after, before) in zip(segments, _spans(segments), strict=True)
    ]


def _spans(segments: Sequence[Segment]) -> Iterator[tuple[float, float]]:
    """Bounds between neighbours, so that every word falls into one segment."""
    bounds = [-inf, *((a.end_s + b.start_s) / 2 for a, b in pairwise(segments)), inf]
    return pairwise(bounds)


def _middle(word: Word) -> float:
    return (word.start_s + word.end_s) / 2


def _segment(piece: Any, window: Window) -> Segment:
    speaker = getattr(piece, "speaker", None)
    start, end = _moved(piece.start, piece.end, window)
    return Segment(start, end, str(piece.text or "").strip(), speaker=f"Speaker {speaker}" if speaker else None)


def _word(piece: Any, window: Window) -> Word:
    return Word(*_moved(piece.start, piece.end, window), str(piece.word).strip())


def _moved(start_s: float, end_s: float, window: Window) -> tuple[float, float]:
    """From seconds in the window, and never beyond it, to seconds of the recording."""
    start, end = (min(max(0.0, float(time_s)), window.seconds) for time_s in (start_s, end_s))
    return round(window.start_s + start, 2), round(window.start_s + end, 2)


def _info(language: str | None, recording: Recording) -> SpeechInfo:
    """The probability of a language is not told by hosted models."""
    if recording.complete:
        return SpeechInfo(language, None, round(recording.read_s, 3), recording.warning())
    return SpeechInfo(language, None, round(max(recording.declared_s or 0.0, recording.read_s), 3))
