"""A folder that the knowledge base stays in step with: what is added, changed, renamed or deleted there is so here as well.

The folder is compared with how it looked before; the system's word that something changed only says when to look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from knowledge.documents import KnowledgeError
from knowledge.folders import files_in
from knowledge.knowledge_base import KnowledgeBase

LOOK_EVERY_MS = 5000
"""Also where the system says nothing, as on a network drive."""
QUIET_S = 0.5
"""A file that changed so shortly ago may still be being written."""


@dataclass(frozen=True)
class Stamp:
    """What tells one content of a file from another without reading it."""

    device: int
    inode: int
    changed_ns: int
    size: int


@dataclass(frozen=True)
class Change:
    """`was` is the former path of a file that was renamed."""

    kind: Literal["added", "changed", "renamed", "deleted"]
    path: Path
    was: Path | None = None


async def keep_in_step(base: KnowledgeBase, folder: Path, collection: str, tell: Callable[[Change], None]) -> None:
    """Read the folder in, then follow it until cancelled; `tell` hears of every change. `run_jobs` must run meanwhile.

    Raises: KnowledgeError when the folder goes away.
    """
    folder = folder.absolute()
    home = _home(folder)
    seen: dict[Path, Stamp] = {}
    there = await asyncio.to_thread(look, folder)
    sources = [Path(s.source) for s in base.sources([collection])]
    known = {_file_of(path, there) for path in sources if path.is_relative_to(folder)}
    gone = known - set(there)
    await _apply(base, collection, [Change("deleted", path) for path in sorted(gone)], tell)

    def tell_new(change: Change) -> None:
        """What was there when the watch began is compared without a word."""
        if change.kind != "added" or change.path not in known:
            tell(change)
        known.discard(change.path)

    async for _ in _moments(folder):
        now = await asyncio.to_thread(look, folder)
        if await asyncio.to_thread(_home, folder) != home:
            raise KnowledgeError(f"The folder {folder} was replaced by another.", "Start the watch again.")
        changes = compare(seen, now, time.time())
        for change in changes:
            seen.pop(change.was or change.path, None)
            if change.kind != "deleted":
                seen[change.path] = now[change.path]
        await _apply(base, collection, changes, tell_new)


def look(folder: Path) -> dict[Path, Stamp]:
    """The files of a folder as they are now."""
    found = {}
    for path in files_in(folder):
        try:
            stat = path.stat()
        except OSError:
            continue
        found[path] = Stamp(stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
    return found


def compare(before: Mapping[Path, Stamp], now: Mapping[Path, Stamp], time_s: float) -> list[Change]:
    """What became of a folder; a file that was written only just now is left for the next look."""
    gone = {stamp: path for path, stamp in before.items() if path not in now}
    changes = []
    for path, stamp in now.items():
        if before.get(path) == stamp or stamp.changed_ns / 1e9 > time_s - QUIET_S:
            continue
        if path in before:
            changes.append(Change("changed", path))
        elif stamp in gone:
            changes.append(Change("renamed", path, gone.pop(stamp)))
        else:
            changes.append(Change("added", path))
    return changes + [Change("deleted", path) for path in gone.values()]


async def _moments(folder: Path) -> AsyncIterator[None]:
    """When to look: at once, when something changes, and now and then."""
    from watchfiles import awatch

    yield
    watching = awatch(folder, rust_timeout=LOOK_EVERY_MS, yield_on_timeout=True, debounce=300, step=100)
    async for changes in watching:
        yield
        if changes:
            await asyncio.sleep(QUIET_S * 1.2)
            yield


async def _apply(base: KnowledgeBase, collection: str, changes: list[Change], tell: Callable[[Change], None]) -> None:
    """A renamed file is there under its new name before the old one goes, so that it is not embedded again."""
    for change in changes:
        tell(change)
    new = [change.path for change in changes if change.kind != "deleted"]
    if new:
        jobs = await asyncio.to_thread(base.enqueue, new, collection=collection, names=[str(path) for path in new])
        if any(change.was for change in changes):
            await base.ended([job.id for job in jobs])
    for change in changes:
        old = change.path if change.kind == "deleted" else change.was
        for source in _sources_of(base, collection, old) if old is not None else ():
            await base.forget(source, collection=collection)


def _file_of(source: Path, there: Mapping[Path, Stamp]) -> Path:
    """The file that a document was read from: of a member the archive."""
    return next((path for path in (source, *source.parents) if path in there), source)


def _sources_of(base: KnowledgeBase, collection: str, file: Path) -> list[str]:
    """The documents that were read from a file; many from an archive."""
    every = [s.source for s in base.sources([collection])]
    return [source for source in every if source == str(file) or source.startswith(f"{file}/")]


def _home(folder: Path) -> tuple[int, int]:
    """Raises: KnowledgeError."""
    try:
        stat = folder.stat()
    except OSError as error:
        raise KnowledgeError(f"The folder {folder} is gone: {error.strerror}.", "Start the watch again.") from error
    return stat.st_dev, stat.st_ino
