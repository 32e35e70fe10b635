"""Web pages, sites and tables in the queue: they outlive the process, pause, end, and are read anew at the cost of what changed."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from assistant.settings import Settings, SettingsError, load_settings
from assistant.sources import name_of, of_origin, open_origins, operators, put_in_queue, read_elsewhere, table, web_page
from knowledge.knowledge_base import Elsewhere, Job, KnowledgeBase, KnowledgeError
from knowledge.sql import Selection
from knowledge.web import SiteLimits
from tests.quick_words import Words, working
from tests.web_server import Answer, WebServer, serving

QUICK = SiteLimits(delay_s=0.0)
CUSTOMERS = Selection("customers")


def opened(home: Path, words: Words) -> KnowledgeBase:
    settings = replace(load_settings(home, {"ASSISTANT_FETCH_PRIVATE_HOSTS": "127.0.0.1"}), home=home)
    base = KnowledgeBase(home / "knowledge", words.embed, "words")
    base.read_elsewhere = partial(read_elsewhere, settings, base, operators)
    return base


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(load_settings(tmp_path, {}), home=tmp_path)


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
async def base(tmp_path: Path, words: Words) -> AsyncIterator[KnowledgeBase]:
    base = opened(tmp_path, words)
    yield base
    await base.close()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        server.pages["/"] = Answer(
            '<title>Start</title><p>The harbour.</p><a href="/a">a</a><a href="/b">b</a>', etag='"1"'
        )
        server.pages["/a"] = Answer("<title>A</title><p>The anchor is heavy.</p>", etag='"a"')
        server.pages["/b"] = Answer("<title>B</title><p>The buoy is red.</p>", etag='"b"')
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, town TEXT)")
        db.executemany("INSERT INTO customers VALUES (?, ?, 'Delft')", [(n, f"Customer{n}") for n in range(1, 61)])
        yield db


def enqueue(base: KnowledgeBase, wanted: Elsewhere) -> Job:
    return put_in_queue(base, wanted, name_of(wanted), "shared")


async def ended(base: KnowledgeBase, job: Job) -> Job:
    return await until(base, job, lambda now: bool(now.finished))


async def until(base: KnowledgeBase, job: Job, is_so: Callable[[Job], bool]) -> Job:
    async with asyncio.timeout(60):
        while not is_so(now := next(known for known in base.jobs() if known.id == job.id)):
            await asyncio.sleep(0.02)
    return now


def outcomes(base: KnowledgeBase, job: Job, web: WebServer) -> dict[str, str]:
    return {result.source.removeprefix(web.url): result.outcome for result in base.results(job.id)}


async def test_a_site_that_was_named_before_a_restart_is_read_after_it(tmp_path, words, web) -> None:
    first = opened(tmp_path, words)
    job = enqueue(first, web_page(web.url, QUICK))
    await first.close()
    second = opened(tmp_path, words)
    async with working(second):
        assert (await ended(second, job)).state == "done"
    assert outcomes(second, job, web) == {"/": "new", "/a": "new", "/b": "new"}
    await second.close()


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_elsewhere import opened
from tests.quick_words import Words

class Slow(Words):
    async def embed(self, texts):
        if any(sys.argv[2] in text for text in texts):
            print("half-way", flush=True)
            await asyncio.sleep(600)
        return await super().embed(texts)

asyncio.run(opened(Path(sys.argv[1]), Slow()).run_jobs())
"""


