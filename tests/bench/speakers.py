"""How well speakers are told apart: dialogues of 1 to 4 voices, put together from the recordings of pytest-audioeval and from
espeak-ng's voices. The threshold was fitted on the development voices (`--fit` shows how); the test voices are others.

Parts: `right` (speaker time with the right name), `memory` (the peak on files of hours).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from tests.bench.speech import MOST_BYTES, STORY, hours_of, spoken
from tests.bench.speech_run import MODELS, ROOT, peak_bytes
from tests.sound import RATE_HZ, record, samples_of, silence
from tools.engines import speakers
from tools.engines.base import Segment
from tools.engines.starter import site_packages

# Polish and Portuguese are left out: they sound like the Spanish voice.
DEVELOPMENT = ("en", "fr", "it", "hi", "espeak:en+f2", "espeak:en+m3", "espeak:en+klatt2")
TEST = ("ja", "zh", "es", "espeak:en+f4", "espeak:en+m7", "espeak:en+belinda")
LEAST_ACCURACY = 0.9
HOURS = (1.0, 3.0)
SEGMENT_S, EVERY_S = 3.0, 12.0
"""In files of hours: enough speech that more pieces are found than are clustered."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["right", "memory"])
    parser.add_argument("--dialogues", type=int, default=12, help="of each set")
    parser.add_argument("--fit", action="store_true", help="try other thresholds on the development set")
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return _print_peaks(*args.one)
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        if "right" in args.parts:
            passed &= _right(Path(folder), args.dialogues, fit=args.fit)
        for hours in HOURS if "memory" in args.parts else ():
            passed &= _memory(Path(folder), hours)
    return 0 if passed else 1


def _right(folder: Path, count: int, *, fit: bool) -> bool:
    made = {
        name: [_dialogue(folder, voices, number) for number in range(count)]
        for name, voices in (("development", DEVELOPMENT), ("test", TEST))
    }
    if fit:
        for threshold in (0.36, 0.42, 0.48, 0.54, 0.6):
            speakers.SAME_VOICE = threshold
            _report(f"threshold {threshold}", made["development"], known=False)
        return True
    shares = [_report(f"{name}, count found", made[name], known=False) for name in made]
    shares += [_report(f"{name}, count given", made[name], known=True) for name in made]
    return min(shares) >= LEAST_ACCURACY


def _memory(folder: Path, hours: float) -> bool:
    """The peak above that of the story alone, in a process of its own."""
    story = spoken(folder / "story.wav")
    command = [
        sys.executable,
        "-m",
        "tests.bench.speakers",
        "--one",
        str(story),
        str(hours_of(story, hours, speech=True)),
    ]
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    alone, long = map(int, done.stdout.split())
    passed = long - alone <= MOST_BYTES
    print(
        f"memory: {hours:g} hours peak at {(long - alone) / 1e6:.0f} MB above one story ({alone / 1e6:.0f} MB), "
        f"goal at most {MOST_BYTES / 1e6:.0f} MB: {'reached' if passed else 'MISSED'}",
        flush=True,
    )
    return passed


def _print_peaks(*paths: Path) -> int:
    for path in paths:
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / file.getframerate()
        segments = [Segment(at, at + SEGMENT_S, "Words.") for at in np.arange(0, seconds - SEGMENT_S, EVERY_S).tolist()]
        speakers.label_speakers(path, segments, threading.Event(), MODELS)
        print(peak_bytes(), flush=True)
    return 0


def _dialogue(folder: Path, voices: Sequence[str], number: int) -> tuple[Path, list[Segment]]:
    """A recording of 12 turns and who really speaks in them."""
    rng = np.random.default_rng(number)
    chosen = rng.choice(voices, 1 + number % 4, replace=False)
    parts, segments, at = [], [], 0.0
    for turn in range(12):
        voice = str(chosen[turn % len(chosen)] if turn < len(chosen) else rng.choice(chosen))
        said = _said(folder, voice)[int(rng.integers(3))]
        pause = silence(float(rng.uniform(0.2, 1.0)))
        parts += [said, pause]
        segments.append(Segment(round(at, 2), round(at + len(said) / RATE_HZ, 2), "Words.", speaker=voice))
        at += (len(said) + len(pause)) / RATE_HZ
    return record(folder / f"{'-'.join(voices)[:8]}{number}.wav", np.concatenate(parts)), segments


def _said(folder: Path, voice: str) -> list[np.ndarray]:
    """Three things that the voice says."""
    if not voice.startswith("espeak:"):
        samples = site_packages() / "pytest_audioeval" / "samples" / "audio" / voice
        return [samples_of(path) for path in sorted(samples.glob("*.wav"))]
    clips = []
    for number, sentence in enumerate(STORY.split(". ")[:3]):
        path = folder / f"{voice.replace(':', '-')}-{number}.wav"
        if not path.exists():
            subprocess.run(["espeak-ng", "-v", voice.split(":")[1], "-s", "150", "-w", str(path), sentence], check=True)
        clips.append(samples_of(path))
    return clips


def _report(name: str, dialogues: Sequence[tuple[Path, list[Segment]]], *, known: bool) -> float:
    right_s = all_s = counted = 0.0
    for path, truth in dialogues:
        count = len({segment.speaker for segment in truth})
        bare = [Segment(s.start_s, s.end_s, s.text) for s in truth]
        told = speakers.label_speakers(path, bare, threading.Event(), MODELS, count if known else None)
        right_s += _agreement_s(truth, told)
        all_s += sum(s.end_s - s.start_s for s in truth)
        counted += len({segment.speaker for segment in told}) == count
    print(
        f"{name}: {right_s / all_s:.3f} of speaker time right, count right in {counted / len(dialogues):.2f}",
        flush=True,
    )
    return right_s / all_s


def _agreement_s(truth: Sequence[Segment], told: Sequence[Segment]) -> float:
    """Seconds with the right speaker under the best naming of the speakers."""
    names, found = (sorted({str(s.speaker) for s in side}) for side in (truth, told))
    table = np.zeros((len(names), len(found)))
    for real, guess in zip(truth, told, strict=True):
        table[names.index(str(real.speaker)), found.index(str(guess.speaker))] += real.end_s - real.start_s
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum())


if __name__ == "__main__":
    sys.exit(main())
