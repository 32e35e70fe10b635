"""A model's speed and memory on this machine: it is loaded, does a short fixed job, and what that took is written down."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assistant.engines import TASKS, OnLoad, endpoint_of, open_engine
from assistant.measured import Measured
from assistant.settings import Settings
from assistant.using import settings_for
from tools.engines.base import (
    Embedder,
    ImageGenerator,
    ImageRequest,
    Message,
    Reranker,
    SpeechInfo,
    SpeechRecognizer,
    SpeechRequest,
    Task,
    TextGenerator,
    Usage,
    VoiceSynthesizer,
)
from tools.engines.catalogue import find_provider, split_id
from tools.engines.device import CPU, CUDA, DeviceArbiter, measure_free_bytes
from tools.engines.hosted import OPENAI_URL

CLIP = Path(__file__).parent / "data" / "measure.ogg"
"""Half a minute of English, spoken by the CC0 voice en_US-joe-medium."""
QUESTION = "Describe a walk from a harbour through an old town up to a lighthouse, and what one sees on the way."
TOKENS = 96
SENTENCE = "The harbour office opens at seven in the morning and closes at nine in the evening, also on Sundays."
TEXTS = 64
LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Done:
    """One job's result: `speed` in `unit`."""

    speed: float
    unit: str
    first_token_s: float | None = None


Job = Callable[[], Coroutine[Any, Any, Done]]


async def measure(settings: Settings, capability: str, model_id: str, on_load: OnLoad) -> Measured:
    """Loads the model of `capability`, lets it do something small, then the job that counts.

    Raises: EngineError, SettingsError.
    """
    settings = settings_for(settings, capability, model_id)
    arbiter = DeviceArbiter()
    engine = open_engine(settings, capability, arbiter, on_load)
    warm_up, job = JOBS[TASKS[capability]](engine)
    try:
        with _memory() as grown:
            started = time.monotonic()
            await warm_up()
            ready = time.monotonic()
            on_load(f"Measuring {model_id}", None)
            done = await job()
            seconds = time.monotonic() - ready
            on_gpu = CUDA in arbiter.devices().values()
        hosted = find_provider(model_id, TASKS[capability], settings.endpoints).runs == "hosted"
        return Measured(
            datetime.now(UTC).isoformat(timespec="seconds"),
            _server(settings, capability, model_id) if hosted else _device_name(CUDA if on_gpu else CPU),
            round(seconds, 3),
            round(ready - started, 3),
            float(f"{done.speed:.4g}"),
            done.unit,
            None if hosted else grown(on_gpu),
            None if done.first_token_s is None else round(done.first_token_s, 3),
        )
    finally:
        await engine.close()
        await arbiter.evict_idle()


def _device_name(device: str) -> str:
    """What "cpu" or "cuda" is on this machine, for people: "AMD EPYC 7B13, 2 cores"."""
    if device == CUDA:
        import pynvml

        pynvml.nvmlInit()
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        return str(name.decode() if isinstance(name, bytes) else name)
    kind = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
        kind = next(
            (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), kind
        )
    return f"{kind}, {os.cpu_count()} cores"


def _server(settings: Settings, capability: str, model_id: str) -> str:
    endpoint = endpoint_of(settings, split_id(model_id)[0], getattr(settings, capability).base_url)
    return urlsplit((endpoint and endpoint.base_url) or OPENAI_URL).netloc


def _text(engine: TextGenerator) -> tuple[Job, Job]:
    async def answer(question: str, tokens: int) -> Done:
        usage, pieces = Usage(), 0
        async for chunk in engine.stream([Message("user", question)], max_tokens=tokens, temperature=0.0):
            usage, pieces = chunk.usage or usage, pieces + bool(chunk.text)
        tokens_made = usage.completion_tokens or pieces
        first, total = usage.first_token_s or 0.0, usage.total_s or 0.0
        return Done(max(0, tokens_made - 1) / max(total - first, 1e-6), "tokens/s", usage.first_token_s)

    return lambda: answer(SENTENCE, 2), lambda: answer(QUESTION, TOKENS)


def _speech(engine: SpeechRecognizer) -> tuple[Job, Job]:
    async def hear() -> Done:
        started, duration_s = time.monotonic(), 0.0
        async for found in engine.transcribe(SpeechRequest(CLIP, language="en"), threading.Event()):
            if isinstance(found, SpeechInfo):
                duration_s = max(duration_s, found.duration_s)
        return Done(duration_s / max(time.monotonic() - started, 1e-6), "x real time")

    return hear, hear


def _image(engine: ImageGenerator) -> tuple[Job, Job]:
    async def draw(steps: int | None) -> Done:
        request = ImageRequest("a red lighthouse", seed=1, steps=steps)
        started = time.monotonic()
        await engine.generate(request, lambda _done, _total, _preview=None: None, threading.Event())
        return Done(time.monotonic() - started, "s/picture")

    return lambda: draw(1), lambda: draw(None)


def _voice(engine: VoiceSynthesizer) -> tuple[Job, Job]:
    async def speak(text: str) -> Done:
        started, spoken_s = time.monotonic(), 0.0
        async for sound in engine.speak(text, "en", threading.Event()):
            spoken_s += len(sound.pcm) / 2 / sound.sample_rate_hz
        return Done(spoken_s / max(time.monotonic() - started, 1e-6), "x real time")

    return lambda: speak("Yes."), lambda: speak(f"{SENTENCE} {SENTENCE}")


def _embedding(engine: Embedder) -> tuple[Job, Job]:
    async def embed(count: int) -> Done:
        started = time.monotonic()
        await engine.embed([f"{n}. {SENTENCE}" for n in range(count)])
        return Done(count / max(time.monotonic() - started, 1e-6), "texts/s")

    return lambda: embed(1), lambda: embed(TEXTS)


def _reranking(engine: Reranker) -> tuple[Job, Job]:
    async def rank(count: int) -> Done:
        started = time.monotonic()
        await engine.rerank("When does the office open?", [f"{n}. {SENTENCE}" for n in range(count)])
        return Done(count / max(time.monotonic() - started, 1e-6), "texts/s")

    return lambda: rank(1), lambda: rank(TEXTS)


JOBS: dict[Task, Callable[[Any], tuple[Job, Job]]] = {
    "text": _text,
    "speech": _speech,
    "image": _image,
    "voice": _voice,
    "embedding": _embedding,
    "reranking": _reranking,
}
"""By task: what gets a model ready, and what counts."""


@contextlib.contextmanager
def _memory() -> Iterator[Callable[[bool], int]]:
    """Yields a function that tells by how many bytes memory grew at most: that of the GPU, or of this process and its children."""
    import psutil

    from tools.engines.catalogue import has_gpu

    process = psutil.Process()
    gpu = has_gpu()

    def held() -> int:
        total = process.memory_info().rss
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss
        return int(total)

    free = measure_free_bytes(CUDA) if gpu else 0
    before, peak, least, ended = held(), [0], [free], threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY_S):
            peak[0] = max(peak[0], held())
            if gpu:
                least[0] = min(least[0], measure_free_bytes(CUDA))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda on_gpu: free - least[0] if on_gpu else max(0, max(peak[0], held()) - before)
    finally:
        ended.set()
        watcher.join()
