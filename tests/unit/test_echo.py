"""The assistant's own voice, replayed into the microphone, against somebody who speaks over it; both voices are espeak's."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from assistant.echo import Loudspeaker, is_echo, lookback
from assistant.voice import FRAME, RATE_HZ, Listener

WINDOW = 2048
Voices = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Voices:
    """(what is played, what somebody says), six seconds of each at the same loudness."""
    folder = tmp_path_factory.mktemp("voices")
    played = (
        "The museum opens on Sundays, and the entrance is free for students. A week has seven days, as everybody knows."
    )
    said = (
        "Stop it please, I would like to ask you something else: how many people live in the city of Rome at present?"
    )
    return _spoken(folder / "a.wav", "en-us", played), _spoken(folder / "b.wav", "en-gb+f3", said)


def _spoken(path: Path, voice: str, text: str) -> np.ndarray:
    raw = path.with_suffix(".raw.wav")
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", raw, text], check=True)
    subprocess.run(["sox", raw, "-r", str(RATE_HZ), "-c", "1", "-b", "16", path], check=True)
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    sound = np.resize(sound, 6 * RATE_HZ)
    return sound * (0.1 / float(np.sqrt(np.mean(sound**2))))


def room(sound: np.ndarray, delay_s: float, gain: float) -> np.ndarray:
    """Late and quieter, with the walls of a small room after it."""
    rng = np.random.default_rng(3)
    tail = rng.normal(0, 0.05, RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / (0.04 * RATE_HZ))
    tail[0] = 1.0
    late = np.concatenate([np.zeros(round(delay_s * RATE_HZ)), np.convolve(sound, tail)])
    return gain * late[: len(sound)].astype(np.float32)


def echoes(microphone: np.ndarray, played: np.ndarray) -> list[bool]:
    """The answer for each window in which there is something to hear."""
    loud = np.sqrt(np.mean(microphone**2)) / 3
    ends = range(lookback(WINDOW), len(played), WINDOW)
    windows = [(microphone[end - WINDOW : end], played[end - lookback(WINDOW) : end]) for end in ends]
    return [is_echo(heard, before) for heard, before in windows if np.sqrt(np.mean(heard**2)) > loud]


@pytest.mark.parametrize("delay_s", [0.05, 0.12, 0.3])
def test_the_own_voice_at_minus_20_db_is_an_echo(voices: Voices, delay_s: float) -> None:
    assert all(echoes(room(voices[0], delay_s, 0.1), voices[0]))


def test_a_loud_echo_is_known_by_its_likeness(voices: Voices) -> None:
    assert np.mean(echoes(0.7 * np.roll(voices[0], 1600), voices[0])) > 0.9


def test_somebody_alone_is_no_echo(voices: Voices) -> None:
    assert not any(echoes(voices[1], np.zeros_like(voices[0])))


@pytest.mark.parametrize("delay_s", [0.05, 0.3])
def test_somebody_who_speaks_over_the_echo_is_heard(voices: Voices, delay_s: float) -> None:
    found = echoes(room(voices[0], delay_s, 0.1) + voices[1], voices[0])
    assert np.mean(found) < 0.1


def test_where_nothing_was_played_nothing_is_an_echo() -> None:
    assert not is_echo(np.zeros(WINDOW, np.float32), np.zeros(lookback(WINDOW), np.float32))


def test_a_loudspeaker_knows_what_it_played_until_it_was_stopped() -> None:
    loudspeaker = Loudspeaker()
    loudspeaker.play(np.full(8_000, 16_384, "<i2").tobytes(), 8_000, 10.0)
    assert loudspeaker.until(9.9, 1600).max() == 0
    assert np.allclose(loudspeaker.until(10.5, RATE_HZ), np.repeat([0, 0.5], RATE_HZ // 2))
    loudspeaker.stop(10.5)
    assert np.allclose(loudspeaker.until(11.0, RATE_HZ), np.repeat([0.5, 0], RATE_HZ // 2))


def test_a_listener_takes_its_own_voice_for_silence_and_hears_who_speaks_over_it(voices: Voices) -> None:
    played, said = voices
    pcm = (played * 32767).astype("<i2").tobytes()

    def hears(microphone: np.ndarray) -> bool:
        loudspeaker, now_s = Loudspeaker(), 0.0
        loudspeaker.play(pcm, RATE_HZ, 0.0)
        listener = Listener(
            RATE_HZ, is_own=lambda heard: is_echo(heard, loudspeaker.until(now_s, lookback(len(heard))))
        )
        for start in range(0, len(microphone), FRAME):
            now_s = (start + FRAME) / RATE_HZ
            listener.feed((microphone[start : start + FRAME] * 32767).astype("<i2").tobytes())
            if listener.has_speech:
                return True
        return False

    echo = room(played, 0.12, 0.1)
    assert not hears(echo)
    assert hears(echo + said)


def test_what_a_pause_held_back_sounds_after_it() -> None:
    loudspeaker, second = Loudspeaker(), np.full(RATE_HZ, 16_384, "<i2").tobytes()
    loudspeaker.play(second, RATE_HZ, 10.0)
    loudspeaker.pause(10.25)
    loudspeaker.play(second, RATE_HZ, 10.5, in_s=0.75)
    assert np.allclose(loudspeaker.until(11.0, RATE_HZ), np.repeat([0.5, 0], [RATE_HZ // 4, RATE_HZ * 3 // 4]))
    loudspeaker.go_on(11.0)
    assert np.allclose(loudspeaker.until(12.0, RATE_HZ), 0.5)
    assert np.allclose(loudspeaker.until(12.75, RATE_HZ), 0.5)
    assert np.allclose(loudspeaker.until(13.75, RATE_HZ), 0.0)


def test_what_is_stopped_in_a_pause_never_sounds() -> None:
    loudspeaker = Loudspeaker()
    loudspeaker.play(np.full(RATE_HZ, 16_384, "<i2").tobytes(), RATE_HZ, 10.0)
    loudspeaker.pause(10.5)
    loudspeaker.stop(10.75)
    loudspeaker.go_on(11.0)
    assert np.allclose(loudspeaker.until(11.0, RATE_HZ), np.repeat([0.5, 0], RATE_HZ // 2))
