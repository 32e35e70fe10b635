"""The vectors on a Chroma server, a real one on loopback: asked by several processes, down, silent, emptied, and filled again."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.check import check_capabilities
from assistant.settings import Settings
from knowledge import store
from knowledge.knowledge_base import KnowledgeBase
from knowledge.store import VectorStore
from tests.quick_words import NewWords, Words, working

FILES = 12


class Server:
    """`chroma run`; what it holds outlives `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [Path(sys.executable).with_name("chroma"), "run", "--path", self.folder, "--host", "127.0.0.1"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        self.process = subprocess.Popen([*command, "--port", str(self.port)], env=environ, **quiet)
        for _ in range(1200):
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, "the server ended"
            time.sleep(0.05)
        raise AssertionError("the server does not listen")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("chroma"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(store, "LEFT_ALONE_S", 0.0)
    if running.process.poll() is not None:
        running.start()
    return running


@pytest.fixture
async def base(server, tmp_path):
    base = KnowledgeBase(tmp_path / "knowledge", Words().embed, "old", chroma_url=server.url)
    for i in range(FILES):
        await base.add(note(tmp_path, text_of(i), f"{i}.txt"))
    yield base
    await base.close()


def note(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def text_of(number: int) -> str:
    return f"Locker {number}x belongs to keeper{number}x"


async def best(base: KnowledgeBase, query: str) -> str:
    return (await base.search(query, k=1))[0].title


def held(base: KnowledgeBase, url: str) -> int:
    """How many vectors the server has of what answers."""
    there = VectorStore(url).of(base._index.database.sets().mark)
    try:
        return there.count("shared")
    finally:
        there.close()


async def until(condition) -> None:
    for _ in range(3000):
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never became so")


async def test_every_process_asks_the_server_and_nothing_lies_in_the_folder(base, server, tmp_path):
    other = KnowledgeBase(tmp_path / "knowledge", Words().embed, "old", chroma_url=server.url)
    for one in (base, other):
        assert await best(one, text_of(7)) == "7.txt"
        assert one._index._server.complete("shared") is not None
        assert one.trouble() is None
    assert other._index._store is None, "the other process took the write lock"
    assert not (tmp_path / "knowledge" / "chroma").exists()
    await other.close()


async def test_a_server_that_was_emptied_is_told_of_and_filled_again(base, server, tmp_path):
    there = VectorStore(server.url).of(base._index.database.sets().mark)
    there.drop("shared")
    base._index._server._seen.clear()
    assert await best(base, text_of(7)) == "7.txt"
    assert str(base.trouble()) == (
        f"The Chroma server at {server.url} holds 0 of 12 vectors. "
        "The page fills it by itself, `assistant check --repair` does it at once."
    )
    [row] = [row for row in check_capabilities(Settings(home=tmp_path, chroma_url=server.url)) if row.name == "vectors"]
    assert (row.ok, row.model) == (False, server.url)
    assert [f.ok for f in await base.repair() if f.name == "vectors of shared"] == [False]
    assert held(base, server.url) == FILES
    there.drop("shared")
    base._index._server._seen.clear()
    await base.search("keeper")
    async with working(base):
        await until(lambda: held(base, server.url) == FILES)
    await base.search("keeper")
    assert base.trouble() is None
    there.close()


async def test_while_the_server_is_down_documents_are_found_added_and_forgotten(base, server, tmp_path):
    server.stop()
    base._index._server._seen.clear()
    assert await best(base, text_of(7)) == "7.txt"
    assert str(base.trouble()).startswith(f"The Chroma server at {server.url} cannot be used: nothing answers there.")
    await base.add(note(tmp_path, "A lamp at sea.", "lamp.txt"))
    await base.forget(str((tmp_path / "3.txt").resolve()))
    assert await best(base, "A lamp at sea.") == "lamp.txt"
    server.start()
    async with working(base):
        await until(lambda: not base._index.database.stale() and held(base, server.url) == FILES)
    assert [f for f in await base.repair() if not f.ok] == []
    assert await best(base, "A lamp at sea.") == "lamp.txt"
    assert base.trouble() is None


async def test_a_server_that_is_silent_is_given_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SILENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        base = KnowledgeBase(tmp_path / "knowledge", Words().embed, "old", chroma_url=url)
        await base.add(note(tmp_path, text_of(7), "7.txt"))
        assert await best(base, text_of(7)) == "7.txt"
        assert "it does not answer in time" in str(base.trouble())
        await base.close()


async def test_another_embedding_takes_over_on_the_server_and_leaves_what_is_not_ours(base, server, tmp_path):
    foreign = VectorStore(server.url).of("somebody-1")
    foreign.put("shared", ["a"], np.eye(1, 8, dtype=np.float32))
    await base.close()
    again = KnowledgeBase(tmp_path / "knowledge", NewWords().embed, "new", chroma_url=server.url)
    async with working(again):
        await until(lambda: again.reembedding() is None)
        await again.settled()
    assert await best(again, text_of(7)) == "7.txt"
    assert held(again, server.url) == FILES
    owner = again._index.database.sets().mark.partition("-")[0]
    names = [known.name for known in foreign._place._connected().list_collections()]
    assert len([name for name in names if name.startswith(f"v-{owner}-")]) == 1
    assert foreign.count("shared") == 1
    foreign.drop("shared")
    foreign.close()
    await again.close()


async def test_the_vectors_move_into_the_folder_and_back(base, server, tmp_path):
    folder = tmp_path / "knowledge"
    await base.close()
    embedded = KnowledgeBase(folder, Words().embed, "old")
    assert await best(embedded, text_of(7)) == "7.txt"
    await embedded.add(note(tmp_path, "A lamp at sea.", "lamp.txt"))
    await embedded.close()
    assert (folder / "chroma").exists()
    back = KnowledgeBase(folder, Words().embed, "old", chroma_url=server.url)
    assert await best(back, "A lamp at sea.") == "lamp.txt"
    async with working(back):
        await until(lambda: held(back, server.url) == FILES + 1)
    assert not (folder / "chroma").exists()
    await back.close()
