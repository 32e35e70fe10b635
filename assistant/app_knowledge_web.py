"""Web pages, sites and databases that a person names in the knowledge page, read in beside everything else in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from assistant.app_errors import told
from assistant.app_knowledge import OwnShelf
from assistant.app_routes import language_of
from assistant.app_state import page
from assistant.settings import SettingsError
from assistant.shelf import SHARED, NotYours, Shelf
from assistant.sources import Sources, open_database, open_sources
from knowledge.fetching import parse_url
from knowledge.jobs import JobState, moment
from knowledge.knowledge_base import KnowledgeError, Source
from knowledge.sql import Selection
from knowledge.web import SiteLimits
from tools.engines.errors import EngineError

LONGEST_ADDRESS = 2000
LONGEST_QUERY = 10_000
AT_ONCE = 2
READING = "reading-"
"""How the ids of readings begin."""
KEPT = 200
"""Readings that are remembered; the oldest that have ended go."""

router = APIRouter(prefix="/knowledge/api")
log = logging.getLogger(__name__)
Work = Callable[["Reading"], Awaitable[None]]


class Address(BaseModel):
    """A page of the web, or with `site` what can be reached from it."""

    address: str = Field(min_length=1, max_length=LONGEST_ADDRESS)
    site: bool = False
    whom: Literal["own", "shared"] = "own"


class Table(BaseModel):
    """A table of a database, or what a query finds; then `name` is what the document is called."""

    address: str = Field(min_length=1, max_length=LONGEST_ADDRESS)
    name: str = Field(min_length=1, max_length=200)
    query: str = Field("", max_length=LONGEST_QUERY)
    whom: Literal["own", "shared"] = "own"


@dataclass
class Reading:
    """One address on its way in. It is gone with the process; what it read stays."""

    title: str
    shelf: Shelf
    collection: str
    work: Work
    id: str = field(default_factory=lambda: f"{READING}{secrets.token_hex(8)}")
    state: JobState = "waiting"
    fraction: float = 0.0
    done: int = 0
    message: str = ""
    remedy: str = ""
    changed: str = field(default_factory=moment)
    stop: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None

    def become(self, state: JobState, message: str = "", remedy: str = "") -> None:
        self.state, self.message, self.remedy, self.changed = state, message, remedy, moment()

    def tell(self, fraction: float, _stage: str) -> None:
        self.fraction, self.changed = fraction, moment()


_readings: dict[str, Reading] = {}
_turns = asyncio.Semaphore(AT_ONCE)


@router.post("/web")
async def add_page(request: Request, shelf: OwnShelf, wanted: Address) -> dict[str, Any]:
    """Read a web page or a site in. Raises: KnowledgeError for an address that cannot be read, NotYours."""
    typed = wanted.address.strip()
    address = str(parse_url(typed if "//" in typed else f"https://{typed}"))
    collection = await _free(shelf, wanted.whom, address)

    async def work(reading: Reading) -> None:
        async with _opened(reading) as sources:
            if not wanted.site:
                await sources.web.add_page(address, collection)
                return
            async with contextlib.aclosing(sources.web.add_site(address, collection, SiteLimits())) as pages:
                async for synced in pages:
                    reading.done += synced.document is not None
                    reading.become("reading")

    return _begin(request, Reading(address, shelf, collection, work))


@router.post("/database")
async def add_table(request: Request, shelf: OwnShelf, wanted: Table) -> dict[str, Any]:
    """Read a table or query in, where login is off: an address may name any file of this machine.

    Raises: KnowledgeError, NotYours.
    """
    if not shelf.owns_all:
        raise NotYours("Databases are added by who runs this assistant.", "Ask for `assistant ingest --database`.")
    try:
        database = open_database(wanted.address.strip())
    except SettingsError as error:
        raise KnowledgeError(str(error)) from error
    name = f"{database.safe}#{wanted.name}"
    collection = await _free(shelf, wanted.whom, name)
    selection = Selection(wanted.name, wanted.query.strip() or None)

    async def work(reading: Reading) -> None:
        async with _opened(reading) as sources, shelf.claimed(collection, name, exactly=True):
            await sources.tables.add(wanted.address.strip(), selection, collection, reading.tell, reading.stop)

    return _begin(request, Reading(name, shelf, collection, work))


async def _free(shelf: Shelf, whom: str, name: str) -> str:
    """The collection that `name` goes into. Raises: NotYours where it is somebody else's there."""
    collection = shelf.own if whom == "own" else SHARED
    await shelf.exactly(collection, name)
    return collection