def killed_at(home: Path, word: str) -> None:
    """Work the queue off in a process that is killed when it embeds this word."""
    with subprocess.Popen([sys.executable, "-c", KILLED, str(home), word], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout and child.stdout.readline() == "half-way\n"
        child.kill()


async def test_a_table_goes_on_after_a_kill_where_it_was(tmp_path, words, shop) -> None:
    base = opened(tmp_path, words)
    job = enqueue(base, table(f"sqlite:///{tmp_path}/shop.db", CUSTOMERS))
    await base.close()
    killed_at(tmp_path, "Customer50")
    base = opened(tmp_path, words)
    async with working(base):
        assert (await ended(base, job)).state == "done"
    assert [dict(result.rows)["new"] for result in base.results(job.id)] == [60]
    assert len(base.sources()) == 1 and base.sources()[0].chunks == 60
    assert len(words.asked) < 60, "rows that were embedded before the kill were embedded again"
    await base.close()


async def test_a_site_goes_on_after_a_kill_and_asks_only_for_what_it_has_not(tmp_path, words, web) -> None:
    base = opened(tmp_path, words)
    job = enqueue(base, web_page(web.url, QUICK))
    await base.close()
    killed_at(tmp_path, "buoy")
    web.answered.clear()
    base = opened(tmp_path, words)
    async with working(base):
        await ended(base, job)
    assert outcomes(base, job, web) == {"/": "new", "/a": "new", "/b": "new"}
    assert web.answered.count(304) == 2
    assert sorted((s.title, s.state) for s in base.sources()) == [(t, "indexed") for t in ("A", "B", "Start")]
    await base.close()


async def test_reading_anew_costs_only_what_changed_and_drops_what_vanished(tmp_path, base, words, shop) -> None:
    wanted = table(f"sqlite:///{tmp_path}/shop.db", CUSTOMERS)
    async with working(base):
        await ended(base, enqueue(base, wanted))
        words.asked.clear()
        same = enqueue(base, wanted)
        await ended(base, same)
        assert (base.results(same.id)[0].outcome, words.asked) == ("unchanged", [])
        shop.execute("UPDATE customers SET town = 'Breda' WHERE id IN (3, 4)")
        shop.execute("INSERT INTO customers VALUES (99, 'Zoe', 'Gouda')")
        shop.execute("DELETE FROM customers WHERE id > 30 AND id < 41")
        anew = enqueue(base, wanted)
        await ended(base, anew)
        (result,) = base.results(anew.id)
    assert result.outcome == "changed"
    assert dict(result.rows) == {"new": 1, "changed": 2, "gone": 10, "same": 48, "cut": 0}
    assert len(words.asked) == 3
    places = {p.place for p in await base.passages(base.sources()[0].source, collection="shared")}
    assert "customers, id 35" not in places and len(places) == 51


async def test_what_is_asked_for_twice_waits_once_and_what_failed_before_goes(base, web) -> None:
    wanted = web_page(f"{web.url}/none")
    first = enqueue(base, wanted)
    assert enqueue(base, wanted).id == first.id
    assert enqueue(base, web_page(f"{web.url}/none", QUICK)).id != first.id
    async with working(base):
        failed = await ended(base, first)
        assert failed.state == "failed" and "404" in failed.message
        web.pages["/none"] = Answer("<title>There</title><p>Now there.</p>")
        await ended(base, enqueue(base, wanted))
    assert next(job for job in base.jobs() if job.id == first.id).state == "cancelled"


async def test_a_page_that_is_gone_keeps_its_text_and_says_so(base, web) -> None:
    async with working(base):
        await ended(base, enqueue(base, web_page(f"{web.url}/a")))
        del web.pages["/a"]
        failed = await ended(base, enqueue(base, web_page(f"{web.url}/a")))
    assert failed.state == "failed"
    assert (
        f"There is no page {web.url}/a" in failed.message
        and failed.remedy == "What was read before is kept. Check the address."
    )
    assert (await base.search("anchor"))[0].title == "A"


async def test_a_table_that_was_dropped_keeps_its_rows_and_says_so(tmp_path, base, shop) -> None:
    wanted = table(f"sqlite:///{tmp_path}/shop.db", CUSTOMERS)
    async with working(base):
        await ended(base, enqueue(base, wanted))
        shop.execute("DROP TABLE customers")
        failed = await ended(base, enqueue(base, wanted))
        assert failed.message == "There is no table customers." and "is kept" in failed.remedy
        (tmp_path / "shop.db").unlink()
        gone = await ended(base, enqueue(base, wanted))
    assert "There is no database file" in gone.message
    assert base.sources()[0].chunks == 60


def endless() -> Iterator[bytes]:
    while True:
        yield b"<p>more</p>"
        threading.Event().wait(0.05)


@pytest.mark.parametrize(("wish", "state"), [("cancel", "cancelled"), ("pause", "paused")])
async def test_a_site_that_answers_forever_is_left_at_once(base, web, wish, state) -> None:
    web.pages["/a"] = Answer(endless())
    async with working(base):
        job = enqueue(base, web_page(web.url, QUICK))
        await until(base, job, lambda now: now.pages_done > 0 or "/a" in web.asked)
        await getattr(base, wish)(job.id)
        assert (await until(base, job, lambda now: now.state == state)).state == state
    assert [source.state for source in base.sources()] == ["indexed"]


async def test_a_paused_table_keeps_what_was_embedded_and_goes_on(tmp_path, base, words, shop) -> None:
    words.after = 20
    async with working(base):
        job = enqueue(base, table(f"sqlite:///{tmp_path}/shop.db", CUSTOMERS))
        await until(base, job, lambda _now: len(words.asked) >= 20)
        await base.pause(job.id)
        await until(base, job, lambda now: now.state == "paused")
        words.after = 10**9
        words.asked.clear()
        await base.resume(job.id)
        assert (await ended(base, job)).state == "done"
    assert 0 < len(words.asked) < 60


async def test_a_site_holds_up_no_file(tmp_path, base, web) -> None:
    web.pages["/a"] = Answer(endless())
    for name in ("/?1", "/?2", "/?3"):
        web.pages[name] = web.pages["/"]
        enqueue(base, web_page(web.url + name, QUICK))
    (tmp_path / "note.txt").write_text("A note about ropes.")
    async with working(base):
        assert (await ended(base, base.enqueue([tmp_path / "note.txt"])[0])).state == "done"


# Secrets


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:s3cr3t@127.0.0.1:9/shop",
        "mysql://ada@127.0.0.1:9/shop?password=s3cr3t",
        "postgresql://ada:${HALF}s3cr3t@127.0.0.1:9/shop",
    ],
)
async def test_an_address_with_a_password_never_reaches_the_disk(tmp_path, base, monkeypatch, address: str) -> None:
    monkeypatch.setenv("HALF", "half")
    with pytest.raises(KnowledgeError, match=r"would be written down.*\$\{DB_PASSWORD\}") as caught:
        enqueue(base, table(address, CUSTOMERS))
    assert "s3cr3t" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]


