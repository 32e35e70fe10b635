"""The files of pictures: written whole or not at all, with the facts of how they were made inside, which are read back from there."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.engines.base import GeneratedImage

FACTS = ("prompt", "negative_prompt", "model", "seed", "steps", "guidance_scale", "strength", "width", "height")
"""What is written into a PNG, as text of its own; no path, no time and no name: the same picture is the same file."""
_NUMBERS: dict[str, type] = {
    "seed": int,
    "steps": int,
    "width": int,
    "height": int,
    "guidance_scale": float,
    "strength": float,
}


def png_with_facts(png: bytes, facts: Mapping[str, Any]) -> bytes:
    """The same pixels with those of `FACTS` that are known in text chunks (PNG specification, iTXt)."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for name in FACTS:
        if facts.get(name) not in (None, ""):
            info.add_itxt(name, str(facts[name]))
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as opened:
        opened.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read_facts(path: Path) -> dict[str, Any]:
    """How the picture was made, where the file tells in our way; empty for any other file."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as opened:
            opened.load()
            texts: Mapping[str, str] = getattr(opened, "text", {})
            if "prompt" not in texts or "model" not in texts:
                return {}
            return {name: _NUMBERS.get(name, str)(texts[name]) for name in FACTS if name in texts}
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return {}


def save_picture(picture: GeneratedImage, meta: Mapping[str, Any], folder: Path, *, facts: bool = True) -> Path:
    """Write the picture as PNG; the file stands only once it is whole."""
    data = png_with_facts(picture.png, meta) if facts else picture.png
    return save_bytes(data, ".png", str(meta["prompt"]), picture.seed, folder)


def save_bytes(data: bytes, ending: str, prompt: str, seed: int | None, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    slug = "-".join(re.findall(r"\w+", prompt.lower()))[:40].strip("-") or "picture"
    path = folder / f"{slug}-{seed if seed is not None else 'x'}-{time.time_ns():x}{ending}"
    aside = path.with_suffix(".part")
    aside.write_bytes(data)
    aside.replace(path)
    return path
