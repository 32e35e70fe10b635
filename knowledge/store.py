"""The index over the vectors: Chroma, embedded or a server, one Chroma collection for each of ours and each set of vectors.

It holds nothing that SQLite does not hold too, so it may be thrown away and rebuilt. Chroma says nothing when its files are
damaged; `is_sound` finds out. Embedded, only the process with the write lock may open it: a second one would lose vectors.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from knowledge.documents import KnowledgeError
from knowledge.store_address import resolve, split_address

FULL_BYTES = 500_000
UNWRITABLE = ("readonly", "read-only", "disk is full", "no space left", "permission denied", "failed to apply logs")
BATCH = 2000
WIDE = 500
COMPARED = 500
SAME_DISTANCE = 1e-3
CONNECT_S = 2.0
SILENCE_S = 20.0
LEFT_ALONE_S = 10.0
"""So long a server that failed is not asked again."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class StoreDown(KnowledgeError):
    """The Chroma server does not answer; everything in it is in SQLite too."""


class VectorStore:
    """Blocks; meant for worker threads. What a server fails at raises StoreDown."""

    def __init__(self, place: Path | str) -> None:
        """`place`: the folder of the embedded index, or a server's URL, which is asked on first use.

        Raises: KnowledgeError when the folder cannot be written. A damaged index is replaced by an empty one.
        """
        self.mark = ""
        self._place: _Place = _Server(place) if isinstance(place, str) else _Folder(place)

    def of(self, mark: str) -> VectorStore:
        """The same index, as it holds the set of vectors with this mark (`vector_sets.py`); "" is the first."""
        other = copy.copy(self)
        other.mark = mark
        return other

    @property
    def trouble(self) -> StoreDown | None:
        """Why the server could not be used when it was asked last."""
        return self._place.trouble

    def drop_others(self, marks: Collection[str], owner: str) -> None:
        """Take out every set of vectors but these. On a server those alone that begin with `owner`: others may use it too."""
        kept = tuple(_prefix(mark) for mark in marks)

        def drop(client: Any) -> None:
            for name in [known.name for known in client.list_collections()]:
                if not name.startswith(kept) and (not self._place.is_shared or name.startswith(f"v-{owner}-")):
                    self._place.collections.pop(name, None)
                    client.delete_collection(name)

        self._place.call(drop)

    def put(self, collection: str, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Add or replace unit vectors, float32, shape (len(ids), dimensions). Raises: KnowledgeError on a full disk."""
        for start in range(0, len(ids), BATCH):
            some, rows = list(ids[start : start + BATCH]), vectors[start : start + BATCH]
            self._on(collection, methodcaller("upsert", ids=some, embeddings=rows))

    def remove(self, collection: str, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), BATCH):
            some = list(ids[start : start + BATCH])
            self._on(collection, methodcaller("delete", ids=some))

    def drop(self, collection: str) -> None:
        """Take out a whole collection; nothing happens where there is none."""
        from chromadb.errors import NotFoundError

        name = self._name(collection)

        def drop(client: Any) -> None:
            self._place.collections.pop(name, None)
            try:
                client.delete_collection(name)
            except NotFoundError:
                return

        self._place.call(drop)

    def count(self, collection: str) -> int:
        return int(self._on(collection, methodcaller("count")))

    def nearest(self, collection: str, vector: np.ndarray, k: int) -> list[str]:
        """The ids of about the `k` nearest vectors by cosine, nearest first."""
        found = self._query(collection, np.array([vector]), k)
        return [str(identity) for identity in found["ids"][0]]

    def is_sound(self, collection: str, count: int, vectors: np.ndarray) -> bool:
        """Whether the index holds `count` vectors at least and finds each of the sampled `vectors` again."""
        try:
            if self.count(collection) < count:
                return False
            if not count:
                return True
            return self._finds(collection, vectors)
        except StoreDown:
            raise
        except Exception as error:  # noqa: BLE001 whatever goes wrong here, the answer is no
            log.warning("the vector index of %s does not answer: %s", collection, error)
            return False

    def holds(self, collection: str, ids: Sequence[str], vectors: np.ndarray) -> bool:
        """Whether the index holds exactly these vectors, and finds them."""
        try:
            if self.count(collection) != len(ids):
                return False
            for start in range(0, len(ids), COMPARED):
                wanted = vectors[start : start + COMPARED]
                if not self._finds(collection, wanted):
                    return False
                some = list(ids[start : start + COMPARED])
                there = self._on(collection, methodcaller("get", ids=some, include=[]))
                if len(there["ids"]) != len(wanted):
                    return False
            return True
        except StoreDown:
            raise
        except Exception as error:  # noqa: BLE001 whatever goes wrong here, the answer is no
            log.warning("the vector index of %s does not answer: %s", collection, error)
            return False

    def _finds(self, collection: str, vectors: np.ndarray) -> bool:
        """Whether each vector is found again. The index is approximate: what a quick look misses is looked for once more widely,
        or a large sound index would be taken for a damaged one."""
        for depth in (1, WIDE):
            found = self._query(collection, vectors, depth)
            missed = [i for i, near in enumerate(found["distances"]) if not near or near[0] >= SAME_DISTANCE]
            if not missed:
                return True
            vectors = vectors[missed]
        return False

    def close(self) -> None:
        self._place.close()

    def _query(self, collection: str, vectors: np.ndarray, k: int) -> Any:
        asked = methodcaller("query", query_embeddings=vectors, n_results=k, include=["distances"])
        return self._on(collection, asked)

    def _on(self, collection: str, work: Callable[[Any], Any]) -> Any:
        """Work with a Chroma collection, which is made where it is missing."""
        name, known = self._name(collection), self._place.collections

        def open_and_work(client: Any) -> Any:
            if name not in known:
                known[name] = client.get_or_create_collection(
                    name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
                )
            return work(known[name])

        return self._place.call(open_and_work)

    def _name(self, collection: str) -> str:
        """Chroma wants 3 to 512 plain characters; ours may be anything."""
        return f"{_prefix(self.mark)}{hashlib.sha256(collection.encode()).hexdigest()[:40]}"


class _Place(Protocol):
    """Where Chroma is; `collections` are those that are open, by their name there."""

    is_shared: bool
    trouble: StoreDown | None
    collections: dict[str, Any]

    def call(self, work: Callable[[Any], T]) -> T:
        """Work with the client."""
        ...

    def close(self) -> None: ...


class _Folder:
    is_shared = False
    trouble: StoreDown | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.collections: dict[str, Any] = {}
        try:
            self._client = _embedded(folder)
        except Exception as error:
            if isinstance(error, OSError) or _says_unwritable(error) or _is_full(folder):
                raise _unwritable(folder, error) from error
            log.warning("the vector index in %s is damaged and will be rebuilt: %s", folder, error)
            shutil.rmtree(folder, ignore_errors=True)
            _forget_failed_start()
            self._client = _embedded(folder)

    def call(self, work: Callable[[Any], T]) -> T:
        try:
            return work(self._client)
        except Exception as error:
            if _says_unwritable(error) or _is_full(self._folder):
                raise _unwritable(self._folder, error) from error
            raise

    def close(self) -> None:
        self.collections.clear()
        self._client.close()


class _Server:
    is_shared = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._guard = threading.Lock()
        self._client: Any = None
        self._asked_again = 0.0
        self.trouble: StoreDown | None = None
        self.collections: dict[str, Any] = {}

    def call(self, work: Callable[[Any], T]) -> T:
        """A collection that somebody took out of the server is made anew. Raises: StoreDown."""
        from chromadb.errors import NotFoundError

        if self.trouble is not None and time.monotonic() < self._asked_again:
            raise self.trouble
        try:
            client = self._connected()
            try:
                done = work(client)
            except NotFoundError:
                self.collections.clear()
                done = work(client)
        except Exception as error:
            log.warning("the Chroma server at %s failed: %s", self._url, error)
            self.trouble = StoreDown(
                f"The Chroma server at {self._url} cannot be used: {_in_short(error)}.",
                "Start it, or correct chroma_url; documents are found without it meanwhile, only more slowly.",
            )
            self._asked_again = time.monotonic() + LEFT_ALONE_S
            self.collections.clear()
            raise self.trouble from error
        self.trouble = None
        return done

    def close(self) -> None:
        self.collections.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Any:
        with self._guard:
            if self._client is None:
                self._client = _ServerClient(self._url)
            return self._client


def _embedded(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    folder.mkdir(parents=True, exist_ok=True)
    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False, _env_file=None))


class _ServerClient:
    """What is needed of a Chroma client, over a connection of our own: given up on where the server is silent, and direct, whatever
    proxy the environment names. Chroma's own client waits for ever."""

    def __init__(self, url: str) -> None:
        import httpx
        from chromadb.api import ServerAPI
        from chromadb.config import Settings, System

        host, port = split_address(url)
        address = resolve(host, port)
        settings = Settings(
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=f"[{address}]" if ":" in address else address,
            chroma_server_http_port=port,
            anonymized_telemetry=False,
            _env_file=None,
        )
        self._api: Any = System(settings).instance(ServerAPI)
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        headers = self._api._session.headers
        self._api._session.close()
        self._api._session = httpx.Client(timeout=timeout, trust_env=False, headers=headers)

    def get_or_create_collection(self, name: str, configuration: Any, embedding_function: None) -> Any:
        from chromadb.api.models.Collection import Collection as ChromaCollection

        model = self._api.get_or_create_collection(name=name, configuration=configuration)
        return ChromaCollection(client=self._api, model=model, embedding_function=embedding_function)

    def list_collections(self) -> Sequence[Any]:
        found: Sequence[Any] = self._api.list_collections()
        return found

    def delete_collection(self, name: str) -> None:
        self._api.delete_collection(name)

    def close(self) -> None:
        self._api._session.close()


def _in_short(error: Exception) -> str:
    import httpx

    match error:
        case httpx.TimeoutException():
            return "it does not answer in time"
        case httpx.TransportError() | OSError():
            return "nothing answers there"
        case ValueError() if "Could not connect" in str(error):
            return "nothing answers there"
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].removesuffix(".")


def _forget_failed_start() -> None:
    """Chroma keeps one half-started system for each folder and would hand it out again."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


def _prefix(mark: str) -> str:
    return f"v-{mark}-" if mark else "c-"


def _says_unwritable(error: Exception) -> bool:
    text = str(error).lower()
    return any(sign in text for sign in UNWRITABLE)


def _is_full(folder: Path) -> bool:
    """Chroma does not always tell why it failed."""
    return shutil.disk_usage(folder).free < FULL_BYTES


def _unwritable(folder: Path, error: Exception) -> KnowledgeError:
    return KnowledgeError(
        f"The vector index in {folder} cannot be written: {error}.", "Free some space or make the folder writable."
    )
