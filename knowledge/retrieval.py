"""How a question finds passages: candidates by meaning and by words, fused into one ranking, neighbours made one passage.

What a search may find is decided in SQLite first (`filters.py`). Few chunks are compared one by one from there; of many, Chroma
names the nearest.
"""

# ruff: noqa: S608 — only constants are put into the SQL below.
from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge import lexical
from knowledge.database import Database, StoredChunk
from knowledge.documents import Passage, Why
from knowledge.filters import Filter, Scope, scope_of
from knowledge.neighbours import Candidate, best_groups, joined_text
from knowledge.ranking import DENSE_WEIGHT, fuse
from knowledge.store import StoreDown, VectorStore
from knowledge.weights import dense_weights

CANDIDATES = 40
DEEPER = 4
"""Where a filter leaves too few of what Chroma names, it is asked for that many times more, and once more."""
READ_AT_ONCE = 4096

FindStore = Callable[[str], VectorStore | None]
"""The vector index, sound for a collection; None where this process may not open it."""


@dataclass(frozen=True)
class Question:
    """One form of what is asked, and its unit vector; None where it cannot be embedded, and words alone find something."""

    text: str
    vector: np.ndarray | None


class Retriever:
    """Blocks; meant for worker threads."""

    def __init__(self, database: Database, find_store: FindStore) -> None:
        self._database = database
        self._find_store = find_store

    def search(
        self, questions: Sequence[Question], k: int, collections: Sequence[str], where: Filter | None = None
    ) -> list[Passage]:
        """The `k` best passages for any of the questions, best first. Raises: KnowledgeError (unknown kind in the filter)."""
        candidates = self.candidates(questions, max(CANDIDATES, 4 * k), collections, where)
        groups = best_groups(candidates, k)
        rows = [candidate.row for group in groups for candidate in group]
        with self._database.reading() as db:
            held = lexical.words_held(db, " ".join(question.text for question in questions), rows)
        return [_joined(group, held) for group in groups]

    def candidates(
        self, questions: Sequence[Question], depth: int, collections: Sequence[str], where: Filter | None = None
    ) -> list[Candidate]:
        """The `depth` nearest in meaning and in words to each of the questions, best first; a chunk is scored by the question
        that it answers best."""
        with self._database.reading() as db:
            scope = scope_of(db, collections, where)
            weights = dense_weights(db, collections)
            wordings = [lexical.match(db, question.text, scope, depth) for question in questions]
        rows = {row for wording in wordings for row in wording}
        for question in questions:
            if question.vector is not None:
                rows.update(self._nearest(question.vector, scope, collections, depth, filtered=bool(where)))
        found = [
            max(
                (
                    Candidate(
                        row,
                        source_id,
                        position,
                        chunk,
                        _similarity(chunk.vector, question.vector),
                        wording.get(row, 0.0),
                        weights.get(chunk.collection, DENSE_WEIGHT),
                    )
                    for question, wording in zip(questions, wordings, strict=True)
                ),
                key=_score,
            )
            for row, source_id, position, chunk in self._read(rows)
        ]
        return sorted(found, key=_score, reverse=True)

    def _nearest(
        self, vector: np.ndarray, scope: Scope, collections: Sequence[str], k: int, *, filtered: bool
    ) -> list[int]:
        """The rows of about the `k` nearest chunks in `scope`."""
        if filtered and scope.rows is not None:
            return self._compared(vector, scope, k)
        found: list[int] = []
        for collection in self._occupied(collections, scope):
            store = self._find_store(collection)
            rows = None if store is None else self._named(store, collection, vector, scope, k)
            if rows is None:
                return self._compared(vector, scope, k)
            found += rows
        return found

    def _named(self, store: VectorStore, collection: str, vector: np.ndarray, scope: Scope, k: int) -> list[int] | None:
        """The nearest by the vector index, None where it is down or names too few that are allowed."""
        for depth in (k, DEEPER * k, DEEPER**2 * k):
            try:
                ids = store.nearest(collection, vector, depth)
            except StoreDown:
                return None
            with self._database.reading() as db:
                rows = scope.keep(db, _rows_of(db, ids))
            if len(rows) >= k or len(ids) < depth:
                return rows[:k]
        return None

    def _compared(self, vector: np.ndarray, scope: Scope, k: int) -> list[int]:
        """The nearest by comparison with every vector in `scope`."""
        best: list[tuple[float, int]] = []
        with self._database.reading() as db:
            for rows, vectors in _vectors(db, scope):
                # Not by BLAS, whose threads wait for each other where the processor is busy.
                similarities = np.einsum("ij,j->i", vectors, vector)
                best += [(float(similarities[i]), rows[i]) for i in np.argsort(-similarities)[:k]]
        return [row for _similarity, row in sorted(best, reverse=True)[:k]]

    def _occupied(self, collections: Sequence[str], scope: Scope) -> list[str]:
        """Those with anything in `scope`."""
        query = (
            "SELECT 1 FROM sources s CROSS JOIN chunks c ON c.source_id = s.id"
            f" WHERE s.collection = ? AND {scope.condition} LIMIT 1"
        )
        with self._database.reading() as db:
            return [name for name in dict.fromkeys(collections) if db.execute(query, [name, *scope.values]).fetchone()]

    def _read(self, rows: set[int]) -> Iterator[tuple[int, int, int, StoredChunk]]:
        """(row, document, position in it, chunk) of those that are still there."""
        with self._database.reading() as db:
            places = db.execute(
                "SELECT rowid, source_id, position, id FROM chunks WHERE rowid IN (SELECT value FROM json_each(?))",
                [json.dumps(list(rows))],
            ).fetchall()
        chunks = self._database.read_chunks([identity for *_place, identity in places])
        for row, source_id, position, identity in places:
            if identity in chunks:
                yield row, source_id, position, chunks[identity]


