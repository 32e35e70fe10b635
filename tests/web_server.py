"""A web server on loopback that answers as the test says, well or badly, and remembers what it was asked."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Answer:
    """`body` may be an iterator that never ends; `etag` answers 304 where the client already has it."""

    body: bytes | str | Iterator[bytes] = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    etag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class WebServer:
    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Answer | Callable[[], Answer]] = {}
        self.asked: list[str] = []
        self.answered: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path, Answer("none", status=404))
                answer = page() if callable(page) else page
                unchanged = bool(answer.etag) and self.headers.get("If-None-Match") == answer.etag
                site.answered.append(304 if unchanged else answer.status)
                with suppress(OSError):
                    self._send(answer, unchanged)

            def _send(self, answer: Answer, unchanged: bool) -> None:
                self.send_response(304 if unchanged else answer.status)
                if not unchanged:
                    self.send_header("Content-Type", answer.kind)
                for name, value in (*answer.headers.items(), *((("ETag", answer.etag),) if answer.etag else ())):
                    self.send_header(name, value)
                self.end_headers()
                body = b"" if unchanged else answer.body
                for block in (
                    [body.encode() if isinstance(body, str) else body] if not hasattr(body, "__next__") else body
                ):
                    self.wfile.write(block)
                    self.wfile.flush()

            def log_message(self, *_: object) -> None: ...

        return Handler


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    server = WebServer(context)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate for `host` that it signed itself, and the file by which a client may trust it."""
    cert, key = folder / f"{host}.pem", folder / f"{host}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={host}"]
    subprocess.run([*command, "-addext", f"subjectAltName=DNS:{host}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert
