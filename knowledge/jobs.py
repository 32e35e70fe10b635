"""The queue of what is to be read in: a table that outlives every process. Any process adds to it, the one that writes works it off."""

# ruff: noqa: S608 — only constants and placeholders are put into the SQL below.
from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from knowledge.database import Database, drop_unfinished
from knowledge.elsewhere import Elsewhere, elsewhere_of, put_elsewhere
from knowledge.scripts import marks

JobState = Literal["waiting", "reading", "indexing", "paused", "done", "failed", "cancelled"]
FINISHED = ("done", "failed", "cancelled")
KEPT_JOBS = 20_000
"""Finished jobs that stay in the list; older ones go."""

_COLUMNS = """id, source, title, collection, state, fraction, eta_s, pages_done, pages, message, remedy, added, finished,
    batch, path, keep, changed"""


@dataclass(frozen=True)
class Job:
    """One file, folder or archive to read in, or what is named in `elsewhere.py`; then `path` is its source. Without a `path`, all documents to be embedded with `source`, an embedding. Times are ISO 8601 in UTC. `eta_s` is None where nothing tells it; `pages` where
    a file has none or they are not counted yet. `batch` is the id of the folder or archive that it was found in, otherwise its
    own. What is asked for with `since` compares with `changed`."""

    id: str
    source: str
    title: str
    collection: str
    state: JobState
    fraction: float
    eta_s: float | None
    pages_done: int
    pages: int | None
    message: str
    remedy: str
    added: str
    finished: str | None
    batch: str
    path: str
    keep: str | None
    changed: str


