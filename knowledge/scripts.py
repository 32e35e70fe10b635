"""SQL put together and run: placeholders for many values, and scripts inside a transaction that is open."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


def marks(values: Sequence[object]) -> str:
    """A placeholder for each value."""
    return ", ".join("?" * len(values))


def run_script(db: sqlite3.Connection, script: str) -> None:
    """Statement by statement, since `executescript` would end the transaction first; a trigger holds semicolons of its own."""
    held = ""
    for piece in script.split(";")[:-1]:
        held += f"{piece};"
        if sqlite3.complete_statement(held):
            db.execute(held)
            held = ""
