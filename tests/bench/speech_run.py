"""One recogniser in a process of its own, as `speech.py` compares them: it hears files one after the other, a JSON line for each."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("ASSISTANT_TEST_MODELS", ROOT / ".venv" / "test-models"))
SEED = 1

Who = Literal["ours", "direct", "openai"]
Hear = Callable[[Path], AsyncIterator[tuple[float, str]]]
"""Called with a recording, gives where each segment ends (s) and its text."""


@dataclass(frozen=True)
class Run:
    """What hearing one file took. `peak_bytes` is of the process so far; waits and steps are from one segment to the next."""

    text: str
    cpu_s: float
    wall_s: float
    peak_bytes: int
    longest_wait_s: float
    longest_step_s: float


def transcribed(who: Who, model: str, *paths: Path) -> list[Run]:
    """In a process of its own: of two models in one process, the first loaded is 7 % quicker."""
    command = [sys.executable, "-m", "tests.bench.speech_run", who, model, *(str(path.absolute()) for path in paths)]
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    return [Run(**json.loads(line)) for line in done.stdout.splitlines()]


async def main(who: str, model: str, *paths: str) -> None:
    import ctranslate2

    hear = _direct(model) if who == "direct" else _engine(who, model)
    for path in paths:
        ctranslate2.set_random_seed(SEED)
        print(json.dumps(asdict(await _timed(hear, Path(path)))), flush=True)


async def _timed(hear: Hear, path: Path) -> Run:
    texts = list[str]()
    wait_s = step_s = heard_s = 0.0
    cpu_s, began = time.process_time(), time.perf_counter()
    last = began
    async for end_s, text in hear(path):
        now = time.perf_counter()
        wait_s, step_s = max(wait_s, now - last), max(step_s, end_s - heard_s)
        last, heard_s = now, end_s
        texts.append(text.strip())
    took_s = time.perf_counter() - began
    return Run(" ".join(texts), time.process_time() - cpu_s, took_s, peak_bytes(), wait_s, step_s)


def _direct(model: str) -> Hear:
    from faster_whisper import WhisperModel

    from tools.engines import faster_whisper
    from tools.engines.device import worker_threads
    from tools.engines.starter import starter_folder

    folder = starter_folder(faster_whisper.STARTERS[model], MODELS)
    loaded = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=worker_threads())

    async def hear(path: Path) -> AsyncIterator[tuple[float, str]]:
        for segment in loaded.transcribe(str(path), beam_size=1, vad_filter=True)[0]:
            yield segment.end, segment.text

    return hear


def _engine(who: str, model: str) -> Hear:
    from tools.engines import faster_whisper, whisper
    from tools.engines.base import EngineOptions, Segment, SpeechRequest
    from tools.engines.device import DeviceArbiter

    module = whisper if who == "openai" else faster_whisper
    engine = module.load_speech(model, EngineOptions(MODELS, DeviceArbiter(), "cpu", offline=True))

    async def hear(path: Path) -> AsyncIterator[tuple[float, str]]:
        async for item in engine.transcribe(SpeechRequest(path), threading.Event()):
            if isinstance(item, Segment):
                yield item.end_s, item.text

    return hear


def plain(text: str) -> str:
    """Letters and digits in lower case; where the language writes no spaces, each letter is a word."""
    text = re.sub(r"[^\w\s]", " ", text.lower())
    return " ".join(re.sub(r"([\u3040-\u30ff\u4e00-\u9fff])", r" \1 ", text).split())


def peak_bytes() -> int:
    """The most memory that this process ever held: VmHWM of Linux, which unlike getrusage knows nothing of its parent."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
