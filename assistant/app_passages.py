"""What a citation opens: its passage in the text around it, the page of a PDF with the passage highlighted, the file itself.

For the owner of the conversation only.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from assistant.app_config import texts
from assistant.app_routes import SANDBOX, CurrentUser, escaped, language_of, owned_passage, safely, small_page
from assistant.app_state import page
from assistant.app_transcript import file_beside
from knowledge.documents import KnowledgeError, Passage
from knowledge.page_picture import draw_page
from knowledge.splitting import split_sentences
from tools.engines.errors import EngineError
from tools.plain_text import ADDRESS

PICTURES_KEPT = 32
WEB_PAGES = ("text/html", "application/xhtml+xml")
AS_FETCHED = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
"""Foreign HTML may show what it says and do nothing."""
LONGEST_OVERLAP = 600
log = logging.getLogger(__name__)
router = APIRouter()
pictures: OrderedDict[str, bytes] = OrderedDict()
"""By the passage's id; in memory, so that nothing of a document is left behind on disk."""


@router.get("/passages/{passage_id}")
async def passage(request: Request, passage_id: str, user: CurrentUser) -> HTMLResponse:
    """The passage behind a citation, as a page of its own for who opens the link in a new tab."""
    data = await owned_passage(passage_id, user)
    before, quote, after = await _in_its_text(data)
    words = texts(language_of(request))
    body = f'<h1 dir="auto">{escaped(data["title"])}</h1><p dir="auto">{escaped(data["where"])}</p>'
    body += f'<blockquote dir="auto">{escaped(before)}<mark>{escaped(quote)}</mark>{escaped(after)}</blockquote>'
    if is_drawn(data):
        body += f'<img src="/passages/{escaped(passage_id)}/page.png" alt="{escaped(data["where"])}">'
    if data["file"]:
        how = ' target="_blank"' if is_web_page(data) else " download"
        body += f'<p><a href="/passages/{escaped(passage_id)}/file"{how}>{escaped(_opens(data, words))}</a></p>'
    return small_page(request, data["title"], body)


@router.get("/passages/{passage_id}/text")
async def passage_text(request: Request, passage_id: str, user: CurrentUser) -> Response:
    """The passage for the side panel: Markdown in which only the cited words stand out."""
    data = await owned_passage(passage_id, user)
    words = texts(language_of(request))
    before, quote, after = await _in_its_text(data)
    marked = _plain(before) + (f"**{_plain(quote)}**" if quote else "") + _plain(after)
    if data.get("start_s") is not None:
        marked += f"\n\n[{words['read_transcript']}](/transcripts/{passage_id}#t={data['start_s']:.0f})"
    elif data["file"]:
        marked += f"\n\n[{_opens(data, words)}](/passages/{passage_id}/file)"
    return Response(marked, media_type="text/plain; charset=utf-8", headers=SANDBOX)


@router.get("/passages/{passage_id}/page.png")
async def passage_picture(passage_id: str, user: CurrentUser) -> Response:
    """The page of a PDF, the passage highlighted."""
    data = await owned_passage(passage_id, user)
    try:
        picture = await picture_of(passage_id, data)
    except KnowledgeError as error:
        raise HTTPException(404, str(error)) from error
    return Response(picture, media_type="image/png", headers=SANDBOX)


@router.get("/passages/{passage_id}/file")
async def passage_file(passage_id: str, user: CurrentUser) -> Response:
    """The PDF, the recording or the web page that the passage comes from; of a page neither scripts nor anything from elsewhere."""
    data = await owned_passage(passage_id, user)
    if not data["file"] or not Path(data["file"]).is_file():
        raise HTTPException(404, "The document is no longer there.")
    if is_web_page(data):
        shown = f"text/html; charset={data.get('charset') or 'utf-8'}"
        return FileResponse(Path(data["file"]), media_type=shown, headers=AS_FETCHED)
    return safely(Path(data["file"]), data.get("mime") or "application/pdf", Path(data["file"]).name)