def _similarity(vector: np.ndarray, asked: np.ndarray | None) -> float:
    """0 where one of them could not be embedded."""
    return float(vector @ asked) if asked is not None and len(vector) else 0.0


def to_passage(chunk: StoredChunk, score: float, similarity: float, text: str = "", why: Why | None = None) -> Passage:
    return Passage(
        text=text or chunk.text,
        source=chunk.source,
        title=chunk.title,
        page=chunk.page,
        start_s=chunk.start_s,
        score=score,
        similarity=similarity,
        collection=chunk.collection,
        id=chunk.id,
        place=chunk.place,
        offset=chunk.offset,
        state=chunk.state,
        why=why,
    )


def _joined(group: Sequence[Candidate], held: Mapping[int, Sequence[str]]) -> Passage:
    best = max(group, key=_score)
    words = dict.fromkeys(word for candidate in group for word in held.get(candidate.row, ()))
    meaning = fuse(best.similarity, 0.0, best.dense_weight)
    why = Why(tuple(words), meaning, best.score - meaning)
    similarity = max(candidate.similarity for candidate in group)
    return to_passage(group[0].chunk, best.score, similarity, joined_text(group), why)


def _score(candidate: Candidate) -> float:
    return candidate.score


def _rows_of(db: sqlite3.Connection, ids: Sequence[str]) -> list[int]:
    """The rows of chunks, in the order of `ids`; of those that have gone, none."""
    query = "SELECT id, rowid FROM chunks WHERE id IN (SELECT value FROM json_each(?))"
    rows = dict(db.execute(query, [json.dumps(list(ids))]).fetchall())
    return [rows[identity] for identity in ids if identity in rows]


def _vectors(db: sqlite3.Connection, scope: Scope) -> Iterator[tuple[list[int], np.ndarray]]:
    if scope.rows is None:
        found = db.execute(
            f"SELECT c.rowid, c.vector FROM sources s CROSS JOIN chunks c ON c.source_id = s.id WHERE {scope.condition}"
            " AND c.vector <> x''",
            scope.values,
        )
    else:
        found = db.execute(
            "SELECT rowid, vector FROM chunks WHERE rowid IN (SELECT value FROM json_each(?)) AND vector <> x''",
            [json.dumps(scope.rows)],
        )
    while part := found.fetchmany(READ_AT_ONCE):
        vectors = np.frombuffer(b"".join(vector for _row, vector in part), dtype=np.float32)
        yield [row for row, _vector in part], vectors.reshape(len(part), -1)
