"""Text, vectors and words of all documents, kept in step across SQLite and Chroma. Plain and blocking: for worker threads.

SQLite holds the truth (`database.py`), Chroma an index over its vectors (`store.py`). A process that cannot have the write
lock still searches: it compares with every vector in SQLite.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from knowledge.database import Database
from knowledge.documents import Chunk, KnowledgeError, Passage, Source
from knowledge.filters import Filter
from knowledge.lock import WAIT_S, WriteLock, WriteLocked, Writer
from knowledge.neighbours import Candidate
from knowledge.repair import Finding, check_database, repair_vectors, repair_words
from knowledge.retrieval import Question, Retriever, to_passage
from knowledge.store import VectorStore

HANDBOOK = "handbook"
SAMPLED_VECTORS = 8
FIT_DEPTH = 60


class Index:
    def __init__(self, folder: Path, embedding: str) -> None:
        """Raises: KnowledgeError when the folder cannot be used or was indexed with another embedding."""
        self._folder = self.folder = folder
        self._embedding = embedding
        self._database = self.database = Database(folder / "knowledge.sqlite3")
        self._lock = WriteLock(folder / "writer.lock")
        self._guard = threading.RLock()
        self._store: VectorStore | None = None
        self._sound: set[str] = set()
        self._retriever = Retriever(self._database, self._store_if_ours)
        self._check_embedding()

    def open_for_writing(self, wait_s: float = WAIT_S) -> VectorStore:
        """On the first call: take the write lock, clean up after a dead process, open the vector index.

        Raises: KnowledgeError when another process writes, or the folder is read-only.
        """
        if self._store is not None:
            return self._store
        with self._guard:
            if self._store is None:
                self._check_writable()
                self._lock.take(wait_s)
                self._database.mark_interrupted()
                if self._database.embedding() != self._embedding:
                    self._start_over()
                self._store = VectorStore(self._folder / "chroma")
                self._place_missing(self._store)
                self._sweep(self._store)
            return self._store

    def sources(self, collections: Sequence[str] | None = None) -> list[Source]:
        return self._database.sources(collections)

    def indexed(self, collection: str, source: str) -> Source | None:
        return self._database.indexed(collection, source)

    def twin(self, sha256: str) -> Source | None:
        """An indexed document with this content, in any collection."""
        return self._database.twin(sha256)

    def begin(self, source: Source, *, partial: bool = False) -> int:
        """Enter `source` as under way, or go on with an unfinished try at the same content. It cannot be found until `finish`;
        with `partial`, what is there of a new document can."""
        self._ensure_sound(self.open_for_writing(), source.collection)
        source_id = self._database.begin(source, partial=partial)
        self._sweep(self.open_for_writing())
        return source_id

    def add_chunks(
        self, source_id: int, source: Source, start: int, chunks: Sequence[Chunk], vectors: np.ndarray
    ) -> None:
        """Store chunks number `start` and on with their unit vectors, float32, shape (len(chunks), dimensions)."""
        ids = [_chunk_id(source, start + i) for i in range(len(chunks))]
        self._database.add_chunks(source_id, start, ids, chunks, vectors)
        self.open_for_writing().put(source.collection, ids, vectors)

    def finish(self, source_id: int, source: Source) -> Source:
        """Make a document findable whole, all at once and in place of its older version."""
        self._database.finish(source_id)
        self._sweep(self.open_for_writing())
        found = self._database.indexed(source.collection, source.source)
        if found is None:
            raise KnowledgeError(f"{source.source} was taken out while it was read.", "Add it again.")
        return found

    def cut(self, source_id: int, start: int) -> None:
        """Take out the chunks of a document under way from number `start` on."""
        self._database.cut_chunks(source_id, start)
        self._sweep(self.open_for_writing())

    def drop(self, source_id: int) -> None:
        """Give up a pending document."""
        self._database.drop(source_id)
        self._sweep(self.open_for_writing())

    def adopt(self, twin: Source, source: Source) -> Source:
        """Index `source` from the chunks and vectors of `twin`, a document with the same content."""
        twin_id = self._database.source_id(twin)
        chunks, vectors = self._database.chunks_of(twin_id)
        source_id = self.begin(source)
        self._database.cut_chunks(source_id, 0)
        self._database.copy_pages(twin_id, source_id)
        self.add_chunks(source_id, source, 0, chunks, vectors)
        return self.finish(source_id, source)

    def forget(self, source: str, collection: str | None) -> int:
        """From text and words at once, from the vectors by whichever process writes. Returns how many went."""
        self._check_writable()
        gone = self._database.forget(source, collection)
        self.sweep()
        return gone

    def forget_all(self, collections: Sequence[str] | None) -> int:
        self._check_writable()
        gone = self._database.forget_all(collections)
        self.sweep()
        return gone

    def sweep(self) -> None:
        """Take out of the vector index what SQLite no longer holds, where it is ours."""
        with suppress(WriteLocked):
            self._sweep(self.open_for_writing(wait_s=0.0))

    def sweep_after_others(self) -> None:
        """The same for what other processes took out."""
        if self._store is not None and self._database.stale():
            self._sweep(self._store)

    def repair(self) -> list[Finding]:
        """Compare both indexes with what SQLite holds, and make them anew where they differ.

        Raises: KnowledgeError when another process writes.
        """
        store = self.open_for_writing()
        with self._guard:
            findings = [check_database(self._database), *repair_words(self._database)]
            return findings + repair_vectors(self._database, store)

    def writer(self) -> Writer | None:
        """Another process that writes; None where this one does, or nobody."""
        return self._lock.other()

    def set_works(self, works: bool) -> None:
        """Tell other processes whether this one works the queue off."""
        self._lock.set_works(works)

    def search(
        self, questions: Sequence[Question], k: int, collections: Sequence[str], where: Filter | None = None
    ) -> list[Passage]:
        """The `k` best passages for any of the questions, best first."""
        return self._retriever.search(questions, k, collections, where)

    def candidates(self, questions: Sequence[Question], collections: Sequence[str]) -> list[Candidate]:
        """What a search would choose from, best first."""
        return self._retriever.candidates(questions, FIT_DEPTH, collections)

    def passages(self, source: str, collection: str) -> list[Passage]:
        """All of a document, in its own order."""
        return [to_passage(chunk, 1.0, 1.0) for chunk in self._database.read_source(collection, source)]

    def close(self) -> None:
        with self._guard:
            if self._store is not None:
                self._store.close()
                self._store = None
            self._database.close()
            self._lock.release()

    def _check_writable(self) -> None:
        if self._database.read_only:
            raise KnowledgeError(
                f"The knowledge base in {self._folder} cannot be written: the disk is read-only.",
                "Make the folder writable or set ASSISTANT_HOME to another one.",
            )

    def _check_embedding(self) -> None:
        known = self._database.embedding()
        if known in (None, self._embedding) or not any(s.collection != HANDBOOK for s in self._database.sources()):
            return
        raise KnowledgeError(
            f"The documents in {self._folder} were indexed with {known}, not with {self._embedding}.",
            "Choose the former embedding again, or move the folder away and add the documents anew.",
        )

    def _start_over(self) -> None:
        """Nothing but the handbook is in there (see `_check_embedding`): it will be indexed with the new embedding."""
        for source in self._database.sources():
            self._database.forget(source.source, source.collection)
        self._database.set_embedding(self._embedding)

    def _place_missing(self, store: VectorStore) -> None:
        """Put into the vector index what a dead process had not yet."""
        missing = self._database.unplaced()
        for collection, (ids, vectors) in missing.items():
            store.put(collection, ids, vectors)
        if missing:
            self._database.clear_unplaced()

    def _sweep(self, store: VectorStore) -> None:
        """Take out of the vector index what SQLite no longer holds."""
        with self._guard:
            pairs = self._database.stale()
            left = set(self._database.collections())
            for collection in {pair[0] for pair in pairs}:
                if collection in left:
                    store.remove(collection, [identity for where, identity in pairs if where == collection])
                else:
                    store.drop(collection)
                    self._sound.discard(collection)
            if pairs:
                self._database.clear_stale(pairs)

    def _ensure_sound(self, store: VectorStore, collection: str) -> None:
        """Once a session: compare the index with a sample from SQLite, and rebuild it where they differ."""
        with self._guard:
            if collection in self._sound:
                return
            count = self._database.count_chunks(collection)
            _ids, sample = self._database.vectors(collection, sample=SAMPLED_VECTORS)
            if not store.is_sound(collection, count, sample):
                store.drop(collection)
                ids, vectors = self._database.vectors(collection, whole=True)
                store.put(collection, ids, vectors)
            self._sound.add(collection)

    def _store_if_ours(self, collection: str) -> VectorStore | None:
        """The vector index, sound for this collection; None where another process writes or the disk is read-only."""
        try:
            store = self.open_for_writing(wait_s=0.0)
        except KnowledgeError:
            return None
        self._ensure_sound(store, collection)
        return store


def _chunk_id(source: Source, position: int) -> str:
    """The same document has the same ids each time, so that a repeated write changes nothing."""
    key = "\x1f".join([source.collection, source.source, source.sha256, str(position)])
    return hashlib.sha256(key.encode()).hexdigest()[:32]