class Jobs:
    """Blocks; meant for worker threads. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, jobs: Sequence[Job]) -> None:
        with self._database.writing() as db:
            _insert(db, jobs)

    def add_elsewhere(self, job: Job, wanted: Elsewhere) -> Job:
        """A web page, site or table to read in, or anew. One that waits for the same or is at it is returned instead; what failed
        or paused at it before goes."""
        with self._database.writing() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM jobs JOIN elsewhere e ON e.job_id = id WHERE source = ? AND collection = ?"
                " AND wanted = '' AND state IN ('waiting', 'reading', 'indexing', 'paused', 'failed')",
                [job.source, job.collection],
            ).fetchall()
            former = [Job(*row) for row in rows]
            for known in former:
                if known.state not in ("paused", "failed") and elsewhere_of(db, known.id) == wanted:
                    return known
            _insert(db, [job])
            put_elsewhere(db, job.id, wanted)
            for known in former:
                if known.state in ("paused", "failed"):
                    _settle(db, known.id, "cancelled", "", "")
        return job

    def elsewhere(self, job_id: str) -> Elsewhere | None:
        """What a job reads that is no file."""
        with self._database.reading() as db:
            return elsewhere_of(db, job_id)

    def unfold(self, job: Job, found: Sequence[Job], message: str) -> bool:
        """In place of a folder or archive, the jobs of the files that were found in it; False, and nothing, where it was
        forgotten or is to pause or end."""
        with self._database.writing() as db:
            if not db.execute("SELECT 1 FROM jobs WHERE id = ? AND wanted = ''", [job.id]).fetchone():
                return False
            _insert(db, found)
            _settle(db, job.id, "done", message, "")
        return True

    def listed(self, collections: Sequence[str] | None = None, since: str | None = None) -> list[Job]:
        """Jobs in the order in which they came; with `since`, those that changed at or after that time."""
        where, values = _within(collections)
        return self._select(f"{where} AND changed >= ?", [*values, since or ""])

    def get(self, job_id: str) -> Job | None:
        return next(iter(self._select("id = ?", [job_id])), None)

    def of_batch(self, batches: Sequence[str], since: str = "") -> list[Job]:
        """A folder's or archive's own job, and those of what was found in it; with `since`, those that changed since."""
        return self._select(f"batch IN ({marks(batches)}) AND changed >= ?", [*batches, since])

    def of_source(self, source: str, collection: str | None) -> list[Job]:
        """The jobs that are to bring a document in, do so, or failed to."""
        where = "source = ? AND (finished IS NULL OR state = 'failed') AND (? IS NULL OR collection = ?)"
        return self._select(where, [source, collection, collection])

    def reembedding(self) -> Job | None:
        """The newest job that embeds all documents anew."""
        return next(iter(self._select("path = '' AND rowid = (SELECT max(rowid) FROM jobs WHERE path = '')", [])), None)

    def give_up_reembedding(self) -> None:
        """No such job that nobody is at is wanted any more."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET state = 'cancelled', wanted = '', eta_s = NULL, finished = ?, changed = ?"
                " WHERE path = '' AND state IN ('waiting', 'paused', 'failed')",
                [moment(), moment()],
            )

    def unfinished(self) -> int:
        """How many jobs wait or are worked on; paused ones do not count."""
        with self._database.reading() as db:
            query = "SELECT count(*) FROM jobs WHERE state IN ('waiting', 'reading', 'indexing')"
            return int(db.execute(query).fetchone()[0])

    def goes_on(self, source: str, collection: str) -> bool:
        """Whether a job will go on with what is there of a document."""
        query = "SELECT 1 FROM jobs WHERE source = ? AND collection = ? AND finished IS NULL AND wanted <> 'cancelled'"
        with self._database.reading() as db:
            return db.execute(query, [source, collection]).fetchone() is not None

    def claim(self, *, files: bool) -> Job | None:
        """The longest waiting job, for a file or for none, which is now being read."""
        which = f"id {'NOT ' * files}IN (SELECT job_id FROM elsewhere)"
        with self._database.writing() as db:
            row = db.execute(
                f"SELECT rowid FROM jobs WHERE state = 'waiting' AND {which} ORDER BY rowid LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            found = db.execute(
                f"UPDATE jobs SET state = 'reading', changed = ?, message = '', remedy = '' WHERE rowid = ?"
                f" RETURNING {_COLUMNS}",
                [moment(), row[0]],
            ).fetchone()
        return Job(*found)

    def put_back(self, job_id: str) -> None:
        """A job that is broken off waits again, unless something else was wished."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET state = 'waiting', changed = ? WHERE id = ? AND finished IS NULL", [moment(), job_id]
            )
            _settle_wishes(db)

    def reclaim(self) -> None:
        """What a dead process was working on waits again, and embedding anew that failed; what it was to give up is given up."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET state = 'waiting', changed = ?, finished = NULL"
                " WHERE state IN ('reading', 'indexing') OR (path = '' AND state = 'failed')",
                [moment()],
            )
            _settle_wishes(db)

    def wish(self, job_id: str, wanted: Literal["paused", "cancelled", "waiting"]) -> list[Job]:
        """Ask for a pause, an end or a resumption of a job and of what was found in it. Returns those given up at once, since
        nobody was at them."""
        with self._database.writing() as db:
            if wanted == "waiting":
                db.execute(
                    "UPDATE jobs SET state = 'waiting', wanted = '', finished = NULL, message = '', remedy = '', changed = ?,"
                    " fraction = CASE WHEN state = 'failed' THEN 0 ELSE fraction END"
                    " WHERE (id = ? OR batch = ?) AND state IN ('paused', 'failed')",
                    [moment(), job_id, job_id],
                )
                db.execute("UPDATE jobs SET wanted = '' WHERE (id = ? OR batch = ?)", [job_id, job_id])
                return []
            db.execute(
                "UPDATE jobs SET wanted = ?, changed = ? WHERE (id = ? OR batch = ?)"
                " AND (finished IS NULL OR (state = 'failed' AND ? = 'cancelled'))",
                [wanted, moment(), job_id, job_id, wanted],
            )
            return _settle_wishes(db)

    def cancel_all(self, collections: Sequence[str] | None) -> list[Job]:
        """Ask for the end of every job of these collections, or of all. Returns all that were there, finished ones too."""
        where, values = _within(collections)
        with self._database.writing() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values).fetchall()
            db.execute(
                f"UPDATE jobs SET wanted = 'cancelled', changed = ? WHERE {where} AND finished IS NULL",
                [moment(), *values],
            )
            _settle_wishes(db)
        return [Job(*row) for row in rows]

    def still_running(self, job_ids: Sequence[str]) -> list[str]:
        """Of these jobs, those that are being worked on."""
        with self._database.reading() as db:
            query = "SELECT id FROM jobs WHERE state IN ('reading', 'indexing')"
            return [row[0] for row in db.execute(query).fetchall() if row[0] in job_ids]

    def wanted(self, job_ids: Iterable[str]) -> dict[str, str]:
        """Of these jobs, those that are to pause or to end, as one that was forgotten is."""
        ids = list(job_ids)
        with self._database.reading() as db:
            rows = db.execute(f"SELECT id, wanted FROM jobs WHERE id IN ({marks(ids)})", ids).fetchall()
        wishes = dict.fromkeys(ids, "cancelled") | dict(rows)
        return {job_id: wish for job_id, wish in wishes.items() if wish}

    def progress(
        self, job_id: str, state: JobState, fraction: float, eta_s: float | None, pages_done: int, pages: int | None
    ) -> None:
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET state = ?, fraction = ?, eta_s = ?, pages_done = ?, pages = ?, changed = ?"
                " WHERE id = ? AND state IN ('reading', 'indexing')",
                [state, fraction, eta_s, pages_done, pages, moment(), job_id],
            )

    def settle(self, job_id: str, state: JobState, message: str = "", remedy: str = "") -> None:
        """Put a job down: done, failed, cancelled, paused, or waiting once more."""
        with self._database.writing() as db:
            _settle(db, job_id, state, message, remedy)

    def drop_left(self, job: Job) -> None:
        """What is there of a document that no job will go on with. Not part of `settle`, which must fit on a full disk."""
        with self._database.writing() as db:
            drop_unfinished(db, job.collection, job.source)

    def _select(self, where: str, values: Sequence[Any]) -> list[Job]:
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where} ORDER BY rowid", [*values]).fetchall()
        return [Job(*row) for row in rows]


