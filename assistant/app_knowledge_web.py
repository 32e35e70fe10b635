"""Web pages, sites and databases that a person names in the knowledge page: put in the queue, which survives a restart, and
asked for anew by a button beside the document."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from assistant.app_config import knowledge_texts
from assistant.app_knowledge import Named, OwnShelf
from assistant.app_knowledge_jobs import plain, start_reading
from assistant.app_routes import language_of
from assistant.app_state import page
from assistant.language_hint import unknown_language
from assistant.settings import SettingsError
from assistant.shelf import SHARED, NotYours, Shelf
from assistant.sources import name_of, of_origin, open_origins, put_in_queue, table, web_page
from knowledge.elsewhere import Elsewhere
from knowledge.knowledge_base import Job, KnowledgeError
from knowledge.origins import Origin
from knowledge.sql import Selection
from knowledge.web import SiteLimits

LONGEST_ADDRESS = 2000
LONGEST_QUERY = 10_000

router = APIRouter(prefix="/knowledge/api")


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


@router.post("/web")
async def add_page(request: Request, shelf: OwnShelf, wanted: Address) -> dict[str, Any]:
    """Read a web page or a site in. Raises: KnowledgeError for an address that cannot be read, NotYours."""
    typed = wanted.address.strip()
    found = web_page(typed if "//" in typed else f"https://{typed}", SiteLimits() if wanted.site else None)
    return await _enqueue(request, shelf, found, _collection(shelf, wanted.whom))


@router.post("/database")
async def add_table(request: Request, shelf: OwnShelf, wanted: Table) -> dict[str, Any]:
    """Read a table or query in, where login is off: an address may name any file of this machine.

    Raises: KnowledgeError, NotYours.
    """
    _check_databases(shelf)
    selection = Selection(wanted.name.strip(), wanted.query.strip() or None)
    try:
        found = table(wanted.address.strip(), selection)
    except SettingsError as error:
        raise KnowledgeError(str(error)) from error
    return await _enqueue(request, shelf, found, _collection(shelf, wanted.whom))


@router.post("/sources/refresh")
async def refresh(request: Request, shelf: OwnShelf, named: Named) -> dict[str, Any]:
    """Read a document anew where it came from; a page of a site brings the whole site. Raises: KnowledgeError, NotYours."""
    await shelf.change(named.collection, named.source)
    origin = await asyncio.to_thread(_origin_of, named)
    if origin is None:
        raise NotYours(f"There is no document {named.source}.", "Load the page again.")
    if origin.kind == "database":
        _check_databases(shelf)
    return await _enqueue(request, shelf, of_origin(origin), named.collection)


@router.get("/hint")
async def hint(request: Request, shelf: OwnShelf) -> dict[str, str]:
    """A line where the embedding does not know the language of most of the documents, otherwise nothing."""
    found = await unknown_language(page().settings, shelf.knowledge, shelf.collections)
    if found is None:
        return {"hint": ""}
    words = knowledge_texts(language_of(request))
    names = {"language": words.get(f"language_{found.language}", found.language), "model": found.model}
    known = ", ".join(words.get(f"language_{name}", name) for name in found.known)
    return {"hint": words["language_hint"].format(known=known, setting=found.setting, **names)}


def _check_databases(shelf: Shelf) -> None:
    if not shelf.owns_all:
        raise NotYours("Databases are added by who runs this assistant.", "Ask for `assistant ingest --database`.")


def _collection(shelf: Shelf, whom: str) -> str:
    return shelf.own if whom == "own" else SHARED


async def _enqueue(request: Request, shelf: Shelf, wanted: Elsewhere, collection: str) -> dict[str, Any]:
    """Raises: KnowledgeError, NotYours where there is a document of this name that is somebody else's."""
    try:
        name = await asyncio.to_thread(name_of, wanted)
    except SettingsError as error:
        raise KnowledgeError(str(error)) from error
    theirs = Elsewhere(wanted.kind, wanted.address, wanted.options, "" if shelf.owns_all else shelf.name)
    async with shelf.claimed(collection, name, exactly=True):
        job = await asyncio.to_thread(put_in_queue, shelf.knowledge, theirs, name, collection)
    start_reading()
    return {"jobs": [_plain(shelf, job, request)]}


def _plain(shelf: Shelf, job: Job, request: Request) -> dict[str, Any]:
    return plain(job, True, language_of(request), shelf.knowledge.results(job.id))


def _origin_of(named: Named) -> Origin | None:
    here = page()
    with open_origins(here.settings, here.assistant.knowledge()) as origins:
        return origins.by_document(named.collection).get(named.source)
