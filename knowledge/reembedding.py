"""The job that embeds every chunk anew once another embedding is wanted. What was indexed before answers until all is done.

The text comes from SQLite; each batch is kept, so that a job that was broken off goes on where it was.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.database_file import text_digest
from knowledge.documents import KnowledgeError
from knowledge.index import Index
from knowledge.ingest import Step, Stopped, to_the_end
from knowledge.jobs import Job, Jobs, JobState, new_job
from knowledge.vector_sets import Unembedded, count_done, has_unembedded, known_coming, next_unembedded

BATCH = 16

Embed = Callable[[Sequence[str]], Awaitable[np.ndarray]]


@dataclass(frozen=True)
class Reembedding:
    """Documents on their way from one embedding to another. `message` and `remedy` are those of a job that failed; `missing` tells
    why the serving embedding cannot be had, where words alone find something meanwhile."""

    serving: str
    coming: str
    state: JobState
    fraction: float
    message: str = ""
    remedy: str = ""
    missing: KnowledgeError | None = None
    job: Job | None = None

    def notices(self) -> list[KnowledgeError]:
        """A line for whoever asks, and one more where meaning finds nothing meanwhile."""
        said = [self._progress()]
        if self.missing is not None:
            said.append(
                KnowledgeError(
                    f"{self.serving} is missing, so documents are found by their words alone for now.",
                    str(self.missing),
                )
            )
        return said

    def _why(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def _progress(self) -> KnowledgeError:
        percent = f"{100 * self.fraction:.0f}"
        match self.state:
            case "failed":
                return KnowledgeError(f"Re-embedding with {self.coming} stopped at {percent} %.", self._why())
            case "paused":
                return KnowledgeError(f"Re-embedding with {self.coming} is paused at {percent} %.", "")
            case "cancelled":
                return KnowledgeError(
                    f"Re-embedding with {self.coming} was cancelled, {self.serving} goes on answering.",
                    "`assistant reembed` begins again.",
                )
            case "waiting" if self.job is None:
                return KnowledgeError(
                    f"The documents are indexed with {self.serving}, not yet with {self.coming}.",
                    "The page re-embeds them while it runs, and so does `assistant reembed`.",
                )
        return KnowledgeError(f"Re-embedding with {self.coming}: {percent} %.", f"{self.serving} answers meanwhile.")


def is_behind(index: Index) -> bool:
    """Whether documents are there that the wanted embedding has not made all vectors of."""
    serving = index.database.sets().serving
    with index.database.reading() as db:
        return serving not in (None, index.embedding) or has_unembedded(db)


def reembedding_of(index: Index, jobs: Jobs) -> Reembedding | None:
    """How far it is, in whichever process it runs; None where nothing is to be done."""
    job = jobs.reembedding()
    under_way = job is not None and (job.finished is None or job.state == "failed")
    behind = is_behind(index)
    if not under_way and not behind:
        return None
    serving = index.serving()
    if job is None or (not under_way and (job.source != index.embedding or job.state != "cancelled")):
        return Reembedding(serving, index.embedding, "waiting", 0.0)
    return Reembedding(serving, job.source, job.state, job.fraction, job.message, job.remedy, job=job)


def see_to(index: Index, jobs: Jobs) -> None:
    """Put the job in the queue where it is needed, and give up what is not wanted any more. For the process that writes, while it
    does not work on one."""
    job, coming = jobs.reembedding(), index.database.sets().coming
    if job is not None and job.state in ("reading", "indexing"):
        return
    if not is_behind(index):
        jobs.give_up_reembedding()
        if coming is not None:
            index.drop_coming()
    elif job is None or job.source != index.embedding or job.state == "done":
        begin(index, jobs)
    elif job.state == "cancelled" and coming is not None:
        index.drop_coming()


def begin(index: Index, jobs: Jobs) -> Job:
    """A new job in place of those before it."""
    jobs.give_up_reembedding()
    job = new_job(None, index.embedding, index.embedding, "")
    jobs.add([job])
    return job


async def reembed(index: Index, embed: Embed, stop: threading.Event, tell: Callable[[Step], None]) -> None:
    """Embed whatever the coming embedding has not seen, until nothing is missing, then let it answer.

    Raises: KnowledgeError (full disk, stopped), and whatever `embed` raises.
    """
    mark = await to_the_end(index.begin_coming)
    done, every = await asyncio.to_thread(_counted, index)
    after = 0
    while True:
        if stop.is_set():
            raise Stopped("Re-embedding was stopped.", "What was embedded is kept until it is given up.")
        chunks = await asyncio.to_thread(_next, index, after)
        if chunks:
            vectors = await _vectors(index, embed, [chunk.text for chunk in chunks])
            await to_the_end(index.add_coming, mark, chunks, vectors)
            done, after = done + len(chunks), chunks[-1].row
            every = max(every, done)
            tell(Step(done / every, "Indexing"))
        elif after:
            # What came meanwhile may have taken the row of something that went.
            after = 0
            done, every = await asyncio.to_thread(_counted, index)
        elif await to_the_end(index.switch, mark):
            return


async def _vectors(index: Index, embed: Embed, texts: Sequence[str]) -> np.ndarray:
    """A text that the coming embedding made a vector of already is not embedded again."""
    known = await asyncio.to_thread(_known, index, texts)
    if new := [text for text in dict.fromkeys(texts) if text not in known]:
        known.update(zip(new, await embed(new), strict=True))
    return np.array([known[text] for text in texts], dtype=np.float32)


def _known(index: Index, texts: Sequence[str]) -> dict[str, np.ndarray]:
    with index.database.reading() as db:
        known = known_coming(db, [text_digest(text) for text in texts])
    if index.serving() == index.embedding:
        known |= index.database.known_vectors(texts)
    return known


def _counted(index: Index) -> tuple[int, int]:
    with index.database.reading() as db:
        return count_done(db)


def _next(index: Index, after: int) -> list[Unembedded]:
    with index.database.reading() as db:
        return next_unembedded(db, after, BATCH)
