"""Files that were handed over: they wait in `incoming` for their job, and then lie under their content's name."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

INCOMING = "incoming"
ORPHAN_S = 600
"""So old is what waits for no job before it goes: a file is moved here a moment before its job is written down."""


def take(path: Path, folder: Path, job_id: str, name: str) -> Path:
    """Move a file to where it waits for its job, and return where that is. Raises: OSError."""
    target = folder / INCOMING / job_id / (Path(name).name or "file")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
    return target


def keep(path: Path, folder: Path, sha256: str, name: str) -> Path:
    """Put a file that waited under its content's name as well. Raises: OSError."""
    target = folder / f"{sha256}{Path(name).suffix.lower()}"
    link(path, target)
    return target


def link(path: Path, target: Path) -> None:
    """Put a file under a second name, as a hard link where that works. Raises: OSError."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        aside = target.with_name(f".{target.name}")
        shutil.copyfile(path, aside)
        aside.replace(target)


def drop(folder: Path, sha256s: Iterable[str], left: Iterable[str]) -> None:
    """The files and transcripts of these contents go, except of those that are `left`. Raises: OSError."""
    for sha256 in set(sha256s) - set(left) - {""}:
        for place in (folder, folder / "transcripts"):
            for file in place.glob(f"{sha256}*"):
                file.unlink(missing_ok=True)


def sweep(waiting: Path, needed: Iterable[Path]) -> None:
    """The folders in `waiting` that nothing `needed` is or lies in go, once they are old enough."""
    used = {path.relative_to(waiting).parts[:1] for path in needed if path.is_relative_to(waiting)}
    for folder in waiting.iterdir() if waiting.is_dir() else ():
        with suppress(FileNotFoundError):
            if (folder.name,) not in used and time.time() - folder.stat().st_mtime >= ORPHAN_S:
                shutil.rmtree(folder, ignore_errors=True)


def let_go(path: Path, waiting: Path) -> None:
    """A file that waited below `waiting` is no longer needed, nor its folders once they are empty; others are left alone."""
    if not path.is_relative_to(waiting) or path == waiting:
        return
    path.unlink(missing_ok=True)
    with suppress(OSError):
        for folder in path.parents:
            if folder == waiting:
                break
            folder.rmdir()
