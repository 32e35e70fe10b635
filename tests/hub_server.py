"""A model hub on loopback: it lists a repository with sizes and checksums and serves its files in ranges, well or badly."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = 1 << 18
REVISION = "0123456789abcdef0123456789abcdef01234567"


class HubServer:
    """`files` of the repository `repo`. The connection of the next requests breaks after `breaks` bytes each, or is
    refused with the status in `refuses`; `listed` stands in for the true checksums."""

    def __init__(self, files: dict[str, bytes], repo: str = "owner/model") -> None:
        self.files = files
        self.repo = repo
        self.breaks: list[int] = []
        self.refuses: list[int] = []
        self.gated = False
        self.pause_s = 0.0
        """After each block that is sent."""
        self.listed: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        """(name, range) of each file that was asked for."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == f"/api/models/{hub.repo}":
                    headers = {"X-Error-Code": "GatedRepo"} if hub.gated else {}
                    return self._send(403 if hub.gated else 200, json.dumps(hub.listing()).encode(), headers)
                name = path.removeprefix(f"/{hub.repo}/resolve/{REVISION}/")
                if name not in hub.files:
                    return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                return self._file(name)

            def _file(self, name: str) -> None:
                asked = self.headers.get("Range", "")
                hub.asked.append((name, asked))
                if hub.refuses:
                    return self._send(hub.refuses.pop(0), b"")
                found = re.fullmatch(r"bytes=(\d+)-", asked)
                start = int(found[1]) if found else 0
                body = hub.files[name][start:]
                limit = hub.breaks.pop(0) if hub.breaks else len(body)
                self.send_response(206 if found else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for at in range(0, limit, BLOCK):
                    self.wfile.write(body[at : min(at + BLOCK, limit)])
                    time.sleep(hub.pause_s)
                self.close_connection = True

            def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        return Handler

    def listing(self) -> dict[str, object]:
        siblings = []
        for name, content in self.files.items():
            told = self.listed.get(name, content)
            blob = hashlib.sha1(b"blob %d\0" % len(told) + told).hexdigest()
            entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
            if name.endswith((".bin", ".safetensors")):
                digest = hashlib.sha256(told).hexdigest()
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {"id": self.repo, "modelId": self.repo, "sha": REVISION, "siblings": siblings}


@contextmanager
def serving_hub(files: dict[str, bytes], repo: str = "owner/model") -> Iterator[HubServer]:
    hub = HubServer(files, repo)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
