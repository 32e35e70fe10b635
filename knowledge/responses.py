"""What a server answered: its status as an error that says what to do, its kind, and its body unpacked within limits."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpcore
import httpx

from knowledge.documents import KnowledgeError

DECODED_BLOCK = 1 << 20


class Gone(KnowledgeError):
    """The server says that there is no such page (any more)."""


class Forbidden(KnowledgeError):
    """The server has the page but does not show it to us."""


class Busy(KnowledgeError):
    """The server asks to be left alone for a while, `wait_s` where it says for how long."""

    wait_s = 0.0


class NotWanted(KnowledgeError):
    """What the server sends is of a kind that the caller did not ask for."""


@dataclass(frozen=True)
class Fetched:
    """`url` is where the last redirect led. `unchanged`: the server has nothing newer than what the tags told it."""

    url: str
    content_type: str = ""
    charset: str = ""
    etag: str = ""
    modified: str = ""
    unchanged: bool = False


async def save(
    url: httpx.URL,
    response: httpcore.Response,
    answer: httpx.Headers,
    target: Path,
    wanted: Callable[[str], bool],
    limit: int,
) -> Fetched:
    kind, charset = _content_type(answer.get("content-type", ""))
    if not wanted(kind or "application/octet-stream"):
        raise NotWanted(f"{url} is {kind[:80]}, which is not read here.", "Give its address by itself.")
    if int(answer.get("content-length", "0")) > limit:
        raise _too_large(limit)
    size = 0
    try:
        with target.open("wb") as file:
            async for block in _decoded(response, answer.get("content-encoding", "")):
                size += len(block)
                if size > limit:
                    raise _too_large(limit)
                file.write(block)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Fetched(str(url), kind, charset, answer.get("etag", ""), answer.get("last-modified", ""))


async def _decoded(response: httpcore.Response, encoding: str) -> AsyncIterator[bytes]:
    """The body unpacked a little at a time, so that a few bytes cannot become gigabytes in memory."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise KnowledgeError(
            f"The server packs its answer as {encoding[:40]}, unasked.", "Save the page and ingest the file."
        )
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32) if encoding not in ("", "identity") else None
    async for block in response.aiter_stream():
        if unpack is None:
            yield block
            continue
        for part in _unpacked(unpack, block):
            yield part
            await asyncio.sleep(0)
    if unpack is not None and not unpack.eof:
        raise httpcore.RemoteProtocolError("the packed answer is cut short")


def _unpacked(unpack: Any, block: bytes) -> Iterator[bytes]:
    try:
        while block and not unpack.eof:
            yield unpack.decompress(block, DECODED_BLOCK)
            block = unpack.unconsumed_tail
    except zlib.error as error:
        raise httpcore.RemoteProtocolError("the packed answer is damaged") from error


def _content_type(header: str) -> tuple[str, str]:
    kind, _, rest = header.partition(";")
    parameters = dict(part.strip().partition("=")[::2] for part in rest.split(";"))
    charset = next((v for k, v in parameters.items() if k.lower() == "charset"), "")
    return kind.strip().lower(), charset.strip("\"' ").lower()


def check_status(status: int, url: httpx.URL, retry_after: str) -> None:
    if status in (404, 410):
        raise Gone(f"There is no page {url} (the server answered {status}).", "Check the address.")
    if status in (401, 403):
        raise Forbidden(
            f"{url.host} keeps {url.path} to itself (it answered {status}).", "Save the page and ingest the file."
        )
    if status in (429, 503):
        busy = Busy(f"{url.host} is busy (it answered {status}).", "Try again later.")
        busy.wait_s = float(retry_after) if retry_after.isdecimal() else 0.0
        raise busy
    if not 200 <= status < 300:
        raise KnowledgeError(f"{url.host} answered {status}.", "Check the address, or try again later.")


def _too_large(limit: int) -> KnowledgeError:
    return KnowledgeError(
        f"The page is larger than {limit / 1e6:g} MB.", "Save it and split it, or raise ASSISTANT_MAX_UPLOAD_MB."
    )
