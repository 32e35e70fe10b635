"""Folders and archives become jobs for the files in them. What an archive holds no longer is taken out; a folder's files may
only have been moved, so that these stay."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from knowledge.archives import Member, is_archive, unpack
from knowledge.documents import KnowledgeError
from knowledge.folders import files_in
from knowledge.jobs import Job, new_job

UNPACKED = "unpacked"
"""The folder where the members of archives wait for their jobs."""
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
SUFFIXES = {PurePosixPath(ending).suffix for ending in ARCHIVES}
"""How the names of archives end. Under another name a folder may have been added, and its documents are none of the archive's."""
NAMED = 20
"""So many of those that were left out are named."""


@dataclass(frozen=True)
class Unfolded:
    """What is in a folder or archive; `left_out` says why, each with the name."""

    jobs: Sequence[Job]
    message: str
    left_out: Sequence[str] = ()


def unfold(job: Job, unpacked: Path, stop: threading.Event) -> Unfolded | None:
    """The jobs of what is in a folder or archive, and in words what was found and left out; None where it is neither.

    Raises: KnowledgeError.
    """
    path = Path(job.path)
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in files_in(path)}
        return Unfolded(_jobs(job, files), _in_words(job, len(files), ()))
    if not path.is_file() or not is_archive(path):
        return None
    folder, left_out = unpacked / job.id, list[str]()
    shutil.rmtree(folder, ignore_errors=True)
    files = {}
    for item in unpack(path, folder, job.title, stop=stop):
        if isinstance(item, Member):
            files[item.name] = item.path
        else:
            left_out.append(item.why)
    return Unfolded(_jobs(job, files), _in_words(job, len(files), left_out), left_out)


def vanished(archive: str, found: Unfolded, known: Sequence[str]) -> list[str]:
    """Of the `known` documents those that came out of an archive which holds them no longer; not what is still in there, but is
    left out now, and nothing where the archive could not be read to its end."""
    if not archive.lower().endswith(ARCHIVES) or any("…" in why or "only the first" in why for why in found.left_out):
        return []
    there = {job.source for job in found.jobs}
    members = [source for source in known if source.startswith(f"{archive}/") and source not in there]
    return [member for member in members if not _is_left_out(member[len(archive) + 1 :], found.left_out)]


def _is_left_out(member: str, left_out: Sequence[str]) -> bool:
    """By itself, or with the archive inside that it lies in."""
    inside = [str(parent) for parent in PurePosixPath(member).parents if parent.suffix.lower() in SUFFIXES]
    return any(name in why for why in left_out for name in (member, *inside))


def _jobs(job: Job, files: dict[str, Path]) -> list[Job]:
    keep = Path(job.keep) if job.keep else None
    return [
        new_job(path, f"{job.source}/{name}", Path(name).name, job.collection, keep=keep, batch=job.batch)
        for name, path in files.items()
    ]


def _in_words(job: Job, count: int, left_out: Sequence[str]) -> str:
    """Raises: KnowledgeError where there is nothing to read."""
    whys = [*left_out[:NAMED]]
    if len(left_out) > NAMED:
        whys.append(f"and {len(left_out) - NAMED:,} more")
    if not count:
        raise KnowledgeError(f"{job.title} holds no files that can be read{': ' * bool(whys)}{'; '.join(whys)}.")
    return f"{count:,} files{'; left out: ' * bool(whys)}{'; '.join(whys)}"
