"""A real HTTP server on loopback that speaks the OpenAI API, with a queue of replies and a record of what was asked.

Without a queued reply every capability answers something plain and right, so that a test says only what it is about.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import json
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DIMENSIONS = 8


@dataclass(frozen=True)
class Reply:
    """How one request is answered. `pieces` are the text of a chat; `answer` replaces the JSON of anything else."""

    pieces: Sequence[str] = ("Hello", " there.")
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """Tool calls (name, arguments) to ask for instead of text."""
    finish: str | None = None
    usage: tuple[int, int] | None = (11, 7)
    progress: Sequence[tuple[int, int]] = ()
    """(processed, total) prompt tokens, streamed first, as llama.cpp does."""
    timings: Mapping[str, Any] | None = None
    status: int = 200
    message: str = "Something is wrong."
    code: str | None = None
    parameter: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Any = None
    body: bytes | None = None
    """Sent as it is, with `content_type`."""
    content_type: str = "text/html"
    delay_s: float = 0.0
    piece_delay_s: float = 0.0
    cut: bool = False
    """The connection breaks after the pieces."""
    hang: bool = False
    """Nothing more comes after the pieces, and the connection stays open."""
    leave: bool = False
    """The connection is closed without a word."""


@dataclass
class Received:
    """`body` is the JSON object, or the fields of a form; `files` its files by field, as (name, content)."""

    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: dict[str, Any]
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set once the asker has closed the connection before the end."""


class OpenAIServer:
    """`with OpenAIServer() as server:` serves on a free port of 127.0.0.1 until the block ends."""

    def __init__(
        self,
        *,
        key: str | None = None,
        models: Sequence[str] = (),
        unknown: Sequence[str] = (),
        rule: Callable[[Received], Reply] | None = None,
    ) -> None:
        """`key`: asked for; `models`: the only ones there; `unknown`: parameters refused with status 400, every time; `rule`: what is
        answered where no reply is queued."""
        self.key, self.models, self.unknown = key, models, unknown
        self._rule = rule or (lambda _received: Reply())
        self.received: list[Received] = []
        self.closing = threading.Event()
        self.sound = bytes(range(256)) * 94
        """What is spoken, whatever the text: half a second of 24 kHz samples."""
        self._replies: deque[Reply] = deque()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._http.server_port}"
        self.url = f"{self.host}/v1"

    def queue(self, *replies: Reply) -> None:
        self._replies.extend(replies)

    def next_reply(self, received: Received) -> Reply:
        return self._replies.popleft() if self._replies else self._rule(received)

    @property
    def last(self) -> Received:
        return self.received[-1]

    def __enter__(self) -> OpenAIServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