async def beside(passage_id: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The document of a passage as an element of the side panel: the picture of a page, whose name is its description; a
    recording at its second; a PDF that cannot be drawn at its page."""
    if not data["file"] or is_web_page(data):
        return None
    if is_drawn(data):
        try:
            await picture_of(passage_id, data)
        except KnowledgeError as error:
            log.info("the page is shown by the browser instead: %s", error)
        else:
            return {"type": "image", "url": f"/passages/{passage_id}/page.png", "mime": "image/png", "size": "large"}
    return file_beside(passage_id, data)


def is_drawn(data: Mapping[str, Any]) -> bool:
    """Whether the passage stands on a page of a PDF that lies here."""
    return bool(data["file"] and data["page"] and (data.get("mime") or "application/pdf") == "application/pdf")


def is_web_page(data: Mapping[str, Any]) -> bool:
    """Whether what was fetched lies here."""
    return bool(data["file"]) and data.get("mime") in WEB_PAGES


def _opens(data: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if is_web_page(data):
        return words["open_fetched"].format(date=str(data.get("fetched") or "")[:10])
    return words["open_document"]


async def picture_of(passage_id: str, data: Mapping[str, Any]) -> bytes:
    """Drawn once and kept for a while. Raises: KnowledgeError."""
    if not is_drawn(data) or not Path(data["file"]).is_file():
        raise KnowledgeError("The page is no longer there.", "Add the document again.")
    if passage_id not in pictures:
        phrases = [data["quote"], *_by_length(data["quote"]), data["text"], *_by_length(data["text"])]
        picture = await draw_page(Path(data["file"]), data["page"], phrases)
        pictures[passage_id] = picture
    pictures.move_to_end(passage_id)
    while len(pictures) > PICTURES_KEPT:
        pictures.popitem(last=False)
    return pictures[passage_id]


def _by_length(text: str) -> list[str]:
    """Its sentences, the most telling first, for a text that stands on the page only in parts."""
    return sorted(split_sentences(text), key=len, reverse=True)


async def _in_its_text(data: Mapping[str, Any]) -> tuple[str, str, str]:
    """(what stands before the cited words, the words, what stands after): in the text around the passage, of the same page."""
    quote, text = data["quote"].strip(), (await _around(data)).strip()
    before, found, after = text.partition(quote) if quote else (text, "", "")
    return (before, quote, after) if found else (text, "", "")


async def _around(data: Mapping[str, Any]) -> str:
    """The passage between its neighbours, as far as they stand on the same page; alone where its document is gone."""
    if is_drawn(data) or data.get("start_s") is not None or not data.get("collection"):
        return str(data["text"])
    try:
        every = await page().assistant.knowledge().passages(data["source"], collection=data["collection"])
    except (KnowledgeError, EngineError) as error:
        log.info("the passage is shown without its neighbours: %s", error)
        every = []
    here = next((n for n, p in enumerate(every) if p.text == data["text"]), None)
    return str(data["text"]) if here is None else _joined(every[max(0, here - 1) : here + 2], every[here])


def _joined(passages: list[Passage], middle: Passage) -> str:
    """Passages that follow each other as one text: what one repeats of the one before stands there once."""
    text = ""
    for passage in passages:
        if passage.page == middle.page:
            overlap = _overlap(text, passage.text)
            text += passage.text[overlap:] if overlap else f"\n\n{passage.text}"
    return text


def _overlap(before: str, after: str) -> int:
    lengths = range(min(len(before), len(after), LONGEST_OVERLAP), 0, -1)
    return next((n for n in lengths if before.endswith(after[:n])), 0)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, line breaks included; an address stands as code, so that it is no link."""
    shown, last = "", 0
    for found in ADDRESS.finditer(text):
        shown += f"{_escaped(text[last : found.start()])}`{found[0]}`"
        last = found.end()
    return shown + _escaped(text[last:])


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#+|~!&@-])", r"\\\1", text)
