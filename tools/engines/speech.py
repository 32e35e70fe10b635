"""What the local recognisers share: windows of a recording, silence left out, one language kept, segments streamed to the caller.

An engine gives one plain function that hears an array; it knows nothing of files, threads or queues.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tools.engines.audio import Recording, SpokenTimes, Window, speech_in
from tools.engines.base import SURE, Segment, SpeechInfo, SpeechRequest, Word
from tools.engines.device import DeviceArbiter, Resident
from tools.engines.errors import BadInput, Stopped

POLL_S = 0.2
NAMES = {
    "english": "en",
    "french": "fr",
    "français": "fr",
    "german": "de",
    "deutsch": "de",
    "spanish": "es",
    "español": "es",
    "italian": "it",
    "italiano": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "polish": "pl",
    "russian": "ru",
    "chinese": "zh",
    "japanese": "ja",
    "arabic": "ar",
    "hindi": "hi",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Heard:
    """What was heard in one array: the language and how sure, and segments in seconds of that array as they are decoded."""

    language: str
    probability: float
    segments: Iterator[Segment]


Hear = Callable[[Any, np.ndarray, SpeechRequest, str | None, Callable[[], bool]], Heard]
"""Called with (loaded weights, speech only, the request, the language if it is known, stopped)."""


async def stream_speech(
    arbiter: DeviceArbiter, resident: Resident[T], hear: Hear, request: SpeechRequest, stop: threading.Event
) -> AsyncIterator[SpeechInfo | Segment]:
    """Transcribe in a worker that holds the weights; hand over each segment as soon as it is there.

    Raises: BadInput, OutOfMemory, Stopped.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[SpeechInfo | Segment | None]()
    job = _Job(request, hear, lambda item: loop.call_soon_threadsafe(queue.put_nowait, item), stop)
    task = asyncio.create_task(arbiter.run(resident, job.run))
    task.add_done_callback(lambda done: queue.put_nowait(None) if done.cancelled() or done.exception() else None)
    try:
        while (item := await _next(queue, task, job)) is not None:
            yield item
        await task
    finally:
        job.left.set()
        task.cancel()
        await asyncio.wait([task])


async def _next(
    queue: asyncio.Queue[SpeechInfo | Segment | None], task: asyncio.Task[None], job: _Job
) -> SpeechInfo | Segment | None:
    """The next item; None at the end. While the weights are busy elsewhere, stop is noticed here."""
    while True:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(queue.get(), POLL_S)
        if job.stopped() and not job.started and not task.done():
            raise Stopped("Stopped before the recording was read.")


class _Job:
    """One transcription in the worker. It begins behind `request.start_s`; run again on another device, it goes on behind
    what was already handed over. A window is heard whole or not at all, so that going on gives the segments of one run."""

    def __init__(
        self,
        request: SpeechRequest,
        hear: Hear,
        emit: Callable[[SpeechInfo | Segment | None], object],
        stop: threading.Event,
    ) -> None:
        self.started = False
        self.left = threading.Event()
        self._request, self._hear, self._emit, self._stop = request, hear, emit, stop
        self._language = request.language
        self._info: SpeechInfo | None = None
        self._done_s = request.start_s

    def stopped(self) -> bool:
        return self._stop.is_set() or self.left.is_set()

    def run(self, loaded: Any) -> None:
        self.started = True
        recording, heard_s = Recording(self._request.path), self._done_s
        for window in recording.windows(self.stopped):
            if window.start_s + window.seconds > heard_s:
                self._transcribe(loaded, window, recording, heard_s)
            self._refuse_if_stopped()
        self._refuse_if_stopped()
        self._close(recording)
        self._emit(None)

    def _transcribe(self, loaded: Any, window: Window, recording: Recording, heard_s: float) -> None:
        speech, times = speech_in(window.samples)
        self._refuse_if_stopped()
        if not len(speech):
            return
        heard = self._hear(loaded, speech, self._request, self._language, self.stopped)
        if self._info is None:
            duration = max(recording.declared_s or 0.0, recording.read_s)
            warning = recording.warning() if recording.complete else ""
            duration = recording.read_s if recording.complete else duration
            self._info = SpeechInfo(heard.language, heard.probability, duration, warning)
            self._emit(self._info)
        if heard.probability >= SURE:
            self._language = heard.language
        for spoken in heard.segments:
            self._refuse_if_stopped()
            segment = _moved(spoken, times, window.start_s)
            if segment.text and segment.end_s > heard_s:
                self._done_s = max(self._done_s, segment.end_s)
                self._emit(segment)

    def _close(self, recording: Recording) -> None:
        """Say what was found only at the end: how long the recording really is, and what could not be read."""
        first = self._info or SpeechInfo(None, None, 0.0)
        last = SpeechInfo(first.language, first.language_probability, recording.read_s, recording.warning())
        if last != self._info:
            self._emit(last)

    def _refuse_if_stopped(self) -> None:
        if self.stopped():
            raise Stopped("The transcription was stopped.")


def _moved(segment: Segment, times: SpokenTimes, window_s: float) -> Segment:
    """The same segment in seconds of the recording; where its words are timed, they are its bounds."""
    words = tuple(
        Word(*_rounded(times.word(word.start_s, word.end_s), window_s), word.text.strip()) for word in segment.words
    )
    start, end = _rounded(times.segment(segment.start_s, segment.end_s), window_s)
    if words:
        start, end = words[0].start_s, words[-1].end_s
    return Segment(start, max(start, end), segment.text.strip(), words)


def _rounded(span: tuple[float, float], window_s: float) -> tuple[float, float]:
    return round(window_s + span[0], 2), round(window_s + span[1], 2)


def language_code(language: str | None, known: Collection[str]) -> str | None:
    """`French`, `fr-FR` or `FR` as "fr"; None stays None.

    Raises: BadInput for a language that is not among the `known` codes of the model.
    """
    if not language:
        return None
    word = language.strip().lower().replace("_", "-")
    code = NAMES.get(word, word.split("-")[0])
    if code not in known:
        some = "only " + ", ".join(known) if len(known) < 5 else "codes such as en, fr, de, es"
        raise BadInput(f"The model does not know the language {language!r}.", f"It takes {some}; or leave it out.")
    return code
