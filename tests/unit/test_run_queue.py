"""The queue of evaluations: one after the other, interrupted ones go on, and no failure holds back the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation.run_queue import Progress, Queue, Run, RunError


class Carried:
    """Stands in for an evaluation: each waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go: dict[str, asyncio.Event] = {}
        self.spends = 0.0

    async def __call__(self, run: Run, _folder: Path, progress: Progress, tell: Callable[[float], None]) -> str:
        self.begun.append(run.title)
        progress.show("asking", 0.5)
        if self.spends:
            tell(run.spent + self.spends)
        if run.title.startswith("fails"):
            raise OSError("No space left on device")
        await self.go.setdefault(run.title, asyncio.Event()).wait()
        return f"report-{run.title}"

    def let(self, title: str) -> None:
        self.go.setdefault(title, asyncio.Event()).set()


@pytest.fixture
def carried() -> Carried:
    return Carried()


async def until(queue: Queue, title: str, state: str, owner: str = "ada") -> Run:
    async with asyncio.timeout(10):
        while (found := next((run for run in queue.all(owner) if run.title == title), None)) is None or (
            found.state != state
        ):
            await asyncio.sleep(0.005)
    return found


def ask(queue: Queue, title: str, owner: str = "ada", **asked: Any) -> Run:
    return queue.enqueue(queue.prepared(owner, "evaluate", title, asked))


async def test_runs_go_one_after_the_other_and_tell_their_place(tmp_path: Path, carried: Carried) -> None:
    queue = Queue(tmp_path, carried)
    first, second = ask(queue, "first"), ask(queue, "second")
    await until(queue, "first", "running")
    assert (queue.place(first), queue.place(second), queue.progress.fraction) == (0, 1, 0.5)
    carried.let("first")
    assert (await until(queue, "first", "done")).result == "report-first"
    await until(queue, "second", "running")
    carried.let("second")
    await until(queue, "second", "done")
    await queue.stop()


async def test_what_the_end_of_the_page_interrupts_goes_on_and_keeps_what_it_has_spent(
    tmp_path: Path, carried: Carried
) -> None:
    carried.spends = 0.25
    queue = Queue(tmp_path, carried)
    run = ask(queue, "long")
    await until(queue, "long", "running")
    await asyncio.sleep(0)
    await queue.stop()
    again = Queue(tmp_path, carried)
    assert (await until(again, "long", "interrupted")).spent == 0.25
    again.resume("ada", run.id)
    carried.let("long")
    assert (await until(again, "long", "done")).spent == 0.5
    await again.stop()


async def test_one_that_fails_says_why_and_the_next_one_runs(tmp_path: Path, carried: Carried) -> None:
    queue = Queue(tmp_path, carried)
    ask(queue, "fails")
    ask(queue, "next")
    assert "No space left" in (await until(queue, "fails", "failed")).message
    carried.let("next")
    await until(queue, "next", "done")
    await queue.stop()


async def test_a_run_that_cannot_be_written_down_holds_back_nobody(
    tmp_path: Path, carried: Carried, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(tmp_path, carried)
    write = queue._write

    def full(run: Run) -> Run:
        if run.title == "unlucky" and run.state == "running":
            raise OSError("No space left on device")
        return write(run)

    monkeypatch.setattr(queue, "_write", full)
    ask(queue, "unlucky")
    ask(queue, "next")
    carried.let("next")
    await until(queue, "next", "done")
    assert (await until(queue, "unlucky", "interrupted")).state == "interrupted" and carried.begun == ["next"]
    await queue.stop()


async def test_a_cancelled_run_can_be_continued_and_is_its_owners_alone(tmp_path: Path, carried: Carried) -> None:
    queue = Queue(tmp_path, carried)
    run = ask(queue, "long", set="s1")
    await until(queue, "long", "running")
    assert queue.uses("ada", "s1") and queue.all("bob") == []
    with pytest.raises(RunError, match="no such run"):
        queue.find("bob", run.id)
    with pytest.raises(RunError, match="Cancel it first"):
        queue.remove("ada", run.id)
    assert (await queue.cancel("ada", run.id)).state == "cancelled"
    queue.resume("ada", run.id)
    carried.let("long")
    await until(queue, "long", "done")
    queue.remove("ada", run.id)
    assert queue.all("ada") == []
    await queue.stop()
