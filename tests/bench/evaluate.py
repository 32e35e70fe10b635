"""What an evaluation costs besides the models' own time, and that it goes on after kill -9: `python -m tests.bench.evaluate`.

200 rows by three levers on the small starter model, one call at a time: overhead is what the whole took beyond the seconds that the
model reports, as a share of these. Half-way the process is killed; the rest must ask only what had not been answered.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODELS = Path(__file__).parents[2] / ".venv" / "test-models"
MODEL = "llama-cpp:smollm2-135m-instruct max_tokens=8 temperature=0"
LEVERS = ("zero-shot", "few-shot", "context")
MOST_OVERHEAD = 0.05


def data(path: Path, rows: int) -> None:
    colours = ("red", "green", "blue", "white", "black")
    with path.open("w", encoding="utf-8") as file:
        for n in range(rows):
            colour = colours[n * 7 % len(colours)]
            row = {"id": str(n), "question": f"What colour is door {n} of the old harbour house?", "reference": colour}
            file.write(json.dumps({**row, "context": f"Door {n} of the old harbour house is {colour}."}) + "\n")


def command(folder: Path) -> list[str]:
    levers = [word for lever in LEVERS for word in ("--lever", lever)]
    base = [sys.executable, "-m", "assistant.cli", "evaluate", "doors.jsonl", "-c", MODEL]
    return [*base, *levers, "--examples", "examples.jsonl", "--json", "-o", str(folder / "reports")]


def finished(home: Path) -> int:
    path = home / "evaluations" / "answers.sqlite3"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as db:
        try:
            return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def run(folder: Path, home: Path, kill_at: int | None) -> tuple[dict[str, Any], int]:
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command(folder), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    while kill_at is not None and process.poll() is None and finished(home) < kill_at:
        time.sleep(0.05)
    if kill_at is not None:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return {}, finished(home)
    said, _ = process.communicate()
    return json.loads(said), finished(home)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--kill", action="store_true", help="also kill -9 half-way")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path(name) / "home"
        home.mkdir()
        (home / "models").symlink_to(MODELS)
        data(folder / "doors.jsonl", wanted.rows)
        examples = [{"question": f"What colour is gate {n}?", "reference": "grey"} for n in range(20)]
        (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, examples)), "utf-8")
        before = 0
        if wanted.kill:
            _, before = run(folder, home, wanted.rows * len(LEVERS) // 2)
        report, _ = run(folder, home, None)
    seconds = report["calls"]
    overhead = seconds["wall_s"] / seconds["model_s"] - 1
    print(f"rows x levers      {wanted.rows} x {len(LEVERS)}, {before} finished before the kill")
    print(f"calls now          {report['calls']['asked']} asked, {report['calls']['known']} known")
    print(f"model time         {seconds['model_s']:.1f} s of {seconds['wall_s']:.1f} s: overhead {overhead:.1%}")
    print(report["recommendation"]["sentence"])
    again = report["calls"]["asked"] != wanted.rows * len(LEVERS) - before
    return int(overhead > MOST_OVERHEAD or again)


if __name__ == "__main__":
    sys.exit(main())
