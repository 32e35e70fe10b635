"""Whether a microphone hears somebody, or only the voice that is being played coming back from the loudspeaker.

Plain arrays in, an answer out. The way from loudspeaker to microphone is unknown, so every delay up to `LONGEST_DELAY_S` is tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assistant.voice import RATE_HZ

LONGEST_DELAY_S = 0.6
LEAK = 0.06
"""Energy that comes back, of what was played: -12 dB; whoever speaks nearby is louder than that."""
LIKENESS = 0.5
"""The part of the microphone's energy that one delayed copy of what was played explains, above which it is that copy: an echo
louder than `LEAK`, as where a machine turns its microphone up."""
QUIET = 1e-8
KEPT_S = 20.0
"""How long what was played is remembered."""


def is_echo(heard: np.ndarray, played: np.ndarray) -> bool:
    """`heard` are the microphone's last samples; `played` ends at the same moment and goes back `LONGEST_DELAY_S` further.

    Both float32 at 16 kHz, shapes (n,) and (n + LONGEST_DELAY_S × 16000,).
    """
    energy = float(np.mean(heard**2))
    before = _energies(played, len(heard))
    if before.max(initial=0.0) <= QUIET:
        return False
    if energy <= LEAK * before.max():
        return True
    return bool(_likeness(heard, played, before) >= LIKENESS)


def _energies(sound: np.ndarray, width: int) -> np.ndarray:
    """Mean energy of each stretch of `width` samples."""
    sums = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
    energies: np.ndarray = (sums[width:] - sums[:-width]) / width
    return energies


def _likeness(heard: np.ndarray, played: np.ndarray, energies: np.ndarray) -> float:
    """The highest squared normalised correlation of `heard` with a stretch of `played`, from 0 to 1."""
    size = 1 << (len(played) + len(heard) - 1).bit_length()
    spectrum = np.fft.rfft(played, size) * np.conj(np.fft.rfft(heard, size))
    products = np.fft.irfft(spectrum, size)[: len(energies)] / len(heard)
    own = float(np.mean(heard**2)) * np.maximum(energies, QUIET)
    return float(np.max(products**2 / own))


def lookback(samples: int) -> int:
    """How many samples of what was played `is_echo` wants beside so many heard ones."""
    return samples + round(LONGEST_DELAY_S * RATE_HZ)


@dataclass
class _Part:
    at_s: float
    sound: np.ndarray

    def divided(self, time_s: float, later_s: float) -> tuple[_Part, _Part]:
        """(what sounds before `time_s`, what sounds from then on, put off by `later_s`)."""
        cut = max(0, round((time_s - self.at_s) * RATE_HZ))
        rest = _Part(max(self.at_s, time_s) + later_s, self.sound[cut:])
        return _Part(self.at_s, self.sound[:cut]), rest


class Loudspeaker:
    """What is being played, on one clock in seconds; paused, what would sound later waits."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._paused_s: float | None = None

    @property
    def is_paused(self) -> bool:
        return self._paused_s is not None

    def play(self, pcm: bytes, rate_hz: int, now_s: float, in_s: float = 0.0) -> None:
        """Signed 16-bit little-endian mono samples that begin to sound `in_s` from now, not counting a pause."""
        at_s = (now_s if self._paused_s is None else self._paused_s) + in_s
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        times = np.arange(round(len(samples) / rate_hz * RATE_HZ)) * (rate_hz / RATE_HZ)
        sound = np.interp(times, np.arange(len(samples)), samples).astype(np.float32)
        self._parts = [part for part in self._parts if part.at_s + len(part.sound) / RATE_HZ > at_s - KEPT_S]
        self._parts.append(_Part(at_s, sound))

    def pause(self, at_s: float) -> None:
        self._paused_s = at_s if self._paused_s is None else self._paused_s

    def go_on(self, at_s: float) -> None:
        """What waited since the pause sounds from now on."""
        if self._paused_s is None:
            return
        paused_s, self._paused_s = self._paused_s, None
        self._parts = [piece for part in self._parts for piece in part.divided(paused_s, at_s - paused_s)]

    def stop(self, at_s: float) -> None:
        """What would sound later is not played."""
        at_s, self._paused_s = at_s if self._paused_s is None else self._paused_s, None
        self._parts = [part.divided(at_s, 0.0)[0] for part in self._parts]

    def until(self, now_s: float, samples: int) -> np.ndarray:
        """The last `samples` (float32, 16 kHz) that were played."""
        last = np.zeros(samples, np.float32)
        parts = self._parts
        if self._paused_s is not None:
            parts = [part.divided(self._paused_s, 0.0)[0] for part in parts]
        for part in parts:
            start = samples - round((now_s - part.at_s) * RATE_HZ)
            sound = part.sound[max(0, -start) :][: samples - max(0, start)] if start < samples else part.sound[:0]
            last[max(0, start) : max(0, start) + len(sound)] = sound
        return last