def _insert(db: sqlite3.Connection, jobs: Sequence[Job]) -> None:
    marks = ", ".join("?" * len(fields(Job)))
    db.executemany(f"INSERT INTO jobs ({_COLUMNS}) VALUES ({marks})", [tuple(vars(job).values()) for job in jobs])


def _settle(db: sqlite3.Connection, job_id: str, state: JobState, message: str, remedy: str) -> None:
    ended = moment() if state in FINISHED else None
    db.execute(
        "UPDATE jobs SET state = ?, message = ?, remedy = ?, wanted = '', eta_s = NULL, changed = ?, finished = ?,"
        " fraction = CASE WHEN ? = 'done' THEN 1.0 ELSE fraction END WHERE id = ?",
        [state, message, remedy, moment(), ended, state, job_id],
    )
    if ended:
        last = "(SELECT max(rowid) FROM jobs)"
        db.execute(f"DELETE FROM jobs WHERE finished IS NOT NULL AND rowid <= {last} - ?", [KEPT_JOBS])


def _settle_wishes(db: sqlite3.Connection) -> list[Job]:
    """Jobs that nobody is at do at once what was wished; of those that are given up, which are returned, nothing stays."""
    rows = db.execute(
        "UPDATE jobs SET state = wanted, wanted = '', eta_s = NULL, finished = CASE WHEN wanted = 'cancelled' THEN ? END"
        f" WHERE wanted <> '' AND state IN ('waiting', 'paused', 'failed') RETURNING {_COLUMNS}",
        [moment()],
    ).fetchall()
    given_up = [job for job in (Job(*row) for row in rows) if job.state == "cancelled"]
    for job in given_up:
        drop_unfinished(db, job.collection, job.source)
    return given_up


def new_job(
    path: Path | None, source: str, title: str, collection: str, *, keep: Path | None = None, batch: str = ""
) -> Job:
    identity = secrets.token_hex(8)
    at = moment()
    return Job(
        id=identity,
        source=source,
        title=title,
        collection=collection,
        state="waiting",
        fraction=0.0,
        eta_s=None,
        pages_done=0,
        pages=None,
        message="",
        remedy="",
        added=at,
        finished=None,
        batch=batch or identity,
        path=str(path) if path else "",
        keep=str(keep) if keep else None,
        changed=at,
    )


def _within(collections: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    return ("path <> ''", ()) if collections is None else (f"collection IN ({marks(collections)})", collections)


def moment() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
