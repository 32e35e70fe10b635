"""Who spoke, on the page of a transcript: the voices are told apart on demand, and the person names them.

The work goes on while the page is closed or loaded again; what it found is kept beside the transcript.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from assistant.app_config import texts
from assistant.app_errors import in_language
from assistant.app_routes import CurrentUser, escaped, language_of, owned_passage
from assistant.app_state import page
from tools.engines.errors import BadInput, EngineError, Stopped
from tools.who_spoke import LABEL, LONGEST_NAME, MOST_SPEAKERS, Speakers, read_speakers, rename_speakers, tell_apart

router = APIRouter()
_works: dict[Path, Work] = {}
_one_at_a_time = asyncio.Semaphore(1)


@dataclass
class Work:
    """The voices of one recording, being told apart."""

    stop: threading.Event = field(default_factory=threading.Event)
    fraction: float = 0.0
    task: asyncio.Task[None] | None = None

    def progress(self, fraction: float) -> None:
        self.fraction = fraction


@router.get("/transcripts/{transcript_id}/speakers")
async def state(request: Request, transcript_id: str, user: CurrentUser) -> JSONResponse:
    """How far it is, once it is asked for: "running" with a fraction, "failed" with a message, "done" or "none"."""
    transcript, _ = await _own(request, transcript_id, user)
    work = _works.get(transcript)
    if work and work.task and not work.task.done():
        return JSONResponse({"state": "running", "fraction": round(work.fraction, 3)})
    _works.pop(transcript, None)
    failure = work.task.exception() if work and work.task and not work.task.cancelled() else None
    if failure is not None and not isinstance(failure, Stopped):
        known = isinstance(failure, EngineError)
        message = in_language(str(failure), language_of(request)) if known else texts(language_of(request))["wrong"]
        return JSONResponse({"state": "failed", "message": message})
    return JSONResponse({"state": "done" if read_speakers(transcript) else "none"})


@router.post("/transcripts/{transcript_id}/speakers", status_code=202)
async def begin(
    request: Request,
    transcript_id: str,
    user: CurrentUser,
    count: Annotated[int, Query(ge=0, le=MOST_SPEAKERS)] = 0,
) -> dict[str, str]:
    """Tell them apart: `count` of them, or as many as there are."""
    transcript, recording = await _own(request, transcript_id, user)
    say = texts(language_of(request))
    if not recording.is_file():
        raise HTTPException(404, say["recording_gone"])
    running = _works.get(transcript)
    if running is None or running.task is None or running.task.done():
        work = _works[transcript] = Work()
        work.task = asyncio.create_task(_tell_apart(work, transcript, recording, count or None, say["speaker_n"]))
    return {"state": "running"}


@router.delete("/transcripts/{transcript_id}/speakers")
async def stop(request: Request, transcript_id: str, user: CurrentUser) -> dict[str, str]:
    transcript, _ = await _own(request, transcript_id, user)
    if work := _works.get(transcript):
        work.stop.set()
    return {"state": "stopped"}


@router.put("/transcripts/{transcript_id}/speakers")
async def rename(
    request: Request, transcript_id: str, user: CurrentUser, names: Annotated[dict[str, str], Body()]
) -> Mapping[str, str]:
    """The names of all of them, after some got another."""
    transcript, _ = await _own(request, transcript_id, user)
    try:
        return (await asyncio.to_thread(rename_speakers, transcript, names)).names
    except BadInput as error:
        raise HTTPException(400, in_language(str(error), language_of(request))) from error


async def stop_telling_apart() -> None:
    """At the end of the process, which would wait for it."""
    for work in _works.values():
        work.stop.set()
    if tasks := [work.task for work in _works.values() if work.task and not work.task.done()]:
        await asyncio.wait(tasks)


async def _tell_apart(work: Work, transcript: Path, recording: Path, count: int | None, called: str) -> None:
    apart = page().assistant.engines.tell_apart
    async with _one_at_a_time:
        await asyncio.to_thread(tell_apart, transcript, recording, apart, work.stop, count, called, work.progress)


async def _own(request: Request, transcript_id: str, user: Any) -> tuple[Path, Path]:
    """(transcript, recording) of this person's conversation. Raises: HTTPException."""
    data = await owned_passage(transcript_id, user)
    if not may_name(data):
        raise HTTPException(404, texts(language_of(request))["transcript_gone"])
    return Path(data["transcript"]), Path(data["file"] or "")


def may_name(data: Mapping[str, Any]) -> bool:
    """A transcript of the conversation itself; one that was kept in the knowledge base stays as it was kept."""
    made = page().settings.home / "artifacts"
    path = Path(str(data.get("transcript") or ""))
    return path.is_relative_to(made) and path.is_file()


def who_spoke(speakers: Speakers | None, say: Mapping[str, str]) -> str:
    """The part of the transcript's page in which they are told apart and named."""
    choices = "".join(f'<option value="{n}">{n}</option>' for n in range(2, MOST_SPEAKERS + 1))
    names = "".join(
        f'<label>{escaped(say["name_of"].format(name=say["speaker_n"].format(n=label.removeprefix(LABEL))))} <input maxlength="{LONGEST_NAME}" required '
        f'data-speaker="{escaped(label)}" value="{escaped(name)}"></label>'
        for label, name in (speakers.names.items() if speakers else ())
    )
    return (
        f'<details id="who"><summary>{escaped(say["who_spoke"])}</summary>'
        f'<form id="tell-apart"><label>{escaped(say["who_count"])} <select name="count">'
        f'<option value="0">{escaped(say["who_auto"])}</option>{choices}</select></label>'
        f"<button>{escaped(say['who_tell_apart'])}</button></form>"
        f'<p id="telling" hidden><progress aria-label="{escaped(say["who_working"])}"></progress> '
        f'<button type="button">{escaped(say["who_stop"])}</button></p>'
        f'<p id="who-told" role="status" data-saved="{escaped(say["name_saved"])}" '
        f'data-stopped="{escaped(say["stopped"])}" '
        f'data-unreachable="{escaped(say["unreachable"])}"></p><div id="names">{names}</div></details>'
    )
