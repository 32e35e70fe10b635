"""PDF files: the text of each page; pages that were scanned are read by OCR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.parsing import ocr
from knowledge.parsing.lines import Line, Unreadable, damaged, page, skipped, start

OCR_DPI = 200
MAX_PIXELS = 20_000_000
SCAN_CHARACTERS = 40
"""A page with a picture and less text than this is taken for a scan that was stamped or numbered."""


def read_pdf(path: Path, name: str, first: int = 1) -> Iterator[Line]:
    """From page `first` on. Raises: Unreadable."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable(f"{name} is encrypted.", "Remove its password and add it again.") from error
        raise damaged(name) from error
    yield start(name, count)
    if _is_cut(path):
        yield skipped(f"the end of the file is missing; only {count} pages could be found")
    has_form = document.get_formtype() != 0
    if has_form:
        document.init_forms()
    read = False
    for number in range(first, count + 1):
        for line in _page(document, number, has_form):
            read = read or "text" in line
            yield line
    if not read and first == 1 and not ocr.languages():
        raise Unreadable(f"{name} has no text: it looks scanned.", ocr.INSTALL)


def _page(document: Any, number: int, has_form: bool) -> Iterator[Line]:
    import pypdfium2

    try:
        opened = document[number - 1]
        if has_form:
            opened.flatten()
            opened = document[number - 1]
        text = opened.get_textpage().get_text_bounded()
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe\n", "")
        letters = len(text.strip())
        if letters >= SCAN_CHARACTERS or (letters and not _draws(opened, only_pictures=True)):
            yield page(text, number)
        elif _draws(opened):
            yield from _scanned(opened, number, text)
        else:
            yield skipped("no text: the page is empty", number)
        opened.close()
    except pypdfium2.PdfiumError as error:
        yield skipped(f"the page is damaged ({error})", number)
    except MemoryError:
        yield skipped("the page needs too much memory to be read", number)


def _draws(opened: Any, only_pictures: bool = False) -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    wanted = [FPDF_PAGEOBJ_IMAGE] if only_pictures else None
    return next(iter(opened.get_objects(filter=wanted)), None) is not None


def _scanned(opened: Any, number: int, text: str) -> Iterator[Line]:
    """What OCR reads on a page; what stands on it as text where OCR reads no more than that."""
    width, height = opened.get_size()
    scale = min(OCR_DPI / 72, (MAX_PIXELS / max(1.0, width * height)) ** 0.5)
    try:
        seen = ocr.read(lambda: opened.render(scale=scale).to_pil())
    except ocr.NotRead as error:
        if text.strip():
            yield page(text, number)
            yield skipped(f"the picture on the page was not read; {error}", number)
        else:
            yield skipped(f"no text: the page is scanned; {error}", number)
        return
    best = max(seen, text, key=lambda t: len(t.strip()))
    yield page(best, number) if best.strip() else skipped("no text: the page holds only pictures or drawings", number)


def _is_cut(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return b"%%EOF" not in file.read()
