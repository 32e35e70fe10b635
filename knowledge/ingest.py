"""One document on its way in: a thread reads its pages, and they are embedded and kept as they come.

Whatever was done is kept at every step, so that a document that was broken off goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from knowledge.database_file import text_digest
from knowledge.documents import Chunk, Document, KnowledgeError, Page, Skipped, Source, Start
from knowledge.index import Index
from knowledge.loaders import check_file, iter_document
from knowledge.splitting import iter_chunks
from knowledge.vector_sets import NOT_EMBEDDED, EmbeddingChanged

EMBED_BATCH = 16
READING_SHARE = 0.2
"""How much of an ingest's progress is reading the file; the rest is embedding."""
KEPT_TOGETHER = 16
KEPT_EVERY_S = 1.0
READER_ENDS_S = 0.3

EmbedWith = Callable[[str, Sequence[str]], Awaitable[np.ndarray | None]]
"""The name of an embedding and texts to unit-length float32 vectors, shape (len(texts), dimensions); None where it cannot be had."""


T = TypeVar("T")


class Stopped(KnowledgeError):
    """Somebody wanted it to end."""


@dataclass(frozen=True)
class Step:
    """How far an ingest is. `pages` is None where a file has none or they are not counted yet."""

    fraction: float
    stage: str
    pages_done: int = 0
    pages: int | None = None


@dataclass
class Ingest:
    """One file on its way in. `partial`: it answers as its pages come, where it has no older version."""

    path: Path
    collection: str
    source: str
    title: str | None = None
    tell: Callable[[Step], None] = lambda _step: None
    stop: threading.Event = field(default_factory=threading.Event)
    partial: bool = False
    source_id: int | None = None

    @property
    def name(self) -> str:
        return Path(self.source).name or self.path.name

    def check_stop(self) -> None:
        if self.stop.is_set():
            raise Stopped(f"Adding {self.name} was stopped.", "Nothing of it was kept; add it again when you like.")

    def entry(self, document: Document, sha256: str) -> Source:
        return Source(
            source=self.source,
            title=self.title or document.title,
            state="pending",
            pages=document.page_count,
            chunks=0,
            sha256=sha256,
            added=now(),
            collection=self.collection,
            skipped=tuple(document.skipped),
        )

    def like(self, twin: Source) -> Source:
        """The entry of this file, given one with the same content; a title that was only a file name is not taken over."""
        named_by_file = twin.title == Path(twin.source).name
        title = self.title or (self.name if named_by_file else twin.title)
        return replace(twin, source=self.source, collection=self.collection, title=title, added=now())

    def digest(self) -> str:
        """The SHA-256 of the file. Raises: KnowledgeError."""
        check_file(self.path, self.name)
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                self.check_stop()
                digest.update(block)
        return digest.hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


