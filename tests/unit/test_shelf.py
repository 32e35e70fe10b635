"""Whose documents: what one person puts in, another neither sees nor changes, unless it was shared; then they read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy.ext.asyncio as sa

from assistant.owners import Owners
from assistant.shelf import SHARED, NotYours, Shelf
from assistant.shelf_names import Others, free_name
from knowledge.documents import Chunk
from knowledge.knowledge_base import Ingest, KnowledgeBase, KnowledgeError, Source
from tests.quick_words import working

Shelves = Callable[..., Shelf]


@pytest.fixture
async def shelves(tmp_path: Path) -> AsyncIterator[Shelves]:
    """Shelves of people over one knowledge base."""
    engine = sa.create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'page.db'}")

    async def open_database() -> sa.AsyncEngine:
        return engine

    knowledge, owners = KnowledgeBase(tmp_path / "knowledge", _embed, "fake"), Owners(open_database)
    yield lambda name, owns_all=False: Shelf(knowledge, owners, name, owns_all)
    await knowledge.close()
    await engine.dispose()


async def _embed(texts: Sequence[str]) -> np.ndarray:
    """Each text a direction of its own."""
    vectors = np.stack([np.random.default_rng(len(t)).standard_normal(16) for t in texts]).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


async def put(shelf: Shelf, name: str, text: str, collection: str = "") -> str:
    """Add a document as the page does; the name that it got."""
    collection = collection or shelf.own
    path = Path(shelf.knowledge._index.folder) / "dropped.txt"
    path.write_text(text)
    async with shelf.claimed(collection, name) as free:
        await shelf.knowledge.add(path, collection=collection, source=free)
    return free


async def names(shelf: Shelf) -> list[tuple[str, str, bool]]:
    return [(s.collection, s.source, is_theirs) for s, is_theirs in await shelf.sources()]


async def test_another_persons_documents_are_not_there(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put(ada, "plan.txt", "The secret plan.")
    assert await names(bob) == []
    for touch in (bob.read, bob.change, bob.forget):
        with pytest.raises(NotYours):
            await touch("user-ada", "plan.txt")
    with pytest.raises(NotYours):
        await bob.place("user-ada", "plan.txt")
    assert await names(ada) == [("user-ada", "plan.txt", True)]


async def test_a_shared_document_is_read_by_all_and_changed_by_who_shared_it(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put(ada, "plan.txt", "The public plan.")
    await ada.share("plan.txt")
    assert await names(bob) == [(SHARED, "plan.txt", False)]
    assert (await bob.read(SHARED, "plan.txt")).title == "plan.txt"
    for touch in (bob.change(SHARED, "plan.txt"), bob.forget(SHARED, "plan.txt"), bob.unshare("plan.txt")):
        with pytest.raises(NotYours, match="shared by somebody else"):
            await touch
    await ada.unshare("plan.txt")
    assert await names(bob) == []
    assert await names(ada) == [("user-ada", "plan.txt", True)]


async def test_a_document_of_the_same_name_takes_nobody_elses_place(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put(ada, "plan.txt", "Ada's plan.", SHARED)
    assert await put(bob, "plan.txt", "Ada's plan.", SHARED) == "plan (2).txt"
    assert await put(ada, "plan.txt", "Ada's newer plan.", SHARED) == "plan.txt"
    await put(bob, "plan.txt", "Bob's own plan.")
    assert (await bob.share("plan.txt")).source == "plan (3).txt"
    assert [name for _, name, theirs in await names(ada) if theirs] == ["plan.txt"]


async def test_two_who_share_one_name_at_once_get_two_names(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    async with ada.claimed(SHARED, "plan.txt") as hers, bob.claimed(SHARED, "plan.txt") as his:
        assert (hers, his) == ("plan.txt", "plan (2).txt")


async def put_archive(shelf: Shelf, name: str, member: str, text: str = "Inside the archive.") -> None:
    """Share an archive with one file in it; the queue names the file after both."""
    path = Path(shelf.knowledge._index.folder) / "inside.txt"
    path.write_text(text)
    async with shelf.claimed(SHARED, name) as free:
        await shelf.knowledge.add(path, collection=SHARED, source=f"{free}/{member}")


async def test_what_came_in_an_archive_belongs_to_who_put_the_archive_there(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put_archive(ada, "papers.zip", "a/inside.txt")
    await ada.change(SHARED, "papers.zip/a/inside.txt")
    with pytest.raises(NotYours):
        await bob.change(SHARED, "papers.zip/a/inside.txt")
    assert await bob.place(SHARED, "papers.zip/a/inside.txt") == "papers (2).zip/a/inside.txt"


async def test_an_archive_takes_the_place_of_nobody_elses_document(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put(bob, "reports/jan.txt", "Bob's January.", SHARED)
    await put_archive(ada, "reports", "jan.txt", "Ada's January.")
    assert sorted(await names(bob)) == [(SHARED, "reports (2)/jan.txt", False), (SHARED, "reports/jan.txt", True)]


async def test_no_name_above_or_below_anothers_document_makes_it_ones_own(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put_archive(ada, "q.zip", "inner/y.txt")
    assert await put(bob, "q.zip/inner", "Bob's.", SHARED) == "q (2).zip/inner"
    with pytest.raises(NotYours):
        await bob.change(SHARED, "q.zip/inner/y.txt")


async def test_a_shared_web_page_makes_no_page_below_it_ones_own(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    path = Path(ada.knowledge._index.folder) / "old.txt"
    path.write_text("Added on the command line.")
    await ada.knowledge.add(path, source="https://a.example/docs/old")
    async with bob.claimed(SHARED, "https://a.example/docs", exactly=True) as address:
        await bob.knowledge.add(path, source=address)
    await bob.change(SHARED, "https://a.example/docs")
    with pytest.raises(NotYours):
        await bob.change(SHARED, "https://a.example/docs/old")
    for taken in ("https://a.example/docs", "https://a.example/docs/old"):
        with pytest.raises(NotYours):
            await ada.exactly(SHARED, taken)
    assert await ada.exactly(SHARED, "https://a.example/docs/new")
    assert await bob.place(SHARED, "https:") == "https: (2)"
    await bob.knowledge.forget("https://a.example/docs", collection=SHARED)
    assert await ada.exactly(SHARED, "https://a.example/docs")


async def test_a_name_that_came_to_nothing_is_nobodys(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    with pytest.raises(RuntimeError):
        async with bob.claimed(SHARED, "https://a.example/docs", exactly=True):
            raise RuntimeError("not fetched")
    assert await ada.owners.of(SHARED) == {}
    await put(bob, "plan.txt", "Bob's plan.", SHARED)
    await bob.knowledge.forget("plan.txt", collection=SHARED)
    assert await put(ada, "plan.txt", "Ada's plan.", SHARED) == "plan.txt"
    await bob.owners.put(SHARED, "q.zip/inner", "bob")
    await put_archive(ada, "q.zip", "inner/y.txt")
    await ada.change(SHARED, "q.zip/inner/y.txt")


async def test_a_name_stays_taken_while_its_file_is_in_the_queue(shelves: Shelves, tmp_path: Path) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    (tmp_path / "plan.txt").write_text("Ada's plan.")
    async with ada.claimed(SHARED, "plan.txt") as name:
        ada.knowledge.enqueue([tmp_path / "plan.txt"], collection=SHARED, names=[name])
    assert await bob.place(SHARED, "plan.txt") == "plan (2).txt"


async def test_a_document_with_a_newer_version_in_the_queue_is_not_moved(shelves: Shelves, tmp_path: Path) -> None:
    ada = shelves("ada")
    await put(ada, "plan.txt", "The plan.")
    (tmp_path / "new.txt").write_text("The newer plan.")
    [job] = ada.knowledge.enqueue([tmp_path / "new.txt"], collection=ada.own, names=["plan.txt"])
    with pytest.raises(KnowledgeError, match=r"plan\.txt is still being read"):
        await ada.share("plan.txt")
    assert [j.state for j in ada.knowledge.jobs([ada.own])] == ["waiting"]
    await ada.knowledge.cancel(job.id)
    assert (await ada.share("plan.txt")).source == "plan.txt"


async def test_a_shared_document_keeps_its_tags(shelves: Shelves) -> None:
    ada = shelves("ada")
    await put(ada, "plan.txt", "The plan.")
    await ada.knowledge.tag("plan.txt", ["2026", "harbour"], collection=ada.own)
    await ada.share("plan.txt")
    assert ada.knowledge.tags("plan.txt", collection=SHARED) == ["2026", "harbour"]
    await ada.unshare("plan.txt")
    assert ada.knowledge.tags("plan.txt", collection=ada.own) == ["2026", "harbour"]


async def test_what_nobody_put_there_in_the_page_only_the_command_line_changes(shelves: Shelves) -> None:
    path = Path(shelves("ada").knowledge._index.folder) / "old.txt"
    path.write_text("Added on the command line.")
    await shelves("ada").knowledge.add(path, source="old.txt")
    with pytest.raises(NotYours):
        await shelves("ada").forget(SHARED, "old.txt")
    await shelves("local", owns_all=True).forget(SHARED, "old.txt")
    assert await names(shelves("ada")) == []


async def test_forgetting_everything_takes_ones_own_and_what_one_shared(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    for name in ("one.txt", "two.txt"):
        await put(ada, name, f"Ada's {name}.")
    await ada.share("two.txt")
    await put(bob, "three.txt", "Bob's.", SHARED)
    gone: list[str] = []
    shelf = Shelf(ada.knowledge, ada.owners, "ada", on_gone=gone.extend)
    assert await shelf.forget_everything() == 2
    assert len(gone) == 2
    assert await names(ada) == [(SHARED, "three.txt", False)]
    assert await ada.owners.of(SHARED) == {"three.txt": "bob"}


async def test_what_one_is_about_to_share_is_given_up_when_everything_is_forgotten(
    shelves: Shelves, tmp_path: Path
) -> None:
    ada, bob, began = shelves("ada"), shelves("bob"), asyncio.Event()

    async def hear(ingest: Ingest) -> Source:
        began.set()
        while not ingest.stop.is_set():
            await asyncio.sleep(0.01)
        return await ada.knowledge.add_chunks(
            [Chunk("A lamp.", None)], source=ingest.source, sha256="heard", collection=SHARED
        )

    ada.knowledge.readers.append(hear)
    for shelf in (ada, bob):
        path = tmp_path / f"{shelf.name}.wav"
        path.write_text(shelf.name)
        async with shelf.claimed(SHARED, path.name) as name:
            shelf.knowledge.enqueue([path], collection=SHARED, names=[name])
    async with working(ada.knowledge):
        await began.wait()
        await ada.forget_everything()
        assert await names(bob) == []
        assert [job.source for job in ada.knowledge.jobs() if not job.finished] == ["bob.wav"]


async def test_the_owner_of_a_document_that_went_does_not_own_the_next_of_its_name(shelves: Shelves) -> None:
    ada, bob = shelves("ada"), shelves("bob")
    await put(ada, "plan.txt", "Ada's plan.", SHARED)
    await ada.forget(SHARED, "plan.txt")
    assert await put(bob, "plan.txt", "Bob's plan.", SHARED) == "plan.txt"
    with pytest.raises(NotYours):
        await ada.change(SHARED, "plan.txt")


def test_a_name_that_other_content_has_gets_a_number() -> None:
    taken = {"report.pdf": "a", "report (2).pdf": "b", "https://a.example/x": "c"}
    assert free_name("report.pdf", "a", taken) == "report.pdf"
    assert free_name("report.pdf", "b", taken) == "report (2).pdf"
    assert free_name("report.pdf", "c", taken) == "report (3).pdf"
    assert free_name("other.pdf", "c", taken) == "other.pdf"
    assert Others(owned=["others.pdf"]).free("others.pdf") == "others (2).pdf"
    assert free_name("https://a.example/x", "d", taken).startswith("https://a.example/x")


async def test_a_document_that_is_still_being_read_is_not_shared_yet(shelves: Shelves) -> None:
    ada = shelves("ada")
    await put(ada, "plan.txt", "The public plan.")
    plan = await ada.read(ada.own, "plan.txt")
    ada.knowledge._index.begin(replace(plan, source="new.txt", sha256="0", state="pending"))
    with pytest.raises(KnowledgeError, match=r"new\.txt is still being read\. Wait until it is read"):
        await ada.share("new.txt")
    with pytest.raises(KnowledgeError, match=r"other\.txt is not in shared\."):
        await ada.knowledge.copy("other.txt", from_collection=SHARED, to_collection=ada.own)
