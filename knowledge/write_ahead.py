"""The write-ahead log of an SQLite file, switched on while other processes may be doing the same."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

ATTEMPTS = 40
WAIT_S = 0.05


def use_write_ahead_log(execute: Callable[[str], object]) -> None:
    """`execute` runs one statement. SQLite does not wait by itself here, whatever its timeout is.

    Raises: sqlite3.OperationalError.
    """
    for attempt in range(ATTEMPTS):
        try:
            execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not busy or attempt == ATTEMPTS - 1:
                raise
            time.sleep(WAIT_S)
