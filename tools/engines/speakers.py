"""Who spoke when: the segments of a transcript get the name of a speaker, from how the voices sound.

The recording is read once more, a window at a time. Every stretch of speech becomes vectors (`campplus.py`), the vectors are
clustered, and every word goes to the voice that it sounds most like. Only vectors are kept, so that memory stays flat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from tools.engines.audio import SAMPLE_RATE_HZ, Recording, Window
from tools.engines.base import Segment, Word
from tools.engines.campplus import load_campplus
from tools.engines.errors import Stopped

PIECE_S = 1.5
STEP_S = 0.75
BATCH = 16
MOST_CLUSTERED = 2000
"""Pieces that are clustered, taken evenly from longer recordings: a voice of a few seconds in hours may go unnoticed."""
SAME_VOICE = 0.48
"""Cosine distance up to which clusters are one voice; fitted by tests/bench/speakers.py on its development dialogues."""
SMALLEST_SHARE = 0.04
SHORTEST_TURN_S = 0.8


@dataclass(frozen=True)
class _Voices:
    """`middles_s` (n,) of the pieces in order, and how much each sounds like each speaker: `likeness` (n, speakers)."""

    middles_s: np.ndarray
    likeness: np.ndarray

    def of(self, start_s: float, end_s: float) -> int:
        """The speaker that the pieces around a word or in a segment, or the nearest piece, sound most like."""
        far_s = np.abs(self.middles_s - (start_s + end_s) / 2)
        near = far_s <= max(PIECE_S / 2, (end_s - start_s) / 2, far_s.min())
        return int(self.likeness[near].mean(axis=0).argmax())


def label_speakers(
    path: Path,
    segments: Sequence[Segment],
    stop: threading.Event,
    models: Path,
    speakers: int | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[Segment]:
    """The segments with "Speaker 1", "Speaker 2" … in order of appearance; one whose words (if timed) are of several
    voices is divided. `speakers` tells how many there are, otherwise the voices do; `on_progress` gets a part from 0 to 1.

    Takes about .03 CPU seconds a second of speech. Raises: BadInput, ModelNotFound, Stopped.
    """
    if not segments:
        return []
    middles, vectors = _vectors(path, segments, stop, models, on_progress)
    if not len(vectors):
        return [replace(segment, speaker="Speaker 1") for segment in segments]
    centres = _centres(vectors, speakers)
    voices = _Voices(middles, vectors @ centres.T)
    parts = [part for segment in segments for part in _divided(segment, voices)]
    names: dict[int, str] = {}
    return [replace(part, speaker=names.setdefault(voice, f"Speaker {len(names) + 1}")) for part, voice in parts]


def _vectors(
    path: Path,
    segments: Sequence[Segment],
    stop: threading.Event,
    models: Path,
    on_progress: Callable[[float], None],
) -> tuple[np.ndarray, np.ndarray]:
    """The middles of the pieces (s) and their vectors."""
    embed = load_campplus(models)
    middles: list[float] = []
    vectors: list[np.ndarray] = []
    for window in Recording(path).windows(stop.is_set):
        pieces = list(_pieces(window, segments))
        for first in range(0, len(pieces), BATCH):
            if stop.is_set():
                break
            batch = pieces[first : first + BATCH]
            middles += [middle for middle, _ in batch]
            vectors.append(embed(np.stack([samples for _, samples in batch])))
            on_progress(min(1.0, batch[-1][0] / (segments[-1].end_s or 1.0)))
    if stop.is_set():
        raise Stopped("The speakers were not told apart: it was stopped.")
    return np.array(middles), np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)


def _pieces(window: Window, segments: Sequence[Segment]) -> Iterator[tuple[float, np.ndarray]]:
    """Overlapping pieces of the speech in one window; a shorter stretch is repeated until it is one."""
    size = int(PIECE_S * SAMPLE_RATE_HZ)
    for start_s, end_s in _stretches(segments):
        start, end = (max(0, int((t - window.start_s) * SAMPLE_RATE_HZ)) for t in (start_s, end_s))
        speech = window.samples[start:end]
        if len(speech) < SAMPLE_RATE_HZ // 4 or not speech.any():
            continue
        starts = range(0, max(1, len(speech) - size // 2), int(STEP_S * SAMPLE_RATE_HZ))
        for begin in starts:
            at = max(0, min(begin, len(speech) - size))
            middle = start + at + min(size, len(speech)) / 2
            yield window.start_s + middle / SAMPLE_RATE_HZ, np.resize(speech[at : at + size], size)


def _stretches(segments: Sequence[Segment]) -> Iterator[tuple[float, float]]:
    """Where somebody speaks: segments, or words without the pauses between them."""
    for segment in segments:
        spans = [(word.start_s, word.end_s) for word in segment.words] or [(segment.start_s, segment.end_s)]
        start, end = spans[0]
        for next_start, next_end in spans[1:]:
            if next_start - end > 0.3:
                yield start, end
                start = next_start
            end = next_end
        yield start, end


def _centres(vectors: np.ndarray, speakers: int | None) -> np.ndarray:
    """A unit vector for each voice, shape (speakers, dimensions)."""
    taken = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_CLUSTERED)).astype(int)]
    labels = _clusters(taken, speakers)
    sums = np.stack([taken[labels == label].sum(axis=0) for label in _large(labels, speakers)])
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def _clusters(vectors: np.ndarray, speakers: int | None) -> np.ndarray:
    """Agglomerative clustering by average cosine distance; outliers make small clusters of their own."""
    from sklearn.cluster import AgglomerativeClustering

    if len(vectors) <= (speakers or 1):
        return np.arange(len(vectors))
    options: dict[str, str] = {"metric": "cosine", "linkage": "average"}
    if speakers is None:
        found = AgglomerativeClustering(n_clusters=None, distance_threshold=SAME_VOICE, **options)
        return np.asarray(found.fit_predict(vectors))
    for count in range(speakers, min(speakers + 20, len(vectors)) + 1):
        labels = np.asarray(AgglomerativeClustering(n_clusters=count, **options).fit_predict(vectors))
        if len(_large(labels, None)) >= speakers:
            return labels
    return np.asarray(AgglomerativeClustering(n_clusters=speakers, **options).fit_predict(vectors))


def _large(labels: np.ndarray, speakers: int | None) -> list[int]:
    """The clusters that are voices, largest first."""
    names, sizes = np.unique(labels, return_counts=True)
    order = [int(names[i]) for i in np.argsort(-sizes, kind="stable")]
    if speakers is not None:
        return order[:speakers]
    least = max(2, SMALLEST_SHARE * len(labels))
    return [name for name in order if (labels == name).sum() >= least] or order[:1]


def _divided(segment: Segment, voices: _Voices) -> Iterator[tuple[Segment, int]]:
    if not segment.words:
        yield segment, voices.of(segment.start_s, segment.end_s)
        return
    runs = _runs(segment.words, [voices.of(word.start_s, word.end_s) for word in segment.words])
    if len(runs) == 1:
        yield segment, runs[0][1]
        return
    begins = [_begin(segment, sum(len(words) for words, _ in runs[:number])) for number in range(len(runs))]
    for (words, voice), begin, end in zip(runs, begins, [*begins[1:], len(segment.text)], strict=True):
        if text := segment.text[begin:end].strip():
            yield Segment(words[0].start_s, words[-1].end_s, text, tuple(words)), voice


def _begin(segment: Segment, word: int) -> int:
    """Where the word of that number stands in the text: not every language puts spaces between words."""
    at = 0
    for earlier in segment.words[:word]:
        at = max(at, segment.text.find(earlier.text, at) + len(earlier.text))
    return at if word else 0


def _runs(words: Sequence[Word], voices: Sequence[int]) -> list[tuple[list[Word], int]]:
    """Neighbouring words of one voice; a run too short for a turn goes to the one before it, the first to the one behind."""
    pairs = groupby(zip(words, voices, strict=True), lambda pair: pair[1])
    runs = [([word for word, _ in run], voice) for voice, run in pairs]
    kept: list[tuple[list[Word], int]] = []
    for said, voice in runs:
        short = said[-1].end_s - said[0].start_s < SHORTEST_TURN_S
        if kept and (short or kept[-1][1] == voice):
            kept[-1][0].extend(said)
        elif kept and len(kept) == 1 and kept[0][0][-1].end_s - kept[0][0][0].start_s < SHORTEST_TURN_S:
            kept[0] = (kept[0][0] + said, voice)
        else:
            kept.append((list(said), voice))
    return kept
