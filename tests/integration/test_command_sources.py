"""`assistant ingest` and `refresh` with web pages, sites and databases, as a script calls them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant.cli import call
from tests.web_server import Answer, WebServer, serving

Command = Callable[..., tuple[int, list[dict[str, Any]], str]]
"""Words of a command to its exit status, the JSON objects it printed, and what it said on stderr."""


@pytest.fixture
def assistant(tmp_path: Path, models_folder: Path, monkeypatch, capsys) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(models_folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    monkeypatch.setenv("ASSISTANT_FETCH_PRIVATE_HOSTS", "127.0.0.1")

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        capsys.readouterr()
        status = call([*arguments, "--json"])
        printed = capsys.readouterr()
        return status, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        server.pages["/menu"] = Answer(
            "<title>Menu</title><p>On Friday the canteen serves lentil soup.</p>", etag='"1"'
        )
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE goods (code TEXT PRIMARY KEY, name TEXT, euros REAL)")
        db.execute("INSERT INTO goods VALUES ('R1', 'rye bread', 4.2), ('W2', 'wheat bread', 3.1)")
        yield db


def test_a_page_is_read_in_found_read_anew_and_taken_out(assistant: Command, web: WebServer, tmp_path: Path) -> None:
    url = f"{web.url}/menu"
    status, (source,), _ = assistant("ingest", url)
    assert (status, source["source"], source["title"], source["state"]) == (0, url, "Menu", "indexed")
    _, (passage, *_), _ = assistant("search", "lentil soup", "--collection", "shared")
    assert "lentil soup" in passage["text"]
    _, (same,), _ = assistant("refresh", url)
    assert (same["outcome"], web.answered[-1]) == ("unchanged", 304)
    web.pages["/menu"] = Answer("<title>Menu</title><p>On Friday the canteen serves fish.</p>", etag='"2"')
    assert [line["outcome"] for line in assistant("refresh")[1]] == ["changed"]
    copies = [tmp_path / "home" / "kept", tmp_path / "home" / "knowledge" / "pages"]
    assert [len(list(folder.glob("*"))) for folder in copies] == [1, 1]
    assistant("forget", url)
    assert [len(list(folder.glob("*"))) for folder in copies] == [0, 0]
    status, found, said = assistant("refresh")
    assert (status, found) == (2, []) and said.startswith("Nothing came from the web")


def test_a_site_is_read_in_and_taken_out_whole(assistant: Command, web: WebServer) -> None:
    web.pages["/"] = Answer('<title>Start</title><p>The canteen.</p><a href="/menu">menu</a> <a href="/none">x</a>')
    web.pages["/robots.txt"] = Answer("User-agent: *\nDisallow: /none", kind="text/plain")
    status, found, said = assistant("ingest", web.url, "--site", "--depth", "1", "--pages", "5")
    assert status == 0
    assert {s["source"]: s["state"] for s in found} == {
        f"{web.url}/": "indexed", f"{web.url}/menu": "indexed", f"{web.url}/none": "failed",
    }  # fmt: skip
    assert "robots.txt" in said
    assert len(assistant("forget", web.url, "--site")[1]) == 2
    assert assistant("sources")[1] == []


def test_a_page_that_cannot_be_fetched_says_why_in_one_line(assistant: Command, web: WebServer, monkeypatch) -> None:
    status, (source,), said = assistant("ingest", f"{web.url}/none")
    assert (status, source["state"], said.count("\n")) == (1, "failed", 1) and "404" in said
    monkeypatch.setenv("ASSISTANT_OFFLINE", "1")
    assert "Offline" in assistant("ingest", f"{web.url}/menu")[2]
    monkeypatch.setenv("ASSISTANT_OFFLINE", "0")
    monkeypatch.setenv("ASSISTANT_FETCH_PRIVATE_HOSTS", "")
    web.asked.clear()
    assert "is not fetched" in assistant("ingest", f"{web.url}/menu")[2]
    assert not web.asked


def test_a_table_and_a_query_are_read_in_and_read_anew(assistant: Command, shop, monkeypatch) -> None:
    monkeypatch.setenv("SHOP_FILE", "shop.db")
    options = ["--table", "goods", "--query", "dear=SELECT name, euros FROM goods WHERE euros > 4"]
    status, (goods, dear), _ = assistant("ingest", "--database", "sqlite:///${SHOP_FILE}", *options)
    assert (status, goods["title"], goods["rows"]["new"]) == (0, "goods (shop)", 2)
    assert (dear["title"], dear["chunks"]) == ("dear (shop)", 1)
    _, (passage, *_), _ = assistant("search", "What does rye bread cost?", "-k", "1", "--collection", "shared")
    assert "euros: 4.2" in passage["text"]
    shop.execute("UPDATE goods SET euros = 4.5 WHERE code = 'R1'")
    _, (goods, dear), _ = assistant("refresh", goods["source"].partition("#")[0])
    assert goods["rows"] == {"new": 0, "changed": 1, "gone": 0, "same": 1, "cut": 0}
    assert (goods["outcome"], dear["outcome"]) == ("changed", "changed")
    Path("shop.db").rename("away.db")
    status, failed, said = assistant("refresh")
    assert status == 1 and [line["outcome"] for line in failed] == ["failed", "failed"]
    assert "There is no database file" in said
    assert "4.5" in assistant("search", "rye bread", "-k", "1", "--collection", "shared")[1][0]["text"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest"], "Name a file"),
        (["ingest", "a.txt", "--site"], "web page"),
        (["ingest", "https://example.org", "--depth", "1"], "--site"),
        (["ingest", "--table", "goods"], "--database"),
        (["ingest", "--database", "sqlite:///shop.db"], "There are: goods"),
        (["ingest", "--database", "sqlite:///shop.db", "--query", "SELECT 1"], "needs a name"),
        (["ingest", "--database", "mysql://${NO_SUCH_NAME}@db/shop", "--table", "t"], "NO_SUCH_NAME has no value"),
        (
            ["ingest", "--database", "mysql://a:s3cr3t@db/shop", "--table", "t"],
            "would be written down with it. Put it in .env",
        ),
        (["refresh", "https://example.org"], "Nothing came from"),
        (["forget", "https://example.org", "--site"], "Nothing came from"),
        (["jobs", "--cancel", "none"], "There is no job none"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(assistant: Command, shop, arguments: list[str], words: str) -> None:
    status, found, said = assistant(*arguments)
    assert (status, found, said.count("\n")) == (2, [], 1)
    assert words in said


def test_a_query_that_writes_is_refused(assistant: Command, shop) -> None:
    status, _, said = assistant("ingest", "--database", "sqlite:///shop.db", "--query", "gone=DELETE FROM goods")
    assert (status, shop.execute("SELECT count(*) FROM goods").fetchone()) == (1, (2,))
    assert "Only SELECT is run" in said


def test_sources_tell_collection_and_tags(assistant: Command, tmp_path: Path, capsys) -> None:
    for name in ("lease", "menu"):
        (tmp_path / f"{name}.txt").write_text(f"This is the {name}.", "utf-8")
        assistant("ingest", f"{name}.txt", "--collection", f"about-{name}s")
    path = str(tmp_path / "lease.txt")
    assert assistant("tag", path, "Contracts", "2024")[0] == 0
    lease, menu = sorted(assistant("sources")[1], key=lambda line: line["title"])
    assert list(lease) == [
        "source", "title", "state", "pages", "chunks", "sha256", "added", "skipped", "collection", "tags",
    ]  # fmt: skip
    assert (lease["collection"], lease["tags"]) == ("about-leases", ["2024", "contracts"])
    assert (menu["collection"], menu["tags"]) == ("about-menus", [])
    call(["sources"])
    out = capsys.readouterr().out.splitlines()
    assert f"indexed  1 chunks  about-leases  {path} #2024 #contracts" in out
    assert f"indexed  1 chunks  about-menus   {tmp_path / 'menu.txt'}" in out


def test_what_is_gone_from_a_folder_is_named_and_stays(assistant: Command, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    for name in ("a", "b"):
        (tmp_path / "papers" / f"{name}.txt").write_text(f"Paper {name}.", "utf-8")
    assert "No longer" not in assistant("ingest", "papers")[2]
    (tmp_path / "papers" / "a.txt").unlink()
    assert "No longer in papers, but kept: papers/a.txt. `assistant forget`" in assistant("ingest", "papers")[2]
    assert len(assistant("sources")[1]) == 2


def test_the_queue_is_listed_and_obeys(assistant: Command, web: WebServer) -> None:
    assistant("ingest", f"{web.url}/none")
    (job,) = assistant("jobs")[1]
    assert (job["source"], job["state"]) == (f"{web.url}/none", "failed") and "404" in job["message"]
    (waiting,) = assistant("jobs", "--resume", job["id"])[1]
    assert waiting["state"] == "waiting"
    assert [line["state"] for line in assistant("jobs", "--pause", job["id"])[1]] == ["paused"]
    assert assistant("jobs", "--cancel", job["id"])[1] == []
    assert [line["state"] for line in assistant("jobs", "--all")[1]] == ["cancelled"]
