"""Hosted pictures: made from words, or from a picture and words. They travel inside the answer, so nothing else is fetched.

A server that answers with an address instead is followed only to its own host.
"""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

from tools.engines.base import GeneratedImage, ImageRequest, StepCallback
from tools.engines.errors import CannotChange, EngineError, Refused, Unreachable
from tools.engines.hosted import Hosted, failures, refuses, until_stopped
from tools.engines.picture_input import FORMATS, check_size, open_mask, open_picture, unreadable

LARGEST_BYTES = 64_000_000
LONGEST_SIDE = 2048
"""Pixels of a picture that is sent to be changed; a larger one is scaled down."""

NOT_USED = "A hosted picture model decides these itself; they were not used: {names}."


class OpenAIImages:
    def __init__(self, hosted: Hosted) -> None:
        self.card = hosted.card
        self._hosted = hosted
        self._asks_base64 = not hosted.model.startswith("gpt-image")

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        """See ImageGenerator. Seed, steps, guidance and strength are the server's own; a negative prompt is put into words.

        Raises: BadInput (the picture or mask to change), CannotChange, Stopped, EngineError.
        """
        started = time.monotonic()
        if request.image and self._hosted.card.options.get("words_only"):
            raise CannotChange(
                f"{self.card.id} changes no pictures.", "Choose another picture model, such as gpt-image-1."
            )
        if request.size:
            check_size(request.size)
        body, notes = await asyncio.to_thread(_body, self._hosted.model, request)
        png = await until_stopped(self._make(body), stop)
        width, height = await asyncio.to_thread(_size, png)
        on_step(1, 1)
        return GeneratedImage(
            png, width, height, self.card.id, None, None, round(time.monotonic() - started, 2), " ".join(notes)
        )

    async def close(self) -> None:
        await self._hosted.client.close()

    async def _make(self, body: dict[str, Any]) -> bytes:
        answer = await self._hosted.call(lambda: self._send(body))
        pictures = getattr(answer, "data", None)
        if not pictures:
            raise self._hosted.not_the_format()
        try:
            return await asyncio.to_thread(_as_png, await self._bytes(pictures[0]))
        except unreadable() as error:
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


def _body(model: str, request: ImageRequest) -> tuple[dict[str, Any], list[str]]:
    """(the fields of the request, what of it was changed or not used)."""
    prompt = request.prompt.strip()
    if request.negative_prompt:
        prompt = f"{prompt}\nLeave out: {request.negative_prompt}"
    body: dict[str, Any] = {"model": model, "prompt": prompt, "n": 1}
    notes = _not_used(request)
    if request.size:
        body["size"] = "{}x{}".format(*request.size)
    if request.image:
        picture, changed = open_picture(request.image)
        sent = picture.size
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        body["image"] = ("picture.png", _png_bytes(picture.convert("RGBA")), "image/png")
        notes += changed
        if request.mask:
            mask, resized = open_mask(request.mask, picture.size, sent)
            body["mask"] = ("mask.png", _png_bytes(_see_through(mask)), "image/png")
            notes += resized
    return body, notes


def _not_used(request: ImageRequest) -> list[str]:
    given = {
        "seed": request.seed is not None,
        "steps": request.steps is not None,
        "guidance_scale": request.guidance_scale is not None,
        "strength": request.strength is not None,
        "LoRA": bool(request.loras),
    }
    names = [name for name, there in given.items() if there]
    return [NOT_USED.format(names=", ".join(names))] if names else []


def _see_through(mask: Any) -> Any:
    """The mask as the API wants it: what is white here, to be painted anew, is transparent there."""
    from PIL import Image, ImageOps

    holes = Image.new("RGBA", mask.size)
    holes.putalpha(ImageOps.invert(mask))
    return holes


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
