"""Documents: dropped, asked about, opened beside the chat, kept for every conversation; bad files refused in one line."""

from __future__ import annotations

import re
import wave
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, open_page, picture_of
from tests.unit.test_page_picture import highlighted

FACTS = [
    "Harbour rules. The harbour office opens at seven in the morning and closes at nine in the evening.",
    "Mooring fees. A boat of up to ten metres pays 42 euros a night between June and September.",
]


@pytest.fixture(scope="session")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from reportlab.pdfgen.canvas import Canvas

    path = tmp_path_factory.mktemp("papers") / "harbour.pdf"
    canvas = Canvas(str(path), pagesize=(595.28, 841.89))
    for text in FACTS:
        canvas.drawString(40, 760, text)
        canvas.showPage()
    canvas.save()
    return path


def test_a_dropped_pdf_is_cited_opened_at_its_page_and_kept(page: Page, pdf: Path, server: Server) -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    page.set_input_files("#upload-button-input", str(pdf))
    answer(page, "How much does a boat of up to ten metres pay a night?", timeout=60_000)
    expect(page.locator("[data-step-type=tool]")).to_contain_text("Documents")
    expect(page.locator(ANSWER)).to_contain_text("harbour.pdf, page 2")
    expect(page.locator("#side-view-content")).to_have_count(0)
    page.locator(f"{ANSWER} a[href^='/passages/']").first.click()
    expect(page.locator("#side-view-content")).to_contain_text("42 euros")
    drawn = page.locator("#side-view-content img")
    expect(drawn).to_be_visible()
    expect(drawn).to_have_attribute("alt", "harbour.pdf, page 2")
    picture = page.request.get(server.url + urlsplit(drawn.get_attribute("src") or "").path)
    left, top, right, bottom = highlighted(picture.body())
    assert left == pytest.approx(40 + stringWidth("Mooring fees. ", "Helvetica", 12), abs=3)
    assert right > 400
    assert 842 - 760 - 14 < top < bottom < 842 - 760 + 8
    picture_of(page, "citation")
    page.locator("[id^=keep-]").click()
    expect(page.get_by_text("is in the knowledge base now")).to_be_visible()
    expect(page.locator("[id^=keep-]")).to_have_count(0)
    other = open_page(page.context, server)
    answer(other, "/search How much does a boat of up to ten metres pay a night?")
    expect(other.locator(ANSWER)).to_contain_text("harbour.pdf, page 2")
    alone = other.locator(f"{ANSWER} a[href^='/passages/']").first.get_attribute("href")
    other.goto(f"{server.url}{alone}")
    expect(other.locator("blockquote mark")).to_contain_text("42 euros")
    expect(other.get_by_alt_text("harbour.pdf, page 2")).to_be_visible()
    other.close()


def _bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    silent = folder / "silent.wav"
    with wave.open(str(silent), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
    files = {
        "empty": ("empty.pdf", b"", "is empty"),
        "program": ("notes.txt", b"\x7fELF\x02\x01\x01" + bytes(4000), "cannot be read here"),
        "large": ("large.wav", b"RIFF" + bytes(21_000_000), "20 MB"),
    }
    for name, content, _ in files.values():
        (folder / name).write_bytes(content)
    return {key: (folder / name, reason) for key, (name, _, reason) in files.items()}


@pytest.mark.parametrize("kind", ["empty", "program", "large"])
def test_a_file_that_cannot_be_used_is_refused_in_one_line(page: Page, tmp_path: Path, kind: str) -> None:
    path, reason = _bad_files(tmp_path)[kind]
    page.set_input_files("#upload-button-input", str(path))
    expect(page.locator("[data-sonner-toast]").first).to_contain_text(re.compile(reason))
    expect(page.locator("#attachments")).to_have_count(0)


def test_a_picture_named_as_sound_is_taken_for_what_it_is(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(PIXEL)
    page.set_input_files("#upload-button-input", str(path))
    answer(page, "/transcribe this")
    expect(page.locator("img[src*='/project/file/']")).to_be_visible()
    expect(page.locator("audio")).to_have_count(0)


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