async def to_the_end(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run in a thread. Who is cancelled leaves only after the thread has: what it writes is whole, and nothing is closed under it."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **options))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()
        raise


async def index_file(index: Index, embed: EmbedWith, ingest: Ingest, sha256: str) -> Source:
    """Read, embed and keep a document. Raises: KnowledgeError."""
    entry = ingest.entry(Document(ingest.name, ()), sha256)
    ingest.source_id = source_id = await to_the_end(index.begin, entry, partial=ingest.partial)
    feed = Feed(ingest)
    reading = asyncio.ensure_future(asyncio.to_thread(_read, index, ingest, source_id, feed))
    try:
        await _embed_all(index, embed, ingest, entry, feed)
        await reading
        return await to_the_end(index.finish, source_id, entry)
    finally:
        # A reader that failed ends by itself; its stop is meant for the other files of the turn too.
        await asyncio.wait([reading], timeout=READER_ENDS_S)
        if not reading.done():
            ingest.stop.set()
            await asyncio.wait([reading])
        if not reading.cancelled():
            reading.exception()


async def index_chunks(
    index: Index,
    embed: EmbedWith,
    ingest: Ingest,
    chunks: Sequence[Chunk],
    sha256: str,
    skipped: Sequence[Skipped] = (),
) -> Source:
    """Embed and keep text that was read elsewhere. Raises: KnowledgeError."""
    entry = ingest.entry(Document(ingest.name, (), skipped=skipped), sha256)
    ingest.source_id = source_id = await to_the_end(index.begin, entry, partial=ingest.partial)
    await _embed_all(index, embed, ingest, entry, ReadyFeed(ingest, chunks))
    return await to_the_end(index.finish, source_id, entry)


async def _embed_all(index: Index, embed: EmbedWith, ingest: Ingest, entry: Source, feed: Feed) -> None:
    source_id = ingest.source_id or 0
    kept = deque(await asyncio.to_thread(index.database.digests_of, source_id))
    start = 0
    while batch := await feed.take(EMBED_BATCH):
        ingest.check_stop()
        while batch and kept and kept[0] == text_digest(batch[0].text):
            kept.popleft()
            batch.pop(0)
            start += 1
        if batch:
            if kept:
                await to_the_end(index.cut, source_id, start)
                kept.clear()
            await _keep(index, embed, source_id, entry, start, batch)
        start += len(batch)
        await asyncio.to_thread(feed.done, start)
    if kept:
        await to_the_end(index.cut, source_id, start)
    await asyncio.to_thread(feed.done, start)


async def _keep(
    index: Index, embed: EmbedWith, source_id: int, entry: Source, start: int, chunks: Sequence[Chunk]
) -> None:
    """Embed chunks and keep them; once more where another embedding took over meanwhile."""
    while True:
        name = await asyncio.to_thread(index.serving)
        vectors = await _vectors(index, embed, name, [chunk.text for chunk in chunks])
        with suppress(EmbeddingChanged):
            return await to_the_end(index.add_chunks, source_id, entry, start, chunks, vectors, name)


async def _vectors(index: Index, embed: EmbedWith, name: str, texts: Sequence[str]) -> list[np.ndarray]:
    """Vectors of texts; those that any document holds word for word are not embedded again."""
    known = await asyncio.to_thread(index.database.known_vectors, texts)
    new = [text for text in dict.fromkeys(texts) if text not in known]
    if new and (made := await embed(name, new)) is not None:
        known.update(zip(new, made, strict=True))
    return [known.get(text, NOT_EMBEDDED) for text in texts]


class Feed:
    """Chunks on their way from the thread that reads to the loop that embeds, and how far both are."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._guard = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._put = self._taken = 0
        self._page_ends: deque[int] = deque()
        self._pages: int | None = None
        self._pages_done = 0
        self._read = self._fraction = 0.0

    def put(self, chunks: Sequence[Chunk], *, page_ends: bool = False) -> None:
        """From any thread. `page_ends`: a page has no chunks after these."""
        self._chunks.extend(chunks)
        self._put += len(chunks)
        if page_ends:
            self._page_ends.append(self._put)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes."""
        self._read, self._ended, self._error = 1.0, True, error
        self._wake()

    def read(self, fraction: float, pages: int | None) -> None:
        """How much of the file was read, and of how many pages."""
        self._read, self._pages = fraction, pages
        self._tell(f"Reading {self._ingest.name}")

    def skip(self, skipped: Skipped) -> None:
        """A page was not read, and counts as done."""
        self._pages_done += skipped.page is not None

    async def take(self, limit: int) -> list[Chunk]:
        """The next chunks, at most `limit`, as soon as there are any; none at the end. Raises what reading raised."""
        while not self._chunks and not self._ended:
            self._ready.clear()
            if not self._chunks and not self._ended:
                await self._ready.wait()
        batch = [self._chunks.popleft() for _ in range(min(limit, len(self._chunks)))]
        if not batch and self._error is not None:
            raise self._error
        return batch

    def done(self, chunks: int) -> None:
        """So many chunks can be found now."""
        self._taken = chunks
        while self._page_ends and self._page_ends[0] <= chunks:
            self._page_ends.popleft()
            self._pages_done += 1
        self._tell(f"Indexing {self._ingest.name}")

    def _tell(self, stage: str) -> None:
        with self._guard:
            indexed = self._read * self._taken / self._put if self._put else 0.0
            share = READING_SHARE * self._read + (1 - READING_SHARE) * indexed
            self._fraction = max(self._fraction, share)
            self._ingest.tell(Step(self._fraction, stage, self._pages_done, self._pages))

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._ready.set)


