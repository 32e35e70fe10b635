"""The page of a PDF is drawn with the cited words highlighted where they stand."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from knowledge.documents import KnowledgeError
from knowledge.page_picture import draw_page
from tests.documents import write_pdf

YELLOW = (255, 236, 110)
POINTS = (595.28, 841.89)
"""A4, as `write_pdf` writes it; its text begins 40 points from the left and 700 from the bottom."""


def highlighted(png: bytes) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of what is yellow, in points from the top left corner."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    width, height = picture.size
    pixels = picture.load()
    assert pixels is not None
    yellow = [(x, y) for x in range(width) for y in range(height) if pixels[x, y] == YELLOW]
    across, down = POINTS[0] / width, POINTS[1] / height
    xs, ys = [x for x, _ in yellow], [y for _, y in yellow]
    return min(xs) * across, min(ys) * down, max(xs) * across, max(ys) * down


async def test_the_highlight_lies_on_the_words(tmp_path: Path) -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    pdf = write_pdf(
        tmp_path / "contract.pdf", ["First page.", "Either party may end this with a notice period of 90 days."]
    )
    left, top, right, bottom = highlighted(await draw_page(pdf, 2, ["not on it", "notice\nperiod of 90"]))
    before = 40 + stringWidth("Either party may end this with a ", "Helvetica", 12)
    assert left == pytest.approx(before, abs=3)
    assert right == pytest.approx(before + stringWidth("notice period of 90", "Helvetica", 12), abs=3)
    assert POINTS[1] - 700 - 12 < top < bottom < POINTS[1] - 700 + 6


async def test_a_page_without_the_words_is_drawn_plain(tmp_path: Path) -> None:
    plain = await draw_page(write_pdf(tmp_path / "contract.pdf"), 1, ["nothing of this"])
    assert plain.startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="empty"):
        highlighted(plain)


@pytest.mark.parametrize("page", [0, 4])
async def test_a_page_that_is_not_there_is_one_readable_line(tmp_path: Path, page: int) -> None:
    with pytest.raises(KnowledgeError, match="cannot be drawn"):
        await draw_page(write_pdf(tmp_path / "contract.pdf"), page, ["90 days"])


async def test_a_broken_or_locked_file_is_one_readable_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing")
    for pdf in (broken, write_pdf(tmp_path / "locked.pdf", password="secret")):
        with pytest.raises(KnowledgeError, match="cannot be drawn"):
            await draw_page(pdf, 1, ["90 days"])