async def test_a_wrong_password_is_told_without_it_and_stays_out_of_the_disk(tmp_path, base, monkeypatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "s3cr3t")
    with refusing_postgres() as port:
        async with working(base):
            job = enqueue(base, table(f"postgresql://ada:${{DB_PASSWORD}}@127.0.0.1:{port}/shop", CUSTOMERS))
            failed = await ended(base, job)
    assert "password authentication failed" in failed.message
    assert failed.remedy == "Check the name and the password."
    assert base.sources() == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"s3cr3t" in path.read_bytes()]


def test_a_variable_without_a_value_is_named_before_anything_waits(base) -> None:
    with pytest.raises(SettingsError, match="NO_SUCH_NAME has no value"):
        table("postgresql://ada:${NO_SUCH_NAME}@127.0.0.1/shop", CUSTOMERS)


async def test_an_origin_without_its_address_says_how_to_add_it_again(settings, base) -> None:
    with open_origins(settings, base) as origins:
        options = {"url": None, "name": "t", "query": None}
        origin = origins.put("database", "postgresql://127.0.0.1:9/shop#t", "shared", options)
    with pytest.raises(KnowledgeError, match=r"not kept.*\$\{DB_PASSWORD\}"):
        of_origin(origin)


@contextmanager
def refusing_postgres() -> Iterator[int]:
    """The port of a server that speaks as much of PostgreSQL as it takes to refuse a password."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                if int.from_bytes(connection.recv(4096)[4:8], "big") == 80877103:
                    connection.sendall(b"N")
                    connection.recv(4096)
                connection.sendall(message(b"R", (3).to_bytes(4, "big")))
                connection.recv(4096)
                fields = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "ada"\0\0'
                connection.sendall(message(b"E", fields))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
