"""A model that really looks: it reads squares and numbers off the pixels of the pictures that it is sent."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image, ImageChops

from assistant.sight_probe import COLOURS, number_picture
from tests.openai_server import Received, Reply

WHITE = (255, 255, 255)


def opened(url: str) -> Image.Image:
    head, _, data = url.partition(";base64,")
    found = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{str(found.format).lower()}"
    return found


def looks(received: Received) -> Reply:
    """What stands in the first picture of the last message; words alone where it has none."""
    content: Any = received.body["messages"][-1]["content"]
    parts = [] if isinstance(content, str) else content
    shown = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return Reply((read(opened(shown[0]).convert("RGB")),)) if shown else Reply()


def read(picture: Image.Image) -> str:
    row = [picture.getpixel((x, picture.height // 2)) for x in range(picture.width)]
    names = {rgb: name for name, rgb in COLOURS.items()}
    starts = [rgb for rgb, before in zip(row, [WHITE, *row], strict=False) if rgb != before and before == WHITE]
    if all(rgb in names for rgb in starts) and len(starts) > 1 and set(starts) != {COLOURS["black"]}:
        return ", ".join(names[rgb] for rgb in starts)  # type: ignore[index]
    return str(next((n for n in range(100, 1000) if _same(picture, number_picture(n))), "no number"))


def _same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None