def png(width: int = 64, height: int = 48, rgb: tuple[int, int, int] = (200, 80, 40)) -> bytes:
    """A picture of one colour."""
    rows = (b"\0" + bytes(rgb) * width) * height
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Not of unit length, and always the same for the same text."""
    return [1.0 + byte for byte in hashlib.sha256(text.encode()).digest()[:dimensions]]


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: OpenAIServer

    def do_GET(self) -> None:
        received = self._record(b"")
        if received.path.endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.owner.models]})
        elif received.path.endswith(".png"):
            self._whole(200, png(), "image/png")
        else:
            self._error(404, "Not Found")

    def do_POST(self) -> None:
        received = self._record(self.rfile.read(int(self.headers.get("content-length", 0))))
        reply = self.owner.next_reply(received) if not self._turned_away(received) else None
        if reply is None:
            return
        self.owner.closing.wait(reply.delay_s)
        try:
            self._answer(received, reply)
        except OSError:
            received.hung_up.set()
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""

    def _answer(self, received: Received, reply: Reply) -> None:
        answers = {
            "/chat/completions": self._chat,
            "/audio/transcriptions": self._speech,
            "/audio/translations": self._speech,
            "/audio/speech": self._voice,
            "/images/generations": self._image,
            "/images/edits": self._image,
            "/embeddings": self._embeddings,
            "/rerank": self._rerank,
        }
        answer = next((call for path, call in answers.items() if received.path.endswith(path)), None)
        if reply.leave:
            self.close_connection = True
        elif reply.status >= 300:
            self._error(reply.status, reply.message, reply.code, reply.parameter, reply.headers)
        elif reply.body is not None:
            self._whole(200, reply.body, reply.content_type)
        elif reply.answer is not None:
            self._json(200, reply.answer)
        elif answer is None:
            self._error(404, "Not Found")
        else:
            answer(received, reply)

    def _record(self, data: bytes) -> Received:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body, files = _read(headers.get("content-type", ""), data)
        received = Received(parts.path, parse_qs(parts.query), headers, body, files)
        self.owner.received.append(received)
        return received

    def _turned_away(self, received: Received) -> bool:
        key = received.headers.get("api-key") or received.headers.get("authorization", "").removeprefix("Bearer ")
        model = received.body.get("model")
        refused = next((name for name in self.owner.unknown if name in received.body), None)
        if self.owner.key and key != self.owner.key:
            self._error(401, "Incorrect API key provided: sk-***", "invalid_api_key")
        elif self.owner.models and model not in self.owner.models:
            self._error(404, f"The model `{model}` does not exist", "model_not_found")
        elif refused:
            self._error(400, f"Unsupported parameter: '{refused}'.", "unsupported_parameter", refused)
        else:
            return False
        return True

    def _chat(self, received: Received, reply: Reply) -> None:
        if received.body.get("stream"):
            return self._stream(received, reply)
        message: dict[str, Any] = {"role": "assistant", "content": None if reply.calls else "".join(reply.pieces)}
        if reply.calls:
            message["tool_calls"] = _tool_calls(reply)
        choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
        return self._json(200, _completion("chat.completion", [choice], received, usage=_usage(reply)))

    def _stream(self, received: Received, reply: Reply) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for processed, total in reply.progress:
            told = {"total": total, "cache": 0, "processed": processed, "time_ms": 5}
            self._event(received, [_delta({"role": "assistant", "content": None})], prompt_progress=told)
        self._event(received, [_delta({"role": "assistant", "content": ""})])
        if reply.calls:
            self._event(received, [_delta({"tool_calls": _tool_calls(reply)})])
        for piece in () if reply.calls else reply.pieces:
            self.owner.closing.wait(reply.piece_delay_s)
            self._event(received, [_delta({"content": piece})])
        if reply.hang:
            self.owner.closing.wait()
        if reply.cut or reply.hang:
            self.close_connection = True
            return
        self._event(received, [_delta({}, _finish(reply))], **({"timings": reply.timings} if reply.timings else {}))
        if reply.usage and (received.body.get("stream_options") or {}).get("include_usage"):
            self._event(received, [], usage=_usage(reply))
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, received: Received, choices: list[Any], **more: Any) -> None:
        self._chunk(f"data: {json.dumps(_completion('chat.completion.chunk', choices, received, **more))}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _speech(self, received: Received, reply: Reply) -> None:
        text = "".join(reply.pieces)
        if received.body.get("response_format") != "verbose_json":
            return self._json(200, {"text": text})
        segments = [{"id": n, "start": float(n), "end": n + 1.0, "text": piece} for n, piece in enumerate(reply.pieces)]
        whole = {"task": "transcribe", "language": "english", "duration": 2.0, "text": text, "segments": segments}
        return self._json(200, whole)

    def _voice(self, received: Received, reply: Reply) -> None:
        """`sound` in tenths of a second, as a model that speaks while it thinks."""
        self.send_response(200)
        self.send_header("content-type", "audio/pcm")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for start in range(0, len(self.owner.sound), 4801):
            self.owner.closing.wait(reply.piece_delay_s)
            self._chunk(self.owner.sound[start : start + 4801])
        if reply.hang:
            self.owner.closing.wait()
        if reply.cut or reply.hang:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def _image(self, received: Received, _reply: Reply) -> None:
        self._json(200, {"created": 1, "data": [{"b64_json": base64.b64encode(png()).decode()}]})

    def _embeddings(self, received: Received, _reply: Reply) -> None:
        size = int(received.body.get("dimensions", DIMENSIONS))
        rows = [{"index": n, "embedding": vector(text, size)} for n, text in enumerate(received.body["input"])]
        self._json(200, {"object": "list", "model": received.body["model"], "data": rows[::-1], "usage": {}})

    def _rerank(self, received: Received, _reply: Reply) -> None:
        """Texts score by the words that they share with the query; the best come first."""
        wanted = set(received.body["query"].lower().split())
        shares = [len(wanted & set(text.lower().split())) / len(wanted) for text in received.body["documents"]]
        order = sorted(range(len(shares)), key=lambda n: -shares[n])[: received.body["top_n"]]
        self._json(200, {"results": [{"index": n, "relevance_score": shares[n]} for n in order]})

    def _error(
        self,
        status: int,
        message: str,
        code: str | None = None,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        error = {"message": message, "type": "invalid_request_error", "code": code, "param": parameter}
        self._json(status, {"error": error}, headers)

    def _json(self, status: int, answer: Any, headers: Mapping[str, str] | None = None) -> None:
        self._whole(status, json.dumps(answer).encode(), "application/json", headers)

    def _whole(self, status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _read(content_type: str, data: bytes) -> tuple[dict[str, Any], dict[str, tuple[str, bytes]]]:
    if content_type.startswith("application/json"):
        return json.loads(data), {}
    form = email.message_from_bytes(f"Content-Type: {content_type}\n\n".encode() + data, policy=email.policy.HTTP)
    fields: dict[str, Any] = {}
    files: dict[str, tuple[str, bytes]] = {}
    for part in form.iter_parts() if form.is_multipart() else ():
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        if part.get_filename():
            files[name] = (str(part.get_filename()), content)
        else:
            fields[name] = content.decode()
    return fields, files


def _completion(kind: str, choices: list[Any], received: Received, **more: Any) -> dict[str, Any]:
    model = received.body.get("model", "")
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model, "choices": choices, **more}


def _delta(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _finish(reply: Reply) -> str:
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def _tool_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "index": n,
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for n, (name, arguments) in enumerate(reply.calls)
    ]


def _usage(reply: Reply) -> dict[str, int] | None:
    if not reply.usage:
        return None
    prompt, completion = reply.usage
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
