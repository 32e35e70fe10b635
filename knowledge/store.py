"""The index over the vectors: Chroma, embedded, one Chroma collection for each of ours and each set of vectors.

It holds nothing that SQLite does not hold too, so it may be thrown away and rebuilt. Chroma says nothing when its files are
damaged; `is_sound` finds out. Only the process with the write lock may open it: a second one would lose vectors.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.documents import KnowledgeError

BATCH = 2000
WIDE = 500
COMPARED = 500
SAME_DISTANCE = 1e-3

log = logging.getLogger(__name__)


class VectorStore:
    """Blocks; meant for worker threads."""

    def __init__(self, folder: Path) -> None:
        """Raises: KnowledgeError when the folder cannot be written. A damaged index is replaced by an empty one."""
        self._folder = folder
        self.mark = ""
        try:
            self._client = _client(folder)
        except Exception as error:
            if isinstance(error, OSError) or _says_unwritable(error):
                raise _unwritable(folder, error) from error
            log.warning("the vector index in %s is damaged and will be rebuilt: %s", folder, error)
            shutil.rmtree(folder, ignore_errors=True)
            _forget_failed_start()
            self._client = _client(folder)
        self._collections: dict[str, Any] = {}

    def of(self, mark: str) -> VectorStore:
        """The same index, as it holds the set of vectors with this mark (`vector_sets.py`); "" is the first."""
        other = copy.copy(self)
        other.mark = mark
        return other

    def drop_others(self, marks: Collection[str]) -> None:
        """Take out every set of vectors but these."""
        with self._writing():
            kept = tuple(_prefix(mark) for mark in marks)
            for name in [known.name for known in self._client.list_collections()]:
                if not name.startswith(kept):
                    self._collections.pop(name, None)
                    self._client.delete_collection(name)

    def put(self, collection: str, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Add or replace unit vectors, float32, shape (len(ids), dimensions). Raises: KnowledgeError on a full disk."""
        with self._writing():
            target = self._collection(collection)
            for start in range(0, len(ids), BATCH):
                target.upsert(ids=list(ids[start : start + BATCH]), embeddings=vectors[start : start + BATCH])

    def remove(self, collection: str, ids: Sequence[str]) -> None:
        with self._writing():
            for start in range(0, len(ids), BATCH):
                self._collection(collection).delete(ids=list(ids[start : start + BATCH]))

    def drop(self, collection: str) -> None:
        """Take out a whole collection; nothing happens where there is none."""
        from chromadb.errors import NotFoundError

        name = self._name(collection)
        self._collections.pop(name, None)
        with self._writing():
            try:
                self._client.delete_collection(name)
            except NotFoundError:
                return

    def count(self, collection: str) -> int:
        return int(self._collection(collection).count())

    def nearest(self, collection: str, vector: np.ndarray, k: int) -> list[str]:
        """The ids of about the `k` nearest vectors by cosine, nearest first."""
        found = self._collection(collection).query(query_embeddings=[vector], n_results=k, include=["distances"])
        return [str(identity) for identity in found["ids"][0]]

    def is_sound(self, collection: str, count: int, vectors: np.ndarray) -> bool:
        """Whether the index holds `count` vectors at least and finds each of the sampled `vectors` again."""
        try:
            if self.count(collection) < count:
                return False
            if not count:
                return True
            return self._finds(collection, vectors)
        except Exception as error:  # noqa: BLE001 whatever goes wrong here, the answer is no
            log.warning("the vector index of %s does not answer: %s", collection, error)
            return False

    def holds(self, collection: str, ids: Sequence[str], vectors: np.ndarray) -> bool:
        """Whether the index holds exactly these vectors, and finds them."""
        try:
            target = self._collection(collection)
            if self.count(collection) != len(ids):
                return False
            for start in range(0, len(ids), COMPARED):
                wanted = vectors[start : start + COMPARED]
                if not self._finds(collection, wanted):
                    return False
                there = target.get(ids=list(ids[start : start + COMPARED]), include=[])
                if len(there["ids"]) != len(wanted):
                    return False
            return True
        except Exception as error:  # noqa: BLE001 whatever goes wrong here, the answer is no
            log.warning("the vector index of %s does not answer: %s", collection, error)
            return False

    def _finds(self, collection: str, vectors: np.ndarray) -> bool:
        """Whether each vector is found again. The index is approximate: what a quick look misses is looked for once more widely,
        or a large sound index would be taken for a damaged one."""
        for depth in (1, WIDE):
            found = self._collection(collection).query(query_embeddings=vectors, n_results=depth, include=["distances"])
            missed = [i for i, near in enumerate(found["distances"]) if not near or near[0] >= SAME_DISTANCE]
            if not missed:
                return True
            vectors = vectors[missed]
        return False

    def close(self) -> None:
        self._collections.clear()
        self._client.close()

    def _collection(self, collection: str) -> Any:
        name = self._name(collection)
        if name not in self._collections:
            self._collections[name] = self._client.get_or_create_collection(
                name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
            )
        return self._collections[name]

    def _name(self, collection: str) -> str:
        """Chroma wants 3 to 512 plain characters; ours may be anything."""
        return f"{_prefix(self.mark)}{hashlib.sha256(collection.encode()).hexdigest()[:40]}"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if _says_unwritable(error):
                raise _unwritable(self._folder, error) from error
            raise


def _client(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    folder.mkdir(parents=True, exist_ok=True)
    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False, _env_file=None))


def _forget_failed_start() -> None:
    """Chroma keeps one half-started system for each folder and would hand it out again."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


def _prefix(mark: str) -> str:
    return f"v-{mark}-" if mark else "c-"


def _says_unwritable(error: Exception) -> bool:
    text = str(error).lower()
    return any(sign in text for sign in ("readonly", "read-only", "disk is full", "no space left", "permission denied"))


def _unwritable(folder: Path, error: Exception) -> KnowledgeError:
    return KnowledgeError(
        f"The vector index in {folder} cannot be written: {error}.", "Free some space or make the folder writable."
    )
