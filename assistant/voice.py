"""Listening to a microphone: raw PCM in, the end of speech found, 16 kHz sound out. Knows nothing of pages or models.

Speech is told from noise by the Silero model (v6) that ships inside faster-whisper, fed frame by frame with its state carried
along; each frame is 512 new samples after 64 samples of context at 16 kHz (github.com/snakers4/silero-vad).
"""

from __future__ import annotations

import functools
import wave
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

RATE_HZ = 16_000
FRAME = 512
CONTEXT = 64
FRAME_S = FRAME / RATE_HZ
SURE = 0.5
UNSURE = 0.35
PREROLL_S = 0.4
END_SILENCE_S = 0.7
SHORTEST_SPEECH_S = 0.15
HINT_LASTS_S = 0.2
"""Quiet after which a sound too short to be speech was none."""
PATIENCE_S = 10.0
HEARD_FRAMES = 4
LONGEST_S = 120.0

Heard = Literal["listening", "speaking", "done", "silence"]


class Listener:
    """One utterance. Frames before the first word are kept for `PREROLL_S`, so that its beginning is not cut.

    `is_own` gets the last `HEARD_FRAMES` where there is speech, and tells whether it is only the assistant's own voice.
    """

    def __init__(self, rate_hz: int = 24_000, is_own: Callable[[np.ndarray], bool] = lambda _: False) -> None:
        from av import AudioResampler

        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        self._rate_hz, self._is_own = rate_hz, is_own
        self._speech = _Silero()
        self._odd = b""
        self._pending = np.zeros(0, np.float32)
        self._before: deque[np.ndarray] = deque(maxlen=round(PREROLL_S / FRAME_S))
        self._kept: list[np.ndarray] = []
        self._spoken_s = self._quiet_s = self._waited_s = 0.0
        self._spoken_to = 0

    @property
    def has_speech(self) -> bool:
        return self._spoken_s >= SHORTEST_SPEECH_S

    @property
    def has_hint(self) -> bool:
        """Whether somebody may just have begun to speak: known within a frame, and sometimes wrong."""
        return self._spoken_s > 0 and self._quiet_s < HINT_LASTS_S

    @property
    def kept(self) -> int:
        """Samples of the utterance so far, at 16 kHz, with what came just before it."""
        return len(self._kept) * FRAME

    @property
    def spoken_to(self) -> int:
        """How many of the kept samples there were when the last word was heard."""
        return self._spoken_to * FRAME

    @property
    def quiet_s(self) -> float:
        return self._quiet_s

    @property
    def sound(self) -> np.ndarray:
        """What was said, float32 at 16 kHz, shape (kept,)."""
        return np.concatenate(self._kept) if self._kept else np.zeros(0, np.float32)

    def feed(self, pcm: bytes) -> Heard:
        """Take signed 16-bit little-endian mono samples and tell how things stand.

        "done": speech and then `END_SILENCE_S` of quiet (or `LONGEST_S` in all); "silence": `PATIENCE_S` without a word.
        """
        self._pending = np.concatenate([self._pending, self._resample(pcm)])
        while len(self._pending) >= FRAME:
            frame, self._pending = self._pending[:FRAME], self._pending[FRAME:]
            self._take(frame)
        if self.has_speech and (self._quiet_s >= END_SILENCE_S or len(self._kept) * FRAME_S >= LONGEST_S):
            return "done"
        if not self._kept and self._waited_s >= PATIENCE_S:
            return "silence"
        return "speaking" if self._kept else "listening"

    def _take(self, frame: np.ndarray) -> None:
        chance = self._speech(frame)
        speaking = chance >= (UNSURE if self._kept and not self._quiet_s else SURE)
        if speaking:
            last = [*self._before, frame][-HEARD_FRAMES:]
            speaking = not self._is_own(np.concatenate(last))
        if speaking and not self._kept:
            self._kept.extend(self._before)
        if speaking or self._kept:
            self._kept.append(frame)
        self._before.append(frame)
        self._waited_s += FRAME_S
        self._quiet_s = 0.0 if speaking else self._quiet_s + FRAME_S
        self._spoken_s += FRAME_S if speaking else 0.0
        self._spoken_to = len(self._kept) if speaking else self._spoken_to
        if not self.has_speech and self._quiet_s >= END_SILENCE_S:
            self._kept.clear()
            self._spoken_s = 0.0

    def _resample(self, pcm: bytes) -> np.ndarray:
        from av import AudioFrame

        pcm = self._odd + pcm
        whole = len(pcm) // 2 * 2
        pcm, self._odd = pcm[:whole], pcm[whole:]
        if not pcm:
            return np.zeros(0, np.float32)
        frame = AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        parts = [part.to_ndarray().reshape(-1) for part in self._resampler.resample(frame)]
        return np.concatenate(parts).astype(np.float32) / 32768 if parts else np.zeros(0, np.float32)


def save_sound(path: Path, sound: np.ndarray) -> Path:
    """Write float32 samples at 16 kHz, shape (n,), as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


class _Silero:
    """The chance of speech in each frame of 32 ms."""

    def __init__(self) -> None:
        self._session = _session()
        self._state: list[Any] = [np.zeros((1, 1, 128), np.float32)] * 2
        self._context = np.zeros(CONTEXT, np.float32)

    def __call__(self, frame: np.ndarray) -> float:
        sound = np.concatenate([self._context, frame])[None]
        chance, *self._state = self._session.run(None, {"input": sound, "h": self._state[0], "c": self._state[1]})
        self._context = frame[-CONTEXT:]
        return float(chance.reshape(-1)[0])


@functools.cache
def _session() -> Any:
    """Shared, for it keeps no state: a second listener costs nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(_weights(), options, providers=["CPUExecutionProvider"])


def _weights() -> str:
    from importlib.util import find_spec

    spec = find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("faster_whisper")
    return str(Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx")
