"""Tables and queries of databases as documents: each row becomes a passage that names its primary key, and a refresh finds the
rows that changed, came and went."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from knowledge.documents import KnowledgeError, Skipped, Source
from knowledge.knowledge_base import IngestProgress, KnowledgeBase
from knowledge.origins import Origin, Origins
from knowledge.sql import Database, Selection
from knowledge.sql_rows import Spool

COMPARED_ROWS = 500
THREAD_ENDS_S = 2.0

OpenDatabase = Callable[[str], Database]
"""A database by its address, in which `${NAME}` may stand for a secret. Raises: KnowledgeError."""


@dataclass(frozen=True)
class RowChanges:
    """How many rows are new, changed, gone and the same since a table was last read; `cut`: in how many a value was cut."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    same: int = 0
    cut: int = 0

    @property
    def any(self) -> bool:
        return bool(self.new or self.changed or self.gone)


class TableSources:
    def __init__(self, base: KnowledgeBase, origins: Origins, open_database: OpenDatabase, *, offline: bool) -> None:
        self._base = base
        self._origins = origins
        self._open = open_database
        self._offline = offline

    async def add(
        self, address: str, selection: Selection, collection: str, progress: IngestProgress, stop: threading.Event
    ) -> tuple[Source, RowChanges]:
        """Read a table or query in, or anew. It becomes findable all at once; until then, and where anything fails, its former
        version serves.

        Raises: KnowledgeError.
        """
        database = self._open(address)
        options = {"url": database.to_keep(), "name": selection.name, "query": selection.query}
        name = (f"{database.safe}#{selection.name}", collection)
        fresh = all((origin.address, origin.collection) != name for origin in self._origins.all())
        origin = self._origins.put("database", *name, options)
        try:
            return await self._read(origin, database, selection, progress, stop)
        except BaseException:
            if fresh:
                self._origins.drop(origin)
            raise

    async def refresh(
        self, origin: Origin, progress: IngestProgress, stop: threading.Event
    ) -> tuple[Source, RowChanges]:
        """Raises: KnowledgeError; the former version serves on."""
        if not origin.options["url"]:
            raise KnowledgeError(
                f"The password for {origin.address} was in its address, and is not kept.",
                "Ingest it again, with ${DB_PASSWORD} in the address and the password in .env.",
            )
        selection = Selection(origin.options["name"], origin.options["query"])
        return await self._read(origin, self._open(origin.options["url"]), selection, progress, stop)

    async def _read(
        self, origin: Origin, database: Database, selection: Selection, progress: IngestProgress, stop: threading.Event
    ) -> tuple[Source, RowChanges]:
        if self._offline and not database.is_local:
            raise KnowledgeError(f"Offline mode: {database.safe} is on another machine.", "Switch offline mode off.")
        with tempfile.TemporaryDirectory(prefix="assistant-") as folder, closing(Spool(Path(folder))) as spool:
            progress(0.0, f"Reading {selection.name}")
            reading = asyncio.ensure_future(asyncio.to_thread(database.read, selection, spool.add, stop))
            try:
                await asyncio.shield(reading)
            except asyncio.CancelledError:
                stop.set()
                # The spool is closed under no thread that writes; one that waits for a server finds it closed.
                reading.add_done_callback(lambda done: done.cancelled() or done.exception())
                await asyncio.wait([reading], timeout=THREAD_ENDS_S)
                raise
            changes = await asyncio.to_thread(self._compare, origin, spool)
            former = self._base.source(origin.address, collection=origin.collection)
            if former is not None and not changes.any:
                self._origins.mark_refreshed(origin)
                return former, changes
            source = await self._base.add_chunks(
                spool,
                source=origin.address,
                sha256=spool.sha256(),
                title=f"{selection.name} ({database.name})",
                collection=origin.collection,
                skipped=[Skipped(None, f"in {spool.cut} rows a value was too long and was cut")] if spool.cut else (),
                progress=progress,
                stop=stop,
            )
            await asyncio.to_thread(self._origins.keep_rows, origin, spool.rows())
        self._origins.mark_refreshed(origin)
        return source, changes

    def _compare(self, origin: Origin, spool: Spool) -> RowChanges:
        new = changed = same = 0
        for batch in _batches(spool.rows()):
            former = self._origins.row_hashes(origin, [key for key, _hash in batch])
            for key, hash_ in batch:
                new += key not in former
                same += former.get(key) == hash_
                changed += key in former and former[key] != hash_
        gone = self._origins.count_rows(origin) - changed - same
        return RowChanges(new, changed, gone, same, spool.cut)


def _batches(rows: Iterator[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    while batch := list(islice(rows, COMPARED_ROWS)):
        yield batch
