"""Hosted voices: text goes out, raw samples stream back (platform.openai.com/docs/guides/text-to-speech)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

from tools.engines.base import Sound
from tools.engines.errors import EngineError, Unreachable
from tools.engines.hosted import Hosted, failures, until_stopped

RATE_HZ = 24_000
"""Of the form "pcm": 24 kHz, signed 16-bit little-endian, without a header."""
PIECE_BYTES = 4800
NAMES = ("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer")
"""Of OpenAI's voices, those that all its models speak with."""


class OpenAIVoice:
    def __init__(self, hosted: Hosted, name: str) -> None:
        self.card = hosted.card
        self._hosted, self._name = hosted, name

    async def speak(self, text: str, language: str | None, stop: threading.Event) -> AsyncIterator[Sound]:
        """See VoiceSynthesizer. The server hears from the text which language it is.

        Raises: Stopped, EngineError.
        """
        opening = self._hosted.client.audio.speech.with_streaming_response.create(
            model=self._hosted.model, voice=self._name, input=text, response_format="pcm"
        )
        response = await until_stopped(self._hosted.call(opening.__aenter__), stop)
        try:
            if response.headers.get("content-type", "").startswith(("text/", "application/json")):
                raise self._hosted.not_the_format()
            pieces, odd = response.iter_bytes(PIECE_BYTES), b""
            while (piece := await until_stopped(self._next(pieces), stop)) is not None:
                piece = odd + piece
                whole = len(piece) // 2 * 2
                odd = piece[whole:]
                yield Sound(piece[:whole], RATE_HZ)
        finally:
            await opening.__aexit__(None, None, None)

    async def close(self) -> None:
        await self._hosted.client.close()

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        import httpx2

        try:
            return await anext(pieces, None)
        except failures() as error:
            raise self._hosted.explain(error) from error
        except httpx2.HTTPError as error:
            raise self._broken() from error

    def _broken(self) -> EngineError:
        return Unreachable(f"{self._hosted.where} broke off while it spoke.", "Try again.")
