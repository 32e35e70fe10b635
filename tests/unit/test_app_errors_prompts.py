"""Every line that the library of prompts can say to a person has French: the lines are collected from the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import assistant
from assistant.app_errors import FRENCH, in_language
from assistant.prompt_reading import read_prompt
from assistant.prompts import fill
from tests.unit.test_app_errors_all import has_french, literal, texts
from tools.engines.errors import BadInput

SOURCES = [
    Path(assistant.__file__).parent / f"{name}.py"
    for name in ("prompts", "prompt_reading", "prompt_library", "prompted")
]


UNQUOTED = tuple((pattern.replace("'(", "'?(").replace(")'", ")'?"), french) for pattern, french in FRENCH)
"""The source does not show the quotation marks that `!r` puts."""


def test_every_message_and_remedy_has_french() -> None:
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    found = {line for node in nodes for text in texts(node, ("BadInput", "CandidateError")) for line in literal(text)}
    said = {re.sub(r"^{}(?= has| cannot| names| says| needs c|:)", "The prompt {}", line) for line in found}
    assert len(said) > 40
    assert sorted(line for line in said if not has_french(line, UNQUOTED)) == []


@pytest.mark.parametrize(
    ("table", "french"),
    [
        (
            {"name": "x", "message": "{{y}}"},
            "Le prompt x nomme {{y}}, qui n'est pas un de ses champs. Ajoutez ce champ",
        ),
        ({"name": "x", "tool": "y"}, "Le prompt x a l'outil « y ». Choisissez parmi write_text"),
        ({"name": "x"}, "Le prompt x ne dit rien. Écrivez par exemple name = 'traduire'"),
        ({"name": "x", "system": "y" * 20_001}, "Le prompt x a un champ system de 20001 caractères. Il en faut 20000"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_told_in_french(table: dict[str, str], french: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_prompt(table)
    assert in_language(str(raised.value), "fr").startswith(french)


def test_a_value_that_is_missing_is_told_in_french() -> None:
    prompt = read_prompt({"name": "x", "message": "{{when}}", "inputs": [{"name": "when", "type": "date"}]})
    for given, french in (
        ("", "Il manque when à /x. Écrivez /x when=…"),
        ("y", "/x ne peut pas prendre « y » pour when. Il faut une date"),
    ):
        with pytest.raises(BadInput) as raised:
            fill(prompt, {"when": given}, "")
        assert in_language(str(raised.value), "fr").startswith(french)
