"""Words while they are spoken: the growing sound is decoded again and again, one decoding at a time, and the last one counts.

A pause is taken for the end a little before it is one: when it turns out to be, its words are there already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from assistant.voice import PREROLL_S, RATE_HZ, Listener

FIRST_S = 0.8
"""Speech before it is decoded for the first time."""
SETTLED_S = 0.25
"""Quiet after which all that was said is decoded, in the hope that it is over."""
REST = 0.5
"""Seconds of rest for each second of decoding, so that the last decoding seldom waits for another."""


@dataclass(frozen=True)
class Words:
    text: str
    language: str | None


class LiveTranscript:
    """The words of one utterance. `decode` gets all of its sound so far (float32, 16 kHz, shape (n,)); `tell` gets partial texts.

    Without `partials` it is decoded once, at the end.
    """

    def __init__(
        self,
        listener: Listener,
        decode: Callable[[np.ndarray], Awaitable[Words]],
        tell: Callable[[str], Awaitable[None]],
        *,
        partials: bool = True,
    ) -> None:
        self._listener, self._decode, self._tell, self._partials = listener, decode, tell, partials
        self._task: asyncio.Task[Words] | None = None
        self._reach = 0
        self._rest_until = 0.0
        self._ended = False

    def advance(self) -> None:
        """Called after each piece of sound: decode what there is if that is worth while."""
        if self._partials and self._listener.has_speech and self._is_new() and self._is_time():
            self._begin()

    async def final(self) -> Words:
        """The words of all that was said. Decodes nothing if the last decoding began after the last word.

        Raises: EngineError.
        """
        self._ended = True
        if self._task is None or self._reach < self._listener.spoken_to:
            await self.drop()
            self._task = self._begin()
        return await self._task

    async def drop(self) -> None:
        """Nobody waits for the words any more."""
        self._ended = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _is_new(self) -> bool:
        return self._listener.spoken_to > self._reach

    def _is_time(self) -> bool:
        if self._task is not None and not self._task.done():
            return False
        if self._task is not None and (self._task.cancelled() or self._task.exception()):
            return False
        if self._listener.quiet_s >= SETTLED_S:
            return True
        return self._listener.kept >= (PREROLL_S + FIRST_S) * RATE_HZ and time.monotonic() >= self._rest_until

    def _begin(self) -> asyncio.Task[Words]:
        self._reach = self._listener.kept
        self._task = asyncio.create_task(self._hear(self._listener.sound))
        return self._task

    async def _hear(self, sound: np.ndarray) -> Words:
        began = time.monotonic()
        words = await self._decode(sound)
        now = time.monotonic()
        self._rest_until = now + REST * (now - began)
        if words.text and not self._ended:
            await self._tell(words.text)
        return words
