"""The process that reads files: pages as they come, and every way in which a file can be wrong."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
from pathlib import Path

import psutil
import pytest

from knowledge import reader_process
from knowledge.documents import KnowledgeError, Page, Skipped, Start
from knowledge.loaders import iter_document, load_document
from tests.documents import (
    PAGES,
    message,
    packed_much,
    picture_of,
    write_bomb,
    write_book,
    write_long_sheet,
    write_opendocument,
    write_pdf,
    write_pdf_bomb,
    write_scan,
    write_sheets,
    write_slides,
    write_sparse_sheet,
    write_tar,
    write_word,
    write_zip,
)


def refusal(path: Path) -> KnowledgeError:
    with pytest.raises(KnowledgeError) as caught:
        load_document(path)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


def saved(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_pdf_gives_its_pages_counted_from_one(tmp_path):
    document = load_document(write_pdf(tmp_path / "a.pdf"))
    assert [(p.number, p.text.strip()) for p in document.pages] == list(enumerate(PAGES, 1))
    assert document.page_count == 3


def test_the_title_comes_first_and_then_each_page_as_it_is_read(tmp_path):
    items = list(iter_document(write_pdf(tmp_path / "a.pdf", ["Text.", "", "More."]), "report.pdf"))
    assert items[0] == Start("report.pdf", 3)
    assert [type(item) for item in items[1:]] == [Page, Skipped, Page]


def test_a_reading_that_is_left_ends_its_process(tmp_path):
    items = iter_document(write_pdf(tmp_path / "a.pdf", PAGES * 50))
    next(items)
    items.close()
    assert not psutil.Process().children()


def test_a_page_without_text_is_reported_and_the_others_are_read(tmp_path):
    document = load_document(write_pdf(tmp_path / "a.pdf", ["Text.", "", "More."]))
    assert [p.number for p in document.pages] == [1, 3]
    assert document.skipped == [Skipped(2, "no text: the page holds only pictures or drawings")]


def test_content_counts_and_not_the_name(tmp_path):
    assert load_document(saved(tmp_path, "a.pdf", "Plain words.")).pages[0].text == "Plain words."
    assert load_document(write_pdf(tmp_path / "b.txt")).page_count == 3


@pytest.mark.parametrize("name", ["../../etc/passwd", "-c import os", "a\nb\x1b[31m.txt", "\u202etxt.exe", "x" * 300])
def test_a_name_is_only_a_name(tmp_path, name):
    document = load_document(saved(tmp_path, "a.txt", "Plain words."), name)
    assert (document.title, document.pages[0].text) == (name, "Plain words.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty (0 bytes)"),
        (b" \n\t\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "damaged"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(50), "not a document"),
        (bytes(range(256)) * 20, "binary data"),
        (b"%PDF-1.7 and then nothing", "damaged"),
        (b"PK\x03\x04" + bytes(40), "damaged or cut short"),
        (b"\x1f\x8b" + bytes(40), "damaged"),
        (b"7z\xbc\xaf'\x1c" + bytes(50), "7-Zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Office format"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "is encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "Workbook\0".encode("utf-16-le"), "damaged"),
        (b'{"cells": [{"cell_type": "code"', "damaged"),
        (b"<html></html>", "no text"),
    ],
)
def test_a_file_that_is_no_readable_document_is_refused_in_one_line(tmp_path, content, said):
    assert said in str(refusal(saved(tmp_path, "report.pdf", content)))


def test_an_encrypted_pdf_asks_for_its_password_to_be_removed(tmp_path):
    assert "encrypted" in refusal(write_pdf(tmp_path / "a.pdf", password="secret")).message


def test_a_book_locked_to_its_buyer_says_so(tmp_path):
    assert "encrypted" in refusal(write_book(tmp_path / "a.epub", {"One": "Text."}, locked=True)).message


def test_an_encrypted_member_of_an_archive_is_listed(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"open.txt": "Words.", "closed.txt": "Words."})
    content = path.read_bytes()
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.rindex(signature) + flags
        content = content[:at] + b"\x01" + content[at + 1 :]
    document = load_document(saved(tmp_path, "b.zip", content))
    assert [p.place for p in document.pages] == ["open.txt"]
    assert "closed.txt: it is encrypted" in document.skipped[0].why


def test_a_scanned_pdf_says_what_to_install_where_nothing_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal(write_scan(tmp_path / "a.pdf", ["The notice period is ninety days"]))
    assert "scanned" in error.message
    assert "apt-get install tesseract-ocr" in error.remedy


def test_a_scanned_page_is_listed_with_the_remedy_where_nothing_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    skipped = load_document(write_scan(tmp_path / "a.pdf", ["Ninety days", ""], stamp="p. 1")).skipped
    assert [s.page for s in skipped] == [1, 2]
    assert all("picture on the page was not read" in s.why for s in skipped)
    assert skipped[0].why.endswith("install tesseract-ocr to have it read")


def test_a_picture_says_what_to_install_where_nothing_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    picture_of("Invoice").save(tmp_path / "a.png")
    assert "apt-get install tesseract-ocr" in refusal(tmp_path / "a.png").remedy


def test_a_truncated_pdf_is_refused_or_says_that_its_end_is_missing(tmp_path):
    whole = write_pdf(tmp_path / "a.pdf", PAGES * 30).read_bytes()
    for share in (0.3, 0.6, 0.95):
        path = saved(tmp_path, "cut.pdf", whole[: int(len(whole) * share)])
        try:
            skipped = load_document(path).skipped
        except KnowledgeError as error:
            skipped = [Skipped(None, error.message)]
        assert any("end of the file is missing" in s.why or "damaged" in s.why for s in skipped)


def test_a_truncated_file_of_any_packed_kind_is_refused(tmp_path):
    for whole in (
        write_word(tmp_path / "a.docx"),
        write_slides(tmp_path / "a.pptx"),
        write_sheets(tmp_path / "a.xlsx", {"S": [("Item", "Price"), ("Rye", 4)]}),
        write_book(tmp_path / "a.epub", {"One": "Text."}),
        write_opendocument(tmp_path / "a.odt"),
        write_zip(tmp_path / "a.zip", {"a.txt": "Words."}),
    ):
        content = whole.read_bytes()
        assert "cut short" in refusal(saved(tmp_path, f"cut{whole.suffix}", content[: len(content) // 2])).message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", "<html><body><p>The first half of the page."),
        ("a.rtf", r"{\rtf1\ansi The first half {\b of"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:03,000\nHello\n\n2\n00:00:05,000 -->"),
        ("a.eml", message("Order", "Rye.", {"c.pdf": b"%PDF-1.7" + bytes(4000)}).as_bytes()[:1200]),
    ],
)
def test_a_truncated_text_format_says_what_is_missing(tmp_path, name, content):
    document = load_document(saved(tmp_path, name, content))
    assert document.pages
    assert document.skipped


def test_a_truncated_tar_gives_what_is_whole_and_says_so(tmp_path):
    noise = b"".join(zlib.crc32(bytes([i % 251, i // 251])).to_bytes(4, "big").hex().encode() for i in range(20_000))
    whole = write_tar(tmp_path / "a.tar.gz", {"a.txt": b"Words.", "b.txt": noise}).read_bytes()
    document = load_document(saved(tmp_path, "cut.tar.gz", whole[: len(whole) // 2]))
    assert document.pages[0].place == "a.txt"
    assert "damaged" in document.skipped[0].why


@pytest.mark.parametrize("member", ["word/document.xml", "xl/workbook.xml", "ppt/presentation.xml", "notes.txt"])
def test_an_archive_bomb_is_not_opened(tmp_path, member):
    assert "60 MB" in refusal(write_bomb(tmp_path / "a.docx", member)).message


def test_a_compressed_bomb_is_not_written_out(tmp_path):
    content = packed_much(b"a" * 10_000_000, 21, wbits=31)
    assert "would unpack to" in refusal(saved(tmp_path, "a.gz", content)).message


def test_an_archive_with_nothing_in_it_says_so(tmp_path):
    assert "no files in it" in refusal(write_tar(tmp_path / "a.tar.gz", {})).message


def test_a_pdf_page_that_wants_all_memory_is_left_out_and_the_others_are_read(tmp_path):
    document = load_document(write_pdf_bomb(tmp_path / "a.pdf"))
    assert [p.text.strip() for p in document.pages] == ["First page.", "Last page."]
    assert [(s.page, "memory" in s.why) for s in document.skipped] == [(2, True)]


def test_a_sheet_whose_cells_lie_millions_apart_says_that_it_needs_too_much_memory(tmp_path):
    assert "too much memory" in refusal(write_sparse_sheet(tmp_path / "a.xlsx")).message


def test_an_attachment_that_wants_all_memory_is_listed_and_the_others_are_read(tmp_path):
    bomb = write_sparse_sheet(tmp_path / "a.xlsx").read_bytes()
    mail = message("Order", "Rye.", {"a.txt": b"First.", "b.xlsx": bomb, "c.txt": b"Third.", "d.xlsx": bomb})
    document = load_document(saved(tmp_path, "a.eml", mail.as_bytes()))
    assert [p.place for p in document.pages] == ["", "a.txt", "c.txt"]
    assert [s.why for s in document.skipped] == [
        f"{name} is damaged, or wants too much memory or time" for name in ("b.xlsx", "d.xlsx")
    ]


def test_an_encrypted_opendocument_file_says_so(tmp_path):
    members = {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "\x01\x02"}
    manifest = "<manifest:manifest><manifest:encryption-data/></manifest:manifest>"
    assert (
        "is encrypted" in refusal(write_zip(tmp_path / "a.odt", {**members, "META-INF/manifest.xml": manifest})).message
    )


def test_parts_in_parts_in_parts_without_end_are_refused(tmp_path):
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{i}"\n\n--b{i}\n' for i in range(2000))
    assert "nested too deeply" in refusal(saved(tmp_path, "a.eml", f"From: a@b.org\nSubject: x\n{parts}")).message


def test_a_line_that_begins_a_hundred_thousand_times_is_read_in_a_moment(tmp_path):
    cue = "1\n00:00:01,000 --> 00:00:03,000\nHello\n\n"
    document = load_document(saved(tmp_path, "a.srt", cue + "00:00:01 --> " * 100_000))
    assert (document.pages[0].text, document.skipped[0].why) == ("Hello", "some lines have no readable time")


def test_a_page_that_takes_forever_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(reader_process, "MAX_SECONDS", 0.0)
    assert "too long" in refusal(write_pdf(tmp_path / "a.pdf")).message


def test_a_sheet_of_a_hundred_thousand_rows_is_read_as_it_comes(tmp_path):
    path = write_long_sheet(tmp_path / "a.xlsx", 100_000)
    pages = [item for item in iter_document(path) if isinstance(item, Page)]
    assert sum(page.text.count("\n") + 1 for page in pages) == 100_000
    assert pages[-1].text.endswith("Item 100000; 100000")
    assert (pages[-1].place, pages[-1].first) == ("Prices", 99_801)


def test_a_file_of_two_gigabytes_is_refused_at_once(tmp_path):
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.truncate(2_000_000_000)
    assert "2,000 MB" in refusal(path).message


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    assert "not found" in refusal(tmp_path / "none.pdf").message
    assert "folder" in refusal(tmp_path).message


def test_reading_stops_when_it_is_told_to(tmp_path):
    stop = threading.Event()
    stop.set()
    path = saved(tmp_path, "a.txt", "Привет, мир. ".encode("cp1251") * 3_000_000)
    with pytest.raises(KnowledgeError, match="stopped"):
        load_document(path, stop=stop)


def test_the_parser_sees_no_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    items = iter_document(saved(tmp_path, "a.csv", "Item,Price,Shop\n" + "Rye,4,North\n" * 100_000))
    next(items)
    assert not {"OPENAI_API_KEY", "HOME"} & set(psutil.Process().children()[0].environ())
    items.close()


def test_the_parser_cannot_take_all_memory():
    code = "from knowledge.parsing.process import limit_self; limit_self(); bytearray(3_000_000_000)"
    child = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "MemoryError" in child.stderr


def test_text_beyond_twenty_million_characters_is_cut_aloud(tmp_path):
    document = load_document(saved(tmp_path, "a.txt", b"word " * 4_200_000))
    assert len(document.pages[0].text) == 20_000_000
    assert "only the first 20,000,000 characters" in document.skipped[0].why
