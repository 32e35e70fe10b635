"""Pictures and masks as people send them, made into what a picture model takes: upright, 8 bits a colour, on white.

What had to be changed on the way comes back as lines for the person. Sizes of pictures are checked here too.
"""

from __future__ import annotations

import base64
import io
import math
import re
from pathlib import Path
from typing import Any

from tools.engines.errors import BadInput

SIDES = (64, 2048)
STEP_PX = 8
MOST_PIXELS = 64_000_000
LONGEST_SEEN = 1536
LARGEST_PNG_BYTES = 1_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Only what Pillow decodes by itself: no fonts, scripts or other programs are behind these."""

Size = tuple[int, int]


def open_picture(path: Path) -> tuple[Any, list[str]]:
    """(an RGB picture of Pillow's, what was changed in words). Transparent places become white.

    Raises: BadInput (not a picture, damaged, or more than 64 megapixels).
    """
    from PIL import Image

    picture, notes = _opened(path)
    if picture.has_transparency_data:
        notes.append(f"{path.name} has transparent places: they were taken as white.")
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB"), notes


def size_of_picture(path: Path) -> Size:
    """(width, height) in pixels, upright. Raises: BadInput (not a picture, or far too large)."""
    size: Size = open_picture(path)[0].size
    return size


def open_mask(path: Path, size: Size, picture: Size) -> tuple[Any, list[str]]:
    """(the mask in grey, `size` pixels, white where the picture may change; what was changed in words). It belongs to a
    picture that was `picture` pixels large when it was sent.

    Raises: BadInput (as `open_picture`, or all of it is black).
    """
    from PIL import Image

    mask, notes = _opened(path)
    if mask.has_transparency_data:
        mask = mask.convert("RGBA")
        mask = Image.alpha_composite(Image.new("RGBA", mask.size, "black"), mask)
    mask = mask.convert("L")
    if mask.size != picture:
        notes.append(
            f"The mask is {mask.width}×{mask.height} pixels and the picture {picture[0]}×{picture[1]}: it was resized."
        )
    if mask.getextrema()[1] < 16:
        raise BadInput(f"{path.name} marks nothing: it is black.", "Paint white what shall be drawn anew.")
    return mask.resize(size, Image.Resampling.BILINEAR), notes


def parse_size(text: str) -> Size:
    """(width, height) of "512x512". Raises: BadInput for other text and for sizes that no model draws."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", text, re.IGNORECASE)
    if not found:
        raise BadInput(f"The size {text!r} is not width x height.", "Write it like 512x512.")
    size = int(found[1]), int(found[2])
    check_size(size)
    return size


def check_size(size: Size) -> None:
    """Raises: BadInput."""
    if not all(SIDES[0] <= side <= SIDES[1] for side in size):
        raise BadInput(
            f"A picture cannot be {size[0]}×{size[1]} pixels.", f"Each side takes {SIDES[0]} to {SIDES[1]} pixels."
        )


def rounded_size(size: Size, step_px: int = STEP_PX) -> tuple[Size, list[str]]:
    """(the nearest size that the model can draw, that it was rounded in words)."""
    near = (_rounded(size[0], step_px), _rounded(size[1], step_px))
    told = f"{size[0]}×{size[1]} was rounded to {near[0]}×{near[1]}: this model's sides are multiples of {step_px}."
    return near, [] if near == size else [told]


def fitting_size(size: Size, most: Size, step_px: int = STEP_PX) -> Size:
    """The size of a picture shrunk to the area of `most`, with its proportions as far as the limits of a side allow."""
    scale = math.sqrt(min(1.0, most[0] * most[1] / (size[0] * size[1])))
    return _rounded(size[0] * scale, step_px), _rounded(size[1] * scale, step_px)


def picture_url(path: Path) -> str:
    """The picture as a data URL for a model that sees: upright, on white, no side above 1,536 pixels, and without what cameras
    and programs write into files. PNG keeps the lines of charts and screenshots; what that makes too large becomes a JPEG.

    Raises: BadInput, as `open_picture`.
    """
    picture, _ = open_picture(path)
    picture.thumbnail((LONGEST_SEEN, LONGEST_SEEN))
    for form, options in (("PNG", {"optimize": True}), ("JPEG", {"quality": 90})):
        buffer = io.BytesIO()
        clean = picture.copy()
        clean.info = {}
        clean.save(buffer, form, **options)
        if buffer.tell() <= LARGEST_PNG_BYTES:
            break
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def unreadable() -> tuple[type[Exception], ...]:
    """What broken and enormous pictures raise in Pillow."""
    from PIL import Image

    return (OSError, ValueError, SyntaxError, AttributeError, TypeError, Image.DecompressionBombError)


def _opened(path: Path) -> tuple[Any, list[str]]:
    """Upright and in 8 bits. The size is looked at before a single pixel is unpacked."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise BadInput(
                    f"{path.name} has {opened.width}×{opened.height} pixels; at most {MOST_PIXELS // 1_000_000} million"
                    " are unpacked.",
                    "Send a smaller one.",
                )
            frames = getattr(opened, "n_frames", 1)
            notes = [f"{path.name} has {frames} frames: the first was taken."] if frames > 1 else []
            return _in_8_bits(ImageOps.exif_transpose(opened)), notes
    except unreadable() as error:
        if "DecompressionBomb" in type(error).__name__:
            raise BadInput(f"{path.name} has far too many pixels to be unpacked.", "Send a smaller one.") from error
        raise BadInput(f"{path.name} is not a picture that can be read.", "Send a PNG, JPEG or WebP file.") from error


def _in_8_bits(picture: Any) -> Any:
    """Pillow would cut the values of 16-bit and float pictures off at 255 instead of scaling them."""
    import numpy as np
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture, np.float32)
    most = 65535.0 if picture.mode.startswith("I") else max(float(values.max(initial=0.0)), 1.0)
    return Image.fromarray(((values / most).clip(0, 1) * 255).round().astype(np.uint8))


def _rounded(side: float, step_px: int) -> int:
    return int(min(max(round(side / step_px) * step_px, SIDES[0]), SIDES[1]))
