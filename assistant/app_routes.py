"""The page's own routes, in front of Chainlit's: signing in, uploads, files, feedback, history and export.

Every file is checked for its owner and its content, and goes out so that no browser runs it.
"""

from __future__ import annotations

import asyncio
import errno
import html
import json
import re
import secrets
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from chainlit.auth import create_jwt, get_current_user, set_auth_cookie
from chainlit.server import get_html_template
from chainlit.session import WebsocketSession
from chainlit.types import DeleteFeedbackRequest, UpdateFeedbackRequest
from chainlit.user import User
from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from assistant.accounts import LONGEST_NAME, Account, Throttle
from assistant.app_cited import as_still_readable
from assistant.app_config import browser_texts, texts
from assistant.app_errors import in_language
from assistant.app_guard import policy
from assistant.app_state import page
from assistant.engines import leaves_machine
from assistant.history import TurnRecord
from assistant.receipts import without_material
from tools.engines.errors import BadInput
from tools.sniff import sniff

SHOWN = re.compile(
    r"image/(png|jpeg|gif|webp|bmp|avif)|audio/[\w.+-]+|video/[\w.+-]+|application/(pdf|ogg)|text/(plain|vtt)"
)
"""Types that a browser shows without running anything. Everything else goes out as unnamed bytes."""
SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, max-age=3600"}
FILES_A_SESSION = 100
OURS = (
    '<script nonce="{nonce}" src="/public/costs.js" defer></script>'
    '<script nonce="{nonce}" src="/public/prompt_inputs.js" defer></script>'
    '<script nonce="{nonce}" src="/public/voice.js" defer></script>'
    '<script nonce="{nonce}" src="/public/hands_free.js" defer></script>'
    '<script nonce="{nonce}" src="/public/brush.js" defer></script>'
    '<link rel="stylesheet" href="/public/voice.css">'
    '<link rel="stylesheet" href="/public/brush.css">'
)

router = APIRouter()
guesses = Throttle(limit=5)
visitors = Throttle(limit=30)
checking = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
"""Checking a password is slow on purpose; others' work does not wait for it."""
CurrentUser = Annotated[Any, Depends(get_current_user)]


# The page itself


@router.get("/")
@router.get("/login")
@router.get("/login/callback")
@router.get("/env")
@router.get("/thread/{_id}")
@router.get("/element/{_id}")
async def show_page(request: Request) -> HTMLResponse:
    """Chainlit's page without its links to other machines; its inline scripts carry a nonce."""
    nonce = secrets.token_urlsafe(16)
    language = language_of(request)
    text = re.sub(r'<link[^>]*href="https?://[^>]*>', "", get_html_template(""))
    text = re.sub(r"<script(?=[ >])", f'<script nonce="{nonce}"', text)
    said = dict(browser_texts(language))
    if leaves_machine(page().settings):
        said["hint"] = said["hint_hosted"]
    words = json.dumps(said).replace("<", "\\u003c")
    ours = f'<script nonce="{nonce}">window.assistantTexts = {words};</script>{OURS.format(nonce=nonce)}'
    text = text.replace("<head>", f"<head>{ours}", 1)
    text = text.replace('<html lang="en">', f'<html lang="{language[:2]}">', 1)
    return HTMLResponse(text, headers={"Content-Security-Policy": policy(nonce), "Cache-Control": "no-store"})


@router.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


# Signing in


