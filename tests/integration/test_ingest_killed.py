"""kill -9 at ten moments of an ingest: afterwards all is consistent, and the next process goes on and completes it."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from knowledge.knowledge_base import KnowledgeBase
from knowledge.store import VectorStore
from tests.documents import write_pdf
from tests.quick_words import Words, working

FILES = 12
WORKER = """
import asyncio, sys
from pathlib import Path
from knowledge.knowledge_base import KnowledgeBase
from tests.quick_words import Words

class Slow(Words):
    async def embed(self, texts):
        await asyncio.sleep(0.004 * len(texts))
        with open(sys.argv[2], "a") as log:
            print(len(texts), file=log)
        return await super().embed(texts)

async def main():
    base = KnowledgeBase(Path(sys.argv[1]), Slow().embed, "words")
    print("at work", flush=True)
    await base.run_jobs()

asyncio.run(main())
"""


def text_of(number: int) -> str:
    return "\n\n".join(f"The keeper{number}x of paragraph {i} looks after the harbour. " * 8 for i in range(30))


def lines(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def consistent(folder: Path) -> None:
    """What SQLite must hold at any moment."""
    with sqlite3.connect(folder / "knowledge.sqlite3") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        assert not db.execute("SELECT 1 FROM chunks WHERE source_id NOT IN (SELECT id FROM sources)").fetchall()
        orders = db.execute("SELECT min(position), max(position), count(*) FROM chunks GROUP BY source_id").fetchall()
        assert all(first == 0 and last == count - 1 for first, last, count in orders)


async def test_killed_at_ten_random_moments_an_ingest_is_consistent_and_completes(tmp_path: Path) -> None:
    folder, log, dice = tmp_path / "knowledge", tmp_path / "log", random.Random(7)
    papers = tmp_path / "papers"
    papers.mkdir()
    for number in range(FILES):
        (papers / f"{number:02}.txt").write_text(text_of(number), "utf-8")
    write_pdf(papers / "contract.pdf")
    words = Words()
    base = KnowledgeBase(folder, words.embed, "words")
    base.enqueue([papers])
    await base.close()
    for _ in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder), str(log)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout and child.stdout.readline() == "at work\n"
        seen = lines(log) + dice.randint(1, 3)
        while lines(log) < seen:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.1))
        child.kill()
        child.wait()
        child.stdout.close()
        consistent(folder)
    base = KnowledgeBase(folder, words.embed, "words")
    before = [job.state for job in base.jobs()]
    async with working(base):
        await base.settled()
        sources = base.sources()
        assert sorted((Path(s.source).name, s.state) for s in sources if s.source.endswith(".txt")) == [
            (f"{number:02}.txt", "indexed") for number in range(FILES)
        ]
        assert {job.state for job in base.jobs()} == {"done"}
        for number in range(FILES):
            assert f"keeper{number}x" in (await base.search(f"keeper{number}x", k=1))[0].text
    await base.close()
    assert before.count("done") < len(before), "nothing was left to go on with"
    consistent(folder)
    chunks = sum(s.chunks for s in sources)
    embedded = len(words.asked) - FILES + sum(map(int, log.read_text().split()))
    assert embedded <= chunks + 10 * 2 * 16, "what was embedded before a kill was embedded again"
    store = VectorStore(folder / "chroma")
    with sqlite3.connect(folder / "knowledge.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM stale").fetchone() == (0,)
        vectors = np.array([np.frombuffer(v, np.float32) for (v,) in db.execute("SELECT vector FROM chunks")])
    assert store.count("shared") == chunks == len(vectors)
    assert store.is_sound("shared", chunks, vectors)
    store.close()
