"""What is said of documents that cannot be read, in French, checked against what is really raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.app_errors import in_language
from knowledge.documents import KnowledgeError
from knowledge.loaders import check_file
from knowledge.parsing.lines import Unreadable
from knowledge.parsing.reading import read_document
from tests.documents import picture_of, write_bomb, write_pdf, write_scan, write_tar

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (b" ", "a.pdf est vide. Vérifiez"),
        (b"%PDF-1.7", "a.pdf est endommagé et ne peut pas être lu. Enregistrez-le"),
        (b"PK\x03\x04" + bytes(40), "a.pdf est endommagé ou incomplet. Enregistrez-le"),
        (b"7z\xbc\xaf'\x1c" + bytes(50), "a.pdf est une archive 7-Zip, qui n'est pas ouverte. Décompressez-la"),
        (bytes(range(256)) * 20, "a.pdf contient des données binaires, pas un document. Choisissez"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(50), "a.pdf contient du audio/x-wav, pas un document. `assistant"),
        (OLE, "a.pdf est chiffré ou dans un ancien format Office. Ouvrez-le, retirez"),
        (OLE + "WordDocument".encode("utf-16-le"), "a.pdf est dans l'ancien format Word. Ouvrez-le et enregistrez"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.pdf est chiffré. Ouvrez-le, retirez son mot de passe"),
        (b"<html></html>", "a.pdf ne contient pas de texte. Vérifiez"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_french(tmp_path: Path, content: bytes, start: str) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    assert french(tmp_path / "a.pdf").startswith(start)


def test_passwords_bombs_and_empty_archives_are_told_in_french(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert french(write_pdf(path, password="x")) == "a est chiffré. Retirez son mot de passe et ajoutez-le de nouveau."
    assert french(write_bomb(path)).startswith("a ferait 60 Mo ou plus une fois décompressé")
    assert french(write_tar(path, {})).startswith("a est une archive sans fichiers.")


def test_a_scan_that_nothing_reads_is_told_in_french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.parsing.ocr.languages", tuple)
    assert "Installez tesseract" in french(write_scan(tmp_path / "a.pdf", ["Words"]))
    picture_of("Words").save(tmp_path / "a.png")
    assert french(tmp_path / "a.png").startswith("a.png est une image ; son texte est lu par tesseract")
    path = write_scan(tmp_path / "b.pdf", ["Words"], stamp="p. 1")
    why = [in_language(line["skipped"], "fr") for line in read_document(path, "b.pdf") if "skipped" in line]
    assert why == ["l'image de la page n'a pas été lue ; installez tesseract-ocr pour que le texte soit lu"]


def test_a_file_that_is_too_large_is_told_in_french(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(KnowledgeError) as raised:
        check_file(path, "a")
    assert in_language(str(raised.value), "fr").startswith(
        "a fait 300 Mo ; on lit des fichiers de 200 Mo au plus. Découpez"
    )


def french(path: Path) -> str:
    with pytest.raises(Unreadable) as raised:
        list(read_document(path, path.name))
    return in_language(f"{raised.value.message} {raised.value.remedy}", "fr-FR")
