"""How an answer shows pictures: a preview while one is drawn, a grid, a card for each, and a button to draw it exactly so again."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import chainlit as cl
from chainlit.context import context

from assistant.app_transcript import attach
from tools.context import Artifact
from tools.picture_wishes import MOST_PICTURES

SIZES = ("512x512", "768x512", "512x768", "1024x1024", "1536x1024", "1024x1536")
LONGEST_NEGATIVE = 500


async def show_preview(step: str, jpeg: bytes) -> None:
    """The picture so far, below the tool step. It travels inside the message, so that no file is left behind."""
    element = {
        "id": f"preview-{step}",
        "type": "image",
        "name": "preview",
        "display": "inline",
        "size": "medium",
        "mime": "image/jpeg",
        "forId": step,
        "threadId": context.session.thread_id,
        "url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}",
    }
    await context.emitter.emit("element", element)


async def hide_preview(step: str) -> None:
    await context.emitter.emit("remove_element", {"id": f"preview-{step}"})


async def attach_pictures(message: cl.Message, pictures: Sequence[Artifact]) -> None:
    """One large, several in two columns; a click shows one in full size."""
    for picture in pictures:
        name = str(picture.meta.get("prompt") or picture.path.name)[:80]
        size = "large" if len(pictures) == 1 else "medium"
        await attach(message, cl.Image(url="-", name=name, size=size, mime=picture.mime_type), picture.path)


def cards(pictures: Sequence[Artifact], say: Mapping[str, str]) -> str:
    """A line each: `model · licence · seed 7 · 25 steps · 512×512 · 3.1 s`, and what was left out of it."""
    lines = [card(picture.meta, say) for picture in pictures]
    return "\n".join(lines if len(lines) < 2 else (f"{n}. {line}" for n, line in enumerate(lines, 1)))


def card(meta: Mapping[str, Any], say: Mapping[str, str]) -> str:
    if "stopped_at_step" in meta:
        return say["picture_stopped"].format(step=meta["stopped_at_step"])
    parts = [
        f"`{meta['model']}`",
        meta.get("licence"),
        say["picture_seed"].format(seed=meta["seed"]) if meta.get("seed") is not None else None,
        say["picture_steps"].format(steps=meta["steps"]) if meta.get("steps") else None,
        f"{meta['width']}×{meta['height']}",
        f"{meta['seconds']:.1f} s",
    ]
    line = " · ".join(str(part) for part in parts if part)
    negative = meta.get("negative_prompt")
    return f"{line} · {say['picture_without'].format(what=negative)}" if negative else line


def seed_actions(
    artifacts: Sequence[Mapping[str, Any]], payload: Mapping[str, str], say: Mapping[str, str]
) -> list[cl.Action]:
    """A button for each picture of an answer that has a seed. `artifacts` are those of its receipt."""
    seeds = [(n, a["meta"]["seed"]) for n, a in enumerate(artifacts) if a["meta"].get("seed") is not None]
    return [
        cl.Action(
            name="same_seed",
            id=f"same-seed-{n}",
            icon="sprout",
            label=say["same_seed"].format(seed=seed),
            payload={**payload, "picture": n},
        )
        for n, seed in seeds[:MOST_PICTURES]
    ]


def pictures_made(receipt: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The pictures among a receipt's artifacts, as it keeps them."""
    return [artifact for artifact in receipt.get("artifacts", ()) if artifact["kind"] == "image"]


def picture_choices(given: Mapping[str, Any]) -> dict[str, Any]:
    """Number, size and what to leave out, from the chat settings. They come from the browser: what was not offered is left out."""
    options: dict[str, Any] = {}
    count = given.get("picture_count")
    if isinstance(count, int | float) and count in range(2, MOST_PICTURES + 1):
        options["count"] = int(count)
    if given.get("picture_size") in SIZES:
        options["size"] = given["picture_size"]
    negative = given.get("negative_prompt")
    if isinstance(negative, str) and negative.strip():
        options["negative_prompt"] = " ".join(negative.split())[:LONGEST_NEGATIVE]
    return options
