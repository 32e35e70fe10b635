"""Folders and archives become jobs for the files in them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from knowledge.archives import Member, is_archive, unpack
from knowledge.documents import KnowledgeError, Skipped
from knowledge.folders import files_in
from knowledge.jobs import Job, new_job

UNPACKED = "unpacked"
"""The folder where the members of archives wait for their jobs."""
NAMED = 20
"""So many of those that were left out are named."""


def unfold(job: Job, unpacked: Path, stop: threading.Event) -> tuple[list[Job], str] | None:
    """The jobs of what is in a folder or archive, and in words what was found and left out; None where it is neither.

    Raises: KnowledgeError.
    """
    path = Path(job.path)
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in files_in(path)}
        return _jobs(job, files), _in_words(job, len(files), ())
    if not path.is_file() or not is_archive(path):
        return None
    folder, left_out = unpacked / job.id, list[Skipped]()
    shutil.rmtree(folder, ignore_errors=True)
    files = {}
    for item in unpack(path, folder, job.title, stop=stop):
        if isinstance(item, Member):
            files[item.name] = item.path
        else:
            left_out.append(item)
    return _jobs(job, files), _in_words(job, len(files), left_out)


def _jobs(job: Job, files: dict[str, Path]) -> list[Job]:
    keep = Path(job.keep) if job.keep else None
    return [
        new_job(path, f"{job.source}/{name}", Path(name).name, job.collection, keep=keep, batch=job.batch)
        for name, path in files.items()
    ]


def _in_words(job: Job, count: int, left_out: Sequence[Skipped]) -> str:
    """Raises: KnowledgeError where there is nothing to read."""
    whys = [skipped.why for skipped in left_out[:NAMED]]
    if len(left_out) > NAMED:
        whys.append(f"and {len(left_out) - NAMED:,} more")
    if not count:
        raise KnowledgeError(f"{job.title} holds no files that can be read{': ' * bool(whys)}{'; '.join(whys)}.")
    return f"{count:,} files{'; left out: ' * bool(whys)}{'; '.join(whys)}"
