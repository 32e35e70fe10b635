"""A watched folder: what happens there happens in the knowledge base."""

from __future__ import annotations

import asyncio
import os
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from knowledge.knowledge_base import KnowledgeBase
from knowledge.watch import Change, keep_in_step
from tests.quick_words import Words, working


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
async def base(tmp_path: Path, words: Words) -> AsyncIterator[KnowledgeBase]:
    base = KnowledgeBase(tmp_path / "knowledge", words.embed, "words")
    yield base
    await base.close()


@pytest.fixture
async def told(base: KnowledgeBase, tmp_path: Path) -> AsyncIterator[list[Change]]:
    changes: list[Change] = []
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "old.txt", "It was there before.")
    (folder / "loop").symlink_to(folder)
    async with working(base):
        task = asyncio.create_task(keep_in_step(base, folder, "shared", changes.append))
        await until(lambda: texts(base) == {"old.txt"})
        yield changes
        task.cancel()
        await asyncio.wait([task])


def write(path: Path, text: str) -> None:
    """A file that is whole: its time lies behind it."""
    path.write_text(text, "utf-8")
    os.utime(path, (time.time() - 10, time.time() - 10 + len(text) / 1e3))


def texts(base: KnowledgeBase) -> set[str]:
    return {Path(s.source).name for s in base.sources() if s.state == "indexed"}


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


async def test_a_watched_folder_stays_in_step(base, tmp_path, told, words):
    folder = tmp_path / "folder"
    write(folder / "new.txt", "Something new.")
    write(folder / ".hidden.txt", "Hidden.")
    await until(lambda: texts(base) == {"old.txt", "new.txt"})

    before = len(words.asked)
    (folder / "new.txt").rename(folder / "renamed.txt")
    await until(lambda: texts(base) == {"old.txt", "renamed.txt"})
    assert len(words.asked) == before

    write(folder / "old.txt", "It was changed meanwhile.")
    await until(lambda: "It was changed meanwhile." in words.asked)
    (folder / "renamed.txt").unlink()
    await until(lambda: texts(base) == {"old.txt"})
    assert [(c.kind, c.path.name) for c in told] == [
        ("added", "old.txt"),
        ("added", "new.txt"),
        ("renamed", "renamed.txt"),
        ("changed", "old.txt"),
        ("deleted", "renamed.txt"),
    ]


async def test_what_was_deleted_while_nobody_watched_goes_at_the_start(base, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "stays.txt", "It stays.")
    write(folder / "goes.txt", "It goes.")
    changes: list[Change] = []
    async with working(base):
        await base.ended([job.id for job in base.enqueue([folder])])
        (folder / "goes.txt").unlink()
        task = asyncio.create_task(keep_in_step(base, folder, "shared", changes.append))
        await until(lambda: texts(base) == {"stays.txt"})
        task.cancel()
        await asyncio.wait([task])
    assert [(c.kind, c.path.name) for c in changes] == [("deleted", "goes.txt")]


async def test_the_members_of_an_archive_go_with_it_and_stay_when_the_watch_begins_again(base, tmp_path, told, words):
    folder = tmp_path / "folder"
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("inner.txt", "Inside of the archive.")
    os.utime(folder / "a.zip", (time.time() - 10, time.time() - 10))
    await until(lambda: texts(base) == {"old.txt", "inner.txt"})
    before = len(words.asked)
    again: list[Change] = []
    task = asyncio.create_task(keep_in_step(base, folder, "shared", again.append))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert (again, len(words.asked)) == ([], before)
    assert texts(base) == {"old.txt", "inner.txt"}
    (folder / "a.zip").unlink()
    await until(lambda: texts(base) == {"old.txt"})
