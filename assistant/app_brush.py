"""Changing a part of a picture: the person paints over it in the page and says what shall be there instead."""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import chainlit as cl

from assistant.agent import LONGEST_MESSAGE, Turn
from assistant.app_pictures import pictures_made
from tools.engines.catalogue import cards
from tools.engines.errors import BadInput
from tools.engines.picture_input import SIDES
from tools.picture_wishes import MOST_PICTURES

PNG = "data:image/png;base64,"
LARGEST_MASK = 4_000_000
"""Characters of a mask as the browser sends it."""


def brush_actions(
    artifacts: Sequence[Mapping[str, Any]], payload: Mapping[str, str], say: Mapping[str, str]
) -> list[cl.Action]:
    """A button for each whole picture of an answer whose model can repaint a part. `artifacts` are those of its receipt."""
    whole = [(n, made["meta"]) for n, made in enumerate(artifacts) if "width" in made["meta"]]
    if not whole:
        return []
    unable = {card.id for card in cards() if card.words_only}
    able = [n for n, meta in whole if meta.get("model") not in unable][:MOST_PICTURES]
    several = len(able) > 1
    return [
        cl.Action(
            name="brush",
            id=f"brush-{n}",
            icon="brush",
            label=say["brush_one_of"].format(n=n + 1) if several else say["brush_one"],
            payload={**payload, "picture": n},
        )
        for n in able
    ]


def picture_of(receipt: Mapping[str, Any], n: Any) -> Path | None:
    """The file of an answer's n-th picture, where it is still there."""
    made = pictures_made(receipt)
    if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < len(made):
        return None
    path = Path(made[n]["path"])
    return path if path.is_file() else None


async def masked_turn(picture: Path, wish: Any, mask: Any) -> Turn:
    """The turn that draws `wish` where `mask`, a PNG as a data URL, is white. Raises: BadInput."""
    text = " ".join(wish.split())[:LONGEST_MESSAGE] if isinstance(wish, str) else ""
    if not text:
        raise BadInput("Nothing was said of what shall be there.", "Say what the painted part should show.")
    path = await asyncio.to_thread(_keep, picture.parent, mask)
    options = {"prompt": text, "image": str(picture), "mask": str(path), "count": 1}
    return Turn(text, tool="generate_image", options=options)


def _keep(folder: Path, mask: Any) -> Path:
    """Only what Pillow reads as a PNG is kept, written anew."""
    from PIL import Image

    try:
        if not isinstance(mask, str) or not mask.startswith(PNG) or len(mask) > LARGEST_MASK:
            raise ValueError("not a PNG as a data URL")
        with Image.open(BytesIO(base64.b64decode(mask[len(PNG) :], validate=True)), formats=("PNG",)) as opened:
            if max(opened.size) > 2 * SIDES[1]:
                raise ValueError(opened.size)
            grey = opened.convert("L")
    except (binascii.Error, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput("The painted part could not be read.", "Paint it again.") from error
    path = folder / f"mask-{uuid.uuid4().hex}.png"
    grey.save(path)
    return path
