"""Text, vectors and words of all documents, kept in step across SQLite and Chroma. Plain and blocking: for worker threads.

SQLite holds the truth (`database.py`), Chroma an index over its vectors (`store.py`). A process that cannot have the write
lock still searches: it compares with every vector in SQLite, or asks the Chroma server where there is one. While another
embedding is to take over, both sets of vectors are kept (`vector_sets.py`).
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from knowledge import vector_sets
from knowledge.database import Database
from knowledge.documents import Chunk, KnowledgeError, Passage, Source
from knowledge.filters import Filter
from knowledge.lock import WAIT_S, WriteLock, WriteLocked, Writer
from knowledge.neighbours import Candidate
from knowledge.repair import Finding, check_database, repair_vectors, repair_words
from knowledge.retrieval import Question, Retriever, to_passage
from knowledge.served_index import ServedIndex
from knowledge.store import StoreDown, VectorStore
from knowledge.vector_sets import EmbeddingChanged, Unembedded

HANDBOOK = "handbook"
SAMPLED_VECTORS = 8
FIT_DEPTH = 60


class Index:
    def __init__(self, folder: Path, embedding: str, chroma_url: str | None = None) -> None:
        """`embedding` is what the documents are to be indexed with; until they are, what they were indexed with answers.
        With `chroma_url` the vector index is on that server, which several processes may ask.

        Raises: KnowledgeError when the folder cannot be used.
        """
        self._folder = self.folder = folder
        self.embedding = embedding
        self._database = self.database = Database(folder / "knowledge.sqlite3")
        self._lock = WriteLock(folder / "writer.lock")
        self._guard = threading.RLock()
        self._server = ServedIndex(self._database, chroma_url) if chroma_url else None
        self._store: VectorStore | None = None
        self._sound: set[tuple[str, str]] = set()
        self._retriever = Retriever(self._database, self._store_if_ours)

    def open_for_writing(self, wait_s: float = WAIT_S) -> VectorStore:
        """On the first call: take the write lock, clean up after a dead process, open the vector index.

        Raises: KnowledgeError when another process writes, or the folder is read-only.
        """
        if self._store is None:
            with self._guard:
                if self._store is None:
                    self._check_writable()
                    self._lock.take(wait_s)
                    self._database.mark_interrupted()
                    self._start_over_if_bare()
                    store = self._open_store()
                    with self._unless_down():
                        self._place_missing(store.of(self._database.sets().mark))
                    self._store = store
                    self._sweep()
                    self._drop_former()
        return self._store.of(self._database.sets().mark)

    def serving(self) -> str:
        """The embedding that answers, which questions and new documents must be embedded with."""
        return self._database.sets().serving or self.embedding

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
        store = self.open_for_writing()
        if self._server is None:
            self._ensure_sound(store, source.collection)
        source_id = self._database.begin(source, partial=partial)
        self._sweep()
        return source_id

    def add_chunks(
        self,
        source_id: int,
        source: Source,
        start: int,
        chunks: Sequence[Chunk],
        vectors: Sequence[np.ndarray] | np.ndarray,
        embedding: str,
    ) -> None:
        """Store chunks number `start` and on with the unit vectors, float32, that `embedding` made of them, or `NOT_EMBEDDED`.

        Raises: EmbeddingChanged where another embedding answers by now.
        """
        ids = [_chunk_id(source, start + i) for i in range(len(chunks))]
        mark = self._database.add_chunks(source_id, start, ids, chunks, vectors, embedding)
        if made := [i for i, vector in enumerate(vectors) if len(vector)]:
            store = self.open_for_writing().of(mark)
            with self._unless_down():
                store.put(source.collection, [ids[i] for i in made], np.array([vectors[i] for i in made]))

    def finish(self, source_id: int, source: Source) -> Source:
        """Make a document findable whole, all at once and in place of its older version."""
        self._database.finish(source_id)
        self._sweep()
        found = self._database.indexed(source.collection, source.source)
        if found is None:
            raise KnowledgeError(f"{source.source} was taken out while it was read.", "Add it again.")
        return found

    def cut(self, source_id: int, start: int) -> None:
        """Take out the chunks of a document under way from number `start` on."""
        self._database.cut_chunks(source_id, start)
        self._sweep()

    def drop(self, source_id: int) -> None:
        """Give up a pending document."""
        self._database.drop(source_id)
        self._sweep()

    def adopt(self, twin: Source, source: Source) -> Source:
        """Index `source` from the chunks and vectors of `twin`, a document with the same content."""
        twin_id = self._database.source_id(twin)
        source_id = self.begin(source)
        self._database.copy_pages(twin_id, source_id)
        while True:
            embedding = self.serving()
            chunks, vectors = self._database.chunks_of(twin_id)
            self._database.cut_chunks(source_id, 0)
            with suppress(EmbeddingChanged):
                self.add_chunks(source_id, source, 0, chunks, vectors, embedding)
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
            self.open_for_writing(wait_s=0.0)
            self._sweep()

    def sweep_after_others(self) -> None:
        """The same for what other processes took out."""
        if self._store is not None and self._database.stale():
            self._sweep()

    def repair(self) -> list[Finding]:
        """Compare both indexes with what SQLite holds, and make them anew where they differ.

        Raises: KnowledgeError when another process writes.
        """
        store = self.open_for_writing()
        with self._guard:
            findings = [check_database(self._database), *repair_words(self._database)]
            return findings + repair_vectors(self._database, store)

    def begin_coming(self) -> str:
        """Make room for the vectors of the embedding that is wanted, or go on with those there are; returns their mark."""
        self.open_for_writing()
        with self._guard:
            with self._database.writing() as db:
                mark = vector_sets.begin_coming(db, self.embedding)
            self._drop_former()
        return mark

    def add_coming(self, mark: str, chunks: Sequence[Unembedded], vectors: np.ndarray) -> None:
        """Keep coming vectors, first in the vector index: what SQLite holds of them is there too.

        Raises: EmbeddingChanged where they were given up.
        """
        store = self.open_for_writing().of(mark)
        by_collection: dict[str, list[int]] = {}
        for i, chunk in enumerate(chunks):
            by_collection.setdefault(chunk.collection, []).append(i)
        with self._unless_down():
            for collection, rows in by_collection.items():
                store.put(collection, [chunks[i].id for i in rows], vectors[rows])
        with self._database.writing() as db:
            gone = set(vector_sets.add_coming(db, mark, chunks, vectors))
        with self._unless_down():
            for collection, rows in by_collection.items():
                if here := [chunks[i].id for i in rows if chunks[i].id in gone]:
                    store.remove(collection, here)

    def switch(self, mark: str) -> bool:
        """Let the coming vectors answer from now on; False where some are missing yet."""
        with self._guard:
            with self._database.writing() as db:
                switched = vector_sets.switch(db, mark)
            if switched:
                self._drop_former()
        return switched

    def drop_coming(self) -> None:
        """Give the coming vectors up."""
        self.open_for_writing()
        with self._guard:
            with self._database.writing() as db:
                vector_sets.drop_coming(db)
            self._drop_former()

    def _drop_former(self) -> None:
        """Take sets of vectors that are of no use any more out of the vector index."""
        if stores := self._stores():
            with self._database.writing() as db:
                owner = vector_sets.owner(db)
            with self._unless_down():
                stores[0].drop_others([store.mark for store in stores], owner)

    def trouble(self) -> KnowledgeError | None:
        """Why the Chroma server is not used; None where it is, or where there is none."""
        return self._server.trouble() if self._server else None

    def look(self) -> KnowledgeError | None:
        """The same, after asking it."""
        for collection in self._database.collections() or [HANDBOOK]:
            self._store_if_ours(collection)
            if trouble := self.trouble():
                return trouble
        return None

    def needs_filling(self) -> bool:
        """Whether the Chroma server is to be given what it lacks."""
        return self._server is not None and self._server.is_behind

    def fill(self) -> None:
        """Give it that, where it answers. For the process that writes."""
        if self._server is not None:
            self.open_for_writing()
            with self._guard, self._unless_down():
                self._server.fill()

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
            if self._server is not None:
                self._server.store.close()
            elif self._store is not None:
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

    def _start_over_if_bare(self) -> None:
        """Where nothing but the handbook is in there, it will be indexed with the new embedding."""
        sources, serving = self._database.sources(), self._database.sets().serving
        if serving == self.embedding or (serving and any(source.collection != HANDBOOK for source in sources)):
            return
        for source in sources if serving else ():
            self._database.forget(source.source, source.collection)
        with self._database.writing() as db:
            vector_sets.drop_coming(db)
        self._database.set_embedding(self.embedding)

    def _open_store(self) -> VectorStore:
        embedded = self._folder / "chroma"
        with self._database.writing() as db:
            vector_sets.move(db, self._server.url if self._server else "")
        if self._server is None:
            return VectorStore(embedded)
        # It would keep what is forgotten from now on.
        shutil.rmtree(embedded, ignore_errors=True)
        return self._server.store

    @contextmanager
    def _unless_down(self) -> Iterator[None]:
        """What a server that is down does not get, it gets later: SQLite holds it."""
        try:
            yield
        except StoreDown:
            if self._server is not None:
                self._server.is_behind = True

    def _place_missing(self, store: VectorStore) -> None:
        """Put into the vector index what a dead process had not yet."""
        missing = self._database.unplaced()
        for collection, (ids, vectors) in missing.items():
            store.put(collection, ids, vectors)
        if missing:
            self._database.clear_unplaced()

    def _sweep(self) -> None:
        """Take out of the vector index what SQLite no longer holds."""
        with self._guard:
            pairs = self._database.stale()
            with self._unless_down():
                self._take_out(pairs)
                if pairs:
                    self._database.clear_stale(pairs)

    def _take_out(self, pairs: Sequence[tuple[str, str]]) -> None:
        left = set(self._database.collections())
        for collection in {pair[0] for pair in pairs}:
            ids = [identity for where, identity in pairs if where == collection]
            for store in self._stores():
                if collection in left:
                    store.remove(collection, ids)
                else:
                    store.drop(collection)
            if collection not in left:
                self._sound = {key for key in self._sound if key[1] != collection}

    def _stores(self) -> list[VectorStore]:
        """The vector index, as it holds what answers, and what is to."""
        sets = self._database.sets()
        marks = [sets.mark, *([sets.coming_mark] if sets.coming else [])]
        return [self._store.of(mark) for mark in marks] if self._store else []

    def _ensure_sound(self, store: VectorStore, collection: str) -> None:
        """Once a session: compare the index with a sample from SQLite, and rebuild it where they differ."""
        with self._guard:
            if (store.mark, collection) in self._sound:
                return
            count = self._database.count_vectors(collection)
            _ids, sample = self._database.vectors(collection, sample=SAMPLED_VECTORS)
            if not store.is_sound(collection, count, sample):
                store.drop(collection)
                ids, vectors = self._database.vectors(collection, whole=True)
                store.put(collection, ids, vectors)
            self._sound.add((store.mark, collection))

    def _store_if_ours(self, collection: str) -> VectorStore | None:
        """The vector index, sound for this collection; None where another process writes, the disk is read-only or the server
        does not hold all."""
        if self._server is not None:
            return self._server.complete(collection)
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
