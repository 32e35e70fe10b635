"""What a job reads that is no file: a web page, a site, or a table or query of a database; and what became of each document.

It stands beside the job, so that it outlives the process. Secrets are never in it: an address names the variables that hold them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from knowledge.scripts import marks

Kind = Literal["page", "site", "database"]
Outcome = Literal["new", "changed", "unchanged", "gone", "failed", "more"]
"""`more`: a site has more pages than were asked for."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS elsewhere (
    job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, address TEXT NOT NULL, options TEXT NOT NULL, by_whom TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    rowid INTEGER PRIMARY KEY, job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    source TEXT NOT NULL, outcome TEXT NOT NULL, why TEXT NOT NULL, rows TEXT NOT NULL, UNIQUE (job_id, source)
);
"""


@dataclass(frozen=True)
class Elsewhere:
    """`address` is a URL; that of a database has `${NAME}` in place of each secret. `options`: how far a walk over a site goes,
    or name and query of a table. `by`: the person who owns what it brings, "" for whoever runs the assistant."""

    kind: Kind
    address: str
    options: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""


@dataclass(frozen=True)
class Result:
    """What became of one document of a job. `rows` counts those of a table that are new, changed, gone and the same."""

    source: str
    outcome: Outcome
    why: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How the newest job for a document or site ended: "done" or "failed"."""

    state: str
    message: str
    remedy: str
    results: Sequence[Result] = ()


def put_elsewhere(db: sqlite3.Connection, job_id: str, wanted: Elsewhere) -> None:
    values = [job_id, wanted.kind, wanted.address, json.dumps(wanted.options), wanted.by]
    db.execute("INSERT INTO elsewhere VALUES (?, ?, ?, ?, ?)", values)


def elsewhere_of(db: sqlite3.Connection, job_id: str) -> Elsewhere | None:
    """What a job reads that is no file; None where it reads one."""
    query = "SELECT kind, address, options, by_whom FROM elsewhere WHERE job_id = ?"
    row = db.execute(query, [job_id]).fetchone()
    return Elsewhere(row[0], row[1], json.loads(row[2]), row[3]) if row else None


def put_result(db: sqlite3.Connection, job_id: str, result: Result) -> None:
    """Gone on with after a restart, a job finds unchanged what it read before that: it stays new or changed."""
    db.execute(
        "INSERT INTO results (job_id, source, outcome, why, rows) SELECT id, ?, ?, ?, ? FROM jobs WHERE id = ?"
        " ON CONFLICT (job_id, source) DO UPDATE SET outcome = excluded.outcome, why = excluded.why, rows = excluded.rows"
        " WHERE excluded.outcome <> 'unchanged' OR outcome = 'failed'",
        [result.source, result.outcome, result.why, json.dumps(result.rows), job_id],
    )


def results_of(db: sqlite3.Connection, job_id: str) -> list[Result]:
    """In the order in which they came."""
    query = "SELECT source, outcome, why, rows FROM results WHERE job_id = ? ORDER BY rowid"
    return [
        Result(source, outcome, why, json.loads(rows)) for source, outcome, why, rows in db.execute(query, [job_id])
    ]


def last_ended(db: sqlite3.Connection, collections: Iterable[str]) -> dict[tuple[str, str], Ended]:
    """By collection and source of the job, how the newest job that was no file's ended."""
    wanted = list(collections)
    rows = db.execute(
        "SELECT j.id, j.state, j.message, j.remedy, j.collection, j.source FROM jobs j JOIN elsewhere e ON e.job_id = j.id"  # noqa: S608
        f" WHERE j.collection IN ({marks(wanted)}) AND j.state IN ('done', 'failed') ORDER BY j.finished",
        wanted,
    ).fetchall()
    newest = {(collection, source): how for *how, collection, source in rows}
    return {
        key: Ended(state, message, remedy, results_of(db, job_id))
        for key, (job_id, state, message, remedy) in newest.items()
    }
