"""How much meaning counts against words in each collection: fitted (`fitting.py`) and kept beside the documents, else the default."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

PREFIX = "weights:"


@dataclass(frozen=True)
class Weights:
    """`dense` is the share of meaning, 0 to 1. `given` tells whether the questions came from the operator or from the documents
    themselves; `fitted` is an ISO 8601 time in UTC."""

    dense: float
    questions: int
    given: bool
    fitted: str


def read_weights(db: sqlite3.Connection, collection: str) -> Weights | None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", [PREFIX + collection]).fetchone()
    return Weights(**json.loads(row[0])) if row else None


def write_weights(db: sqlite3.Connection, collection: str, weights: Weights) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [PREFIX + collection, json.dumps(asdict(weights))])


def dense_weights(db: sqlite3.Connection, collections: Sequence[str]) -> Mapping[str, float]:
    """Of those collections that were fitted."""
    found = {name: read_weights(db, name) for name in collections}
    return {name: weights.dense for name, weights in found.items() if weights}
