"""The door of the page: which hosts, origins, paths and sizes come in, and the headers that every answer carries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.settings import Settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
COOKIE = "access_token"
LARGEST_BODY = 2_000_000
UPLOADS = (
    "/project/file",
    "/knowledge/api/files",
    "/compare/api/recordings",
    "/evaluations/api/sets",
    "/evaluations/api/recordings",
)
ASSETS = "/assets/"
"""Chainlit names these files by their content."""
UPLOAD_OVERHEAD = 100_000

POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
}
OPEN = re.compile(
    r"/(|login|login/callback|thread/[\w-]+|element/[\w-]+|env|health|history|export|knowledge|models|prompts|evaluations|logout|user|feedback|favicon|logo"
    r"|(public|assets|avatars|files|passages|transcripts|receipts|evaluations|knowledge/api|models/api|prompts/api)/.+|ws/socket\.io/?|auth/(config|header)|set-session-cookie"
    r"|project/(translations|settings|threads|thread(/(?!share\b)[\w/-]+)?|action|file(/[\w-]+)?)|compare(/api/.+)?)"
)
"""All that there is. Chainlit's other routes (API description, MCP, OAuth, sharing, embedding) stay shut."""


def policy(nonce: str = "") -> str:
    """The Content-Security-Policy of the page. Inline scripts run only with the nonce; sound worklets come as blobs."""
    rules = POLICY | ({"script-src": f"'self' 'nonce-{nonce}' blob:"} if nonce else {})
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class Guard:
    def __init__(self, app: ASGIApp, settings: Settings, signed_in: Callable[[str], bool]) -> None:
        """`signed_in` tells whether the value of a session cookie is still good; one that is not is taken off."""
        self._app, self._settings, self._signed_in = app, settings, signed_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(self._without_stale_cookie(scope), receive, self._with_headers(send, scope["path"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _answer(self._with_headers(send, ""), *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._settings.login and urlsplit(f"//{host}").hostname not in LOOPBACK:
            return 421, "This page answers only on localhost. Turn on login to open it to others."
        if not OPEN.fullmatch(scope["path"]):
            return 404, "There is no such page."
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        foreign = "origin" in headers and urlsplit(headers["origin"]).netloc != host
        if foreign and (changes or scope["path"].startswith("/ws")):
            return 403, "The request comes from another site."
        if scope["type"] == "http" and changes:
            return self._too_large(scope["path"], headers)
        return None

    def _too_large(self, path: str, headers: Headers) -> tuple[int, str] | None:
        if "transfer-encoding" in headers:
            return 411, "The size of the request is missing."
        limit_mb = self._settings.max_upload_mb
        limit = limit_mb * 1_000_000 + UPLOAD_OVERHEAD if path in UPLOADS else LARGEST_BODY
        if int(headers.get("content-length") or 0) <= limit:
            return None
        if path in UPLOADS:
            return 413, f"The file is larger than {limit_mb} MB. Split it, or raise ASSISTANT_MAX_UPLOAD_MB."
        return 413, "The request is too large."

    def _without_stale_cookie(self, scope: Scope) -> Scope:
        token = cookie_parser(Headers(scope=scope).get("cookie", "")).get(COOKIE)
        if token is None or self._signed_in(token):
            return scope
        return {**scope, "headers": [(k, v) for k, v in scope["headers"] if k != b"cookie"]}

    def _with_headers(self, send: Send, path: str) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", policy())
                if path.startswith(ASSETS):
                    headers.setdefault("Cache-Control", "public, max-age=31536000, immutable")
                if self._settings.cert:
                    message["headers"] = [(k, _secure(v) if k == b"set-cookie" else v) for k, v in headers.raw]
            await send(message)

        return sending


def _secure(cookie: bytes) -> bytes:
    return cookie if b"secure" in cookie.lower() else cookie + b"; Secure"


async def _answer(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
