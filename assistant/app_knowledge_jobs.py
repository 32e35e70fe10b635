"""Files on their way into the knowledge base: taken in piece by piece, read one after the other, paused, cancelled, tried again."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from assistant.app_config import knowledge_texts
from assistant.app_errors import told
from assistant.app_knowledge import OwnShelf
from assistant.app_results import leaves_out, what_became
from assistant.app_routes import language_of
from assistant.app_state import page
from assistant.shelf import SHARED, NotYours, Shelf
from assistant.sources import read_elsewhere
from knowledge.jobs import Job
from knowledge.knowledge_base import KnowledgeError, Reembedding, Result
from tools.engines.errors import EngineError

INCOMING = "incoming"
PIECE_BYTES = 1 << 20
CANCEL_AGAIN_S = 0.5
OVERLAP = timedelta(seconds=3)
LONGEST_NAME = 200
LONGEST_PATH = 1000
Act = Literal["pause", "resume", "cancel"]
WANTED_STATES = ("waiting", "reading", "indexing", "paused", "failed")

router = APIRouter(prefix="/knowledge/api")
log = logging.getLogger(__name__)
_reading: set[asyncio.Task[None]] = set()


class Chosen(BaseModel):
    """Jobs that something is done with at once."""

    ids: list[str] = Field(max_length=20_000)


# Taking in


@router.post("/files")
async def upload(
    request: Request,
    shelf: OwnShelf,
    name: Annotated[str, Query(max_length=4 * LONGEST_PATH)],
    whom: Literal["own", "shared"] = "own",
) -> dict[str, Any]:
    """A file as the body of the request. It is on the disk and in the queue when this returns; it is read later."""
    words = knowledge_texts(language_of(request))
    wanted = document_name(name)
    if not wanted:
        raise HTTPException(400, words["no_name"])
    collection = shelf.own if whom == "own" else SHARED
    path = page().settings.home / INCOMING / uuid.uuid4().hex
    try:
        await receive(request, path)
        return {"jobs": await _enqueue(shelf, path, collection, wanted, language_of(request))}
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise HTTPException(507, words["disk_full"] if full else f"{wanted}: {error.strerror}.") from error
    except ClientDisconnect as error:
        raise HTTPException(400, words["upload_failed"]) from error
    finally:
        # What went into the queue was moved from here.
        with contextlib.suppress(OSError):
            path.unlink()


async def _enqueue(shelf: Shelf, path: Path, collection: str, wanted: str, language: str) -> list[dict[str, Any]]:
    keep = page().settings.home / "kept"
    async with shelf.claimed(collection, wanted) as name:
        jobs = await asyncio.to_thread(
            shelf.knowledge.enqueue, [path], collection=collection, names=[name], keep_files=keep
        )
    start_reading()
    return [plain(job, True, language) for job in jobs]


async def receive(request: Request, path: Path) -> None:
    """Raises: OSError, ClientDisconnect."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = bytearray()
    with path.open("wb") as file:
        async for piece in request.stream():
            held += piece
            if len(held) >= PIECE_BYTES:
                await asyncio.to_thread(file.write, bytes(held))
                held.clear()
        await asyncio.to_thread(file.write, bytes(held))


def document_name(name: str) -> str:
    """`folder/report.pdf` of what a browser calls a file; "" where nothing is left. It leads out of no folder."""
    parts = (re.sub(r"[\x00-\x1f\x7f]", "", part).strip() for part in name.replace("\\", "/").split("/"))
    kept = [_shortened(part) for part in parts if part not in ("", ".", "..")]
    return "/".join(kept)[-LONGEST_PATH:].lstrip("/")


def _shortened(part: str) -> str:
    """Cut in the middle: the suffix stays."""
    if len(part.encode()) <= LONGEST_NAME:
        return part
    stem, suffix = Path(part).stem, Path(part).suffix[:20]
    return stem.encode()[: LONGEST_NAME - len(suffix.encode())].decode(errors="ignore") + suffix


# The queue


@router.get("/jobs")
async def jobs(request: Request, shelf: OwnShelf, since: str | None = None) -> dict[str, Any]:
    """What is on its way or has failed; with `since`, the `now` of an earlier answer, whatever changed after it."""
    listed = await asyncio.to_thread(shelf.knowledge.jobs, shelf.collections, since=since)
    owners = await shelf.sharers()
    shown = [job for job in listed if since or job.state in WANTED_STATES or "left out" in job.message]
    language = language_of(request)
    rows = [
        plain(
            job, shelf.owns(job.collection, job.source, owners), language, await asyncio.to_thread(_results, shelf, job)
        )
        for job in shown
    ]
    anew = await asyncio.to_thread(shelf.knowledge.reembedding)
    rows += _reembedding_rows(anew, shelf, since, language)
    newest = [job.changed for job in listed] + [row["changed"] for row in rows]
    notices = _notices(anew, shelf.knowledge.trouble(), language)
    return {"jobs": rows, "now": _a_little_before(max(newest)) if newest else since, "notices": notices}


