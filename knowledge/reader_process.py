"""The process that reads a file (`parsing/process.py`): started, watched, ended, and what its end means."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from knowledge.documents import KnowledgeError

MAX_SECONDS = 300.0
"""The longest wait for the next line."""

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "SYSTEMROOT")
"""What of the environment the process sees: no keys."""

ROOT = Path(__file__).parents[1]
log = logging.getLogger(__name__)


class ReaderCrash(KnowledgeError):
    """The process that was reading died of the file."""


def run_parser(
    function: str, arguments: Sequence[str], name: str, stop: threading.Event | None
) -> Iterator[dict[str, Any]]:
    """The lines of a function of `knowledge.parsing.process`, run in a process of its own that ends with the iterator.

    Raises: KnowledgeError; ReaderCrash where the process was ended by the system.
    """
    code = f"import sys; sys.path.insert(0, sys.argv[1]); from knowledge.parsing.process import {function}; {function}(*sys.argv[2:])"
    command = [sys.executable, "-I", "-c", code, str(ROOT), *arguments]
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory(prefix="assistant-reading-") as scratch:
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ}
            | {"TMPDIR": scratch, "OMP_THREAD_LIMIT": "1"},
            start_new_session=True,
        )
        watch = _Watch(child, stop)
        started = False
        try:
            for line in _lines(child, watch):
                started = True
                if "error" in line:
                    raise KnowledgeError(line["error"], line["remedy"])
                yield line
        finally:
            watch.finish()
        if not started or child.returncode:
            errors.seek(0)
            raise _failure(name, watch, child.returncode, errors.read().decode(errors="replace"))


class _Watch:
    """Ends the child when a page takes too long or the person pressed stop."""

    def __init__(self, child: subprocess.Popen[bytes], stop: threading.Event | None) -> None:
        self.why = ""
        self.waiting_since: float | None = time.monotonic()
        self._child = child
        self._stop = stop
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="document-watch", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._done.set()
        self._thread.join()
        self._kill()
        self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()

    def _run(self) -> None:
        while self._child.poll() is None and not self._done.wait(0.05):
            since = self.waiting_since
            if self._stop is not None and self._stop.is_set():
                self.why = "stopped"
            elif since is not None and time.monotonic() - since > MAX_SECONDS:
                self.why = "slow"
            if self.why:
                self._kill()
                return

    def _kill(self) -> None:
        """End the child and what it runs, such as OCR."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)


def _lines(child: subprocess.Popen[bytes], watch: _Watch) -> Iterator[dict[str, Any]]:
    stream: IO[bytes] | None = child.stdout
    for raw in stream or ():
        watch.waiting_since = None
        yield json.loads(raw)
        watch.waiting_since = time.monotonic()
    child.wait()


def _failure(name: str, watch: _Watch, status: int | None, errors: str) -> KnowledgeError:
    if watch.why == "stopped":
        return KnowledgeError(f"Reading {name} was stopped.", "Add it again to read it.")
    if watch.why == "slow" or status in (-signal.SIGXCPU, -signal.SIGKILL):
        return ReaderCrash(f"{name} takes too long to read.", "Split it into smaller files, or save it anew.")
    log.warning("reading %s failed with status %s: %s", name, status, errors[-2000:])
    if re.search("MemoryError|Cannot allocate memory|memory allocation|bad_alloc|[Oo]ut of memory", errors):
        return ReaderCrash(f"{name} needs too much memory to be read.", "Split it into smaller files.")
    if status is not None and status < 0:
        return ReaderCrash(
            f"{name} is damaged or needs too much memory to be read.", "Save it anew, or split it into smaller files."
        )
    return KnowledgeError(f"{name} is damaged and cannot be read.", "Save it anew or as PDF and add it again.")
