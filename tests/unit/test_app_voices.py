"""Which voice speaks: chosen, set, or knowing the language. No voice is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.engines import Engines
from assistant.settings import Settings, load_settings

JOE = "piper:en_US-joe-medium"


@pytest.fixture
def settings(chainlit: None, tmp_path: Path) -> Settings:
    """A French and an English voice lie beside the starter voice; a file without its description is none."""
    folder = tmp_path / "home" / "models" / "piper"
    folder.mkdir(parents=True)
    for name in ("fr_FR-anne", "en_GB-bob", "broken"):
        (folder / f"{name}.onnx").touch()
    for name in ("fr_FR-anne", "en_GB-bob"):
        (folder / f"{name}.onnx.json").write_text(json.dumps({"language": {"family": name[:2]}}), "utf-8")
    return load_settings(tmp_path, {"ASSISTANT_HOME": str(tmp_path / "home"), "OPENAI_API_KEY": "test"})


def voice(settings: Settings, language: str, **given: Any) -> Any:
    from assistant.app_voices import voice_for

    page: Any = SimpleNamespace(settings=settings, assistant=SimpleNamespace(engines=Engines(settings)))
    return voice_for(page, given, language)


def hosted(tmp_path: Path, model: str) -> Settings:
    more = {"ASSISTANT_VOICE": model, "ASSISTANT_VOICE_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "test"}
    return load_settings(tmp_path, more)


def test_the_voices_of_this_machine_are_offered(settings: Settings) -> None:
    from assistant.app_voices import offered_voices

    assert offered_voices(settings) == ("en_US-joe-medium", "en_GB-bob", "fr_FR-anne")


@pytest.mark.parametrize(
    ("language", "given", "speaks"),
    [
        ("en", {}, JOE),
        ("fr", {}, "piper:fr_FR-anne"),
        ("en", {"voice": "en_GB-bob"}, "piper:en_GB-bob"),
        ("fr", {"voice": "en_GB-bob"}, "piper:fr_FR-anne"),
        ("en", {"voice": "/etc/passwd"}, JOE),
        ("en", {"voice": ["x"]}, JOE),
    ],
)
def test_the_chosen_voice_speaks_where_it_knows_the_language(
    settings: Settings, language: str, given: dict[str, Any], speaks: str
) -> None:
    assert voice(settings, language, **given).card.id == speaks


def test_a_language_that_no_voice_knows_is_left_to_the_browser(settings: Settings) -> None:
    assert voice(settings, "it") is None


def test_a_hosted_voice_is_chosen_by_its_name(chainlit: None, tmp_path: Path) -> None:
    settings = hosted(tmp_path, "openai:gpt-4o-mini-tts")
    assert voice(settings, "it", voice="nova")._name == "nova"
    assert voice(settings, "it", voice="somebody")._name == "alloy"


def test_a_server_that_does_not_tell_its_voices_offers_none(chainlit: None, tmp_path: Path) -> None:
    from assistant.app_voices import offered_voices

    settings = hosted(tmp_path, "openai-compatible:any")
    assert offered_voices(settings) == ()
    assert voice(settings, "it") is not None
