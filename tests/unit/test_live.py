"""Words while they are spoken: what is decoded when, with a decoder that tells how much it was given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest

from assistant.live import LiveTranscript, Words
from assistant.voice import RATE_HZ


@dataclass
class FakeListener:
    """As a Listener stands after so many seconds of sound."""

    kept: int = 0
    spoken_to: int = 0
    quiet_s: float = 0.0
    has_speech: bool = True

    @property
    def sound(self) -> np.ndarray:
        return np.zeros(self.kept, np.float32)

    def hear(self, seconds: float, spoken: bool = True) -> None:
        self.kept += round(seconds * RATE_HZ)
        self.quiet_s = 0.0 if spoken else self.quiet_s + seconds
        self.spoken_to = self.kept if spoken else self.spoken_to


@dataclass
class Decoder:
    """Answers with the seconds it heard, when `open` is set."""

    given: list[float] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def decode(self, sound: np.ndarray) -> Words:
        self.given.append(len(sound) / RATE_HZ)
        await self.open.wait()
        if self.error:
            raise self.error
        return Words(f"{len(sound) / RATE_HZ} s", "en")

    async def tell(self, text: str) -> None:
        self.told.append(text)


def live(listener: FakeListener, decoder: Decoder, **options: bool) -> LiveTranscript:
    return LiveTranscript(listener, decoder.decode, decoder.tell, **options)  # type: ignore[arg-type]


async def advance(transcript: LiveTranscript) -> None:
    transcript.advance()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_decoding_runs_at_a_time_and_its_words_are_told() -> None:
    listener, decoder = FakeListener(), Decoder()
    transcript = live(listener, decoder)
    listener.hear(0.5)
    await advance(transcript)
    assert decoder.given == []
    for _ in range(3):
        listener.hear(1.0)
        await advance(transcript)
    assert decoder.given == [1.5]
    decoder.open.set()
    await advance(transcript)
    assert decoder.told == ["1.5 s"]


async def test_the_last_decoding_is_the_final_one_if_it_heard_every_word() -> None:
    listener, decoder = FakeListener(), Decoder()
    decoder.open.set()
    transcript = live(listener, decoder)
    listener.hear(0.6)
    listener.hear(0.3, spoken=False)
    await advance(transcript)
    listener.hear(0.4, spoken=False)
    await advance(transcript)
    assert await transcript.final() == Words("0.9 s", "en")
    assert decoder.given == [0.9]


async def test_words_after_the_last_decoding_are_heard_at_the_end() -> None:
    listener, decoder = FakeListener(), Decoder()
    transcript = live(listener, decoder)
    listener.hear(1.5)
    await advance(transcript)
    listener.hear(0.5)
    listener.hear(0.7, spoken=False)
    decoder.open.set()
    assert (await transcript.final()).text == "2.7 s"
    assert decoder.told == []


async def test_without_partials_there_is_one_decoding() -> None:
    listener, decoder = FakeListener(), Decoder()
    decoder.open.set()
    transcript = live(listener, decoder, partials=False)
    listener.hear(3.0)
    await advance(transcript)
    await transcript.final()
    assert decoder.given == [3.0]


async def test_a_decoding_that_fails_ends_the_partials_and_the_end_tells_why() -> None:
    listener, decoder = FakeListener(), Decoder(error=ValueError("no weights"))
    decoder.open.set()
    transcript = live(listener, decoder)
    listener.hear(1.5)
    await advance(transcript)
    listener.hear(1.5)
    await advance(transcript)
    assert decoder.given == [1.5]
    with pytest.raises(ValueError, match="no weights"):
        await transcript.final()
