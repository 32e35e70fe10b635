"""What was answered before: one SQLite file in ASSISTANT_HOME. A call that is finished is on the disk before it counts, so kill -9
costs the calls under way and no others."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.settings import SettingsError
from knowledge.write_ahead import use_write_ahead_log


class Cache:
    def __init__(self, folder: Path) -> None:
        """`folder` is made where there is none. Raises: SettingsError where it cannot be written."""
        self.path = folder / "answers.sqlite3"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=10, isolation_level=None)
            use_write_ahead_log(self._db.execute)
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, created REAL, value TEXT)")
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(self.path, error) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """None where there is nothing, or what is there cannot be read."""
        try:
            found = self._db.execute("SELECT value FROM answers WHERE key = ?", [key]).fetchone()
            value = json.loads(found[0]) if found else None
        except sqlite3.Error as error:
            raise _unwritable(self.path, error) from error
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Raises: SettingsError where the disk is full or cannot be written."""
        try:
            self._db.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)",
                [key, time.time(), json.dumps(value, ensure_ascii=True)],
            )
        except sqlite3.Error as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        self._db.close()


def key_of(**facts: Any) -> str:
    """The same for the same call: all that decides what is answered goes in."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _unwritable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"{path} cannot be used: {error}. Free some space, make the folder writable, or set ASSISTANT_HOME elsewhere."
    )
