"""Recordings made by the tests: tones, noise and silence, encoded by PyAV, and sentences spoken by espeak-ng."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np

from tools.engines.audio import Recording

RATE_HZ = 16_000
CODECS = {
    ".wav": "pcm_s16le",
    ".mp3": "libmp3lame",
    ".flac": "flac",
    ".ogg": "libopus",
    ".webm": "libopus",
    ".m4a": "aac",
    ".mp4": "aac",
    ".mkv": "aac",
    ".aac": "aac",
    ".opus": "libopus",
    ".aiff": "pcm_s16be",
    ".amr": "libopencore_amrnb",
    ".3gp": "libopencore_amrnb",
}
CODEC_RATES_HZ = {"libopus": 48_000, "libopencore_amrnb": 8000}


def tone(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.05, int(seconds * RATE_HZ)).astype(np.float32)


def record(path: Path, samples: np.ndarray, **options: str) -> Path:
    """Write mono samples at 16 kHz in the format that the ending of `path` tells."""
    codec = CODECS[path.suffix]
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=CODEC_RATES_HZ.get(codec, RATE_HZ), layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=stream.rate)
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        fifo = av.AudioFifo()
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            piece.pts = None
            fifo.write(piece)
        while (piece := fifo.read(stream.codec_context.frame_size or 1024, partial=True)) is not None:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def speak(path: Path, text: str, voice: str = "en") -> Path:
    """A wav file in which espeak-ng says `text`."""
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text], check=True)
    return path


def samples_of(path: Path) -> np.ndarray:
    """Mono samples at 16 kHz."""
    return np.concatenate([window.samples for window in Recording(path).windows()])


def cut(path: Path, fraction: float = 0.6) -> Path:
    """A copy of the file that ends early."""
    target = path.with_name(f"cut-{path.name}")
    target.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    return target
