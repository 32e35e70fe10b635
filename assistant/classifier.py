"""The embedding classifier behind the tool choice: a small multilingual encoder with a head of four tools.

`train_classifier.py` fine-tunes it on the labelled examples in `data/`; this file only runs it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.e5 import E5
from assistant.router import PastTurn, Scores
from tools.engines.errors import ModelNotFound

WEIGHTS = Path(__file__).parent / "data" / "tool-classifier.onnx"
LABELS = ("generate_image", "transcribe_audio", "search_knowledge", "write_text")
TEMPERATURE = 1.0
"""Divides the logits so that confidence means what it says; fitted on the development split."""
REQUEST_TOKENS = 160
BEFORE_TOKENS = 60
LONGEST_READ = 4000
"""Characters of a long message that are looked at: its beginning and its end."""


class Classifier:
    """Loads on the first call (about a second), then takes some ten milliseconds a request on one thread."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._weights = weights
        self._loaded: tuple[E5, Any] | None = None
        self._lock = threading.Lock()

    def __call__(self, text: str, kinds: Sequence[str], thread: Sequence[PastTurn]) -> Scores:
        """Scores of the four tools. Raises: ModelNotFound when its weights are not installed."""
        words, session = self._load()
        ids = token_ids(words, text, kinds, thread)
        inputs = {"embeddings": words.embed_words(ids)[None], "mask": np.ones((1, len(ids)), np.float32)}
        logits = session.run(["logits"], inputs)[0][0]
        odds = np.exp((logits - logits.max()) / TEMPERATURE)
        return Scores(dict(zip(LABELS, (odds / odds.sum()).tolist(), strict=True)))

    def _load(self) -> tuple[E5, Any]:
        with self._lock:
            if self._loaded is None:
                import onnxruntime

                if not self._weights.exists():
                    raise ModelNotFound(f"{self._weights.name} is missing.", "Reinstall the assistant.")
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                session = onnxruntime.InferenceSession(str(self._weights), options, providers=["CPUExecutionProvider"])
                self._loaded = E5(), session
            return self._loaded


def token_ids(words: E5, text: str, kinds: Sequence[str], thread: Sequence[PastTurn]) -> list[int]:
    """What the classifier reads: attached kinds, the request and the turn before, as words the encoder already knows."""
    if len(text) > LONGEST_READ:
        text = text[: LONGEST_READ // 2] + " " + text[-LONGEST_READ // 2 :]
    ids = words.tokens("query: " + "".join(f"[{kind} file attached] " for kind in kinds) + text)
    if len(ids) > REQUEST_TOKENS:
        ids = ids[: REQUEST_TOKENS * 2 // 3] + ids[-REQUEST_TOKENS // 3 :]
    return [words.begin, *ids, words.end, *(before_ids(words, thread[-1]) if thread else ())]


def before_ids(words: E5, turn: PastTurn) -> list[int]:
    """The turn before, as it stands behind a request."""
    tool = (turn.tool or "write_text").replace("_", " ")
    before = words.tokens(f"previous request ({tool}): {turn.text[:1000]}")
    return [*before[:BEFORE_TOKENS], words.end]
