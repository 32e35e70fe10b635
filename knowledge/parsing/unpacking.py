"""Archives unpacked into a folder: each member under a number, so that no name of a hostile archive reaches the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from knowledge.parsing.kinds import document_kind, is_archive
from knowledge.parsing.lines import Line, Unreadable, skipped
from knowledge.parsing.packed import MEMBER_BYTES, MEMBERS, Broken, copy, members

ARCHIVE_BYTES = 2_000_000_000
"""All members together, also those of archives inside."""
DEPTH = 2
"""An archive may hold archives that hold archives, and no more."""


def unpack(path: Path, name: str, folder: Path) -> Iterator[Line]:
    """Each member as {"member": its name, "path"} or as skipped. A file that is a document and no archive is its own only
    member. Raises: Unreadable."""
    if document_kind(path, name) == "archive":
        yield from _Unpacking(folder).members(path, name, "", DEPTH)
    else:
        yield {"member": name, "path": str(path)}


class _Unpacking:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = ARCHIVE_BYTES
        self._count = 0

    def members(self, path: Path, name: str, place: str, depth: int) -> Iterator[Line]:
        for inner, file in members(path, name, ARCHIVE_BYTES):
            called = place + inner
            if isinstance(file, str):
                yield skipped(f"{called}: {file}")
                continue
            self._count += 1
            if self._count > MEMBERS:
                yield skipped(f"only the first {MEMBERS:,} files were read")
                return
            target = self._folder / f"{self._count:05}{_suffix(inner)}"
            try:
                size = copy(file, target, called, min(self._room, MEMBER_BYTES))
                self._room -= size
                yield from self._written(target, called, depth) if size else [skipped(f"{called} is empty")]
            except Unreadable as error:
                target.unlink(missing_ok=True)
                yield skipped(f"{error.message} {error.remedy}")
            except Broken:
                target.unlink(missing_ok=True)
                yield skipped(f"{called} is damaged")

    def _written(self, target: Path, called: str, depth: int) -> Iterator[Line]:
        if not is_archive(target):
            yield {"member": called, "path": str(target)}
            return
        if depth:
            yield from self.members(target, called, f"{called}/", depth - 1)
        else:
            yield skipped(f"{called} lies too deep inside other archives; unpack it and add it by itself")
        target.unlink()


def _suffix(inner: str) -> str:
    suffix = PurePosixPath(inner.replace("\\", "/")).suffix
    return suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", suffix) else ""
