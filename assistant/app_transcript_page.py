"""The page on which a transcript is read and heard, and the sound that it plays; for the owner of the conversation only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from assistant.app_config import texts
from assistant.app_routes import SANDBOX, CurrentUser, escaped, language_of, owned_passage, safely
from assistant.app_speakers import may_name, who_spoke
from assistant.app_state import page
from assistant.app_transcript import language_name
from tools.engines.base import Segment
from tools.transcript import FORMATS, Transcript, short_stamp
from tools.who_spoke import read_speakers, read_spoken

TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt", "json": "application/json", "txt": "text/plain"}
router = APIRouter()


@router.get("/transcripts/{transcript_id}")
async def read(request: Request, transcript_id: str, user: CurrentUser) -> HTMLResponse:
    data = await owned_passage(transcript_id, user)
    say, own = texts(language_of(request)), may_name(data)
    speakers = await asyncio.to_thread(read_speakers, Path(data["transcript"])) if own else None
    transcript = await _transcript(data, say)
    if speakers:
        transcript = replace(transcript, segments=speakers.segments)
    who = who_spoke(speakers, say) if own and transcript.segments and data.get("mime") else ""
    lines = _lines(transcript.segments, speakers.names if speakers else {}, say)
    return HTMLResponse(_page(data, transcript, transcript_id, language_of(request)[:2], say, who + lines))


@router.get("/transcripts/{transcript_id}/file")
async def download(
    request: Request,
    transcript_id: str,
    user: CurrentUser,
    format: Annotated[str, Query(pattern="^(txt|srt|vtt|json)$")] = "txt",  # noqa: A002  (the word in the address)
) -> Response:
    data = await owned_passage(transcript_id, user)
    text = FORMATS[format](await _transcript(data, texts(language_of(request))))
    name = f"attachment; filename*=utf-8''{quote(Path(str(data['title'])).stem or 'transcript', safe='')}.{format}"
    return Response(text, media_type=TYPES[format], headers={"Content-Disposition": name} | SANDBOX)


@router.get("/transcripts/{transcript_id}/media")
async def media(request: Request, transcript_id: str, user: CurrentUser) -> Response:
    """The recording, in ranges as the player asks for them."""
    data = await owned_passage(transcript_id, user)
    if not data.get("mime") or not data["file"] or not Path(data["file"]).is_file():
        raise HTTPException(404, texts(language_of(request))["recording_gone"])
    return safely(Path(data["file"]), data["mime"], data["title"])


async def _transcript(data: Mapping[str, Any], say: Mapping[str, str]) -> Transcript:
    """From its file; of a kept recording from its passages in the knowledge base."""
    path = data.get("transcript")
    if path and Path(path).is_file():
        value = await asyncio.to_thread(read_spoken, Path(path))
        return Transcript(value["language"], value["duration_s"], value["segments"])
    found = await page().assistant.knowledge().passages(data["source"], collection=str(data.get("collection")))
    starts = [p.start_s for p in found if p.start_s is not None]
    if not starts:
        raise HTTPException(404, say["transcript_gone"])
    ends = [*starts[1:], starts[-1] + 30.0]
    return Transcript(None, ends[-1], [Segment(s, e, p.text) for s, e, p in zip(starts, ends, found, strict=True)])


def _page(
    data: Mapping[str, Any], transcript: Transcript, own: str, language: str, say: Mapping[str, str], main: str
) -> str:
    tag = "video" if str(data.get("mime")).startswith("video/") else "audio"
    player = f'<{tag} id="player" controls preload="metadata" src="/transcripts/{escaped(own)}/media"></{tag}>'
    about = " · ".join(filter(None, [short_stamp(transcript.duration_s), language_name(transcript.language, say)]))
    files = " ".join(
        f'<a href="/transcripts/{escaped(own)}/file?format={f}" download>{f.upper()}</a>'
        for f in ("srt", "vtt", "txt", "json")
    )
    find = escaped(say["find_in_transcript"])
    return (
        f'<!doctype html><html lang="{escaped(language)}"><head><meta charset="utf-8"><title>{escaped(data["title"])}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/transcript.css">'
        '<script src="/public/theme.js"></script><script src="/public/transcript.js" defer></script></head>'
        f'<body><nav><a href="/">← {escaped(say["history_back"])}</a></nav><header><h1>{escaped(data["title"])}</h1>'
        f'<p class="links">{escaped(about)} · {files}</p>{player if data.get("mime") and data["file"] else ""}'
        f'<form role="search"><input id="find" type="search" aria-label="{find}" placeholder="{find}">'
        f'<output id="found" aria-live="polite"></output></form><p class="links">{escaped(say["transcript_keys"])}</p></header>'
        f"<main>{main}</main></body></html>"
    )


def _lines(segments: Sequence[Segment], names: Mapping[str, str], say: Mapping[str, str]) -> str:
    lines: list[str] = []
    speaker: str | None = None
    for segment in segments:
        changed, speaker = segment.speaker != speaker, segment.speaker
        called = escaped(names.get(speaker or "", speaker or ""))
        name = f'<b data-speaker="{escaped(speaker)}">{called}</b>' if speaker and changed else ""
        time = short_stamp(segment.start_s)
        label = escaped(say["play_from"].format(time=time))
        lines.append(
            f'<li data-start="{segment.start_s}" data-end="{segment.end_s}">'
            f'<button type="button" aria-label="{label}">{time}</button><p>{name}{_words(segment)}</p></li>'
        )
    return f'<ol id="lines">{"".join(lines)}</ol>'


def _words(segment: Segment) -> str:
    if not segment.words:
        return escaped(segment.text)
    return " ".join(f'<span data-start="{w.start_s}">{escaped(w.text.strip())}</span>' for w in segment.words)
