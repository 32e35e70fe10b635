"""Room that is kept back on the disk, so that a job which filled it can still be put down with the reason."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

RESERVE = "reserve"
RESERVE_BYTES = 256 * 1024


def keep_back(folder: Path) -> None:
    """Hold the room from now on, unless it is held already or there is none."""
    held = folder / RESERVE
    if held.exists():
        return
    try:
        # Random, so that a disk that compresses holds it too.
        held.write_bytes(os.urandom(RESERVE_BYTES))
    except OSError:
        with contextlib.suppress(OSError):
            held.unlink(missing_ok=True)


def give_room(folder: Path) -> bool:
    """Let the room go. Returns whether there was any."""
    try:
        (folder / RESERVE).unlink()
    except OSError:
        return False
    return True