def _results(shelf: Shelf, job: Job) -> list[Result]:
    return shelf.knowledge.results(job.id) if job.state == "done" and "://" in job.source else []


def _a_little_before(moment: str) -> str:
    """What is written at the same time may become readable later: it is told again rather than missed."""
    return (datetime.fromisoformat(moment) - OVERLAP).isoformat(timespec="milliseconds")


def _reembedding_rows(anew: Reembedding | None, shelf: Shelf, since: str | None, language: str) -> list[dict[str, Any]]:
    """That all documents are embedded anew, told as a job; where login is on, only the command line pauses or ends it."""
    job = anew.job if anew else None
    if job is None or (job.changed < since if since else job.state not in WANTED_STATES):
        return []
    title = knowledge_texts(language)["reembedding"].format(model=job.source, percent=round(100 * job.fraction))
    return [plain(replace(job, title=title), shelf.owns_all, language)]


def _notices(anew: Reembedding | None, trouble: KnowledgeError | None, language: str) -> list[str]:
    """What is to be known besides the rows."""
    lines = anew.notices() if anew else []
    lines = (lines[1:] if anew and anew.job else lines) + ([trouble] if trouble else [])
    return [told(line.message, line.remedy, language) for line in lines]


@router.post("/jobs/{act}")
async def act_on(act: Act, shelf: OwnShelf, chosen: Chosen) -> dict[str, int]:
    """Raises: NotYours where one of the jobs is somebody else's; then nothing happens."""
    known = {job.id: job for job in await asyncio.to_thread(shelf.knowledge.jobs, shelf.collections)}
    owners = await shelf.sharers()
    if shelf.owns_all and (anew := await asyncio.to_thread(shelf.knowledge.reembedding)) and anew.job:
        known[anew.job.id] = anew.job
    for job_id in chosen.ids:
        job = known.get(job_id)
        if job is None or (job.path and not shelf.owns(job.collection, job.source, owners)):
            raise NotYours("There is no such file in the queue.", "Load the page again.")
    for job_id in chosen.ids:
        await _act(act, shelf, known[job_id])
    start_reading()
    return {"done": len(chosen.ids)}


async def _act(act: Act, shelf: Shelf, job: Job) -> None:
    match act:
        case "pause":
            await shelf.knowledge.pause(job.id)
        case "resume":
            await shelf.knowledge.resume(job.id)
        case "cancel":
            await shelf.knowledge.cancel(job.id)


def plain(job: Job, theirs: bool, language: str, results: Sequence[Result] = ()) -> dict[str, Any]:
    """A job as the page shows it. `leaves_out`: it is done, and its message says what was not read."""
    message = told(job.message, job.remedy, language) or what_became(results, language)
    return {
        "id": job.id,
        "source": job.source,
        "title": job.title,
        "shared": job.collection == SHARED,
        "theirs": theirs,
        "state": job.state,
        "fraction": round(job.fraction, 4),
        "eta_s": job.eta_s,
        "pages_done": job.pages_done,
        "pages": job.pages,
        "changed": job.changed,
        "leaves_out": job.state == "done" and ("left out" in job.message or leaves_out(results)),
        "message": message,
    }


# Reading


def go_on_reading() -> None:
    """At the start of the page: uploads that broke off are taken away, and the queue is worked off."""
    home = page().settings.home
    shutil.rmtree(home / INCOMING, ignore_errors=True)
    if (home / "knowledge").exists():
        start_reading()


def start_reading() -> None:
    """Work the queue off beside everything else; once a process."""
    if not _reading:
        task = asyncio.create_task(_read())
        _reading.add(task)
        task.add_done_callback(_reading.discard)


async def stop_reading() -> None:
    """What is under way goes on at the next start."""
    for task in tuple(_reading):
        # `asyncio.wait_for` loses a cancellation that comes together with what it waits for.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN_S)


async def _read() -> None:
    try:
        here, knowledge = page(), page().assistant.knowledge()
        knowledge.read_elsewhere = partial(read_elsewhere, here.settings, knowledge, claims)
        await knowledge.run_jobs()
    except (KnowledgeError, EngineError) as error:
        log.warning("the queue is not worked off: %s", error)


@asynccontextmanager
async def claims(by: str, collection: str, source: str) -> AsyncIterator[None]:
    """What a job of a person brings becomes theirs. Raises: NotYours."""
    if not by:
        yield
        return
    here = page()
    shelf = Shelf(here.assistant.knowledge(), here.owners, by, not here.settings.login)
    async with shelf.claimed(collection, source, exactly=True):
        yield
