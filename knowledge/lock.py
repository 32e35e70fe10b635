"""One process writes a knowledge base at a time: an advisory lock on a file, let go by the system when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from knowledge.documents import KnowledgeError

WAIT_S = 3.0
WORKS = ", reads documents in"


@dataclass(frozen=True)
class Writer:
    """The process that holds the lock. `works`: it works the queue off."""

    name: str
    works: bool


class WriteLocked(KnowledgeError):
    """Another process writes."""


class WriteLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._works = False

    def take(self, wait_s: float = WAIT_S) -> None:
        """Take the lock, waiting a little for a short command to end. Raises: WriteLocked that says who holds it."""
        deadline = time.monotonic() + wait_s
        while not self.try_take():
            if time.monotonic() >= deadline:
                raise WriteLocked(
                    f"The knowledge base is open in another process ({self._holder().name}), and one at a time may write it.",
                    "Add the document in the page, or stop that process and try again.",
                )
            time.sleep(0.1)

    def try_take(self) -> bool:
        """Whether the lock is now held by this object. Raises: KnowledgeError where the folder cannot be written."""
        if self._file is not None:
            return True
        try:
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise KnowledgeError(
                f"The knowledge base in {self._path.parent} cannot be written: {error.strerror}.",
                "Make the folder writable or set ASSISTANT_HOME to another one.",
            ) from error
        if not _lock(file):
            file.close()
            return False
        self._file = file
        self._sign()
        return True

    def set_works(self, works: bool) -> None:
        """Tell others whether the holder of this lock, now or once it has it, works the queue off."""
        self._works = works
        self._sign()

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def other(self) -> Writer | None:
        """The other process that holds the lock."""
        if self._file is not None:
            return None
        with suppress(OSError), self._path.open("a+", encoding="utf-8") as file:
            return None if _lock(file) else self._holder()
        return None

    def _holder(self) -> Writer:
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError:
            text = ""
        return Writer(text.removesuffix(WORKS) or "unknown", text.endswith(WORKS))

    def _sign(self) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.write(
                f"process {os.getpid()}, {Path(sys.argv[0]).name or 'python'}{WORKS if self._works else ''}"
            )
            self._file.flush()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> bool:
        """Locks a byte far behind the text, so that others can still read who holds it."""
        file.seek(1 << 20)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        file.seek(0)
        return True

else:
    import fcntl

    def _lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
