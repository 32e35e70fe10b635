"""What was spent, by day, person and model, and the caps that hold: SQLite in ASSISTANT_HOME, shared by every process.

A call is written down with the most that it can cost before it is sent, in the same transaction that looks at the caps; when it has
ended, what it did cost takes that place. So calls at the same time cannot pass a cap together, and a call whose process was killed
counts in full.
"""

from __future__ import annotations

import datetime
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.prices import FILE, Cost
from assistant.settings import Spending
from knowledge.write_ahead import use_write_ahead_log
from tools.engines.base import Usage
from tools.engines.errors import EngineError

SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, day TEXT NOT NULL, user TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
    amount REAL, currency TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER
);
CREATE INDEX IF NOT EXISTS spent_of_day ON spent (day, user);
"""


class SpendingCap(EngineError):
    """Nothing was sent: it might have passed a cap, or nobody knows what it costs."""


@dataclass(frozen=True)
class Spent:
    """All calls of one day, person and model. `amount` is what is known; `unknown` counts the calls whose price is not known,
    `open` those that have not ended."""

    day: str
    user: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    amount: float
    currency: str
    unknown: int
    open: int


class Ledger:
    """Plain and short: for worker threads. Raises SpendingCap from `hold`, EngineError where the file cannot be written."""

    def __init__(self, home: Path) -> None:
        self._path = home / "spending.db"

    def hold(self, user: str, model: str, most: Cost | None, caps: Spending) -> int:
        """Write down a call before it is sent. Raises: SpendingCap, with nothing written."""
        _check_known(model, most, caps)
        day = today()
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if most:
                _check_cap("day", caps.day, _sum(connection, caps, day), most, model)
                _check_cap("user_day", caps.user_day, _sum(connection, caps, day, user), most, model)
            row = (time.time(), day, user, model, most and most.amount, most.currency if most else caps.currency)
            statement = (
                "INSERT INTO spent (at, day, user, model, state, amount, currency) VALUES (?, ?, ?, ?, 'held', ?, ?)"
            )
            return int(connection.execute(statement, row).lastrowid or 0)

    def settle(self, held: int, cost: Cost | None, usage: Usage) -> None:
        """The call has ended: this is what it cost, or None where that is not known."""
        values = (cost and cost.amount, usage.prompt_tokens, usage.completion_tokens, held)
        with self._open() as connection:
            connection.execute(
                "UPDATE spent SET state = 'spent', amount = ?, prompt_tokens = ?, completion_tokens = ? WHERE id = ?",
                values,
            )

    def release(self, held: int) -> None:
        """The call never reached the model."""
        with self._open() as connection:
            connection.execute("DELETE FROM spent WHERE id = ?", (held,))

    def rows(self, since: str = "", user: str | None = None) -> list[Spent]:
        """From the day `since` (YYYY-MM-DD) on, the newest day first."""
        query = """
            SELECT day, user, model, count(*), total(prompt_tokens), total(completion_tokens), total(amount), currency,
                   sum(amount IS NULL), sum(state = 'held')
            FROM spent WHERE day >= ? AND (? IS NULL OR user = ?)
            GROUP BY day, user, model, currency ORDER BY day DESC, user, model
        """
        if not self._path.exists():
            return []
        with self._open() as connection:
            found = connection.execute(query, (since, user, user)).fetchall()
        return [Spent(r[0], r[1], r[2], r[3], int(r[4]), int(r[5]), r[6], r[7], r[8], r[9]) for r in found]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=20, isolation_level=None)) as connection:
                use_write_ahead_log(connection.execute)
                connection.executescript(SCHEMA)
                try:
                    yield connection
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise EngineError(
                f"What is spent cannot be kept: {error}. Nothing was sent.",
                "Free some space, or make the folder writable.",
            ) from error


def today() -> str:
    """The day by this machine's clock, as YYYY-MM-DD."""
    return datetime.date.today().isoformat()


def left(caps: Spending, rows: Sequence[Spent], user: str) -> float | None:
    """What `user` may still spend today by `rows` of today; None without a cap."""
    spent = [
        (cap, sum(r.amount for r in rows if whose in (None, r.user) and r.currency == caps.currency))
        for cap, whose in ((caps.day, None), (caps.user_day, user))
        if cap is not None
    ]
    return min((max(0.0, cap - amount) for cap, amount in spent), default=None)


def _sum(connection: sqlite3.Connection, caps: Spending, day: str, user: str | None = None) -> float:
    query = "SELECT total(amount) FROM spent WHERE day = ? AND currency = ? AND (? IS NULL OR user = ?)"
    return float(connection.execute(query, (day, caps.currency, user, user)).fetchone()[0])


def _check_known(model: str, most: Cost | None, caps: Spending) -> None:
    """Raises: SpendingCap where a cap is set and the cost cannot be held against it."""
    if not caps.capped:
        return
    if most is None:
        raise SpendingCap(
            f"Nobody knows here what {model} costs, and spending has a cap: nothing was sent.",
            f"Write its price into {FILE} in ASSISTANT_HOME, or choose a model of this machine.",
        )
    if most.currency != caps.currency:
        raise SpendingCap(
            f"{model} is priced in {most.currency} and the cap on spending is in {caps.currency}: nothing was sent.",
            f"Write its price in {caps.currency} into {FILE} in ASSISTANT_HOME.",
        )


def _check_cap(name: str, cap: float | None, spent: float, most: Cost, model: str) -> None:
    if cap is not None and spent + most.amount > cap + 1e-12:
        whose = "everybody's" if name == "day" else "your"
        raise SpendingCap(
            f"{model} may cost up to {most.amount:.4f} {most.currency}, and {spent:.4f} of {whose} {cap:g} a day are spent: "
            "nothing was sent.",
            f"Wait until tomorrow, choose a model of this machine, or raise spending.{name}.",
        )
