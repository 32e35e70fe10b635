"""Works the jobs off, a few at a time, in the one process that writes; the others leave theirs in the table for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from knowledge import kept_files
from knowledge.documents import KnowledgeError, Source
from knowledge.elsewhere import Elsewhere, Result, put_result
from knowledge.index import Index
from knowledge.ingest import Ingest, Step, Stopped, to_the_end
from knowledge.jobs import Job, Jobs, JobState
from knowledge.reembedding import Embed, is_behind, reembed, see_to
from knowledge.reserve import give_room, keep_back
from knowledge.unfolding import UNPACKED, Unfolded, unfold, vanished

JOBS_AT_ONCE = 2
"""While one is embedded, the next is read; and a small file does not wait for a large one. So many again for what is no file:
a walk over a site mostly waits."""
STOP_POLL_S = 0.1
POLL_S = 0.3
TOLD_EVERY_S = 0.25
RETRY_S = 2.0

TakeIn = Callable[[Ingest, Path | None], Awaitable[Source]]
"""Reads a file in and keeps it in a folder, or leaves it where it is."""
Tell = Callable[[Result], Awaitable[None]]
ReadElsewhere = Callable[[Ingest, Elsewhere, Tell], Coroutine[Any, Any, None]]
"""Reads in what is no file, and tells what became of each document. Raises: KnowledgeError."""
Forget = Callable[[str, str, Path | None], Awaitable[None]]
"""Takes a document out of its collection, given its name, that, and where its file was kept."""
log = logging.getLogger(__name__)


class Worker:
    def __init__(
        self,
        index: Index,
        jobs: Jobs,
        take_in: TakeIn,
        read_elsewhere: ReadElsewhere,
        forget: Forget,
        embed: Embed,
    ) -> None:
        """`embed` is the wanted embedding, for documents that were indexed with another one."""
        self._index = index
        self._jobs = jobs
        self._take_in = take_in
        self._read_elsewhere = read_elsewhere
        self._forget = forget
        self._embed = embed
        self._of_files: set[str] = set()
        self._wake = asyncio.Event()
        self._running: dict[str, tuple[asyncio.Task[None], threading.Event]] = {}
        self._reclaimed = False

    def wake(self) -> None:
        """Something may be there to do."""
        self._wake.set()

    def is_at(self, job_ids: Sequence[str]) -> bool:
        """Whether one of these jobs is worked on here."""
        return any(job_id in self._running for job_id in job_ids)

    async def run(self) -> None:
        """Work until cancelled. What is half done then goes on another time, in this process or another."""
        self._index.set_works(True)
        try:
            while True:
                try:
                    await self._round()
                except KnowledgeError as error:
                    log.info("jobs wait: %s", error)
                # Not `wait_for`: it may swallow a cancellation that comes together with the wake.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            tasks = [task for task, _stop in self._running.values()]
            for task, stop in self._running.values():
                stop.set()
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            self._index.set_works(False)

    async def _round(self) -> None:
        await asyncio.to_thread(self._index.sweep_after_others)
        if not self._running and not await asyncio.to_thread(self._is_wanted):
            return
        if not self._reclaimed:
            await asyncio.to_thread(self._index.open_for_writing, 0.0)
            await asyncio.to_thread(self._reclaim)
            self._reclaimed = True
        await asyncio.to_thread(keep_back, self._index.folder)
        if self._index.needs_filling():
            await asyncio.to_thread(self._index.fill)
        await asyncio.to_thread(see_to, self._index, self._jobs)
        for job_id in await asyncio.to_thread(self._jobs.wanted, list(self._running)):
            if job_id in self._running:
                self._running[job_id][1].set()
        await self._begin(files=True)
        await self._begin(files=False)

    async def _begin(self, *, files: bool) -> None:
        while sum((job_id in self._of_files) == files for job_id in self._running) < JOBS_AT_ONCE:
            job = await asyncio.to_thread(self._jobs.claim, files=files)
            if job is None:
                return
            if files:
                self._of_files.add(job.id)
            stop = threading.Event()
            task = asyncio.create_task(self._work(job, stop), name=f"ingest {job.id}")
            self._running[job.id] = task, stop
            task.add_done_callback(partial(self._end, job.id))

    def _is_wanted(self) -> bool:
        return bool(
            self._jobs.unfinished()
            or is_behind(self._index)
            or self._index.needs_filling()
            or self._index.database.sets().coming is not None
        )

    def _reclaim(self) -> None:
        """Take over what a dead process left, and the files that it had no more time to let go."""
        self._jobs.reclaim()
        jobs = self._jobs.listed()
        for job in jobs:
            if job.state in ("done", "cancelled"):
                self._let_go(job)
        sweep_waiting(self._index.folder, jobs, jobs)

    def _end(self, job_id: str, _task: asyncio.Task[None]) -> None:
        self._running.pop(job_id, None)
        self._of_files.discard(job_id)
        self.wake()

    async def _work(self, job: Job, stop: threading.Event) -> None:
        path = Path(job.path)
        teller = _Teller(self._jobs, job)
        ingest = Ingest(path, job.collection, job.source, stop=stop, partial=True, tell=teller)
        try:
            if not job.path:
                await self._embed_anew(job, stop, teller)
                return
            if (wanted := await asyncio.to_thread(self._jobs.elsewhere, job.id)) is not None:
                await self._until_stopped(ingest, self._read_elsewhere(ingest, wanted, partial(self._note, job)))
                await asyncio.to_thread(teller.tell)
                await self._settle(job, "done")
                return
            if (unfolded := await to_the_end(unfold, job, self._index.folder / UNPACKED, stop)) is not None:
                ingest.check_stop()
                # Before the job is done: what a kill interrupts is done again.
                await self._forget_vanished(job, unfolded)
                if not await asyncio.to_thread(self._jobs.unfold, job, unfolded.jobs, unfolded.message):
                    raise Stopped(f"Unpacking {job.title} was stopped.", "Add it again when you like.")
                self._let_go(job)
                return
            await self._take_in(ingest, Path(job.keep) if job.keep else None)
            await asyncio.to_thread(teller.tell)
            await self._settle(job, "done")
        except asyncio.CancelledError:
            with contextlib.suppress(KnowledgeError):
                teller.tell()
                self._jobs.put_back(job.id)
            raise
        except Exception as error:  # noqa: BLE001 — a job that fails says so in the list, and the next one begins
            await asyncio.to_thread(teller.tell)
            await self._broken_off(job, ingest, error)

    async def _embed_anew(self, job: Job, stop: threading.Event, teller: _Teller) -> None:
        """Unless another process, where another embedding is set, asked for it."""
        if job.source != self._index.embedding:
            await self._settle(job, "cancelled")
            return
        await reembed(self._index, self._embed, stop, teller)
        await self._settle(job, "done")

    async def _until_stopped(self, ingest: Ingest, reading: Coroutine[Any, Any, None]) -> None:
        """A server may be silent for minutes: what is to stop does not wait for it. Raises: Stopped, KnowledgeError."""
        task = asyncio.create_task(reading)
        try:
            while not task.done() and not ingest.stop.is_set():
                await asyncio.wait([task], timeout=STOP_POLL_S)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        if task.cancelled():
            ingest.check_stop()
        await task

    async def _note(self, job: Job, result: Result) -> None:
        await to_the_end(self._write_result, job, result)

    def _write_result(self, job: Job, result: Result) -> None:
        with self._index.database.writing() as db:
            put_result(db, job.id, result)

    async def _forget_vanished(self, job: Job, found: Unfolded) -> None:
        """What an archive held when it was read before, and holds no longer."""
        known = [source.source for source in await asyncio.to_thread(self._index.sources, [job.collection])]
        for source in vanished(job.source, found, known):
            await self._forget(source, job.collection, Path(job.keep) if job.keep else None)

    async def _broken_off(self, job: Job, ingest: Ingest, error: Exception) -> None:
        wanted = (await asyncio.to_thread(self._jobs.wanted, [job.id])).get(job.id)
        # Another try would unpack it anew.
        await asyncio.to_thread(shutil.rmtree, self._index.folder / UNPACKED / job.id, ignore_errors=True)
        if wanted == "paused":
            await self._settle(job, "paused")
            return
        if ingest.source_id is not None:
            with contextlib.suppress(KnowledgeError):
                await asyncio.to_thread(self._index.drop, ingest.source_id)
        if wanted == "cancelled":
            await self._settle(job, "cancelled")
            await self._drop_left(job)
            return
        # Only our own errors carry words for people: Chroma's have a `message` too, which is a method.
        message, remedy = getattr(error, "message", ""), getattr(error, "remedy", "")
        if not (isinstance(message, str) and message):
            message, remedy = f"{ingest.name} could not be read in: {error or type(error).__name__}.", ""
        if not isinstance(error, KnowledgeError):
            log.warning("job %s failed", job.id, exc_info=error)
        await self._settle(job, "failed", message, remedy)
        await self._drop_left(job)

    async def _drop_left(self, job: Job) -> None:
        """Where this fails (a full disk), the next start cleans up."""
        with contextlib.suppress(KnowledgeError):
            await asyncio.to_thread(self._jobs.drop_left, job)

    async def _settle(self, job: Job, state: JobState, message: str = "", remedy: str = "") -> None:
        """Where even this cannot be written (a full disk), the room kept back for it is used, or it is tried until it can."""
        while True:
            try:
                await asyncio.to_thread(self._jobs.settle, job.id, state, message, remedy)
                break
            except KnowledgeError as error:
                if await asyncio.to_thread(give_room, self._index.folder):
                    continue
                log.warning("the state of job %s cannot be written: %s", job.id, error)
                await asyncio.sleep(RETRY_S)
        if state in ("done", "cancelled"):
            await asyncio.to_thread(self._let_go, job)

    def _let_go(self, job: Job) -> None:
        let_go(self._index.folder, job)


def let_go(folder: Path, job: Job) -> None:
    """What only waited for its job is no longer needed. `folder` is that of the knowledge base."""
    for waiting in _waiting(folder, [job]):
        kept_files.let_go(Path(job.path), waiting)


def sweep_waiting(folder: Path, known: Sequence[Job], left: Sequence[Job]) -> None:
    """What waits for no job of those that are `left` goes, wherever one of the `known` ones waited."""
    needed = [job for job in left if job.state not in ("done", "cancelled")]
    for waiting in _waiting(folder, known):
        kept_files.sweep(waiting, [path for job in needed for path in (Path(job.path), waiting / job.id)])


def _waiting(folder: Path, jobs: Sequence[Job]) -> list[Path]:
    return [folder / UNPACKED, *(Path(keep) / kept_files.INCOMING for keep in {job.keep for job in jobs} if keep)]


class _Teller:
    """Writes a job's progress down now and then, with the time that is left by the pace so far. Called from any thread."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs = jobs
        self._job = job
        self._began = self._told = time.monotonic()
        self._first: float | None = None
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        self._last = step
        if self._first is None:
            self._began, self._first = now, step.fraction
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            self.tell()

    def tell(self) -> None:
        """Write down the last step."""
        if self._last is None or self._first is None:
            return
        step, gone = self._last, self._last.fraction - self._first
        eta_s = (time.monotonic() - self._began) * (1 - step.fraction) / gone if gone > 0.01 else None
        state: JobState = "indexing" if step.stage.startswith("Indexing") else "reading"
        fraction = max(step.fraction, self._job.fraction)
        with contextlib.suppress(KnowledgeError):
            self._jobs.progress(self._job.id, state, fraction, eta_s, step.pages_done, step.pages)
