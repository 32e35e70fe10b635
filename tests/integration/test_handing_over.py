"""The command line beside a process that has the documents open, as the page has: its work is done there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from assistant.settings import load_settings
from assistant.sources import operators, read_elsewhere
from knowledge.knowledge_base import KnowledgeBase
from tests.quick_words import working
from tests.web_server import Answer, serving
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
        env={**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_FETCH_PRIVATE_HOSTS": "127.0.0.1"},
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


async def test_a_site_and_a_table_are_handed_over_like_files(home: Path, page: KnowledgeBase) -> None:
    settings = replace(load_settings(home, {"ASSISTANT_FETCH_PRIVATE_HOSTS": "127.0.0.1"}), home=home)
    page.read_elsewhere = partial(read_elsewhere, settings, page, operators)
    with closing(sqlite3.connect(home / "shop.db")) as db, db:
        db.execute("CREATE TABLE boats (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("INSERT INTO boats VALUES (1, 'Wanda')")
    with serving() as web:
        web.pages["/"] = Answer('<title>Quay</title><p>The quay is long.</p><a href="/a">a</a>', etag='"1"')
        web.pages["/a"] = Answer("<title>Crane</title><p>The crane is yellow.</p>", etag='"a"')
        source = ("--database", "sqlite:///shop.db", "--table", "boats", "--json")
        status, out, err = await assistant(home, "ingest", web.url, "--site", "--depth", "1", *source)
        assert (status, [json.loads(line)["title"] for line in out.splitlines()]) == (
            0,
            ["Quay", "Crane", "boats (shop)"],
        )
        assert f"process {os.getpid()}" in err
        web.answered.clear()
        status, out, _ = await assistant(home, "refresh", "--json")
    assert status == 0
    assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["unchanged"] * 3
    assert 200 not in web.answered and web.answered.count(304) == 2
    assert {job.state for job in page.jobs()} == {"done"}
    assert (await page.search("Which boat is called Wanda?"))[0].title == "boats (shop)"


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
