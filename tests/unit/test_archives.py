"""Archives as bundles of files: what comes out, and everything that must not."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from knowledge.archives import Member, is_archive, unpack
from knowledge.documents import KnowledgeError, Skipped
from tests.documents import (
    packed_much,
    write_bomb,
    write_book,
    write_opendocument,
    write_sheets,
    write_slides,
    write_tar,
    write_word,
    write_zip,
)


def unpacked(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """Members by name with their content, and the reasons of those left out."""
    items = list(unpack(path, path.parent / "out"))
    members = {item.name: item.path.read_bytes() for item in items if isinstance(item, Member)}
    return members, [item.why for item in items if isinstance(item, Skipped)]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_each_file_of_an_archive_comes_out_under_its_name(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"2024/report.txt": b"Rye.", "übersicht.md": b"# Oat", "2024/": b""})
    assert unpacked(path) == ({"2024/report.txt": b"Rye.", "übersicht.md": b"# Oat"}, [])


def test_a_compressed_tar_comes_out_too(tmp_path):
    assert unpacked(write_tar(tmp_path / "a.tgz", {"b/c.txt": b"Rye."})) == ({"b/c.txt": b"Rye."}, [])


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "/etc/cron.d/evil", "a/../../evil.txt", "..\\evil.txt", "C:\\evil.txt", "\\\\host\\evil.txt"],
)
def test_a_name_that_leads_out_is_left_out_aloud(tmp_path, name):
    members, why = unpacked(write_zip(tmp_path / "a.zip", {name: b"evil", "good.txt": b"good"}))
    assert list(members) == ["good.txt"]
    assert why[0].endswith("its name leads out of the archive")


def test_what_comes_out_lies_in_the_folder_under_a_number_and_nowhere_else(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"x/" * 50 + "a.pdf": b"one", "CON.txt": b"two", "a;rm -rf.s h": b"three"})
    list(unpack(path, tmp_path / "out"))
    assert sorted(os.listdir(tmp_path / "out")) == ["00001.pdf", "00002.txt", "00003"]


def test_links_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = write_tar(tmp_path / "a.tar.gz", {"a.txt": b"Rye."}, links={"link": str(secret), "loop": "loop"})
    members, why = unpacked(path)
    assert members == {"a.txt": b"Rye."}
    assert [w.split(": ")[1] for w in why] == ["it is a link or a device, not a file"] * 2


def test_archives_inside_are_unpacked_two_deep_and_no_deeper(tmp_path):
    content = zipped({"deepest.txt": b"4"})
    for name in ("third.zip", "second.zip", "first.zip"):
        content = zipped({f"{name[:-4]}.txt": b"words", name: content})
    (tmp_path / "a.zip").write_bytes(content)
    members, why = unpacked(tmp_path / "a.zip")
    assert list(members) == ["first.txt", "first.zip/second.txt", "first.zip/second.zip/third.txt"]
    assert why == ["first.zip/second.zip/third.zip lies too deep inside other archives; unpack it and add it by itself"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_a_name_that_is_not_marked_as_utf_8_is_read(tmp_path, encoding):
    raw = "Blücher.txt".encode(encoding)
    content = zipped({"x" * len(raw): b"Rye."}).replace(b"x" * len(raw), raw)
    (tmp_path / "a.zip").write_bytes(content)
    assert list(unpacked(tmp_path / "a.zip")[0]) == ["Blücher.txt"]


def test_empty_files_and_what_a_system_adds_are_listed_and_recordings_come_out(tmp_path):
    sound = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(50)
    files = {"a.wav": sound, "empty.txt": b"", "__MACOSX/._a.wav": b"x", "b/.DS_Store": b"x"}
    members, why = unpacked(write_zip(tmp_path / "a.zip", files))
    assert list(members) == ["a.wav"]
    assert len(why) == 3


def test_thousands_of_small_files_come_out(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({f"{i}.txt": b"Rye." for i in range(3_000)}))
    assert len(unpacked(tmp_path / "a.zip")[0]) == 3_000


def test_bombs_are_refused(tmp_path):
    with pytest.raises(KnowledgeError, match="would unpack to"):
        list(unpack(write_bomb(tmp_path / "a.zip", "a.txt"), tmp_path / "out"))
    (tmp_path / "b.gz").write_bytes(packed_much(b"a" * 10_000_000, 21, wbits=31))
    assert "would unpack to" in unpacked(tmp_path / "b.gz")[1][0]
    assert not list((tmp_path / "out").iterdir())


def test_an_office_file_is_no_archive(tmp_path):
    documents = [
        write_word(tmp_path / "a.docx"),
        write_slides(tmp_path / "a.pptx"),
        write_sheets(tmp_path / "a.xlsx", {"S": [("a", 1)]}),
        write_book(tmp_path / "a.epub", {"One": "Text."}),
        write_opendocument(tmp_path / "a.odt"),
    ]
    assert not any(map(is_archive, documents))
    assert is_archive(write_zip(tmp_path / "a.zip", {"a.txt": b"Rye."}))
    assert is_archive(write_tar(tmp_path / "a.tar.gz", {"a.txt": b"Rye."}))
    assert list(unpack(documents[0], tmp_path / "out")) == [Member("a.docx", documents[0])]


def test_a_damaged_archive_says_so(tmp_path):
    whole = write_zip(tmp_path / "a.zip", {"a.txt": b"Rye."}).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[:40])
    with pytest.raises(KnowledgeError, match="damaged or cut short"):
        list(unpack(tmp_path / "b.zip", tmp_path / "out"))
