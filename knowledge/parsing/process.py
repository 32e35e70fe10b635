"""The process in which a document is read: it limits its own memory and time, since a hostile file may want all of both.

What is read goes to standard output, one JSON object a line (lines.py).
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from knowledge.parsing.lines import Line, Unreadable

MEMORY_BYTES = 2_000_000_000
READING_NICENESS = 5
"""Reading goes behind what somebody waits for."""

CPU_SECONDS = 120
"""For one line, such as a page."""
WRITTEN_BYTES = 600_000_000
"""The largest file that is written while files inside files are read."""


def read(path: str, name: str, first: str = "1", left_out: str = "") -> None:
    """What `python -c` runs, with the path and name of a document, the page of a PDF to begin with, and the numbers of files
    inside to leave out."""
    limit_self()
    from knowledge.parsing.reading import read_document

    write_lines(
        read_document(Path(path), name, int(first), [int(number) for number in left_out.split(",") if number]), name
    )


def unpack(path: str, name: str, folder: str) -> None:
    """As `read`, for an archive whose members are written into `folder`."""
    limit_self()
    from knowledge.parsing.unpacking import unpack as unpacked

    write_lines(unpacked(Path(path), name, Path(folder)), name)


def write_lines(lines: Iterable[Line], name: str) -> None:
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="ascii", write_through=True)
    try:
        for line in lines:
            out.write(f"{json.dumps(line)}\n")
            out.flush()
            _renew_time()
    except Unreadable as error:
        print(json.dumps({"error": error.message, "remedy": error.remedy}), file=out)
    except RecursionError:
        print(
            json.dumps({"error": f"{name} is nested too deeply to be read.", "remedy": "Save it anew or as PDF."}),
            file=out,
        )
    except MemoryError:
        remedy = "Split it into smaller files."
        print(json.dumps({"error": f"{name} needs too much memory to be read.", "remedy": remedy}), file=out)
    out.flush()


def limit_self() -> None:
    """Bound this process's memory and time; where the system has no such limits (Windows), the parent's clock still holds."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(READING_NICENESS)
        _renew_time()


def _renew_time() -> None:
    with suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard))
