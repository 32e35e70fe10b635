"""The documents of a team: put in, listed, searched, taken out. Knows nothing of chat, tools or settings."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from knowledge import kept_files
from knowledge.documents import Chunk, KnowledgeError, Page, Passage, Skipped, Source, SourceState
from knowledge.elsewhere import Elsewhere, Ended, Result, last_ended, results_of
from knowledge.embedders import Embed, Embedders, Embedding
from knowledge.exporting import export
from knowledge.filters import Filter
from knowledge.fitting import FEWEST, Fit, fit, make_questions, read_questions
from knowledge.index import HANDBOOK, Index
from knowledge.ingest import Ingest, Step, index_chunks, index_file, now, to_the_end
from knowledge.jobs import Job, Jobs, JobState, new_job
from knowledge.languages import main_language
from knowledge.lock import Writer
from knowledge.reembedding import Reembedding, begin, is_behind, reembedding_of
from knowledge.repair import Finding
from knowledge.retrieval import Question
from knowledge.tags import all_tags, set_tags, tags_of
from knowledge.weights import Weights, write_weights
from knowledge.worker import ReadElsewhere, Tell, Worker, let_go, sweep_waiting

__all__ = [
    "HANDBOOK",
    "Elsewhere",
    "Embed",
    "Embedding",
    "Filter",
    "Finding",
    "Fit",
    "Ingest",
    "IngestProgress",
    "Job",
    "JobState",
    "KnowledgeBase",
    "KnowledgeError",
    "Passage",
    "Reembedding",
    "Result",
    "Skipped",
    "Source",
    "SourceState",
    "Step",
    "Writer",
]

SETTLED_POLL_S = 0.05
OTHERS_END_S = 3.0
"""So long another process may take to end what is to be forgotten; it may be dead."""
RERANKED = 30
"""Passages that a reranker sorts anew."""

T = TypeVar("T")

Rerank = Callable[[str, Sequence[str]], Awaitable[Sequence[float]]]
"""A question and texts to how well each of them answers it, 0 to 1, in their order."""

IngestProgress = Callable[[float, str], None]
"""Called with (fraction done, stage in words), from any thread."""

Reader = Callable[[Ingest], Awaitable[Source | None]]
"""Reads in what is not read here, such as a recording; None where a file is nothing for it."""


class KnowledgeBase:
    def __init__(
        self,
        folder: Path,
        embed: Embed,
        embedding: str,
        *,
        embed_questions: Embed | None = None,
        rerank: Rerank | None = None,
        chroma_url: str | None = None,
    ) -> None:
        """`embedding` names model and precision. What is in the folder indexed with another one answers as it is, by
        `embedders.open_former`, until `run_jobs` has embedded all of it anew.

        Raises: KnowledgeError.
        """
        self.embedders = Embedders(Embedding(embedding, embed, embed_questions or embed, embed))
        self._rerank = rerank
        self._index = Index(folder, embedding, chroma_url)
        self._turns: dict[tuple[str, ...], tuple[asyncio.Lock, int]] = {}
        self._jobs = Jobs(self._index.database)
        self._worker: Worker | None = None
        self.readers: list[Reader] = []
        self.read_elsewhere: ReadElsewhere = _nothing_elsewhere
        """Reads web pages and databases in, which needs to know what may be fetched."""

    async def add(
        self,
        path: Path,
        *,
        collection: str = "shared",
        source: str | None = None,
        title: str | None = None,
        progress: IngestProgress | None = None,
        stop: threading.Event | None = None,
    ) -> Source:
        """Read and index a file. It becomes findable all at once, in place of its older version; the same content twice
        costs nothing.

        Raises: KnowledgeError (unreadable file, another process writes, full or read-only disk, stopped).
        """
        name = source or str(path.resolve())
        ingest = Ingest(path, collection, name, title, _steps(progress), stop or threading.Event())
        try:
            return await self._take_in(ingest)
        except BaseException:
            await self._give_up(ingest)
            raise

    async def add_chunks(
        self,
        chunks: Sequence[Chunk],
        *,
        source: str,
        sha256: str,
        title: str | None = None,
        collection: str = "shared",
        skipped: Sequence[Skipped] = (),
        progress: IngestProgress | None = None,
        stop: threading.Event | None = None,
    ) -> Source:
        """Index text that was read elsewhere, such as the pieces of a transcript with their times. `sha256` tells its content;
        as with `add`, it becomes findable all at once, and the same content twice costs nothing.

        Raises: KnowledgeError.
        """
        ingest = Ingest(Path(source), collection, source, title, _steps(progress), stop or threading.Event())
        try:
            async with self._turn(collection, source), self._turn("", sha256):
                if (known := await self._known(ingest, sha256)) is not None:
                    return known
                return await index_chunks(self._index, self.embedders.behind, ingest, chunks, sha256, skipped)
        except BaseException:
            await self._give_up(ingest)
            raise

    def enqueue(
        self,
        paths: Sequence[Path],
        *,
        collection: str = "shared",
        names: Sequence[str] | None = None,
        keep_files: Path | None = None,
    ) -> list[Job]:
        """Put files, folders and archives in the queue and return at once; `run_jobs`, in whichever process writes, reads them.

        `names` are what they are known by instead of their paths. With `keep_files` the files are moved into that folder and
        stay there, under the name of their content, once they are indexed.

        Raises: KnowledgeError (read-only or full disk), OSError.
        """
        jobs = []
        for number, path in enumerate(paths):
            name = names[number] if names else str(path.resolve())
            job = new_job(path.absolute(), name, Path(name).name or name, collection, keep=keep_files)
            if keep_files is not None:
                job = replace(job, path=str(kept_files.take(path, keep_files, job.id, job.title)))
            jobs.append(job)
        self._jobs.add(jobs)
        if self._worker is not None:
            self._worker.wake()
        return jobs

    def enqueue_elsewhere(self, wanted: Elsewhere, *, source: str, title: str, collection: str = "shared") -> Job:
        """Put a web page, a site or a table in the queue, to be read in or anew; the same twice waits once.

        Raises: KnowledgeError (read-only or full disk).
        """
        job = self._jobs.add_elsewhere(new_job(Path(source), source, title, collection), wanted)
        if self._worker is not None:
            self._worker.wake()
        return job

    def results(self, job_id: str) -> list[Result]:
        """What became of the documents of such a job so far, in the order in which they came."""
        with self._index.database.reading() as db:
            return results_of(db, job_id)

    def last_ended(self, collections: Sequence[str]) -> dict[tuple[str, str], Ended]:
        """How the newest such job ended, by collection and source."""
        with self._index.database.reading() as db:
            return last_ended(db, collections)

    async def read_in(self, ingest: Ingest) -> Source:
        """The same as `add` by whichever reader the file is for, such as a recording. Raises: KnowledgeError."""
        try:
            return await self._read(ingest)
        except BaseException:
            await self._give_up(ingest)
            raise

    def jobs(self, collections: Sequence[str] | None = None, *, since: str | None = None) -> list[Job]:
        """All jobs in the order in which they came, finished ones too; with `since`, those with `changed` at or after it."""
        return self._jobs.listed(collections, since)

    async def pause(self, job_id: str) -> None:
        """What is there of it stays and answers; `resume` goes on with it. A folder's id means all that was found in it."""
        await self._wish(job_id, "paused")

    async def resume(self, job_id: str) -> None:
        """Go on with a paused job, or try a failed one again."""
        await self._wish(job_id, "waiting")

    async def cancel(self, job_id: str) -> None:
        """Give a job up, also one that failed; nothing of what it read is kept, and an older version stays."""
        await self._wish(job_id, "cancelled")

    async def cancel_all(self, collections: Sequence[str] | None = None) -> list[Job]:
        """Give up all jobs, or those of some collections, and wait until none is worked on. Returns what was in the queue,
        finished ones too. Raises: KnowledgeError (read-only or full disk)."""
        jobs = await asyncio.to_thread(self._jobs.cancel_all, collections)
        await self.broken_off([job.id for job in jobs if job.finished is None])
        return jobs

    async def run_jobs(self) -> None:
        """Work the jobs off until cancelled; also those that a dead process left. Call it once in a process; where another one
        writes, this one stands by and takes over when that one ends."""
        self._worker = Worker(
            self._index, self._jobs, self._read_in, self._read_elsewhere, self._forget_file, self.embedders.anew
        )
        try:
            await self._worker.run()
        finally:
            self._worker = None

    def reembedding(self) -> Reembedding | None:
        """How far the documents are on their way to another embedding; None where they are on none."""
        found = reembedding_of(self._index, self._jobs)
        return replace(found, missing=self.embedders.missing(found.serving)) if found else None

    def trouble(self) -> KnowledgeError | None:
        """Why the Chroma server was not used when it was asked last; documents are found without it."""
        return self._index.trouble()

    def reembed(self) -> Job | None:
        """Begin again where this was cancelled or stopped. Returns the job, which `run_jobs` works off; None where all is done."""
        if not is_behind(self._index):
            return None
        job = self._jobs.reembedding()
        if job is None or job.source != self._index.embedding or job.state in ("done", "cancelled"):
            return begin(self._index, self._jobs)
        self._jobs.wish(job.id, "waiting")
        return job

    async def ended(self, job_ids: Sequence[str]) -> None:
        """Wait until these jobs, and those of what was found in them, have ended."""
        while True:
            if all(job.finished for job in await asyncio.to_thread(self._jobs.of_batch, job_ids)):
                return
            await asyncio.sleep(SETTLED_POLL_S)

    def jobs_of(self, batches: Sequence[str], *, since: str = "") -> list[Job]:
        """Jobs by their id, with those of the files that were found in them; `since` is as in `jobs`."""
        return self._jobs.of_batch(batches, since)

    def writer(self) -> Writer | None:
        """The other process that writes, where `run_jobs` here stands by for it."""
        return self._index.writer()

    async def settled(self) -> None:
        """Wait until no job waits or is worked on, in any process."""
        while True:
            if not await asyncio.to_thread(self._jobs.unfinished):
                return
            await asyncio.sleep(SETTLED_POLL_S)

    async def search(
        self,
        query: str,
        *,
        k: int = 5,
        collections: Sequence[str] = ("shared",),
        where: Filter | None = None,
        also: Sequence[str] = (),
    ) -> list[Passage]:
        """The `k` best passages, best first: meaning and words weighed together, near-duplicates dropped, neighbours joined.

        `also` are other forms of the question, such as a follow-up together with the question it follows: what any of them
        finds is ranked by the form that fits it best. Raises: KnowledgeError (unknown kind in the filter).
        """
        forms = [form for form in dict.fromkeys([query, *also]) if form.strip()]
        if not forms or not collections:
            return []
        depth = k if self._rerank is None else max(k, RERANKED)
        found = await self._ask(forms, lambda asked: self._index.search(asked, depth, collections, where))
        return found if self._rerank is None else await _reranked(self._rerank, forms[0], found, k)

    async def fit(self, collection: str, questions: Path | None = None) -> Fit | None:
        """Find out how much meaning counts against words in a collection and keep it: on the operator's questions (JSON Lines, as
        in `read_questions`) or on some made from its documents. None where these are too few; the default stays then.

        Raises: KnowledgeError.
        """
        database = self._index.database
        with database.reading() as db:
            wanted = read_questions(db, collection, questions) if questions else make_questions(db, collection)
        if len(wanted) < FEWEST:
            return None
        found = []
        for question in wanted:
            found.append(await self._ask([question.text], lambda asked: self._index.candidates(asked, [collection])))
        fitted = await asyncio.to_thread(fit, wanted, found)
        with database.writing() as db:
            write_weights(db, collection, Weights(fitted.dense, fitted.questions, questions is not None, now()))
        return fitted

    def main_language(self, collections: Sequence[str] = ("shared",)) -> str | None:
        """The language of most documents, as in `languages.py`; None where it cannot be told."""
        with self._index.database.reading() as db:
            return main_language(db, collections)

    async def tag(self, source: str, tags: Sequence[str], *, collection: str = "shared") -> list[str]:
        """Give a document these tags in place of its former ones; a newer version keeps them. Returns them, sorted.

        Raises: KnowledgeError.
        """
        if not any(known.source == source for known in self._index.sources([collection])):
            raise KnowledgeError(f"{source} is not in {collection}.", "`assistant sources` lists what is there.")
        with self._index.database.writing() as db:
            return set_tags(db, collection, source, tags)

    def tags(self, source: str, *, collection: str = "shared") -> list[str]:
        with self._index.database.reading() as db:
            return tags_of(db, collection, source)

    def all_tags(self) -> dict[tuple[str, str], list[str]]:
        """Those of every document that has some, by collection and source."""
        with self._index.database.reading() as db:
            return all_tags(db)

    async def passages(self, source: str, *, collection: str) -> list[Passage]:
        """All passages of a document, in its own order; none where it is not there."""
        return await asyncio.to_thread(self._index.passages, source, collection)

    async def likeness(self, query: str, *texts: str) -> float:
        """The cosine of a question and the nearest of the texts in meaning, from -1 to 1; 0 where their embedding cannot be had."""
        vectors = await self.embedders.documents(await asyncio.to_thread(self._index.serving), [query, *texts])
        return 0.0 if vectors is None else max(float(vectors[0] @ other) for other in vectors[1:])

    def sources(self, collections: Sequence[str] | None = None) -> list[Source]:
        """Every document, also those whose reading is under way ("pending") or was interrupted ("failed")."""
        return self._index.sources(collections)

    def page(self, source: str, *, collection: str, number: int | None, place: str = "") -> Page | None:
        """The text of a page that a passage stands in; None where it was not kept."""
        return self._index.database.read_page(collection, source, number, place)

    def source(self, source: str, *, collection: str) -> Source | None:
        """A document that can be found whole."""
        return self._index.indexed(collection, source)

    async def forget(self, source: str, *, collection: str | None = None) -> int:
        """Take a document out of text, vectors and words, and give up what would bring it in; returns from how many collections
        it went. Where another process writes, that one takes it out of the vectors.

        Raises: KnowledgeError (read-only or full disk).
        """
        for job in await asyncio.to_thread(self._jobs.of_source, source, collection):
            await self.cancel(job.id)
        return await asyncio.to_thread(self._index.forget, source, collection)

    async def forget_all(self, collections: Sequence[str] | None = None) -> int:
        """The same for all documents, or those of some collections, and for all jobs; what is being read in ends first."""
        jobs = await self.cancel_all(collections)
        gone = await asyncio.to_thread(self._index.forget_all, collections)
        await asyncio.to_thread(self._let_go, jobs)
        return gone

    async def broken_off(self, job_ids: Sequence[str]) -> None:
        """Wait until none of these jobs, which were paused or cancelled, is worked on any more. Where another process does, that
        is waited for only a moment."""
        patient_until_s = time.monotonic() + OTHERS_END_S
        while await asyncio.to_thread(self._jobs.still_running, job_ids):
            if self._worker is not None:
                self._worker.wake()
            is_here = self._worker is not None and self._worker.is_at(job_ids)
            if not is_here and time.monotonic() > patient_until_s:
                return
            await asyncio.sleep(SETTLED_POLL_S)

    def _let_go(self, gone: Sequence[Job]) -> None:
        """What waited for jobs that are no longer in the queue."""
        for job in gone:
            let_go(self._index.folder, job)
        sweep_waiting(self._index.folder, gone, self._jobs.listed())

    async def copy(self, source: str, *, from_collection: str, to_collection: str, name: str | None = None) -> Source:
        """The same document in another collection, under `name` there; neither read nor embedded anew.

        Raises: KnowledgeError.
        """
        original = self._index.indexed(from_collection, source)
        if original is None:
            raise self._not_there(source, from_collection)
        title = name if name and original.title == source else original.title
        there = replace(original, source=name or source, title=title, collection=to_collection, added=now())
        return await asyncio.to_thread(self._index.adopt, original, there)

    async def repair(self) -> list[Finding]:
        """Compare the indexes with what SQLite holds, make them anew where they differ, and tell what was found.

        Raises: KnowledgeError when another process writes.
        """
        return await asyncio.to_thread(self._index.repair)

    async def export(self, folder: Path, *, kept: Path | None = None) -> int:
        """Write all documents out, with the files that are kept in `kept`; returns how many. Raises: KnowledgeError."""
        return await asyncio.to_thread(export, self._index.database, folder, kept)

    async def close(self) -> None:
        await asyncio.to_thread(self._index.close)

    def _not_there(self, source: str, collection: str) -> KnowledgeError:
        """Why a document cannot be found whole."""
        listed = self._index.sources([collection])
        if any(known.source == source and known.state in ("pending", "partial") for known in listed):
            return KnowledgeError(f"{source} is still being read.", "Wait until it is read, then try again.")
        return KnowledgeError(f"{source} is not in {collection}.", "`assistant sources` lists what is there.")

    async def _ask(self, forms: Sequence[str], look: Callable[[Sequence[Question]], T]) -> T:
        """Embed questions with what serves, and look; once more where another embedding took over meanwhile."""
        while True:
            serving = await asyncio.to_thread(self._index.serving)
            vectors = await self.embedders.questions(serving, forms)
            asked = [Question(form, None if vectors is None else vectors[i]) for i, form in enumerate(forms)]
            try:
                found = await asyncio.to_thread(look, asked)
            except Exception:
                if await asyncio.to_thread(self._index.serving) == serving:
                    raise
            else:
                if await asyncio.to_thread(self._index.serving) == serving:
                    return found

    async def _wish(self, job_id: str, wanted: Literal["paused", "cancelled", "waiting"]) -> None:
        for gone in await asyncio.to_thread(self._jobs.wish, job_id, wanted):
            await asyncio.to_thread(let_go, self._index.folder, gone)
        if self._worker is not None:
            self._worker.wake()

    async def _read_elsewhere(self, ingest: Ingest, wanted: Elsewhere, tell: Tell) -> None:
        async with self._turn("elsewhere", ingest.collection, ingest.source):
            await self.read_elsewhere(ingest, wanted, tell)

    async def _forget_file(self, source: str, collection: str, keep: Path | None) -> None:
        """Take a document out, and what was kept of it."""
        gone = self._index.indexed(collection, source)
        await self.forget(source, collection=collection)
        if keep is not None and gone is not None:
            left = {known.sha256 for known in self._index.sources()}
            await asyncio.to_thread(kept_files.drop, keep, [gone.sha256], left)

    async def _read_in(self, ingest: Ingest, keep: Path | None) -> Source:
        """Also keep the file in `keep`, where that of the version before it goes."""
        if keep is None:
            return await self._read(ingest)
        async with self._turn("kept", ingest.collection, ingest.source):
            former = self._index.indexed(ingest.collection, ingest.source)
            source = await self._read(ingest)
            await asyncio.to_thread(kept_files.keep, ingest.path, keep, source.sha256, ingest.source)
            left = {known.sha256 for known in self._index.sources()}
            gone = {source.sha256, former.sha256 if former else ""}
            await asyncio.to_thread(kept_files.drop, keep, gone, left)
            return source

    async def _read(self, ingest: Ingest) -> Source:
        for read in self.readers:
            if (source := await read(ingest)) is not None:
                return source
        return await self._take_in(ingest)

    async def _take_in(self, ingest: Ingest) -> Source:
        """Read and index one file, unless its content is known. Two of one name, or of one content, take turns."""
        async with self._turn(ingest.collection, ingest.source):
            sha256 = await asyncio.to_thread(ingest.digest)
            async with self._turn("", sha256):
                if (known := await self._known(ingest, sha256)) is not None:
                    return known
                return await index_file(self._index, self.embedders.behind, ingest, sha256)

    async def _known(self, ingest: Ingest, sha256: str) -> Source | None:
        """The document where its content is indexed already, here or, taken over from there, in another collection."""
        known = self._index.indexed(ingest.collection, ingest.source)
        if known is not None and known.sha256 == sha256:
            return known
        await asyncio.to_thread(self._index.open_for_writing)
        twin = self._index.twin(sha256)
        return None if twin is None else await to_the_end(self._index.adopt, twin, ingest.like(twin))

    async def _give_up(self, ingest: Ingest) -> None:
        """Where even this fails (a full disk), the next start cleans up."""
        if isinstance(sys.exception(), asyncio.CancelledError):
            # Only then: a file that cannot be read must not stop the next one of its turn.
            ingest.stop.set()
        if ingest.source_id is not None:
            with suppress(KnowledgeError):
                await asyncio.shield(asyncio.to_thread(self._drop_unless_gone_on_with, ingest))

    def _drop_unless_gone_on_with(self, ingest: Ingest) -> None:
        if ingest.source_id is not None and not self._jobs.goes_on(ingest.source, ingest.collection):
            self._index.drop(ingest.source_id)

    @asynccontextmanager
    async def _turn(self, *key: str) -> AsyncIterator[None]:
        lock, users = self._turns.get(key, (asyncio.Lock(), 0))
        self._turns[key] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            users = self._turns[key][1] - 1
            if users:
                self._turns[key] = lock, users
            else:
                del self._turns[key]


async def _nothing_elsewhere(ingest: Ingest, _wanted: Elsewhere, _tell: Tell) -> None:
    raise RuntimeError(f"{ingest.source} is not read by this process")


def _steps(progress: IngestProgress | None) -> Callable[[Step], None]:
    return (lambda step: progress(step.fraction, step.stage)) if progress else (lambda _step: None)


async def _reranked(rerank: Rerank, question: str, found: Sequence[Passage], k: int) -> list[Passage]:
    """The scores become those of the reranker; why a passage was found stays as it was."""
    scores = await rerank(question, [passage.text for passage in found]) if found else []
    scored = [replace(passage, score=score) for passage, score in zip(found, scores, strict=True)]
    return sorted(scored, key=lambda passage: passage.score, reverse=True)[:k]
