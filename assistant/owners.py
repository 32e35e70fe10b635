"""Who put a document among those that everyone reads; only that person may take it back. In the history's database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

_metadata = sa.MetaData()
_owners = sa.Table(
    "page_document_owners",
    _metadata,
    sa.Column("collection", sa.String, primary_key=True),
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("owner", sa.String, nullable=False, index=True),
)


class Owners:
    def __init__(self, open_database: Callable[[], Awaitable[AsyncEngine]]) -> None:
        self._open_database = open_database
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()
        self.claiming = asyncio.Lock()
        """Held while somebody looks for a free name and takes it."""
        self._held: Counter[tuple[str, str]] = Counter()

    async def of(self, collection: str) -> dict[str, str]:
        """Owners by source; a document that nobody put there in the page is missing."""
        query = sa.select(_owners.c.source, _owners.c.owner).where(_owners.c.collection == collection)
        async with (await self._open()).connect() as connection:
            return {row.source: row.owner for row in await connection.execute(query)}

    async def put(self, collection: str, source: str, owner: str) -> None:
        async with (await self._open()).begin() as connection:
            await connection.execute(sa.delete(_owners).where(_of(collection, source)))
            await connection.execute(sa.insert(_owners).values(collection=collection, source=source, owner=owner))

    async def drop(self, collection: str, source: str, owner: str | None = None) -> None:
        """Whoever the owner is, or with a name only that one."""
        which = _of(collection, source) & (sa.true() if owner is None else _owners.c.owner == owner)
        async with (await self._open()).begin() as connection:
            await connection.execute(sa.delete(_owners).where(which))

    @contextmanager
    def holding(self, collection: str, source: str) -> Iterator[None]:
        """While something is put in under a name, before the queue or the documents know of it."""
        self._held[collection, source] += 1
        try:
            yield
        finally:
            self._held -= Counter([(collection, source)])

    def held_in(self, collection: str) -> set[str]:
        return {source for (where, source), count in self._held.items() if count and where == collection}

    async def drop_all(self, owner: str | None) -> None:
        """All that one person shared, or with None what anybody did."""
        which = sa.true() if owner is None else _owners.c.owner == owner
        async with (await self._open()).begin() as connection:
            await connection.execute(sa.delete(_owners).where(which))

    async def _open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                engine = await self._open_database()
                async with engine.begin() as connection:
                    await connection.run_sync(_metadata.create_all)
                self._engine = engine
            return self._engine


def _of(collection: str, source: str) -> sa.ColumnElement[bool]:
    return sa.and_(_owners.c.collection == collection, _owners.c.source == source)
