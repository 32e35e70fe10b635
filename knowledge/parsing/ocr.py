"""Text in pictures, read by the program tesseract where it is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from knowledge.parsing.lines import Line, Unreadable, damaged, page, skipped, start

SECONDS = 60
MAX_PIXELS = 40_000_000
MAX_LANGUAGES = 4
"""More languages at once make it slow and less sure."""
INSTALL = "Install tesseract (Debian and Ubuntu: sudo apt-get install tesseract-ocr) and add the file again."


class NotRead(Exception):
    """Why a picture was not read, in a few words."""


def read(picture: Callable[[], Any]) -> str:
    """The text in a Pillow image, which is only made where there is something to read it. Raises: NotRead."""
    if not languages():
        raise NotRead("install tesseract-ocr to have it read")
    buffer = io.BytesIO()
    picture().convert("L").save(buffer, "png", compress_level=1)
    command = ["tesseract", "-", "-", "-l", "+".join(languages())]
    try:
        run = subprocess.run(command, input=buffer.getvalue(), capture_output=True, timeout=SECONDS, check=True)
    except subprocess.TimeoutExpired as error:
        raise NotRead(f"reading it took longer than {SECONDS} seconds") from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotRead("tesseract could not read it") from error
    return run.stdout.decode("utf-8", "replace").replace("\f", "").strip()


def read_files(pictures: Iterable[bytes]) -> str:
    """The text in pictures that are files inside a file; what is no picture is passed over. Raises: NotRead."""
    from PIL import Image, UnidentifiedImageError

    texts = []
    for content in pictures:
        with suppress(UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError):
            texts.append(read(lambda content=content: Image.open(io.BytesIO(content))))  # type: ignore[misc]
    return "\n\n".join(filter(None, texts))


@cache
def languages() -> tuple[str, ...]:
    """The languages that are installed, English first; none where tesseract is missing."""
    if shutil.which("tesseract") is None:
        return ()
    run = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, timeout=SECONDS, check=False)
    found = [line for line in run.stdout.splitlines()[1:] if line not in ("osd", "equ", "snum") and "/" not in line]
    return tuple(sorted(found, key=lambda language: (language != "eng", language))[:MAX_LANGUAGES])


def read_picture(path: Path, name: str) -> Iterator[Line]:
    """A photo or scan of text; a TIFF has a page for each of its pictures. Raises: Unreadable."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    if not languages():
        raise Unreadable(f"{name} is a picture; the text in it is read by tesseract, which is not installed.", INSTALL)
    try:
        picture = Image.open(path)
        pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        if isinstance(error, Image.DecompressionBombError):
            raise Unreadable(f"{name} has too many pixels to be read.", "Make it smaller and add it again.") from error
        raise damaged(name) from error
    yield start(name, pages if pages > 1 else None)
    for index in range(pages):
        number = index + 1 if pages > 1 else None
        try:
            picture.seek(index)
            text = read(lambda: ImageOps.exif_transpose(picture))
        except NotRead as error:
            yield skipped(f"the picture was not read: {error}", number)
        except (OSError, EOFError, SyntaxError, ValueError) as error:
            if pages == 1:
                raise damaged(name) from error
            yield skipped("the picture is damaged", number)
        else:
            yield page(text, number) if text else skipped("no text in the picture", number)
