"""Every line about models that the page can say has French: the lines are collected from the source."""

import ast
from pathlib import Path

import assistant
from assistant.app_errors import in_language, told
from tests.unit.test_app_errors_all import literal
from tools.engines import catalogue

ENGINES, PAGE = Path(catalogue.__file__).parent, Path(assistant.__file__).parent
FILES = (
    ENGINES / "hub.py",
    ENGINES / "downloads.py",
    ENGINES / "filters.py",
    ENGINES / "endpoint_models.py",
    PAGE / "using.py",
    PAGE / "endpoints.py",
    PAGE / "sight_probe.py",
    PAGE / "app_model_probe.py",
)
RAISED = ("ModelNotFound", "Refused", "Unreachable", "NoDiskSpace", "Busy", "BadInput", "SettingsError")


def lines() -> set[str]:
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISED:
                found.update(line for part in node.args[:2] for line in literal(part))
            if isinstance(node, ast.keyword) and node.arg == "trouble":
                found.update(literal(node.value))
    return {line for line in found if line}


def test_every_line_has_french() -> None:
    said = lines()
    assert len(said) > 35
    filled = {line.replace(" {}.", " x.").replace("({})", "(1)").replace("{}", "1") for line in said}
    assert sorted(line for line in filled if in_language(line, "fr") == line) == []


def test_a_size_is_told_in_the_units_of_the_language() -> None:
    fetching = "Fetching owner/model: 3.1 GB, 210.0 MB of them still to come"
    assert in_language(fetching, "fr") == "Téléchargement de owner/model : 3.1 Go, dont 210.0 Mo encore à venir"
    assert (
        in_language("Fetching whisper:small: about 483.0 MB", "fr")
        == "Téléchargement de whisper:small : environ 483.0 Mo"
    )


def test_message_and_remedy_are_both_french() -> None:
    message, remedy = "What work:x is for is not known.", "Say so with --for: chat, speech."
    assert told(message, remedy, "fr") == "On ne sait pas à quoi sert work:x. Dites-le avec --for : chat, speech."
