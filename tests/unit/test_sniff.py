"""What a container is taken for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.documents import (
    message,
    write_book,
    write_old_sheet,
    write_opendocument,
    write_pdf,
    write_sheets,
    write_slides,
    write_tar,
    write_word,
    write_zip,
)
from tools.engines.errors import BadInput
from tools.sniff import _container, sniff


def _tone(path: Path) -> Path:
    subprocess.run(["sox", "-n", "-r", "16000", "-c", "1", path, "synth", "0.2", "sine", "440"], check=True)
    return path


def test_an_ogg_file_without_pictures_is_sound(tmp_path: Path) -> None:
    assert sniff(_tone(tmp_path / "tone.ogg")).kind == "audio"


def test_a_list_of_other_files_is_not_opened(tmp_path: Path) -> None:
    _tone(tmp_path / "tone.wav")
    listing = tmp_path / "list.mp4"
    listing.write_text("ffconcat version 1.0\nfile 'tone.wav'\n")
    assert _container(listing, "video/mp4") == ("video", "video/mp4")


def test_every_kind_of_document_may_be_dropped_under_any_name(tmp_path: Path) -> None:
    x = tmp_path / "x.bin"
    makers = (write_pdf, write_word, write_slides, write_opendocument)
    kinds = [sniff(maker(x)).kind for maker in makers]
    kinds += [sniff(write_sheets(x, {"S": [("a", 1)]})).kind, sniff(write_old_sheet(x, [("a", 1)])).kind]
    kinds += [sniff(write_book(x, {"One": "Text."})).kind, sniff(write_zip(x, {"a.txt": "Rye."})).kind]
    kinds += [sniff(write_tar(x, {"a.txt": b"Rye."})).kind]
    x.write_bytes(message("Order", "Rye.").as_bytes())
    assert {*kinds, sniff(x).kind} == {"document"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252", "shift_jis"])
def test_text_in_any_encoding_may_be_dropped(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a").write_bytes("Plain words.".encode(encoding))
    assert sniff(tmp_path / "a").mime_type == "text/plain"


def test_an_archive_that_nothing_opens_is_refused_with_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf'\x1c" + bytes(50))
    with pytest.raises(BadInput, match="archives and documents"):
        sniff(tmp_path / "a.7z")
