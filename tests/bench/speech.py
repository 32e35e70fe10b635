"""Our speech recognition beside faster-whisper and openai-whisper called directly, on the same weights, in one run.

Parts: `words` (word error on the clips of pytest-audioeval and on a long recording with pauses), `cost` (CPU seconds in
interleaved pairs), `memory` (the peak and the progress on a long file; mostly silence unless `--speech`), `batched` (why
batched decoding is off).
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from tests.bench.pairs import PAIRS, ratio, verdict
from tests.bench.speech_batched import compare_batched
from tests.bench.speech_run import MODELS, Run, Who, plain, transcribed
from tests.sound import RATE_HZ, record, samples_of, silence
from tools.engines import faster_whisper
from tools.engines.audio import WINDOW_S
from tools.engines.starter import site_packages, starter_folder

CLIPS = site_packages() / "pytest_audioeval" / "samples" / "audio"
MOST_RATIO = 1.03
LEAST_FASTER = 1.4
OPENAI_PAIRS = 3
MOST_ERROR_APART = 0.005
MOST_BYTES = 1e9
STORY = (
    "The train to the city leaves at half past seven. She said that the weather would be fine, but it rained all week. "
    "Please send the signed contract before the end of the month. The children played outside while dinner was cooking. "
    "He counted twelve ships in the harbour. The museum opens on Sundays, and the entrance is free for students. "
    "Nobody knew why the old clock had stopped at midnight. My sister learned to play the violin when she was six. "
    "A good book is the best company on a long journey. Tomorrow we will walk along the beach to the lighthouse. "
)
SENTENCES = (
    (
        "My sister",
        "The old captain",
        "Our neighbour",
        "A young doctor",
        "The teacher",
        "Nobody here",
        "The whole village",
    ),
    ("remembered", "talked about", "was looking for", "had forgotten", "wanted to buy", "painted", "never mentioned"),
    ("the letter from the bank", "a wooden bridge", "twelve white horses", "the broken window", "an expensive watch"),
    (
        "before the end of the month.",
        "on a cold morning.",
        "while dinner was cooking.",
        "near the harbour.",
        "in spring.",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["words", "cost", "memory", "batched"])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--minutes", type=float, default=20.0, help="of the long recording")
    parser.add_argument("--hours", type=float, default=3.0, help="of the file whose peak is read")
    parser.add_argument("--speech", action="store_true", help="that file holds speech all along")
    parser.add_argument("--model", default="base", choices=list(faster_whisper.STARTERS))
    args = parser.parse_args()
    starter_folder(faster_whisper.STARTERS[args.model], MODELS)
    with tempfile.TemporaryDirectory() as name:
        folder, passed = Path(name), True
        if "words" in args.parts:
            passed &= _words(folder, args.minutes, args.model)
        if "cost" in args.parts:
            passed &= _cost(folder, args.model, args.pairs)
        if "memory" in args.parts:
            passed &= _memory(folder, args.hours, args.model, speech=args.speech)
        if "batched" in args.parts:
            path, said = long_recording(folder, args.minutes)
            compare_batched(path, " ".join(said), args.model)
    return 0 if passed else 1


def _words(folder: Path, minutes: float, model: str) -> bool:
    clips = sorted(CLIPS.glob("*/*.wav"))
    long, said = long_recording(folder, minutes)
    recordings = {
        f"{len(clips)} clips": (clips, [clip.with_suffix(".txt").read_text("utf-8") for clip in clips]),
        f"{minutes:g} minutes": ([long], [" ".join(said)]),
    }
    passed = True
    for name, (paths, texts) in recordings.items():
        theirs, ours = (_error(texts, transcribed(who, model, *paths)) for who in ("direct", "ours"))
        reached = ours <= theirs + MOST_ERROR_APART
        passed &= reached
        print(
            f"word error, {name}: faster-whisper {theirs:.4f}, ours {ours:.4f}, goal at most {MOST_ERROR_APART} more: "
            f"{'reached' if reached else 'MISSED'}",
            flush=True,
        )
    return passed


def long_recording(folder: Path, minutes: float) -> tuple[Path, list[str]]:
    """Sentences with pauses of .3 to 4 s, and what is said. None comes twice: Whisper reads what it heard before as a hint."""
    path, rng = folder / "long.flac", np.random.default_rng(0)
    parts, said, seconds = list[np.ndarray](), list[str](), 0.0
    for number in rng.permutation(math.prod(map(len, SENTENCES))):
        if seconds >= minutes * 60:
            break
        said.append(_sentence(int(number)))
        clip, pause = samples_of(spoken(folder / "sentence.wav", said[-1])), silence(float(rng.uniform(0.3, 4)))
        parts += [clip, pause]
        seconds += (len(clip) + len(pause)) / RATE_HZ
    return record(path, np.concatenate(parts)), said


def _sentence(number: int) -> str:
    words = []
    for choices in SENTENCES:
        number, chosen = divmod(number, len(choices))
        words.append(choices[chosen])
    return " ".join(words)


def spoken(path: Path, text: str = STORY) -> Path:
    subprocess.run(["espeak-ng", "-s", "150", "-w", str(path), text], check=True)
    return path


def _error(truth: Sequence[str], heard: Sequence[Run]) -> float:
    from jiwer import wer

    return float(wer([plain(text) for text in truth], [plain(run.text) or "-" for run in heard]))


def _cost(folder: Path, model: str, pairs: int) -> bool:
    """The weights are loaded and warm in each process before the story is timed."""
    story, warm = spoken(folder / "story.wav"), spoken(folder / "warm.wav", "Good morning.")
    runs: dict[Who, list[Run]] = {"direct": [], "ours": [], "openai": []}
    for number in range(pairs):
        order: list[Who] = ["direct", "ours"] if number % 2 else ["ours", "direct"]
        for who in order + (["openai"] if number < OPENAI_PAIRS else []):
            runs[who].append(transcribed(who, model, warm, story)[1])
    if len({run.text for who in ("direct", "ours") for run in runs[who]}) > 1:
        print("The transcripts differ.")
    return _compare(runs)


def _compare(runs: dict[Who, list[Run]]) -> bool:
    passed = True
    for column, name in (("cpu_s", "CPU seconds"), ("wall_s", "wall seconds")):
        direct, ours, openai = ([getattr(run, column) for run in runs[who]] for who in ("direct", "ours", "openai"))
        print(
            f"{name}: faster-whisper {median(direct):.2f}, ours {median(ours):.2f}, openai-whisper {median(openai):.2f}"
        )
        passed &= verdict(f"  ours / faster-whisper, {name}", ratio(ours, direct), at_most=MOST_RATIO)
        slower = ratio(openai, ours[: len(openai)])
        passed &= verdict(f"  openai-whisper / ours, {name}", slower, at_least=LEAST_FASTER)
    return passed


def _memory(folder: Path, hours: float, model: str, *, speech: bool) -> bool:
    """The peak above that of the story alone; with speech all along, progress comes at least once a window too."""
    story = spoken(folder / "story.wav")
    alone, long = transcribed("ours", model, story, hours_of(story, hours, speech=speech))
    more = long.peak_bytes - alone.peak_bytes
    passed = more <= MOST_BYTES
    print(
        f"memory: {hours:g} hours with {model} peak at {more / 1e6:.0f} MB above one story ({alone.peak_bytes / 1e6:.0f} MB), "
        f"in {long.wall_s:.0f} s, {long.cpu_s:.0f} CPU s, goal at most {MOST_BYTES / 1e6:.0f} MB: "
        f"{'reached' if passed else 'MISSED'}"
    )
    if speech:
        window_s = long.wall_s * WINDOW_S / (hours * 3600)
        steady = long.longest_step_s <= WINDOW_S and long.longest_wait_s <= window_s
        print(
            f"progress: at most {long.longest_step_s:.1f} s of the recording at once, and {long.longest_wait_s:.1f} s on the "
            f"wall, goal at most a window ({WINDOW_S} s, {window_s:.1f} s on the wall): {'reached' if steady else 'MISSED'}"
        )
        passed &= steady
    return passed


def hours_of(story: Path, hours: float, *, speech: bool) -> Path:
    """The story, and then the story again and again or nothing until it comes once more at the end."""
    path = story.with_name("hours.wav")
    with wave.open(str(story)) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        sound = source.readframes(source.getnframes())
        times = math.ceil(hours * 3600 * source.getframerate() / source.getnframes())
        for number in range(times):
            target.writeframesraw(sound if speech or number in (0, times - 1) else bytes(len(sound)))
    return path


if __name__ == "__main__":
    sys.exit(main())
