"""The end of speech, found in real and in made-up sound; the Silero model is the one inside faster-whisper."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from assistant.voice import END_SILENCE_S, Listener, save_sound

CHUNK = 8192


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sentence between a second and three seconds of silence, 24 kHz."""
    folder = tmp_path_factory.mktemp("speech")
    said, heard = folder / "said.wav", folder / "heard.wav"
    subprocess.run(["espeak-ng", "-s", "140", "-w", said, "How many days are there in a week?"], check=True)
    subprocess.run(["sox", said, "-r", "24000", "-c", "1", "-b", "16", heard, "pad", "1", "3"], check=True)
    with wave.open(str(heard)) as file:
        return file.readframes(file.getnframes())


def hear(listener: Listener, pcm: bytes) -> tuple[str, float]:
    """(what was heard last, after how many seconds)."""
    state = "listening"
    for start in range(0, len(pcm), CHUNK):
        state = listener.feed(pcm[start : start + CHUNK])
        if state in ("done", "silence"):
            return state, (start + CHUNK) / 48_000
    return state, len(pcm) / 48_000


def test_the_end_of_a_sentence_is_found_before_the_silence_is_over(speech: bytes, tmp_path: Path) -> None:
    listener = Listener()
    state, after_s = hear(listener, speech)
    assert state == "done"
    assert after_s < len(speech) / 48_000 - 3 + END_SILENCE_S + 0.5
    with wave.open(str(save_sound(tmp_path / "said.wav", listener.sound))) as file:
        assert file.getframerate() == 16_000
        assert 1.5 < file.getnframes() / 16_000 < after_s


def test_an_odd_number_of_bytes_loses_no_sample(speech: bytes) -> None:
    listener = Listener()
    states = [listener.feed(speech[start : start + 4097]) for start in range(0, len(speech), 4097)]
    assert "done" in states


@pytest.mark.parametrize("loudness", [0.0, 0.02, 0.3])
def test_silence_and_noise_are_no_speech(loudness: float) -> None:
    noise = np.random.default_rng(0).normal(0, loudness, 24_000 * 12)
    listener = Listener()
    assert hear(listener, (noise.clip(-1, 1) * 32767).astype("<i2").tobytes())[0] == "silence"
    assert not listener.has_speech


def test_a_click_is_no_speech() -> None:
    sound = np.zeros(24_000 * 12, "<i2")
    sound[24_000:24_200] = 30_000
    assert hear(Listener(), sound.tobytes())[0] == "silence"


def test_a_word_is_hinted_at_before_it_is_sure_and_a_hint_passes(speech: bytes) -> None:
    listener = Listener()
    hinted = sure = None
    for start in range(0, len(speech), 2048):
        listener.feed(speech[start : start + 2048])
        hinted = start if hinted is None and listener.has_hint else hinted
        sure = start if sure is None and listener.has_speech else sure
    assert hinted is not None and sure is not None
    assert hinted + 2048 < sure
    assert not listener.has_hint
