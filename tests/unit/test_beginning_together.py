"""Several processes that begin with the same empty home: each finds its tables, none is turned away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BEGIN = """
import asyncio, sys
from pathlib import Path
import assistant.app_storage as app_storage
from assistant.evaluation.cache import Cache
from assistant.history import History, sqlite_url
from assistant.prices import Cost
from assistant.prompt_library import PromptLibrary
from assistant.settings import Spending
from assistant.spending import Ledger

async def begin(home):
    for kept in (History(sqlite_url(home)), PromptLibrary(sqlite_url(home))):
        await kept._database.open()
        await kept.close()
    store = app_storage.PageStore(sqlite_url(home), home / "files")
    await store.open()
    await store.close()

print("ready", flush=True)
for line in sys.stdin:
    home = Path(line.strip())
    asyncio.run(begin(home))
    Ledger(home).hold("ada", "openai:m", Cost(0.01), Spending())
    Cache(home)
    print("done", flush=True)
"""
PROCESSES, TIMES = 3, 6


def test_processes_that_begin_at_the_same_time_all_come_through(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BEGIN]
    begun = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    assert [_line(process) for process in begun] == ["ready"] * PROCESSES
    for time in range(TIMES):
        home = tmp_path / str(time)
        home.mkdir()
        for process in begun:
            assert process.stdin
            print(home, file=process.stdin, flush=True)
        assert [_line(process) for process in begun] == ["done"] * PROCESSES
    for process in begun:
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()
