"""Draws one page of a PDF with a passage highlighted, in a process of its own: `python drawing.py FILE PAGE`.

The words to highlight come in on standard input, the likeliest first, a JSON list; the picture goes to standard output as PNG.
Pages count from 1. Exit status 3: the file or the page cannot be drawn. Imports nothing of this project.
"""

from __future__ import annotations

import ctypes
import io
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

WIDTH_PX = 1000
LARGEST_SIDE_PX = 3000
MEMORY_BYTES = 1_500_000_000
CPU_SECONDS = 20
YELLOW = (255, 236, 110)
CANNOT = 3

Box = tuple[int, int, int, int]


def draw_page(path: Path, number: int, phrases: Sequence[str]) -> bytes:
    """PNG of page `number`, the first of `phrases` that stands on it in yellow. Raises: pypdfium2.PdfiumError, IndexError."""
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    if not 1 <= number <= len(document):
        raise IndexError(number)
    page = document[number - 1]
    width, height = page.get_size()
    scale = min(WIDTH_PX / width, LARGEST_SIDE_PX / height)
    picture = page.render(scale=scale).to_pil().convert("RGB")
    boxes = next((found for phrase in phrases if (found := boxes_of(page, phrase, picture.size))), [])
    return _png(_highlighted(picture, boxes))


def boxes_of(page: Any, phrase: str, size: tuple[int, int]) -> list[Box]:
    """(left, top, right, bottom) in pixels of a picture of `size`, a box a line; empty where the page does not hold `phrase`."""
    from pypdfium2 import raw

    text = page.get_textpage()
    letters = [chr(raw.FPDFText_GetUnicode(text.raw, i)) for i in range(text.count_chars())]
    shown = [(letter.lower(), i) for i, letter in enumerate(letters) if letter.isalnum()]
    wanted = "".join(letter.lower()[:1] for letter in phrase if letter.isalnum())
    start = "".join(letter[:1] for letter, _ in shown).find(wanted) if wanted else -1
    if start < 0:
        return []
    first, last = shown[start][1], shown[start + len(wanted) - 1][1]
    count = text.count_rects(first, last - first + 1)
    return [_in_pixels(page, text.get_rect(i), size) for i in range(count)]


def _in_pixels(page: Any, rectangle: Sequence[float], size: tuple[int, int]) -> Box:
    """pdfium turns its own coordinates, whatever the page's rotation and crop."""
    from pypdfium2 import raw

    left, bottom, right, top = rectangle
    corners: list[tuple[int, int]] = []
    for x, y in ((left, top), (right, bottom)):
        dx, dy = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, x, y, dx, dy)
        corners.append((dx.value, dy.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _highlighted(picture: Any, boxes: Sequence[Box]) -> Any:
    """Multiplied, as a marker pen does: the letters stay dark."""
    from PIL import Image, ImageChops, ImageDraw

    marks = Image.new("RGB", picture.size, "white")
    pen = ImageDraw.Draw(marks)
    for left, top, right, bottom in boxes:
        pen.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=YELLOW)
    return ImageChops.multiply(picture, marks)


def _png(picture: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _limit_self() -> None:
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main(path: Path, number: int) -> None:
    import pypdfium2

    _limit_self()
    try:
        picture = draw_page(path, number, json.load(sys.stdin))
    except (pypdfium2.PdfiumError, IndexError, MemoryError) as error:
        print(error, file=sys.stderr)
        sys.exit(CANNOT)
    sys.stdout.buffer.write(picture)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
