"""Speaking over the assistant, measured in a room made of numbers: what is played comes back into the microphone, late and quieter.

Sound is fed as the page feeds it; what the page would do (pause, go on, stop) changes what is played from then on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from assistant.echo import Loudspeaker, is_echo, lookback
from assistant.voice import Listener
from tests.conftest import MODELS
from tools.engines import piper
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter

CHUNK = 1024
"""Samples that the page sends at a time, at 24 kHz."""
MIC_HZ = 24_000
WAY_S = 0.01
"""From the page to the server."""
LOUDNESS = 0.1
"""Root mean square of what is played, and of who speaks near the microphone."""
GAINS = {"-20 dB": 0.1, "-14 dB": 0.2}
DELAYS_S = (0.05, 0.12, 0.2, 0.3, 0.45, 0.55)
ANSWER = (
    "A week has seven days, and a year has fifty-two weeks and one day. The museum opens on Sundays, and the entrance is free "
    "for students. Please send the signed contract before the end of the month. Nobody knew why the old clock had stopped "
    "at midnight! She said that the weather would be fine, but it rained all week. Do you want me to go on? The train to the "
    "city leaves at half past seven, from the second platform. Twelve ships lay in the harbour, and the children counted them."
)
OPENINGS = (
    "Stop, that is enough.",
    "Wait a moment, please.",
    "No, I meant the other one.",
    "Excuse me, how many were there?",
    "Hold on, what did you say?",
    "And what about the winter?",
    "I would like to ask something else.",
    "Thank you, I know the rest.",
    "Please tell me about the river instead.",
    "Okay, and when does it open?",
)


def loud(sound: np.ndarray, rms: float = LOUDNESS) -> np.ndarray:
    """float32, at that loudness where there is something to hear."""
    heard = sound[np.abs(sound) > np.abs(sound).max() / 50]
    return (sound * (rms / float(np.sqrt(np.mean(heard.astype(np.float64) ** 2))))).astype(np.float32)


async def _said(text: str) -> np.ndarray:
    voice = piper.load_voice(piper.STARTER, EngineOptions(MODELS, DeviceArbiter(), "cpu", offline=True))
    sounds = [sound async for sound in voice.speak(text, "en", threading.Event())]
    await voice.close()
    samples = np.frombuffer(b"".join(sound.pcm for sound in sounds), "<i2").astype(np.float32)
    times = np.arange(0, len(samples), sounds[0].sample_rate_hz / MIC_HZ)
    return loud(np.interp(times, np.arange(len(samples)), samples))


@dataclass
class Room:
    """One answer that is played into one microphone, `delay_s` later and with the walls of a small room,
    `gain` times as loud in all."""

    answer: np.ndarray
    delay_s: float
    gain: float
    played: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    position: int = 0
    paused: bool = False
    dips: int = 0

    def __post_init__(self) -> None:
        tail = np.random.default_rng(3).normal(0, 0.05, MIC_HZ // 5) * np.exp(-np.arange(MIC_HZ // 5) / (0.04 * MIC_HZ))
        tail[0] = 1.0
        self._tail = (self.gain * tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
        self.played = np.zeros(MIC_HZ, np.float32)
        """What the loudspeaker gave off, after a second of nothing."""

    def next(self) -> np.ndarray:
        """The echo of the next chunk; the loudspeaker goes on meanwhile, unless it is paused."""
        chunk = np.zeros(CHUNK, np.float32)
        if not self.paused:
            sound = self.answer[self.position : self.position + CHUNK]
            chunk[: len(sound)] = sound
            self.position += CHUNK
        self.played = np.concatenate([self.played, chunk])
        end = len(self.played) - round(self.delay_s * MIC_HZ)
        return np.convolve(self.played[end - CHUNK - len(self._tail) + 1 : end], self._tail, "valid")

    def heed(self, loudspeaker: Loudspeaker, now_s: float, hint: bool) -> None:
        if hint == self.paused:
            return
        self.paused = hint
        self.dips += hint
        (loudspeaker.pause if hint else loudspeaker.go_on)(now_s)


@dataclass(frozen=True)
class Outcome:
    paused_s: float | None
    """When the page was first told to pause, and when to stop for good, on the clock of the microphone; working time included."""
    stopped_s: float | None
    dips: int


def listen(room: Room, said: np.ndarray, *, until: Callable[[Outcome], bool] = lambda _: False) -> Outcome:
    """`said` is what somebody says into the microphone meanwhile, as long as is to be listened."""
    loudspeaker, now_s = Loudspeaker(), 0.0
    loudspeaker.play((room.answer * 32767).astype("<i2").tobytes(), MIC_HZ, 0.0)
    listener = Listener(MIC_HZ, is_own=lambda heard: is_echo(heard, loudspeaker.until(now_s, lookback(len(heard)))))
    noise = np.random.default_rng(0).normal(0, 0.0006, len(said))
    outcome = Outcome(None, None, 0)
    for start in range(0, len(said) - CHUNK, CHUNK):
        microphone = room.next() + said[start : start + CHUNK] + noise[start : start + CHUNK]
        now_s, began = (start + CHUNK) / MIC_HZ + WAY_S, time.perf_counter()
        listener.feed((microphone.clip(-1, 1) * 32767).astype("<i2").tobytes())
        told_s = now_s + time.perf_counter() - began
        room.heed(loudspeaker, now_s, listener.has_hint)
        paused_s = told_s if outcome.paused_s is None and room.paused else outcome.paused_s
        outcome = Outcome(paused_s, told_s if listener.has_speech else None, room.dips)
        if listener.has_speech or until(outcome):
            break
    return outcome


def interruptions(sentences: Sequence[np.ndarray]) -> bool:
    """From the first word that is said over the answer to the message that pauses it, and to the one that stops it."""
    answer, reached = asyncio.run(_said(ANSWER)), True
    for name, loudness in (("as loud", 1.0), ("6 dB quieter", 0.5)):
        pauses, stops, before = [], [], 0
        for n, sentence in enumerate(sentences):
            at = MIC_HZ * 2 + n * 1777
            words = loudness * loud(sentence)
            onset = at + int(np.flatnonzero(np.abs(words) > 0.015)[0])
            said = np.concatenate([np.zeros(at, np.float32), words])
            outcome = listen(Room(answer, DELAYS_S[n % 6], GAINS["-20 dB"]), said)
            before += outcome.paused_s is not None and outcome.paused_s < onset / MIC_HZ
            pauses.append((outcome.paused_s or np.inf) - onset / MIC_HZ)
            stops.append((outcome.stopped_s or np.inf) - onset / MIC_HZ)
        pause, stop = np.percentile(pauses, [50, 95]), np.percentile(stops, [50, 95])
        print(
            f"speaking over the answer, {name} as it, {len(sentences)} sentences: paused after {pause[0]:.3f} s (p95 {pause[1]:.3f}), "
            f"goal 0.2; stopped after {stop[0]:.3f} s (p95 {stop[1]:.3f}); paused already: {before}"
        )
        reached &= bool(pause[0] <= 0.2) if loudness == 1.0 else True
    return reached


def own_voice() -> bool:
    """The answer alone, replayed into the microphone: never stopped for good; pauses are counted."""
    answer, stops = asyncio.run(_said(ANSWER)), 0
    for name, gain in GAINS.items():
        dips = 0
        for delay_s in DELAYS_S:
            outcome = listen(Room(answer, delay_s, gain), np.zeros(len(answer) + MIC_HZ, np.float32))
            stops += outcome.stopped_s is not None
            dips += outcome.dips
        print(
            f"own voice at {name}, {len(DELAYS_S)} delays of {len(answer) / MIC_HZ:.0f} s: paused {dips} times, stopped {stops} times, goal 0"
        )
    return stops == 0
