"""Hosted pictures: made from words, or from a picture and words. They travel inside the answer, so nothing else is fetched.

A server that answers with an address instead is followed only to its own host.
"""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tools.engines.base import GeneratedImage, ImageRequest, StepCallback
from tools.engines.errors import BadInput, EngineError, Refused, Unreachable
from tools.engines.hosted import Hosted, failures, refuses, until_stopped

LARGEST_BYTES = 64_000_000
LONGEST_SIDE = 2048
"""Pixels of a picture that is sent to be changed; a larger one is scaled down."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


class OpenAIImages:
    def __init__(self, hosted: Hosted) -> None:
        self.card = hosted.card
        self._hosted = hosted
        self._asks_base64 = not hosted.model.startswith("gpt-image")

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        """See ImageGenerator. Seed, steps and guidance are the server's own; a negative prompt is put into words.

        Raises: BadInput (the picture or mask to change), Stopped, EngineError.
        """
        started = time.monotonic()
        png = await until_stopped(self._make(request), stop)
        width, height = await asyncio.to_thread(_size, png)
        on_step(1, 1)
        return GeneratedImage(png, width, height, self.card.id, None, None, time.monotonic() - started)

    async def close(self) -> None:
        await self._hosted.client.close()

    async def _make(self, request: ImageRequest) -> bytes:
        body = await asyncio.to_thread(_body, self._hosted.model, request)
        answer = await self._hosted.call(lambda: self._send(body))
        pictures = getattr(answer, "data", None)
        if not pictures:
            raise self._hosted.not_the_format()
        try:
            return await asyncio.to_thread(_as_png, await self._bytes(pictures[0]))
        except _unreadable() as error:
            raise self._no_picture() from error

    async def _send(self, body: dict[str, Any]) -> Any:
        images = self._hosted.client.images
        send: Any = images.edit if "image" in body else images.generate
        try:
            return await send(**body, **({"response_format": "b64_json"} if self._asks_base64 else {}))
        except failures() as error:
            if not self._asks_base64 or not refuses(error, "response_format"):
                raise
            self._asks_base64 = False
            return await send(**body)

    async def _bytes(self, picture: Any) -> bytes:
        url = getattr(picture, "url", None) or ""
        inside = getattr(picture, "b64_json", None) or (url if url.startswith("data:") else "")
        if inside:
            return base64.b64decode(inside.rpartition(",")[2], validate=True)
        if not url:
            raise self._no_picture()
        return await self._fetch(url)

    async def _fetch(self, url: str) -> bytes:
        """The picture at `url`, without the key, and only from the server's own host."""
        import httpx

        client = self._hosted.client
        target = urljoin(str(client.base_url), url)
        if urlsplit(target).hostname != client.base_url.host:
            raise Refused(
                f"{self._hosted.where} left the picture on {urlsplit(target).hostname}, and nothing is fetched from there.",
                "Set that server to answer with the picture itself (b64_json).",
            )
        try:
            async with (
                httpx.AsyncClient(timeout=60, trust_env=False) as plain,
                plain.stream("GET", target) as response,
            ):
                response.raise_for_status()
                return await self._read(response)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{self._hosted.where} did not hand over the picture it made.", "Try again, or ask it for b64_json."
            ) from error

    async def _read(self, response: Any) -> bytes:
        data = bytearray()
        async for piece in response.aiter_bytes():
            data += piece
            if len(data) > LARGEST_BYTES:
                raise self._no_picture()
        return bytes(data)

    def _no_picture(self) -> EngineError:
        return Unreachable(f"{self._hosted.where} answered without a picture that can be read.", "Try again.")


def _body(model: str, request: ImageRequest) -> dict[str, Any]:
    prompt = request.prompt
    if request.negative_prompt:
        prompt = f"{prompt}\nLeave out: {request.negative_prompt}"
    body: dict[str, Any] = {"model": model, "prompt": prompt, "n": 1}
    if request.size:
        body["size"] = "{}x{}".format(*request.size)
    if request.image:
        picture = _picture(request.image).convert("RGBA")
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        body["image"] = ("picture.png", _png_bytes(picture), "image/png")
        if request.mask:
            body["mask"] = ("mask.png", _png_bytes(_see_through(_picture(request.mask), picture.size)), "image/png")
    return body


def _see_through(mask: Any, size: tuple[int, int]) -> Any:
    """The mask as the API wants it: what is white here, to be painted anew, is transparent there."""
    from PIL import Image, ImageOps

    holes = Image.new("RGBA", size)
    holes.putalpha(ImageOps.invert(mask.convert("L").resize(size)))
    return holes


def _picture(path: Path) -> Any:
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as picture:
            return ImageOps.exif_transpose(picture)
    except _unreadable() as error:
        raise BadInput(f"{path.name} is not a picture that can be read.", "Send a PNG, JPEG or WebP.") from error


def _unreadable() -> tuple[type[Exception], ...]:
    """What broken and enormous pictures raise in Pillow, and answers of another shape before they get there."""
    from PIL import Image

    return (OSError, ValueError, SyntaxError, AttributeError, TypeError, Image.DecompressionBombError)


def _as_png(data: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        picture.load()
        return data if picture.format == "PNG" else _png_bytes(picture)


def _png_bytes(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _size(png: bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
    return width, height
