"""What the page that compares asks for: models to choose from, a comparison as it runs, the vote, the leaderboard, what was drawn."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from assistant.app_compare_wishes import Wished, may_use, models_offered
from assistant.app_compare_wishes import candidates_of as read_wished
from assistant.app_config import compare_texts
from assistant.app_errors import in_language, told
from assistant.app_knowledge import OwnShelf
from assistant.app_knowledge_jobs import receive
from assistant.app_prompt_commands import language_code
from assistant.app_routes import SANDBOX, CurrentUser, language_of, safely
from assistant.app_state import page
from assistant.comparing import CAPABILITY, FOLDER, Ask, Conclude, Event, Wish, compare, open_votes, revealed
from assistant.comparing_media import drawing, transcribing, words_compared
from assistant.comparing_text import asking, retriever
from assistant.history import sqlite_url
from assistant.leaderboard import as_csv, as_json_lines, board_rows, leaderboard, pairs_of, rows_of
from assistant.picture_grid import write_grid
from assistant.prompted import with_prompts
from assistant.shelf import Shelf
from assistant.votes import Task, Votes
from tools.engines.base import ImageRequest
from tools.engines.errors import BadInput
from tools.sniff import sniff

GRID = "grid.png"
LARGEST_SEED = 2**31 - 1
STALE_S = 24 * 3600
TICK_S = 5.0
"""After so long without news an empty line is sent: who has left is noticed."""

router = APIRouter(prefix="/compare/api")
_recordings: dict[str, tuple[str, Path, str]] = {}
"""Recordings that were dropped and not yet compared: (whose, where, name)."""


class Asked(BaseModel):
    """What a person wants compared. `asked` is the question or prompt, `recording` what `/recordings` called the file, `sound_s`
    how long it is by the browser."""

    task: Task
    asked: str = Field("", max_length=60_000)
    candidates: list[Wished] = Field(max_length=8)
    blind: bool = False
    time_limit_s: float | None = None
    recording: str = ""
    reference: str = Field("", max_length=200_000)
    language: str | None = Field(None, max_length=20)
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)
    sound_s: float | None = Field(None, ge=0, allow_inf_nan=False)


class Vote(BaseModel):
    id: str = Field(max_length=40)
    choice: str = Field(max_length=8)


@router.get("/models")
async def models(_user: CurrentUser, task: Task = "text") -> dict[str, Any]:
    """What can be chosen, and where each goes."""
    here = page()
    return {"models": await asyncio.to_thread(models_offered, here.settings, here.assistant.engines, CAPABILITY[task])}


@router.get("/prompts")
async def prompts(request: Request, user: CurrentUser) -> dict[str, Any]:
    """What a candidate can take from the library, as the chat offers it. Raises: HistoryError."""
    found = await page().assistant.prompts.of(user.identifier, language_code(language_of(request)))
    rows = [{"name": p.name, "title": p.title, "inputs": [one.as_json() for one in p.inputs]} for p in found]
    return {"prompts": rows}


@router.post("/recordings")
async def recordings(
    request: Request, user: CurrentUser, name: Annotated[str, Query(max_length=200)]
) -> dict[str, str]:
    """A recording as the body of the request; it is deleted once it was compared."""
    folder = page().settings.home / FOLDER / "recordings"
    for key, (whose, path, _name) in list(_recordings.items()):
        if whose == user.identifier:
            _drop(key, path)
    await asyncio.to_thread(_drop_stale, folder)
    key = secrets.token_hex(16)
    path = folder / (key + "".join(c for c in Path(name).suffix.lower() if c.isalnum() or c == ".")[:9])
    try:
        await receive(request, path)
        found = await asyncio.to_thread(sniff, path, name, page().settings.max_upload_mb * 1_000_000)
    except (BadInput, OSError) as error:
        path.unlink(missing_ok=True)
        message = error.message if isinstance(error, BadInput) else f"{name}: {error.strerror}."
        remedy = error.remedy if isinstance(error, BadInput) else ""
        raise HTTPException(400, _in_words(message, remedy, language_of(request))) from error
    if not found.mime_type.startswith(("audio/", "video/")):
        path.unlink(missing_ok=True)
        raise HTTPException(400, compare_texts(language_of(request))["not_sound"].format(name=name))
    _recordings[key] = (user.identifier, path, Path(name).name)
    return {"id": key, "name": Path(name).name}


@router.post("/run")
async def run(request: Request, user: CurrentUser, shelf: OwnShelf, asked: Asked) -> StreamingResponse:
    """A comparison, an event a line. Leaving it stops all candidates. Raises: SettingsError, HTTPException."""
    say = compare_texts(language_of(request))
    for wished in asked.candidates:
        if not await asyncio.to_thread(may_use, page().settings, wished.model, CAPABILITY[asked.task]):
            raise HTTPException(400, say["not_offered"].format(model=wished.model))
    if asked.task == "image" and not page().settings.image.enabled:
        raise HTTPException(400, say["no_pictures"])
    candidates = read_wished(asked.candidates, page().settings, asked.task)
    candidates = await with_prompts(candidates, page().assistant.prompts, user.identifier)
    recording = _recording(asked, user.identifier, say) if asked.task == "speech" else None
    text = recording[2] if recording else asked.asked.strip()
    if not text:
        raise HTTPException(400, say["question_hint"])
    wish = Wish(asked.task, text, candidates, user.identifier, asked.blind, asked.time_limit_s)
    ask, conclude, folder = _asking(asked, shelf, recording[1] if recording else None)
    lines = _lines(wish, ask, conclude, language_of(request), folder, (asked.recording, recording))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


def _asking(asked: Asked, shelf: Shelf, recording: Path | None) -> tuple[Ask, Conclude | None, Path | None]:
    """(how each is asked, what follows once all have ended, where pictures go)."""
    here = page()
    engines, table = here.assistant.engines, here.settings.image
    if recording is not None:
        return transcribing(recording, engines, asked.language or None), words_compared(asked.reference or None), None
    if asked.task == "text":
        return asking(asked.asked.strip(), engines, retriever(shelf.knowledge, shelf.collections)), None, None
    seed = secrets.randbelow(LARGEST_SEED) if asked.seed is None else asked.seed
    folder = here.settings.home / FOLDER / secrets.token_hex(16)
    request = ImageRequest(asked.asked.strip(), steps=table.steps, guidance_scale=table.guidance_scale, seed=seed)
    return drawing(request, engines, folder), None, folder


async def _lines(
    wish: Wish,
    ask: Ask,
    conclude: Conclude | None,
    language: str,
    folder: Path | None,
    recording: tuple[str, tuple[str, Path, str] | None],
) -> AsyncIterator[str]:
    """Every event as a line of JSON; empty lines where nothing comes for a while."""
    drawn: dict[str, Path] = {}
    rows: list[Event] = []
    try:
        async with _votes() as votes:
            events = compare(wish, ask, page().assistant.engines, votes, conclude)
            async with aclosing(cast(Any, _ticking(events))) as running:
                async for event in running:
                    if event is None:
                        yield "\n"
                        continue
                    rows = event["candidates"] if event["event"] == "comparison" else rows
                    if event["event"] == "done" and event.get("path"):
                        drawn[event["letter"]] = Path(event["path"])
                    if event["event"] == "finished" and drawn and folder:
                        shown = [(row["letter"], drawn.get(row["letter"])) for row in rows]
                        await asyncio.to_thread(write_grid, shown, folder / GRID)
                    yield json.dumps(_plain(event, language), ensure_ascii=False) + "\n"
    finally:
        key, kept = recording
        if kept:
            _drop(key, kept[1])


async def _ticking(events: AsyncIterator[Event]) -> AsyncIterator[Event | None]:
    """The events, and None whenever nothing has come for a while."""
    upcoming: asyncio.Future[Event] | None = None
    async with aclosing(cast(Any, events)):
        try:
            while True:
                upcoming = upcoming or asyncio.ensure_future(cast(Any, anext(events)))
                done, _ = await asyncio.wait([upcoming], timeout=TICK_S)
                if not done:
                    yield None
                    continue
                finished, upcoming = upcoming, None
                try:
                    event = finished.result()
                except StopAsyncIteration:
                    return
                yield event
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)


@router.post("/vote")
async def vote(request: Request, user: CurrentUser, given: Vote) -> dict[str, Any]:
    """Raises: VoteError."""
    async with _votes() as votes:
        found = revealed(await votes.vote(given.id, user.identifier, given.choice))
    outcomes = [_plain(outcome, language_of(request)) for outcome in found["outcomes"]]
    return {**found, "outcomes": outcomes}


@router.get("/board")
async def board(user: CurrentUser, task: Task = "text") -> dict[str, Any]:
    async with _votes() as votes:
        found = await votes.of(user.identifier, task)
    rows = await asyncio.to_thread(leaderboard, found)
    return {"rows": list(board_rows(rows, task)), "votes": sum(bool(pairs_of(c)) for c in found)}


@router.get("/export")
async def export(
    user: CurrentUser, form: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl"
) -> Response:
    """Everything this person compared and voted."""
    async with _votes() as votes:
        rows = rows_of(await votes.of(user.identifier))
    text = as_json_lines(rows) if form == "jsonl" else as_csv(rows)
    name = {"Content-Disposition": f'attachment; filename="comparisons.{form}"', "Cache-Control": "no-store"}
    kind = "application/x-ndjson" if form == "jsonl" else "text/csv; charset=utf-8"
    return Response(text, media_type=kind, headers=SANDBOX | name)


@router.get("/picture/{comparison}/{letter}")
async def picture(user: CurrentUser, comparison: str, letter: str) -> Response:
    """A picture of a comparison, or with `grid` all of them."""
    async with _votes() as votes:
        found = await votes.find(comparison, user.identifier)
    paths = {x: Path(o["path"]) for x, o in found.outcomes.items() if o.get("path")}
    first = next(iter(paths.values()), None)
    path = first.with_name(GRID) if letter == "grid" and first else paths.get(letter)
    if path is None or not path.is_file() or not path.is_relative_to(page().settings.home / FOLDER):
        raise HTTPException(404, "There is no such picture.")
    return safely(path, "image/png", f"{letter}.png")


def _plain(event: Event, language: str) -> Event:
    """For the browser: reasons in its language, no paths of this machine."""
    shown = {name: value for name, value in event.items() if name != "path"}
    if "path" in event:
        shown["picture"] = True
    if event["event"] == "failed" and "message" in event:
        shown["message"] = _in_words(event["message"], event.get("remedy", ""), language)
    return shown


def _in_words(message: str, remedy: str, language: str) -> str:
    """As one line: some translations take the two together, some one by one."""
    both = f"{message} {remedy}".strip()
    found = in_language(both, language)
    return found if found != both else told(message, remedy, language)


def _recording(asked: Asked, user: str, say: Any) -> tuple[str, Path, str]:
    found = _recordings.get(asked.recording)
    if found is None or found[0] != user or not found[1].is_file():
        raise HTTPException(400, say["no_recording"])
    return found


def _drop_stale(folder: Path) -> None:
    """What was dropped and never compared, and whose page is long gone."""
    for path in folder.glob("*"):
        if path.stat().st_mtime < time.time() - STALE_S:
            path.unlink(missing_ok=True)


def _drop(key: str, path: Path) -> None:
    _recordings.pop(key, None)
    path.unlink(missing_ok=True)


@asynccontextmanager
async def _votes() -> AsyncIterator[Votes]:
    settings = page().settings
    async with open_votes(settings.database or sqlite_url(settings.home)) as votes:
        yield votes