def _begin(request: Request, reading: Reading) -> dict[str, Any]:
    for old in [r for r in _readings.values() if r.state in ("done", "failed", "cancelled")][: -KEPT or None]:
        del _readings[old.id]
    _readings[reading.id] = reading
    _start(reading)
    return {"jobs": [_plain(reading, language_of(request))]}


def _start(reading: Reading) -> None:
    reading.become("waiting")
    reading.stop.clear()
    reading.task = asyncio.create_task(_run(reading))


async def _run(reading: Reading) -> None:
    async with _turns:
        reading.become("reading")
        try:
            await reading.work(reading)
            reading.become("done")
        except (KnowledgeError, EngineError) as error:
            reading.become("failed", error.message, error.remedy)
        except asyncio.CancelledError:
            reading.become("cancelled")
            raise
        except Exception as error:
            log.exception("%s was not read", reading.title)
            reading.become("failed", f"{reading.title} could not be read in: {error}.", "Try again.")


@contextlib.asynccontextmanager
async def _opened(reading: Reading) -> AsyncIterator[Sources]:
    base = reading.shelf.knowledge

    async def index(path: Path, source: str, collection: str) -> Source:
        async with reading.shelf.claimed(collection, source, exactly=True):
            return await base.add(path, collection=collection, source=source, progress=reading.tell, stop=reading.stop)

    async with open_sources(page().settings, base, index) as sources:
        yield sources


# What the queue shows of them


def readings(shelf: Shelf, since: str | None, language: str) -> list[dict[str, Any]]:
    """Those of one person, as jobs are told."""
    own = [r for r in _readings.values() if r.shelf.name == shelf.name and r.changed >= (since or "")]
    return [_plain(r, language) for r in own if since or r.state not in ("done", "cancelled")]


def act_on_reading(act: str, shelf: Shelf, reading_id: str) -> None:
    """Raises: NotYours."""
    reading = _readings.get(reading_id)
    if reading is None or reading.shelf.name != shelf.name:
        raise NotYours("There is no such file in the queue.", "Load the page again.")
    if act == "cancel":
        _stop(reading)
    elif act == "resume" and reading.state == "failed":
        _start(reading)


async def stop_readings(shelf: Shelf | None = None) -> None:
    """Those of one person, or all; none is under way any more when this returns."""
    theirs = [r for r in _readings.values() if r.state != "done" and (shelf is None or r.shelf.name == shelf.name)]
    for reading in theirs:
        _stop(reading)
    if tasks := [r.task for r in theirs if r.task and not r.task.done()]:
        await asyncio.wait(tasks)


def _stop(reading: Reading) -> None:
    if reading.task is not None:
        reading.stop.set()
        reading.task.cancel()
        if reading.state != "reading":
            reading.become("cancelled")


def _plain(reading: Reading, language: str) -> dict[str, Any]:
    return {
        "id": reading.id,
        "source": reading.title,
        "title": reading.title,
        "shared": reading.collection == SHARED,
        "theirs": True,
        "state": reading.state,
        "fraction": reading.fraction,
        "eta_s": None,
        "pages_done": reading.done,
        "pages": None,
        "changed": reading.changed,
        "message": told(reading.message, reading.remedy, language),
        "pauses": False,
    }
