"""Pictures of one comparison side by side in one PNG, each with its name below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

SIDE_PX, GAP_PX, NAME_PX = 512, 16, 40


def write_grid(pictures: Sequence[tuple[str, Path | None]], target: Path) -> None:
    """(name, file) of each in order; None leaves its place empty. Two columns, whole cells of 512 pixels. Raises: OSError."""
    from PIL import Image, ImageDraw, ImageFont

    columns = min(2, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    cell = (SIDE_PX + GAP_PX, SIDE_PX + NAME_PX + GAP_PX)
    grid = Image.new("RGB", (columns * cell[0] + GAP_PX, rows * cell[1] + GAP_PX), "white")
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(20)
    for n, (name, path) in enumerate(pictures):
        left, top = GAP_PX + n % columns * cell[0], GAP_PX + n // columns * cell[1]
        if path is None:
            draw.rectangle((left, top, left + SIDE_PX - 1, top + SIDE_PX - 1), outline="#b3261e", width=2)
        else:
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
            scale = min(SIDE_PX / picture.width, SIDE_PX / picture.height)
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
            grid.paste(picture, (left + (SIDE_PX - size[0]) // 2, top + (SIDE_PX - size[1]) // 2))
        draw.text((left, top + SIDE_PX + 8), _fitting(name, draw, font), fill="#1b212c", font=font)
    aside = target.with_name(f".{target.name}.part")
    grid.save(aside, "PNG")
    aside.replace(target)


def _fitting(name: str, draw: object, font: object) -> str:
    while len(name) > 4 and draw.textlength(name, font=font) > SIDE_PX:  # type: ignore[attr-defined]
        name = name[:-2] + "…"
    return name
