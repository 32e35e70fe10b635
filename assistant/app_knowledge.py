"""What the knowledge page asks for: the documents of a person's shelf, searched, read, shared, exported, forgotten.

Who may do what is decided by the shelf alone (`shelf.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel
from starlette.background import BackgroundTask

from assistant.app_config import knowledge_texts
from assistant.app_errors import told
from assistant.app_routes import SANDBOX, CurrentUser, language_of, safely
from assistant.app_state import page
from assistant.app_turn import kept_file
from assistant.document_export import Exported, write_archive
from assistant.document_list import Sort, View, kept_files, list_documents
from assistant.document_origins import synced_documents
from assistant.document_view import document_window, marked
from assistant.shelf import SHARED, NotYours, Shelf
from assistant.sources import drop_kept
from knowledge.documents import Passage, Why

FOUND = 20
LONGEST_QUERY = 1000
MOST_WORDS = 200
FULL_DISK = "is full"

router = APIRouter(prefix="/knowledge/api")
Which = Literal["", "own", "shared"]
"""Of the collections: all, or one."""


class Named(BaseModel):
    """A document, as the page names it."""

    collection: str
    source: str


class Confirmed(BaseModel):
    """The word that a person typed to say that they mean it."""

    word: str


async def shelf_of(user: CurrentUser) -> Shelf:
    """On the event loop: two threads would open the documents twice.

    Raises: KnowledgeError, EngineError where they cannot be opened.
    """
    here = page()
    return Shelf(here.assistant.knowledge(), here.owners, user.identifier, not here.settings.login, _drop_kept)


OwnShelf = Annotated[Shelf, Depends(shelf_of)]


async def knowledge_failed(request: Request, error: Exception) -> Response:
    """A failure as one line in the page's language."""
    status = 404 if isinstance(error, NotYours) else 507 if FULL_DISK in str(error) else 400
    message, remedy = getattr(error, "message", str(error)), getattr(error, "remedy", "")
    return JSONResponse({"detail": told(message, remedy, language_of(request))}, status)


# The list


@router.get("/sources")
async def sources(
    request: Request,
    shelf: OwnShelf,
    q: Annotated[str, Query(max_length=200)] = "",
    collection: Which = "",
    sort: Sort = "added",
    down: bool = True,
    start: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """A hundred rows of the list, and how many there are."""
    view = View(q, _wanted(shelf, collection), sort, down, start)
    listed = await shelf.sources()
    kept = await asyncio.to_thread(kept_files, _kept_folder())
    synced = await asyncio.to_thread(synced_documents, page().settings, shelf, language_of(request))
    return await asyncio.to_thread(list_documents, listed, view, kept, synced, language_of(request))


def _wanted(shelf: Shelf, collection: str) -> Sequence[str]:
    return {"own": (shelf.own,), "shared": (SHARED,)}.get(collection, shelf.collections)


# One document


@router.get("/document")
async def document(
    shelf: OwnShelf,
    collection: str,
    source: str,
    start: Annotated[int, Query(ge=0)] = 0,
    around: Annotated[str, Query(max_length=100)] = "",
    word: Annotated[list[str], Query(max_length=MOST_WORDS)] = [],  # noqa: B006  (read only)
) -> dict[str, Any]:
    """Part of a document's text, in its own order; each `word` is marked in the passage `around`."""
    entry = await shelf.read(collection, source)
    window = document_window(await shelf.knowledge.passages(source, collection=collection), start, around)
    blocks = [
        {
            "id": block.id,
            "page": block.page,
            "place": block.place,
            "start_s": block.start_s,
            "heading": block.heading,
            "text": marked(block.text, word if block.id == around else ()),
        }
        for block in window.blocks
    ]
    file = await asyncio.to_thread(lambda: kept_file(entry.sha256).is_file())
    return {"title": entry.title, "blocks": blocks, "first": window.first, "count": window.count, "file": file}


@router.get("/file")
async def file(shelf: OwnShelf, collection: str, source: str) -> Response:
    """The file as it was dropped."""
    path = kept_file((await shelf.read(collection, source)).sha256)
    if not path.is_file():
        raise HTTPException(404, "The file itself is not kept here.")
    return safely(path, "application/octet-stream", Path(source).name)


@router.post("/sources/forget")
async def forget(shelf: OwnShelf, named: Named) -> dict[str, bool]:
    await shelf.forget(named.collection, named.source)
    return {"success": True}


@router.post("/sources/share")
async def share(shelf: OwnShelf, named: Named) -> dict[str, Any]:
    """From one's own documents to everyone's."""
    if named.collection != shelf.own:
        raise NotYours(f"There is no document {named.source}.", "Load the page again.")
    moved = await shelf.share(named.source)
    return {"collection": moved.collection, "source": moved.source}


@router.post("/sources/unshare")
async def unshare(shelf: OwnShelf, named: Named) -> dict[str, Any]:
    moved = await shelf.unshare(named.source)
    return {"collection": moved.collection, "source": moved.source}


# Search


@router.get("/search")
async def search(
    shelf: OwnShelf,
    q: Annotated[str, Query(max_length=LONGEST_QUERY)],
    collection: Which = "",
) -> dict[str, Any]:
    """Passages, the best first, and why each of them was found."""
    found = await shelf.knowledge.search(q, k=FOUND, collections=_wanted(shelf, collection))
    return {"passages": [_passage(passage) for passage in found]}


def _passage(passage: Passage) -> dict[str, Any]:
    why = passage.why or Why((), 0.0, 0.0)
    return {
        "id": passage.id,
        "title": passage.title,
        "source": passage.source,
        "collection": passage.collection,
        "shared": passage.collection == SHARED,
        "page": passage.page,
        "place": passage.place,
        "start_s": passage.start_s,
        "score": round(passage.score, 3),
        "similarity": round(passage.similarity, 3),
        "meaning": round(why.meaning / passage.score, 3) if passage.score else 0.0,
        "words": list(why.words),
        "text": marked(passage.text, why.words),
    }


# Everything


@router.get("/export")
async def export(shelf: OwnShelf) -> FileResponse:
    """All that is this person's, as one archive: each document's text, its file where it is kept, and a list."""
    kept = await asyncio.to_thread(kept_files, _kept_folder())
    documents = [
        Exported(s, await shelf.knowledge.passages(s.source, collection=s.collection), kept.get(s.sha256))
        for s in await shelf.theirs()
    ]
    path = await asyncio.to_thread(write_archive, documents)
    headers = SANDBOX | {"Cache-Control": "no-store"}
    leave = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type="application/zip", filename="documents.zip", headers=headers, background=leave)


@router.post("/forget-everything")
async def forget_everything(request: Request, shelf: OwnShelf, confirmed: Confirmed) -> dict[str, int]:
    """Raises: HTTPException unless the word was typed."""
    words = knowledge_texts(language_of(request))
    if confirmed.word.strip().casefold() != words["forget_word"].casefold():
        raise HTTPException(400, words["forget_type"].format(word=words["forget_word"]))
    return {"gone": await shelf.forget_everything()}


def _drop_kept(gone: Sequence[str]) -> None:
    drop_kept(page().settings, page().assistant.knowledge(), gone)


def _kept_folder() -> Path:
    return page().settings.home / "kept"
