"""Serves the chat page: Chainlit mounted behind our own routes and door, on one port, in one process.

Sessions live in the process, so there is one worker; several replicas behind a balancer need sticky routing.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.app_guard import LOOPBACK
from assistant.settings import Settings, SettingsError
from knowledge.documents import KnowledgeError
from tools.engines.errors import EngineError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from assistant.app_state import Page

HANDLERS = Path(__file__).with_name("app.py")
LEAVE_WITHIN_S = 3


def serve(settings: Settings) -> None:
    """Run the page until it is interrupted.

    Raises: SettingsError (port in use, open to others without login, bad certificate, home not writable).
    """
    if settings.host not in LOOPBACK and not settings.login:
        raise SettingsError(
            f"host is {settings.host}, which others can reach. Set login = true and add a user, or use 127.0.0.1."
        )
    listening = _listen(settings)
    try:
        import uvicorn

        config = uvicorn.Config(
            build(settings),
            log_level="warning",
            ssl_certfile=settings.cert,
            ssl_keyfile=settings.key,
            timeout_graceful_shutdown=LEAVE_WITHIN_S,
            server_header=False,
        )
        config.load()
    except OSError as error:
        raise SettingsError(_why_not(settings, error)) from error
    print(f"The assistant is at {address(settings)}", file=sys.stderr, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def build(settings: Settings) -> ASGIApp:
    """The whole page as one ASGI app. Chainlit allows one a process. Raises: OSError, SettingsError."""
    settings.home.mkdir(parents=True, exist_ok=True)
    from assistant.app_config import prepare

    prepare(settings)
    from chainlit.auth import decode_jwt
    from chainlit.config import load_module
    from chainlit.server import app as chainlit
    from fastapi import FastAPI
    from jwt import InvalidTokenError

    from assistant.app_guard import Guard
    from assistant.app_knowledge import knowledge_failed
    from assistant.app_pages import ROUTERS
    from assistant.app_state import open_page
    from assistant.history import HistoryError

    page = _open(settings)
    open_page(page)
    app = FastAPI(lifespan=lambda _app: _running(page), openapi_url=None, docs_url=None, redoc_url=None)
    for router in ROUTERS:
        app.include_router(router)
    for error in (SettingsError, HistoryError, KnowledgeError, EngineError):
        app.add_exception_handler(error, knowledge_failed)
    load_module(str(HANDLERS))
    app.mount("/", chainlit)

    def signed_in(token: str) -> bool:
        try:
            user = decode_jwt(token)
        except InvalidTokenError:
            return False
        return page.welcome(user.identifier, user.metadata.get("stamp", ""))

    return Guard(app, settings, signed_in)


def address(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.cert else 'http'}://{host}:{settings.port}"


def _open(settings: Settings) -> Page:
    from assistant.accounts import Accounts
    from assistant.app_state import Page
    from assistant.app_storage import PageStore
    from assistant.bootstrap import build_assistant
    from assistant.history import sqlite_url
    from assistant.owners import Owners

    store = PageStore(settings.database or sqlite_url(settings.home), settings.home / "files")
    page = Page(settings, build_assistant(settings), store, Accounts(settings.home), Owners(store.open))

    store.on_delete = lambda thread: _forget(page, thread)
    return page


async def _forget(page: Page, thread: str) -> None:
    """What a deleted conversation leaves elsewhere: its turns, what it made, and the documents only it knew."""
    from assistant.app_storage import thread_folder

    made = thread_folder(page.settings.home / "artifacts", thread)
    await page.assistant.history.delete_thread(thread)
    await asyncio.to_thread(shutil.rmtree, made, True)
    if (page.settings.home / "knowledge").exists():
        knowledge, collection = page.assistant.knowledge(), f"thread-{thread}"
        for source in knowledge.sources([collection]):
            await knowledge.forget(source.source, collection=collection)


@contextlib.asynccontextmanager
async def _running(page: Page) -> AsyncIterator[None]:
    """Chainlit's own start and end never run when it is mounted; this is the page's."""
    await page.store.open()
    await page.assistant.history.mark_interrupted()
    from assistant.app_evaluation_queue import stop_evaluating
    from assistant.app_knowledge_jobs import go_on_reading, stop_reading
    from assistant.app_model_pull import stop_pulling
    from assistant.app_speakers import stop_telling_apart

    go_on_reading()
    yield
    await stop_evaluating()
    await stop_pulling()
    await stop_telling_apart()
    await stop_reading()
    await page.assistant.close()
    await page.store.close()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(
            f"{settings.host}:{settings.port} cannot be opened: {getattr(error, 'strerror', None) or error}. "
            "Choose another with --port, or stop what uses it."
        ) from error
    return listening


def _why_not(settings: Settings, error: OSError) -> str:
    if settings.cert and (error.filename is None or Path(error.filename) in (settings.cert, settings.key)):
        return f"cert and key cannot be used: {error.strerror or error}. Give a PEM certificate and its key."
    return (
        f"{error.filename or settings.home} cannot be written: {error.strerror or error}. Set ASSISTANT_HOME elsewhere."
    )
