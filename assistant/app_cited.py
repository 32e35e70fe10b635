"""Whether the file behind a citation may still be opened: a document that was taken back takes its file along."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.app_state import page
from assistant.app_storage import thread_folder
from assistant.shelf import SHARED
from knowledge.documents import KnowledgeError
from knowledge.knowledge_base import KnowledgeBase, Source
from tools.engines.errors import EngineError

FILES = ("file", "transcript")
log = logging.getLogger(__name__)


async def as_still_readable(thread: str, cited: Mapping[str, Any], person: str) -> dict[str, Any]:
    """What was kept of a passage, without those files whose document this person can read no longer."""
    paths = {key: Path(cited[key]) for key in FILES if cited.get(key)}
    elsewhere = {key: path for key, path in paths.items() if not _is_of(thread, path)}
    base = _documents() if elsewhere else None
    readable = (f"user-{person}", SHARED, f"thread-{thread}")
    gone = [
        key
        for key, path in elsewhere.items()
        if base is None or not await asyncio.to_thread(_is_there, base, readable, str(cited.get("source")), path)
    ]
    return {**cited, **dict.fromkeys(gone)}


def _documents() -> KnowledgeBase | None:
    if not (page().settings.home / "knowledge").exists():
        return None
    try:
        return page().assistant.knowledge()
    except (KnowledgeError, EngineError):
        log.warning("the documents cannot be opened", exc_info=True)
        return None


def _is_of(thread: str, path: Path) -> bool:
    """Whether it was dropped into this conversation or made in it."""
    home = page().settings.home.resolve()
    return any(path.resolve().is_relative_to(thread_folder(home / root, thread)) for root in ("files", "artifacts"))


def _is_there(base: KnowledgeBase, collections: tuple[str, ...], name: str, path: Path) -> bool:
    """A kept file, which is named by its content, needs a document of this content: another one may have its name by now. Any
    other file needs the document that it was read for."""
    if path.resolve().is_relative_to((page().settings.home / "kept").resolve()):
        return any(source.sha256 == path.stem for source in _candidates(base, collections, name))
    return any(base.source(name, collection=collection) for collection in collections)


def _candidates(base: KnowledgeBase, collections: tuple[str, ...], name: str) -> Iterator[Source]:
    """The likely ones first: they are found at once."""
    likely = (base.source(name, collection=collection) for collection in collections)
    yield from (source for source in likely if source)
    yield from (source for source in base.sources(collections) if source.state == "indexed")
