"""Why batched decoding (faster_whisper.BatchedInferencePipeline) is off: each way on one long recording, words lost beside CPU seconds.

It decodes every chunk of up to half a minute once. With times, a decoding that ends early leaves the rest of its chunk unheard,
where decoding one after the other goes on behind the last time. Without times nothing is lost, but a segment is a whole chunk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.speech_run import MODELS, SEED, plain
from tools.engines import faster_whisper
from tools.engines.device import worker_threads
from tools.engines.starter import starter_folder

LOST_AT_ONCE = 4
"""Neighbouring words that are missing together: more than a word misheard."""


def compare_batched(path: Path, said: str, model: str) -> None:
    import ctranslate2

    print("way                            word error  lost  in a row  longest segment  CPU s")
    for name, way in _ways(path, model).items():
        ctranslate2.set_random_seed(SEED)
        began = time.process_time()
        segments = list(way()[0])
        took_s = time.process_time() - began
        text = " ".join(segment.text.strip() for segment in segments)
        error, lost, in_a_row = _lost(plain(said), plain(text))
        longest_s = max(segment.end - segment.start for segment in segments)
        print(f"{name:30} {error:10.3f} {lost:5} {in_a_row:9} {longest_s:14.1f} s {took_s:6.1f}", flush=True)


def _ways(path: Path, model: str) -> dict[str, Callable[[], Any]]:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    folder = starter_folder(faster_whisper.STARTERS[model], MODELS)
    plain = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=worker_threads())
    batched = BatchedInferencePipeline(plain)
    same: dict[str, Any] = {"beam_size": 1, "language": "en"}
    return {
        "one after the other": lambda: plain.transcribe(str(path), vad_filter=True, **same),
        "batched, with times": lambda: batched.transcribe(str(path), without_timestamps=False, **same),
        "batched, without times": lambda: batched.transcribe(str(path), **same),
    }


def _lost(truth: str, heard: str) -> tuple[float, int, int]:
    """Word error, words that are missing, and those of them that are missing together."""
    from jiwer import process_words

    found = process_words(truth, heard)
    gaps = [c.ref_end_idx - c.ref_start_idx for c in found.alignments[0] if c.type == "delete"]
    return float(found.wer), sum(gaps), sum(gap for gap in gaps if gap >= LOST_AT_ONCE)
