"""Who may use the page when login is on: names and argon2 hashes in ASSISTANT_HOME/accounts.db, and a brake on guessing.

Each account carries a stamp that changes with its password, so that cookies given out before stop working.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SHORTEST_PASSWORD = 10
LONGEST_NAME = 64
NAME = re.compile(rf"[\w.@+-]{{1,{LONGEST_NAME}}}")


class AccountError(Exception):
    """One line that says what is wrong with the account and what to do."""


@dataclass(frozen=True)
class Account:
    """`created` is Unix time; `stamp` changes whenever the password does."""

    name: str
    created: float
    stamp: str


class Accounts:
    def __init__(self, home: Path) -> None:
        self._path = home / "accounts.db"

    def add(self, name: str, password: str) -> Account:
        """Raises: AccountError (name taken or unusable, password too short)."""
        if not NAME.fullmatch(name):
            raise AccountError(f"{name!r} is no account name. Use up to {LONGEST_NAME} letters, digits and . _ - + @.")
        account = Account(name, time.time(), secrets.token_hex(8))
        with self._open() as db:
            try:
                db.execute(
                    "INSERT INTO accounts VALUES (?, ?, ?, ?)",
                    (name, _hash(name, password), account.created, account.stamp),
                )
            except sqlite3.IntegrityError as error:
                raise AccountError(f"There is an account {name} already. Reset its password instead.") from error
        return account

    def reset(self, name: str, password: str) -> None:
        """Another password; whoever is signed in with the old one is signed out. Raises: AccountError."""
        values = (_hash(name, password), secrets.token_hex(8), name)
        with self._open() as db:
            if not db.execute("UPDATE accounts SET hash = ?, stamp = ? WHERE name = ?", values).rowcount:
                raise _unknown(name)

    def remove(self, name: str) -> None:
        """Raises: AccountError."""
        with self._open() as db:
            if not db.execute("DELETE FROM accounts WHERE name = ?", (name,)).rowcount:
                raise _unknown(name)

    def all(self) -> list[Account]:
        """Sorted by name."""
        if not self._path.exists():
            return []
        with self._open() as db:
            return [Account(*row) for row in db.execute("SELECT name, created, stamp FROM accounts ORDER BY name")]

    def find(self, name: str) -> Account | None:
        return next((account for account in self.all() if account.name == name), None)

    def verify(self, name: str, password: str) -> Account | None:
        """The account if the password is right. An unknown name takes as long as a wrong password."""
        from argon2 import PasswordHasher
        from argon2.exceptions import Argon2Error

        with self._open() as db:
            row = db.execute("SELECT hash, created, stamp FROM accounts WHERE name = ?", (name,)).fetchone()
        try:
            PasswordHasher().verify(row[0] if row else _NOBODY, password)
        except Argon2Error:
            return None
        return Account(name, row[1], row[2]) if row else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, timeout=10)
        try:
            db.execute(
                "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, hash TEXT, created REAL, stamp TEXT)"
            )
            with db:
                yield db
        finally:
            db.close()


class Throttle:
    """Counts failures by key; beyond `limit` within `window_s` a key has to wait. Forgets when the process ends."""

    def __init__(self, limit: int = 5, window_s: float = 900.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._window_s, self._clock = limit, window_s, clock
        self._failures: dict[str, list[float]] = {}

    def wait_s(self, key: str) -> float:
        """Seconds until `key` may try again; 0 when it may now."""
        recent = self._recent(key)
        return recent[-self._limit] + self._window_s - self._clock() if len(recent) >= self._limit else 0.0

    def failed(self, key: str) -> None:
        for known in list(self._failures):
            self._recent(known)
        self._failures.setdefault(key, []).append(self._clock())

    def passed(self, key: str) -> None:
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        """The newest count was none: an attempt is counted before it is known how it ends."""
        if recent := self._recent(key):
            recent.pop()

    def _recent(self, key: str) -> list[float]:
        recent = [t for t in self._failures.get(key, []) if self._clock() - t < self._window_s]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        return recent


def _hash(name: str, password: str) -> str:
    from argon2 import PasswordHasher

    if len(password) < SHORTEST_PASSWORD:
        raise AccountError(f"The password is too short. Use {SHORTEST_PASSWORD} characters or more.")
    if password.lower() == name.lower():
        raise AccountError("The password is the name. Use another one.")
    return PasswordHasher().hash(password)


def _unknown(name: str) -> AccountError:
    return AccountError(f"There is no account {name}. List the accounts to see their names.")


_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$9TNjHopKk90Zwt4HzJMGOg$O9zg61f+MWVEXt97g/WAV4a9X0fMfJZLhmfMbdF9rIA"
"""The hash of a random password that nobody kept."""
