"""Reading a PDF of 400 pages: pages a second beside bare pypdfium2 in this process, and seconds until the first page is out.

`python -m tests.bench.parsing`. Ours starts a process under limits, and sends each page over as it is read. Fails where the first
page takes longer than a second in every round.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pypdfium2

from knowledge.documents import Page
from knowledge.handbook import FOLDER
from knowledge.loaders import iter_document
from knowledge.splitting import iter_chunks, split_sentences

PAGES = 400
LINES_A_PAGE = 46
ROUNDS = 9
FIRST_PAGE_LIMIT_S = 1.0


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder) / "book.pdf")
        rounds = [(_bare(path), *_ours(path)) for _ in range(ROUNDS)]
    bare, whole, first, chunked = (list(column) for column in zip(*rounds, strict=True))
    _report("bare pypdfium2", "pages/s", [PAGES / s for s in bare])
    _report("iter_document", "pages/s", [PAGES / s for s in whole])
    _report("of bare speed", "", [b / w for b, w in zip(bare, whole, strict=True)])
    _report("until the first page", "s", first)
    _report("into chunks", "pages/s", [PAGES / s for s in chunked])
    return int(min(first) > FIRST_PAGE_LIMIT_S)


def _write(path: Path) -> Path:
    from reportlab.pdfgen.canvas import Canvas

    sentences = [
        s for file in sorted(FOLDER.glob("*.en.md")) for s in split_sentences(file.read_text(encoding="utf-8"))
    ]
    chance = random.Random(1)
    canvas = Canvas(str(path))
    for _ in range(PAGES):
        words = " ".join(chance.choices(sentences, k=60)).encode("latin-1", "replace").decode("latin-1")
        text = canvas.beginText(40, 790)
        for line in range(LINES_A_PAGE):
            text.textLine(words[line * 90 : (line + 1) * 90])
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return path


def _bare(path: Path) -> float:
    started = time.perf_counter()
    document = pypdfium2.PdfDocument(path)
    for number in range(len(document)):
        document[number].get_textpage().get_text_bounded()
    return time.perf_counter() - started


def _ours(path: Path) -> tuple[float, float, float]:
    """Seconds for all pages, until the first one, and for cutting them into chunks."""
    started = time.perf_counter()
    first_s = 0.0
    pages: list[Page] = []
    for item in iter_document(path):
        if isinstance(item, Page):
            first_s = first_s or time.perf_counter() - started
            pages.append(item)
    whole_s = time.perf_counter() - started
    started = time.perf_counter()
    list(iter_chunks(pages))
    return whole_s, first_s, time.perf_counter() - started


def _report(name: str, unit: str, values: Sequence[float]) -> None:
    print(f"{name:22} {statistics.median(values):8.2f} {unit} ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    sys.exit(main())