class ReadyFeed(Feed):
    """Chunks that are there already; of however many there are, only a batch is in memory."""

    def __init__(self, ingest: Ingest, chunks: Sequence[Chunk]) -> None:
        super().__init__(ingest)
        self._all = chunks
        self._next = 0
        self._put, self._read = len(chunks), 1.0

    async def take(self, limit: int) -> list[Chunk]:
        batch = list(self._all[self._next : self._next + limit])
        self._next += len(batch)
        return batch


def _read(index: Index, ingest: Ingest, source_id: int, feed: Feed) -> None:
    """In a thread: read the file, or the pages that were kept of it, and cut them into chunks."""
    try:
        for chunk_or_end in _chunks_and_ends(_pages(index, ingest, source_id, feed)):
            if isinstance(chunk_or_end, Chunk):
                feed.put([chunk_or_end])
            else:
                feed.put([], page_ends=True)
        feed.end()
    except BaseException as error:  # noqa: BLE001 — raised again by whoever takes from the feed
        feed.end(error)


def _chunks_and_ends(pages: Iterator[Page]) -> Iterator[Chunk | None]:
    """Chunks, and None behind the last one of each page."""
    ended = 0

    def counted() -> Iterator[Page]:
        nonlocal ended
        for page in pages:
            yield page
            ended += 1

    told = 0
    for chunk in iter_chunks(counted()):
        yield from (None for _ in range(ended - told))
        told = ended
        yield chunk
    yield from (None for _ in range(ended - told))


def _pages(index: Index, ingest: Ingest, source_id: int, feed: Feed) -> Iterator[Page]:
    """The pages that were kept where all were read before, otherwise those of the file, which are kept."""
    is_read, pages = index.database.pages_of(source_id)
    if is_read:
        feed.read(1.0, pages[-1].number)
        yield from pages
        return
    feed.read(0.0, None)
    keeper = _Keeper(index, source_id)
    skipped: list[Skipped] = []
    start = Start(ingest.name)
    reading = cast("Generator[Start | Page | Skipped]", iter_document(ingest.path, ingest.name, stop=ingest.stop))
    with closing(reading) as items:
        for item in items:
            if isinstance(item, Start):
                start = item
                index.database.set_page_count(source_id, ingest.title or start.title, start.page_count)
            elif isinstance(item, Skipped):
                skipped.append(item)
                feed.skip(item)
            else:
                keeper.keep(item)
                yield item
            if start.page_count:
                feed.read(min(1.0, (keeper.count + len(skipped)) / start.page_count), start.page_count)
    keeper.flush()
    index.database.set_read(source_id, ingest.title or start.title, start.page_count, skipped)


class _Keeper:
    """Keeps pages in SQLite, a few at once."""

    def __init__(self, index: Index, source_id: int) -> None:
        self.count = 0
        self._index = index
        self._source_id = source_id
        self._held: list[Page] = []
        self._flushed = time.monotonic()

    def keep(self, page: Page) -> None:
        self._held.append(page)
        self.count += 1
        if len(self._held) == KEPT_TOGETHER or time.monotonic() - self._flushed > KEPT_EVERY_S:
            self.flush()

    def flush(self) -> None:
        self._index.database.add_pages(self._source_id, self.count - len(self._held), self._held)
        self._held = []
        self._flushed = time.monotonic()
