"""What the page takes from the chat settings that a browser sends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.settings import Settings, load_settings

HOSTED = "openai:gpt-5-mini"


@pytest.fixture
def settings(chainlit: None, tmp_path: Path) -> Settings:
    return load_settings(tmp_path, {"OPENAI_API_KEY": "test"})


def chosen(settings: Settings, **given: Any) -> tuple[dict[str, str], dict[str, Any]]:
    from assistant.app_choices import chosen

    return chosen(settings, given)


def test_a_model_that_the_form_offers_is_taken(settings: Settings) -> None:
    assert chosen(settings, chat=HOSTED, speech="faster-whisper:tiny.en")[0] == {
        "chat": HOSTED,
        "speech": "faster-whisper:tiny.en",
    }


@pytest.mark.parametrize(
    "model", ["diffusers:/etc", "llama-cpp:/tmp/x.gguf", "", None, 7, ["a"], "faster-whisper:base"]
)
def test_a_model_that_the_form_does_not_offer_is_left_out(settings: Settings, model: Any) -> None:
    assert chosen(settings, chat=model, image=model) == ({}, {})


def test_a_hosted_model_needs_its_key_and_the_network(settings: Settings) -> None:
    assert chosen(replace(settings, keys={}), chat=HOSTED) == ({}, {})
    assert chosen(replace(settings, offline=True), chat=HOSTED) == ({}, {})


@pytest.mark.parametrize(("given", "taken"), [(0.7, 0.7), (99, 1.5), (-1, 0.0)])
def test_the_temperature_stays_between_its_ends(settings: Settings, given: float, taken: float) -> None:
    assert chosen(settings, temperature=given)[1] == {"temperature": taken}


@pytest.mark.parametrize(
    "given", [{"temperature": float("nan")}, {"temperature": "hot"}, {"language": "../x"}, {"max_tokens": 10**9}]
)
def test_other_values_are_left_out(settings: Settings, given: dict[str, Any]) -> None:
    assert chosen(settings, **given) == ({}, {})
    assert chosen(settings, language="fr")[1] == {"language": "fr"}
