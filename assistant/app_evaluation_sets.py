"""The data sets of the page that evaluates: brought in, made with one click, reviewed row by row, downloaded, deleted."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from assistant.app_config import evaluations_texts
from assistant.app_errors import in_language
from assistant.app_evaluation_queue import queue
from assistant.app_evaluation_shelf import OwnSets, plain_row, wrong
from assistant.app_knowledge_jobs import receive
from assistant.app_routes import SANDBOX, CurrentUser, language_of
from assistant.app_state import page
from assistant.evaluation.dataset import DatasetError, read_lines
from assistant.evaluation.dataset_lines import LONGEST, Line
from assistant.evaluation.evaluate import FOLDER
from assistant.evaluation.making import from_rows, marked_answers
from assistant.evaluation.sets import Change, Entry, SetInfo, Show, State
from assistant.history import sqlite_url
from tools.engines.errors import BadInput
from tools.sniff import sniff

PAGE = 25
SHOWN_TEXT = 4_000
TOLD = 200
"""Problems that are listed at once; the review shows them all."""
router = APIRouter(prefix="/evaluations/api")
Name = Annotated[str, Query(max_length=200)]


class Written(BaseModel):
    """What the person made of a row."""

    state: State | None = None
    id: str | None = Field(None, max_length=200)
    question: str | None = Field(None, max_length=LONGEST)
    reference: str | None = Field(None, max_length=LONGEST)
    tags: list[str] | None = Field(None, max_length=100)


@router.get("/sets")
async def sets(own: OwnSets) -> dict[str, Any]:
    return {"sets": [vars(one) for one in await asyncio.to_thread(own.all)]}


@router.post("/sets")
async def upload(request: Request, own: OwnSets, name: Name) -> dict[str, Any]:
    """A .jsonl or .csv file as the body. Rows with something wrong are kept and told; nothing of the file is lost."""
    language = language_of(request)
    path = page().settings.home / FOLDER / "incoming" / secrets.token_hex(16)
    try:
        await receive(request, path)
        data = await asyncio.to_thread(path.read_bytes)
    finally:
        path.unlink(missing_ok=True)
    try:
        lines = await asyncio.to_thread(read_lines, Path(name).name, data)
    except DatasetError as error:
        raise HTTPException(400, in_language(str(error), language)) from error
    made = await asyncio.to_thread(own.create, Path(name).name or "data", lines, "file")
    faulty, count = await asyncio.to_thread(own.rows, made.id, "faulty", 0, TOLD)
    say = evaluations_texts(language)
    told = [
        {"line": entry.line, "text": say["line_n"].format(n=entry.line, text=text)}
        for entry in faulty
        for text in wrong(entry.problems, language)
    ]
    return {"set": vars(made), "problems": told, "more": max(0, count - len(faulty))}


@router.post("/sets/from-chat")
async def from_chat(request: Request, own: OwnSets, user: CurrentUser) -> dict[str, Any]:
    """Of the answers that this person gave a thumb. Raises: SettingsError where nothing has been kept."""
    settings, say = page().settings, evaluations_texts(language_of(request))
    marked = await marked_answers(settings.database or sqlite_url(settings.home), user.identifier)
    if not marked:
        raise HTTPException(400, say["no_thumbs"])
    rows = [Line(number, row) for number, row in enumerate(from_rows(marked), 1)]
    name = say["chat_name"].format(day=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M"))
    return {"set": vars(await asyncio.to_thread(own.create, name, rows, "chat"))}


class Documents(BaseModel):
    collection: str = Field("shared", max_length=300)
    count: int = Field(20, ge=1, le=200)


@router.post("/sets/from-documents")
async def from_documents(request: Request, user: CurrentUser, wanted: Documents) -> dict[str, Any]:
    """The model writes questions in the background; the set appears once they are written. Raises: RunError."""
    title = evaluations_texts(language_of(request))["documents_name"].format(
        day=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    )
    asked = wanted.model_dump()
    run = await asyncio.to_thread(lambda: queue().prepared(user.identifier, "make", title, asked))
    queue().enqueue(run)
    return {"run": run.id}


@router.get("/sets/{set_id}")
async def rows(
    request: Request, own: OwnSets, set_id: str, show: Show = "all", start: Annotated[int, Query(ge=0)] = 0
) -> dict[str, Any]:
    """A page of the rows. Raises: SetError."""
    info = await asyncio.to_thread(own.find, set_id)
    found, count = await asyncio.to_thread(own.rows, set_id, show, start, PAGE)
    language = language_of(request)
    return {"set": vars(info), "rows": [_row(entry, language) for entry in found], "count": count, "page": PAGE}


@router.post("/sets/{set_id}/rows/{key}")
async def change(request: Request, own: OwnSets, set_id: str, key: int, written: Written) -> dict[str, Any]:
    """What was written is kept; where something is wrong with it the row stays open, and says so. Raises: SetError."""
    entry = await asyncio.to_thread(own.change, set_id, key, Change(**written.model_dump()))
    info = await asyncio.to_thread(own.find, set_id)
    return {"row": _row(entry, language_of(request)), "set": vars(info)}


@router.get("/sets/{set_id}/download")
async def download(own: OwnSets, set_id: str) -> Response:
    """JSON Lines, as `assistant evaluate` reads them. Raises: SetError."""
    info = await asyncio.to_thread(own.find, set_id)
    text = await asyncio.to_thread(own.export, set_id)
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(info)}"', "Cache-Control": "no-store"}
    return Response(text.encode(errors="replace"), media_type="application/x-ndjson", headers=SANDBOX | headers)


@router.post("/sets/{set_id}/delete")
async def delete(request: Request, own: OwnSets, user: CurrentUser, set_id: str) -> dict[str, bool]:
    """Raises: SetError, HTTPException where a run needs it."""
    if await asyncio.to_thread(queue().uses, user.identifier, set_id):
        raise HTTPException(400, evaluations_texts(language_of(request))["set_used"])
    await asyncio.to_thread(own.delete, set_id)
    return {"deleted": True}


@router.post("/recordings")
async def recordings(
    request: Request, own: OwnSets, set_id: Annotated[str, Query(alias="set", max_length=64)], name: Name
) -> dict[str, Any]:
    """A recording that rows of a set name, as the body of the request. Raises: SetError."""
    language = language_of(request)
    path = page().settings.home / FOLDER / "incoming" / secrets.token_hex(16)
    try:
        await receive(request, path)
        found = await asyncio.to_thread(sniff, path, name, page().settings.max_upload_mb * 1_000_000)
        if not found.mime_type.startswith(("audio/", "video/")):
            raise HTTPException(400, evaluations_texts(language)["not_sound"].format(name=name))
        count = await asyncio.to_thread(own.add_recording, set_id, Path(name).name, path)
    except BadInput as error:
        raise HTTPException(400, in_language(str(error), language)) from error
    finally:
        path.unlink(missing_ok=True)
    return {"rows": count}


def _row(entry: Entry, language: str) -> dict[str, Any]:
    """As the page shows it: texts, none of them markup."""
    values = entry.values
    context = values.get("context") or []
    more = [context] if isinstance(context, str) else context if isinstance(context, list) else [str(context)]
    schema = values.get("schema")
    return {
        "key": entry.key,
        "line": entry.line,
        "id": plain_row(values, "id"),
        "state": entry.state,
        "question": plain_row(values, "question"),
        "reference": plain_row(values, "reference"),
        "tags": plain_row(values, "tags"),
        "context": [str(text)[:SHOWN_TEXT] for text in more],
        "schema": schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False) if schema else "",
        "audio": plain_row(values, "audio"),
        "answer": plain_row(values, "answer")[:SHOWN_TEXT],
        "mark": values.get("mark"),
        "comment": plain_row(values, "comment"),
        "source": plain_row(values, "source"),
        "place": values.get("page"),
        "raw": entry.raw[:SHOWN_TEXT],
        "needs_id": any(text.startswith(("it has the id ", "id is ")) for text in entry.problems),
        "problems": wrong(entry.problems, language),
    }


def _file_name(info: SetInfo) -> str:
    stem = Path(info.name).stem if info.origin == "file" else info.name
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in stem).strip("-")
    return f"{kept or 'data'}.jsonl"
