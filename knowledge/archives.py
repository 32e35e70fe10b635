"""Archives (.zip, .tar, .tar.gz …) as bundles of files: each member becomes a document of its own.

They are unpacked by a process of its own (`parsing/`), under limits on number, size, ratio, depth, memory and time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge.documents import Skipped
from knowledge.loaders import check_file
from knowledge.parsing.kinds import is_archive
from knowledge.reader_process import run_parser

__all__ = ["MAX_ARCHIVE_BYTES", "Member", "is_archive", "unpack"]

MAX_ARCHIVE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Member:
    """A file out of an archive: `name` is its path in there, such as "2024/report.pdf", and never one on the disk; `path` is
    where its content lies now."""

    name: str
    path: Path


def unpack(
    path: Path, folder: Path, name: str | None = None, *, stop: threading.Event | None = None
) -> Iterator[Member | Skipped]:
    """The members of an archive, each as soon as it lies in `folder`, which is made if need be and should be empty; and what is
    left out, with the reason: paths that lead out, links, devices, encrypted and empty files, binary data, too large ones.

    Archives inside are unpacked too, two deep. A file that turns out to be a document is its own only member. Blocks; meant for
    a worker thread. Raises: KnowledgeError.
    """
    name = name or path.name
    check_file(path, name, MAX_ARCHIVE_BYTES)
    folder.mkdir(parents=True, exist_ok=True)
    for line in run_parser("unpack", [str(path.resolve()), name, str(folder.resolve())], name, stop):
        yield Skipped(None, line["skipped"]) if "skipped" in line else Member(line["member"], Path(line["path"]))
