"""One person's shelf of the knowledge base: what they may read and what they may change. Owners are checked here alone.

Documents of one's own lie in `user-NAME`; those in `shared` are read by everyone and changed by who put them there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.owners import Owners
from assistant.shelf_names import Others, lies_in, owner_of, paths_of
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError, Source

SHARED = "shared"
UNDER_WAY = ("pending", "partial")


class NotYours(KnowledgeError):
    """The document is not there for this person, or not theirs to change."""


@dataclass(frozen=True)
class Shelf:
    """`owns_all`: with login off, everyone on this machine is one person. `on_gone` is told of the content of documents that
    were taken out for good."""

    knowledge: KnowledgeBase
    owners: Owners
    name: str
    owns_all: bool = False
    on_gone: Callable[[Sequence[str]], None] = lambda _sha256s: None

    @property
    def own(self) -> str:
        return f"user-{self.name}"

    @property
    def collections(self) -> tuple[str, str]:
        return (self.own, SHARED)

    async def sources(self) -> list[tuple[Source, bool]]:
        """Every document on the shelf, and whether this person may change it."""
        listed = await asyncio.to_thread(self.knowledge.sources, self.collections)
        owners = await self.sharers()
        return [(source, self.owns(source.collection, source.source, owners)) for source in listed]

    async def sharers(self) -> Mapping[str, str]:
        """Who shared what, by source."""
        return await self.owners.of(SHARED)

    def owns(self, collection: str, source: str, sharers: Mapping[str, str]) -> bool:
        """Whether a document, or a job for one, is this person's to change."""
        if collection not in self.collections:
            return False
        return self.owns_all or collection == self.own or owner_of(sharers, source) == self.name

    async def read(self, collection: str, source: str) -> Source:
        """Raises: NotYours where this person has no such document."""
        if collection in self.collections:
            listed = await asyncio.to_thread(self.knowledge.sources, [collection])
            found = [s for s in listed if s.source == source]
            if found:
                return min(found, key=lambda s: s.state != "indexed")
        raise NotYours(f"There is no document {source}.", "Load the page again.")

    async def change(self, collection: str, source: str) -> None:
        """Raises: NotYours where this person may not change it."""
        if collection not in self.collections:
            raise NotYours(f"There is no document {source}.", "Load the page again.")
        if not self.owns(collection, source, await self.sharers()):
            raise NotYours(
                f"{Path(source).name} was shared by somebody else.", "Only who shared a document may change it."
            )

    async def place(self, collection: str, name: str) -> str:
        """The name under which a file goes in: it takes the place of one's own older version, of nobody else's document.

        Raises: NotYours.
        """
        if collection == self.own or self.owns_all:
            return name
        if collection != SHARED:
            raise NotYours(f"There is no collection {collection}.", "Load the page again.")
        return (await self._others(SHARED)).free(name)

    async def exactly(self, collection: str, name: str) -> str:
        """The same for what is known by no other name, such as a web page. Raises: NotYours where it is somebody else's."""
        if await self.place(collection, name) != name:
            raise NotYours(f"{name} was shared by somebody else.", "Only who shared a document may change it.")
        return name

    @asynccontextmanager
    async def claimed(self, collection: str, name: str, *, exactly: bool = False) -> AsyncIterator[str]:
        """Find the name under which something goes in; it is this person's while that is done, and after it unless it failed.

        Raises: NotYours.
        """
        async with AsyncExitStack() as while_done:
            async with self.owners.claiming:
                free = await (self.exactly if exactly else self.place)(collection, name)
                await while_done.enter_async_context(self._owning(collection, free))
            yield free

    async def share(self, source: str) -> Source:
        """Let everyone read a document of one's own. Raises: KnowledgeError."""
        return await self._move(source, self.own, SHARED)

    async def unshare(self, source: str) -> Source:
        """Take a document that one shared back for oneself. Raises: KnowledgeError."""
        return await self._move(source, SHARED, self.own)

    async def forget(self, collection: str, source: str) -> None:
        """Take a document out for good. Raises: NotYours, KnowledgeError."""
        await self.change(collection, source)
        gone = await self.read(collection, source)
        await self.knowledge.forget(source, collection=collection)
        await self.owners.drop(collection, source)
        self.on_gone([gone.sha256])

    async def theirs(self) -> list[Source]:
        """What this person may take out: their own documents and those that they shared."""
        return [source for source, is_theirs in await self.sources() if is_theirs]

    async def forget_everything(self) -> int:
        """Also what is still in the queue. Returns how many documents went. Raises: KnowledgeError."""
        whole = list(self.collections) if self.owns_all else [self.own]
        await self._cancel_shared()
        await self.knowledge.cancel_all(whole)
        gone = await self.theirs()
        await self.knowledge.forget_all(whole)
        for source in gone:
            if source.collection not in whole:
                await self.knowledge.forget(source.source, collection=source.collection)
        await self.owners.drop_all(None if self.owns_all else self.name)
        self.on_gone([source.sha256 for source in gone])
        return len(gone)

    async def _cancel_shared(self) -> None:
        sharers = await self.sharers()
        listed = await asyncio.to_thread(self.knowledge.jobs, [SHARED])
        theirs = [job.id for job in listed if job.state != "done" and self.owns(SHARED, job.source, sharers)]
        for job_id in theirs:
            await self.knowledge.cancel(job_id)
        await self.knowledge.broken_off(theirs)

    async def _move(self, source: str, start: str, goal: str) -> Source:
        async with self.owners.claiming:
            await self.change(start, source)
            original = await self.read(start, source)
            listed = await asyncio.to_thread(self.knowledge.sources, [start])
            if source in await self._coming(start, listed):
                raise KnowledgeError(
                    f"{Path(source).name} is still being read.", "Wait until it is read, then try again."
                )
            name = await self._room(goal, source, original.sha256)
            async with self._owning(goal, name):
                moved = await self.knowledge.copy(source, from_collection=start, to_collection=goal, name=name)
                await self._carry_tags(original, moved)
            await self.knowledge.forget(source, collection=start)
            await self.owners.drop(start, source)
        return moved

    async def _carry_tags(self, original: Source, moved: Source) -> None:
        tags = self.knowledge.tags(original.source, collection=original.collection)
        there = self.knowledge.tags(moved.source, collection=moved.collection)
        await self.knowledge.tag(moved.source, [*there, *tags], collection=moved.collection)

    async def _room(self, goal: str, source: str, sha256: str) -> str:
        """The name under which a document goes into another collection: none that another content has there, or will have."""
        listed = await asyncio.to_thread(self.knowledge.sources, [goal])
        taken: dict[str, str | None] = {s.source: s.sha256 for s in listed if s.state == "indexed"}
        taken |= dict.fromkeys(await self._coming(goal, listed))
        return (await self._others(goal)).free(source, lambda name: taken.get(name, sha256) == sha256)

    async def _coming(self, collection: str, listed: Sequence[Source]) -> set[str]:
        """What is in the queue, is being read or is about to be."""
        jobs = await asyncio.to_thread(self.knowledge.jobs, [collection])
        unfinished = {job.source for job in jobs if job.finished is None}
        return unfinished | {s.source for s in listed if s.state in UNDER_WAY} | self.owners.held_in(collection)

    async def _others(self, collection: str) -> Others:
        """A name with nothing behind it stands in nobody's way."""
        if collection != SHARED:
            return Others()
        sharers = await self.sharers()
        listed = await asyncio.to_thread(self.knowledge.sources, [SHARED])
        owned = {name for name in sharers if not self.owns(SHARED, name, sharers)}
        idle = owned - paths_of(source.source for source in listed)
        if idle:
            idle -= paths_of(await self._coming(SHARED, listed))
        theirs = {s.source for s in listed if not self.owns(SHARED, s.source, sharers)}
        return Others(theirs, owned - idle)

    @asynccontextmanager
    async def _owning(self, collection: str, free: str) -> AsyncIterator[None]:
        """Owned before it is there, so that it is never nobody's; no longer where it failed and nothing is there."""
        if collection == SHARED:
            await self._own(free)
        try:
            with self.owners.holding(collection, free):
                yield
        except BaseException:
            listed = await asyncio.to_thread(self.knowledge.sources, [collection])
            there = {s.source for s in listed} | await self._coming(collection, listed)
            if free not in paths_of(there):
                await self.owners.drop(collection, free, self.name)
            raise

    async def _own(self, free: str) -> None:
        """Others' names around a free one have nothing behind them; left there, they would own what comes."""
        sharers = await self.sharers()
        for name in sharers:
            if (lies_in(name, free) or lies_in(free, name)) and not self.owns(SHARED, name, sharers):
                await self.owners.drop(SHARED, name)
        await self.owners.put(SHARED, free, self.name)
