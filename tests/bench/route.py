"""How well the right tool is chosen, on sentences that no fitting touched: `python -m tests.bench.route`.

Accuracy (abstaining counts as wrong), abstention, near-misses and each language by themselves, a confusion matrix, and the
time of a decision. Then changes of subject: each sentence that stands alone once more behind a turn of another tool. `--fit` prints, on the development split, the accuracy at each threshold of "sure".
`--no-model` leaves the unsure ones undecided instead of asking the starter chat model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.classifier import Classifier
from assistant.engines import Engines
from assistant.events import Decision
from assistant.router import SURE, PastTurn, Router
from assistant.settings import Settings
from assistant.train_classifier import DATA
from tools.context import TOOL_NAMES

HERE = Path(__file__).parent
MODELS = HERE.parents[1] / ".venv" / "test-models"
TOO_CLOSE = 0.9
TARGETS = {"overall": 0.95, "near-misses": 0.92, "fr": 0.92, "new subject": 0.95}
MOST_ABSTAINED = 0.10
SLOWEST_MEDIAN_MS = 60


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def decide(router: Router, row: dict[str, Any], ask: Any) -> tuple[Decision, float]:
    thread = [PastTurn(turn["text"], turn["tool"]) for turn in row.get("thread", ())]
    started = time.perf_counter()
    decision = await router.decide(row["text"], kinds=row.get("kinds", ()), thread=thread, ask=ask)
    return decision, time.perf_counter() - started


def behind_another(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row that stands alone, behind a random one of another tool. The right tool stays the same."""
    rng = random.Random(0)
    alone = [row for row in rows if not row.get("thread")]
    others = {tool: [row for row in alone if row["tool"] != tool] for tool in TOOL_NAMES}
    return [{**row, "thread": [rng.choice(others[row["tool"]])]} for row in alone]


def share(rows: Sequence[tuple[dict[str, Any], Decision]]) -> str:
    right = sum(d.tool == row["tool"] for row, d in rows)
    return f"{right / max(1, len(rows)):6.1%}  ({right} of {len(rows)})"


def groups(rows: Sequence[tuple[dict[str, Any], Decision]]) -> dict[str, list[tuple[dict[str, Any], Decision]]]:
    languages = {name: [r for r in rows if r[0]["language"] == name] for name in ("en", "fr", "de", "es", "it")}
    return {
        "overall": list(rows),
        "near-misses": [r for r in rows if r[0]["near_miss"]],
        "plain": [r for r in rows if not r[0]["near_miss"]],
        "follow-ups": [r for r in rows if r[0].get("thread")],
        **languages,
    }


def confusion(rows: Sequence[tuple[dict[str, Any], Decision]]) -> str:
    counts = Counter((row["tool"], d.tool or "(unsure)") for row, d in rows)
    columns = (*TOOL_NAMES, "(unsure)")
    lines = [" " * 18 + "".join(f"{c[:14]:>16}" for c in columns)]
    lines += [f"{tool:18}" + "".join(f"{counts[tool, c]:16}" for c in columns) for tool in TOOL_NAMES]
    return "\n".join(lines)


async def closest_training_example(test: Sequence[str], train: Sequence[str], engines: Engines) -> np.ndarray:
    """Cosine of each test sentence to the nearest training sentence, by the starter embedder."""
    embedder = engines.embedding()
    return np.asarray((await embedder.embed(test) @ (await embedder.embed(train)).T).max(axis=1))


async def fit(router: Router, rows: Sequence[dict[str, Any]]) -> None:
    decided = [(row, (await decide(router, row, None))[0]) for row in rows]
    confidences = [(d.confidence, (d.tool or d.runner_up) == row["tool"]) for row, d in decided]
    for sure in np.arange(0.3, 0.96, 0.05):
        kept = [right for p, right in confidences if p >= sure]
        print(f"sure from {sure:.2f}: decides {len(kept) / len(rows):6.1%}, right in {np.mean(kept):6.1%} of those")


async def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fit", action="store_true")
    options.add_argument("--no-model", action="store_true")
    options.add_argument("--show-errors", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(MODELS)
        MODELS.mkdir(parents=True, exist_ok=True)
        engines = Engines(Settings(home=Path(folder)))
        router = Router(Classifier(), Path(folder) / "corrections.jsonl")
        if chosen.fit:
            await fit(router, read(DATA / "routing-dev.jsonl"))
            return 0
        rows = read(HERE / "route-test.jsonl")
        ask = None if chosen.no_model else engines.text()
        await router.decide("warm up")
        results = [(row, *(await decide(router, row, ask))) for row in rows]
        changes = [(row, (await decide(router, row, ask))[0]) for row in behind_another(rows)]
        train = [r["text"] for r in read(DATA / "routing-train.jsonl")]
        near = await closest_training_example([r["text"] for r in rows], train, engines)
        await engines.close()
    seconds = [s for _, d, s in results if d.why == "classifier"]
    return report([(row, d) for row, d, _ in results], changes, seconds, near, chosen)


def report(
    rows: Sequence[tuple[dict[str, Any], Decision]],
    changes: Sequence[tuple[dict[str, Any], Decision]],
    seconds: Sequence[float],
    near: np.ndarray,
    chosen: Any,
) -> int:
    by_group = {**groups(rows), "new subject": list(changes)}
    for name, members in by_group.items():
        print(f"{name:12} {share(members)}")
    abstained = sum(d.abstained for _, d in rows) / len(rows)
    median_ms = 1000 * statistics.median(seconds)
    print(
        f"abstained    {abstained:6.1%}\nasked the chat model in {sum(d.why in ('model', 'unsure') for _, d in rows)} cases (sure from {SURE})"
    )
    print(f"median of a sure decision: {median_ms:.1f} ms\n{confusion(rows)}")
    print(f"closest training example: cosine {near.max():.3f}; above {TOO_CLOSE}: {(near > TOO_CLOSE).sum()}")
    if chosen.show_errors:
        for row, d in (*rows, *changes):
            if d.tool != row["tool"]:
                print(
                    f"{row['language']} {row['tool']} <- {d.tool} {d.confidence:.2f} {d.why}: {row['text']} {row.get('thread', '')}"
                )
    missed = [
        g for g, goal in TARGETS.items() if sum(d.tool == r["tool"] for r, d in by_group[g]) < goal * len(by_group[g])
    ]
    missed += ["abstention"] * (abstained > MOST_ABSTAINED) + ["time"] * (median_ms > SLOWEST_MEDIAN_MS)
    print("missed: " + ", ".join(missed) if missed else "every target reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
