"""The vector index on a Chroma server, which any process may ask. It may be down, slow or emptied at any moment: it is used where
it holds all that SQLite holds, and the process that writes gives it what it lacks."""

from __future__ import annotations

import time

from knowledge.database import Database
from knowledge.documents import KnowledgeError
from knowledge.store import StoreDown, VectorStore

LOOKED_AGAIN_S = 2.0


class ServedIndex:
    """`is_behind`: it lacks something."""

    def __init__(self, database: Database, url: str) -> None:
        self.url = url
        self.store = VectorStore(url)
        self.is_behind = False
        self._database = database
        self._seen: dict[tuple[str, str], float] = {}
        self._lacks: KnowledgeError | None = None

    def complete(self, collection: str) -> VectorStore | None:
        """The index as it answers now; None where it cannot be asked, or lacks vectors of this collection."""
        store = self._serving()
        key = (store.mark, collection)
        if time.monotonic() - self._seen.get(key, -LOOKED_AGAIN_S) < LOOKED_AGAIN_S:
            return store
        try:
            there, wanted = store.count(collection), self._database.count_vectors(collection)
        except StoreDown:
            return None
        if there < wanted:
            self.is_behind = True
            self._lacks = KnowledgeError(
                f"The Chroma server at {self.url} holds {there:,} of {wanted:,} vectors.",
                "The page fills it by itself, `assistant check --repair` does it at once.",
            )
            return None
        self._lacks = None
        self._seen[key] = time.monotonic()
        return store

    def trouble(self) -> KnowledgeError | None:
        return self.store.trouble or self._lacks

    def fill(self) -> None:
        """Put in what is missing. Raises: StoreDown."""
        self.is_behind = False
        store = self._serving()
        for collection in self._database.collections():
            if store.count(collection) < self._database.count_vectors(collection):
                ids, vectors = self._database.vectors(collection, whole=True)
                store.put(collection, ids, vectors)
        self._lacks = None

    def _serving(self) -> VectorStore:
        return self.store.of(self._database.sets().mark)
