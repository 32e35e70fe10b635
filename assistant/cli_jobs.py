"""How a command waits for what it put in the queue: it works it off itself, or stands by while the page does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path

from assistant.cli_output import Meter, note
from knowledge.jobs import moment
from knowledge.knowledge_base import Job, KnowledgeBase, KnowledgeError

POLL_S = 0.2
PATIENCE_S = 3.0
"""How long another process that writes, but works no queue off, may take to end."""


@contextlib.asynccontextmanager
async def working(knowledge: KnowledgeBase) -> AsyncIterator[None]:
    """The queue is worked off meanwhile, unless another process does."""
    task = asyncio.create_task(knowledge.run_jobs())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def finished(
    knowledge: KnowledgeBase,
    batches: Sequence[str],
    look: Callable[[Job], None] = lambda _job: None,
    *,
    give_up: bool = True,
) -> AsyncGenerator[Job, None]:
    """Each job of these and what was found in them, in order, once it has ended; at the first that has not, `look` is called now
    and then. Broken off, those left are given up, or left.

    Raises: KnowledgeError where another process writes and leaves the queue alone.
    """
    meter, said = Meter(), _Patience(knowledge)
    known: dict[str, Job] = {}
    told, since = 0, ""
    try:
        while True:
            for job in await asyncio.to_thread(knowledge.jobs_of, batches, since=since):
                known[job.id], since = job, max(since, job.changed)
            in_order = list(known.values())
            while told < len(in_order) and in_order[told].finished:
                meter.clear()
                yield in_order[told]
                told += 1
            if told == len(in_order):
                return
            said.check()
            meter.clear()
            look(in_order[told])
            _show(meter, in_order)
            await asyncio.sleep(POLL_S)
    except (asyncio.CancelledError, KnowledgeError):
        for batch in batches if give_up else ():
            with contextlib.suppress(KnowledgeError):
                await knowledge.cancel(batch)
        raise
    finally:
        meter.clear()


async def note_failures(knowledge: KnowledgeBase, collection: str) -> None:
    """A line for every job of the collection that fails from now on, until cancelled."""
    since, told = moment(), set[tuple[str, str | None]]()
    while True:
        for job in await asyncio.to_thread(knowledge.jobs, [collection], since=since):
            since = max(since, job.changed)
            if job.state == "failed" and (job.id, job.finished) not in told:
                told.add((job.id, job.finished))
                note(f"{shown(job.source)}: {job.message} {job.remedy}")
        await asyncio.sleep(POLL_S)


def shown(source: str) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return os.path.relpath(source, here) if source.startswith(f"{here}{os.sep}") else source


def _show(meter: Meter, jobs: Sequence[Job]) -> None:
    at_work = [job for job in jobs if job.state in ("reading", "indexing")]
    ended = sum(bool(job.finished) for job in jobs)
    names = ", ".join(job.title for job in at_work) or "waiting"
    meter.show(f"{ended} of {len(jobs)}: {names}", sum(1.0 if j.finished else j.fraction for j in jobs) / len(jobs))


class _Patience:
    """Says once who does the work, and gives up where another process keeps the lock and does none."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge
        self._since: float | None = None
        self._said = False

    def check(self) -> None:
        writer = self._knowledge.writer()
        if writer is None or writer.works:
            self._since = None
            if writer is not None and not self._said:
                self._said = True
                note(f"Another process ({writer.name}) reads the documents in.")
            return
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since > PATIENCE_S:
            raise KnowledgeError(
                f"The knowledge base is open in another process ({writer.name}), and one at a time may write it.",
                "Stop that process and try again.",
            )
