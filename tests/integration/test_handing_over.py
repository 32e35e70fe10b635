"""The command line beside a process that has the documents open, as the page has: its work is done there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knowledge.knowledge_base import KnowledgeBase
from tests.quick_words import working
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.onnx import load_embedding

ASSISTANT = str(Path(sys.executable).parent / "assistant")


@pytest.fixture
async def page(home: Path, models_folder: Path) -> AsyncIterator[KnowledgeBase]:
    """A process that writes and works the queue off."""
    engine = load_embedding("all-MiniLM-L6-v2", EngineOptions(models_folder, DeviceArbiter()))
    base = KnowledgeBase(home / "knowledge", engine.embed, engine.name)
    async with working(base):
        (home / "open.txt").write_text("The page is open.", "utf-8")
        await base.add(home / "open.txt")
        yield base
    await base.close()


async def assistant(home: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        ASSISTANT,
        *arguments,
        env={**os.environ, "ASSISTANT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_page_does_the_work_of_the_command(home: Path, page: KnowledgeBase) -> None:
    folder = home / "papers"
    folder.mkdir()
    (folder / "cat.txt").write_text("The office cat is called Mimi.", "utf-8")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 cut off")
    status, out, err = await assistant(home, "ingest", "papers", "--json")
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["failed", "indexed"]
    assert status == 1
    assert f"process {os.getpid()}" in err
    assert "papers/bad.pdf: " in err
    assert (await page.search("What is the cat called?"))[0].title == "cat.txt"
    status, out, err = await assistant(home, "forget", "papers/cat.txt")
    assert (status, err) == (0, "")
    assert [p.title for p in await page.search("cat", k=9)] == ["open.txt"]


def test_a_watch_ends_cleanly_with_ctrl_c(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    process = subprocess.Popen(
        [ASSISTANT, "ingest", "--watch", str(folder)],
        env={**os.environ, "ASSISTANT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr and process.stderr.readline().startswith("Watching")
    (folder / "new.txt").write_text("Something new.", "utf-8")
    os.utime(folder / "new.txt", (time.time() - 5, time.time() - 5))
    assert process.stdout and process.stdout.readline() == f"added {folder / 'new.txt'}\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "No longer watching.\n")


def test_ctrl_c_gives_up_what_is_left_of_an_ingest(home: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("\n\n".join(f"Paragraph {i}: the harbour. " * 20 for i in range(4000)), "utf-8")
    process = subprocess.Popen(
        [ASSISTANT, "ingest", str(tmp_path / "long.txt")],
        env={**os.environ, "ASSISTANT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    base = KnowledgeBase(home / "knowledge", _none, "onnx:all-MiniLM-L6-v2/int8")
    for _ in range(600):
        if any(source.chunks for source in base.sources()):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert ([job.state for job in base.jobs()], base.sources()) == (["cancelled"], [])
    asyncio.run(base.close())


async def _none(_texts: object) -> None:
    raise AssertionError("nothing is embedded here")