@router.post("/login")
async def sign_in(request: Request, username: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
    """The session cookie for a right password. Attempts are counted by address and name before they are checked."""
    address = request.client.host if request.client else ""
    guess = f"{address} {username[:LONGEST_NAME]}"
    wait_s = max(guesses.wait_s(guess), visitors.wait_s(address))
    if wait_s:
        raise HTTPException(429, "Too many attempts. Wait and try again.", {"Retry-After": str(int(wait_s) + 1)})
    guesses.failed(guess)
    visitors.failed(address)
    account = await _verified(username, password)
    if account is None:
        raise HTTPException(401, "Name or password is wrong.")
    guesses.passed(guess)
    visitors.take_back(address)
    user = User(identifier=account.name, metadata={"stamp": account.stamp})
    await page().store.create_user(user)
    response = JSONResponse({"success": True})
    set_auth_cookie(request, response, create_jwt(user))
    return response


async def _verified(name: str, password: str) -> Account | None:
    if not page().settings.login:
        return None
    return await asyncio.get_running_loop().run_in_executor(checking, page().accounts.verify, name, password)


# Files


@router.post("/project/file")
async def upload(request: Request, session_id: str, file: UploadFile, user: CurrentUser) -> dict[str, str]:
    """A dropped file: written to disk in pieces, told by its content, refused when no tool reads it."""
    session = _session(session_id, user)
    words = texts(language_of(request))
    if len(session.files) >= FILES_A_SESSION:
        raise HTTPException(400, words["too_many_files"].format(n=FILES_A_SESSION))
    name = Path(file.filename or "file").name[:200]
    path = Path(session.files_dir) / str(uuid.uuid4())
    try:
        await asyncio.to_thread(_write, file, path)
        found = await asyncio.to_thread(sniff, path, name, page().settings.max_upload_mb * 1_000_000)
    except BadInput as error:
        path.unlink(missing_ok=True)
        raise HTTPException(400, in_language(str(error), language_of(request))) from error
    except OSError as error:
        path.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise HTTPException(507, words["disk_full"] if full else f"{name}: {error.strerror}.") from error
    named = path.with_suffix(_suffix(name))
    path.rename(named)
    session.files[path.name] = {
        "id": path.name,
        "path": named,
        "name": name,
        "type": found.mime_type,
        "size": named.stat().st_size,
    }
    return {"id": path.name, "type": found.mime_type}


@router.get("/project/file/{file_id}")
async def fresh_file(file_id: str, session_id: str, user: CurrentUser) -> Response:
    file = _session(session_id, user).files.get(file_id)
    if file is None:
        raise HTTPException(404, "There is no such file.")
    return safely(Path(file["path"]), file["type"], file["name"])


@router.get("/files/{element_id}")
async def kept_file(element_id: str, user: CurrentUser) -> Response:
    """A file of a conversation, for its owner only."""
    found = await page().store.file(element_id)
    if found is None or not found[0].exists():
        raise HTTPException(404, "There is no such file.")
    path, mime_type, name, thread = found
    await _owned(thread, user)
    return safely(path, mime_type, name)


# Feedback


@router.put("/feedback")
async def give_feedback(update: UpdateFeedbackRequest, user: CurrentUser) -> dict[str, Any]:
    step = await page().store.step(update.feedback.forId)
    if step is None:
        raise HTTPException(404, "There is no such answer.")
    await _owned(step["threadId"], user)
    return {"success": True, "feedbackId": await page().store.upsert_feedback(update.feedback)}


@router.delete("/feedback")
async def take_feedback_back(payload: DeleteFeedbackRequest, user: CurrentUser) -> dict[str, bool]:
    thread = await page().store.feedback_thread(payload.feedbackId)
    if thread is None:
        raise HTTPException(404, "There is no such feedback.")
    await _owned(thread, user)
    return {"success": await page().store.delete_feedback(payload.feedbackId)}


# History


@router.get("/history")
async def history(request: Request, user: CurrentUser, q: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Conversations that hold some words, and the download of all."""
    words = texts(language_of(request))
    turns = await page().assistant.history.search(user.identifier, q.strip(), 50)
    known = await page().store.threads_of(user.identifier)
    found = "".join(_hit(turn, turn.thread in known) for turn in turns)
    body = (
        f"<h1>{escaped(words['history'])}</h1>"
        f'<form role="search"><input name="q" value="{escaped(q)}" aria-label="{escaped(words["history_search"])}" '
        f'placeholder="{escaped(words["history_search"])}" autofocus><button>{escaped(words["history_find"])}</button></form>'
        f'<p class="links">{escaped(words["history_export"])}: <a href="/export?format=md" download>Markdown</a> '
        f'<a href="/export?format=json" download>JSON</a></p>'
        f"<ol>{found}</ol>{'' if found else '<p>' + escaped(words['history_none']) + '</p>'}"
    )
    return small_page(request, words["history"], body)


@router.get("/export")
async def export(
    request: Request,
    user: CurrentUser,
    format: Annotated[str, Query(pattern="^(md|json)$")] = "md",  # noqa: A002  (the word in the address)
    thread: str | None = None,
) -> Response:
    """Everything that was said, as Markdown or JSON."""
    threads = await page().assistant.history.export(user.identifier, thread)
    for turn in (turn for told in threads for turn in told["turns"]):
        turn["receipt"] = without_material(turn["tool"], turn["receipt"])
    if format == "json":
        text, mime_type = json.dumps(threads, ensure_ascii=False, indent=1), "application/json"
    else:
        text, mime_type = _markdown(threads, texts(language_of(request))), "text/markdown; charset=utf-8"
    name = f'attachment; filename="conversations.{format}"'
    return Response(text, media_type=mime_type, headers={"Content-Disposition": name} | SANDBOX)


def language_of(request: Request) -> str:
    return request.headers.get("accept-language", "en-US").split(",")[0].strip() or "en-US"


def _session(session_id: str, user: Any) -> WebsocketSession:
    session = WebsocketSession.get_by_id(session_id)
    if session is None or session.user is None or session.user.identifier != user.identifier:
        raise HTTPException(401, "The session is over. Load the page again.")
    return session


async def owned_passage(passage_id: str, user: Any) -> dict[str, Any]:
    """Of this person's conversation; its files are None where their document was taken back. Raises: HTTPException."""
    found = await page().store.passage(passage_id)
    if found is None:
        raise HTTPException(404, "There is no such passage.")
    await _owned(found[0], user)
    return await as_still_readable(*found, user.identifier)


async def _owned(thread: str, user: Any) -> None:
    if await page().store.get_thread_author(thread) != user.identifier:
        raise HTTPException(404, "There is no such conversation.")


def safely(path: Path, mime_type: str, name: str) -> FileResponse:
    shown = mime_type if SHOWN.fullmatch(mime_type) else "application/octet-stream"
    return FileResponse(path, media_type=shown, filename=name, content_disposition_type="attachment", headers=SANDBOX)


def _write(file: UploadFile, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        shutil.copyfileobj(file.file, out, 1 << 20)


def _suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def _markdown(threads: list[dict[str, Any]], words: Any) -> str:
    lines = []
    for thread in threads:
        lines += [f"# {thread['title']}", ""]
        for turn in thread["turns"]:
            lines += [f"## {words['question']} — {_date(turn['created'])}", "", turn["request"], ""]
            lines += [f"## {words['answer']}", "", turn["answer"], ""]
    return "\n".join(lines)


def _hit(turn: TurnRecord, linked: bool) -> str:
    """The page cannot open what was said on the command line, so only its own conversations are links."""
    title = escaped(turn.request[:160] or "…")
    shown = f'<a href="/thread/{escaped(turn.thread)}">{title}</a>' if linked else f"<b>{title}</b>"
    return f"<li>{shown}<time>{_date(turn.created)}</time><p>{escaped(turn.answer[:240])}</p></li>"


def small_page(request: Request, title: str, body: str) -> HTMLResponse:
    language = language_of(request)
    back = escaped(texts(language)["history_back"])
    return HTMLResponse(
        f'<!doctype html><html lang="{escaped(language[:2])}"><head><meta charset="utf-8"><title>{escaped(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        f'<link rel="stylesheet" href="/public/small.css"><script src="/public/theme.js"></script></head><body><nav><a href="/">← {back}</a></nav>'
        f"<main>{body}</main></body></html>"
    )


def _date(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def escaped(text: str) -> str:
    return html.escape(text, quote=True)
