"""How soon the assistant is there, and how much it takes before the first question: `python tests/bench/start.py [RUNS]`.

Seconds to import the command line (beside an empty Python), seconds until the page is served, and the memory of all its
processes at rest. A figure is the median of the runs with its 96 % interval; it fails only where the interval lies beyond the goal.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil

MODELS = Path(__file__).parents[2] / ".venv" / "test-models"
LONGEST_IMPORT_S = 0.3
LONGEST_START_S = 5.0
MOST_MEGABYTES = 400
PATIENCE_S = 60
REST_S = 3


def main(runs: int) -> int:
    """Returns the exit status."""
    empty, imports, starts, megabytes = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        MODELS.mkdir(exist_ok=True)
        (home / "models").symlink_to(MODELS)
        serve(home)
        for _ in range(runs):
            empty.append(python_s("pass"))
            imports.append(python_s("import assistant.cli"))
            start_s, memory = serve(home)
            starts.append(start_s)
            megabytes.append(memory)
    cost = [full - bare for full, bare in zip(imports, empty, strict=True)]
    print(f"{'':34}{'median':>9}  {'interval':>17}  goal")
    print(f"{'an empty Python, s':34}{statistics.median(empty):9.3f}")
    failed = [
        report("import assistant.cli, s beyond it", cost, LONGEST_IMPORT_S, 3),
        report("assistant run until the page, s", starts, LONGEST_START_S, 2),
        report("idle, all processes together, MB", megabytes, MOST_MEGABYTES, 0),
    ]
    return int(any(failed))


def report(name: str, values: Sequence[float], most: float, digits: int) -> bool:
    """Print one line; True where the whole interval lies beyond `most`."""
    low, high = interval(values)
    span = f"{low:.{digits}f} to {high:.{digits}f}"
    verdict = "" if statistics.median(values) <= most else "  beyond" if low > most else "  beyond, within the noise"
    print(f"{name:34}{statistics.median(values):9.{digits}f}  {span:>17}  ≤ {most}{verdict}")
    return low > most


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the median, from order statistics: with nine values the second and the eighth, which hold it at 96 %."""
    ranked = sorted(values)
    skip = max(0, int((len(ranked) - 1.96 * len(ranked) ** 0.5) / 2))
    return ranked[skip], ranked[-1 - skip]


def python_s(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def serve(home: Path) -> tuple[float, float]:
    """(seconds until the page answers, megabytes resident at rest)."""
    port = free_port()
    command = [sys.executable, "-m", "assistant.cli", "run", "--port", str(port)]
    environment = {**os.environ, "ASSISTANT_HOME": str(home)}
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=home, env=environment, stderr=subprocess.DEVNULL) as page:
        try:
            wait_for(f"http://127.0.0.1:{port}/", page)
            start_s = time.perf_counter() - started
            time.sleep(REST_S)
            return start_s, megabytes_of(page.pid)
        finally:
            page.terminate()
            page.wait(PATIENCE_S)


def wait_for(url: str, page: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and page.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit("The page was not served.")


def megabytes_of(pid: int) -> float:
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in [root, *root.children(recursive=True)]) / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9))
