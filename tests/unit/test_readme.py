"""Docs cannot drift: the README's tables, file tree and commands are compared with the code."""

from pathlib import Path

from tests.readme import README, with_tables

ROOT = README.parent


def test_the_tables_of_the_readme_are_those_of_the_code() -> None:
    text = README.read_text("utf-8")
    assert text == with_tables(text), "run: python -m tests.readme"


def test_every_picture_of_the_readme_exists() -> None:
    names = [part.split(")")[0] for part in README.read_text("utf-8").split("](")[1:]]
    local = [name for name in names if name.endswith(".png")]
    assert local
    assert not [name for name in local if not (ROOT / Path(name)).exists()]


def test_the_command_table_names_every_command() -> None:
    from assistant.cli import app

    commands = [c.name or c.callback.__name__ for c in app.registered_commands if not c.hidden]
    text = README.read_text("utf-8")
    assert not [c for c in commands if f"assistant {c}" not in text]
