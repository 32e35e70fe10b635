"""The manual: every chapter in both languages with the same sections, and every command in it is one that there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from assistant.cli import app
from knowledge.handbook import FOLDER

CHAPTERS = sorted(path.name.removesuffix(".en.md") for path in FOLDER.glob("*.en.md"))
COMMAND = re.compile(r"`(assistant(?: [^`]+)?)`")
FILE = re.compile(r"^(?:[\w-]+\.(?:wav|mp3|txt|toml|jsonl|json|csv|pdf|html|ipynb)|FILE|FICHIER)$")
MERELY_NAMED = ("MissingParameter", "NoArgsIsHelpError", "BadOptionUsage")
"""What is said of a command without what it is about."""
LONGEST_SECTION = 1500
"""Characters: an answer is given from a section or two."""


def text_of(chapter: str, language: str) -> str:
    return (FOLDER / f"{chapter}.{language}.md").read_text("utf-8")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_the_same_sections_in_both_languages(chapter: str) -> None:
    english, french = (text_of(chapter, language).split("\n## ") for language in ("en", "fr"))
    assert len(english) == len(french) > 1
    assert all(part.startswith("# ") for part in (english[0], french[0]))
    for one, other in zip(english, french, strict=True):
        assert max(len(one), len(other)) < LONGEST_SECTION


def test_every_chapter_is_there_in_both_languages() -> None:
    assert {"catalogue", "comparing", "costs", "models", "privacy"} <= set(CHAPTERS)
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(
        f"{chapter}.{language}.md" for chapter in CHAPTERS for language in ("en", "fr")
    )


def commands() -> list[str]:
    found = [text for path in sorted(FOLDER.glob("*.md")) for text in COMMAND.findall(path.read_text("utf-8"))]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_manual_is_one_that_there_is(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    for word in words:
        if FILE.match(word):
            (tmp_path / word).touch()
    parse(typer.main.get_command(app), words)


def parse(command: object, words: list[str]) -> None:
    """Up to what would be done, which is not. A command that is only named may lack what it is about."""
    try:
        context = command.make_context("assistant", list(words))  # type: ignore[attr-defined]
    except Exception as error:
        if type(error).__name__ not in MERELY_NAMED:
            raise
        return
    rest = [*getattr(context, "_protected_args", []), *context.args]
    if hasattr(command, "resolve_command") and rest:
        _, found, others = command.resolve_command(context, rest)
        parse(found, others)


@pytest.mark.parametrize(
    "wrong", ["assistant modles", "assistant models shw x", "assistant run --ofline", "assistant replay a b"]
)
def test_a_command_that_there_is_not_would_be_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"No such|Got unexpected"):
        parse(typer.main.get_command(app), wrong.split()[1:])
