"""What was measured here: kept in one file, told on the card, and no trouble where the file is damaged."""

import re
from pathlib import Path

import pytest

from assistant.app_config import models_texts
from assistant.app_model_facts import facts_of
from assistant.app_model_words import CARD_WORDS, in_words
from assistant.cli import call
from assistant.measured import FILE, Known, Measured, Probed, measurements
from assistant.model_cards import Card, find_cards
from assistant.settings import Settings
from tools.engines.catalogue import cards
from tools.engines.filters import Filter
from tools.engines.hub import MANIFEST

FOUND = Measured("2026-11-24T20:00:00+00:00", "Some CPU, 2 cores", 3.2, 1.1, 10.4, "tokens/s", 1_500_000_000, 0.4)
QWEN = "llama-cpp:qwen2.5-coder-1.5b-instruct"


def card_of(settings: Settings, model: str) -> Card:
    return next(card for card in find_cards(settings, Filter(name=model)) if card.model.id == model)


def facts(settings: Settings, model: str, language: str = "en-GB") -> dict[str, str]:
    return {label: text for label, text, _ in facts_of(card_of(settings, model), models_texts(language), language)}


def test_what_is_found_is_kept_beside_what_was_found_before(tmp_path: Path) -> None:
    measurements(tmp_path).put("a:b", measured=FOUND)
    measurements(tmp_path).put("a:b", tool_calls=Probed("2026-11-24", 3, 4))
    measurements(tmp_path).put("a:c", measured=FOUND)
    assert measurements(tmp_path).of("a:b") == Known(FOUND, Probed("2026-11-24", 3, 4))
    assert measurements(tmp_path).of("a:d") == Known()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a:b": {"measured": {"speed": 1}}}', '{"a:b": 3}'])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert measurements(tmp_path).of("a:b") == Known()


def test_the_card_tells_it_in_both_languages(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert facts(settings, QWEN)["Measured here"] == f"not yet: assistant models measure {QWEN}"
    measurements(tmp_path).put(QWEN, measured=FOUND)
    told = facts(settings, QWEN)
    assert (
        told["Measured here"]
        == "10.4 tokens a second, ready after 1.1 s, 1.5 GB of memory, on Some CPU, 2 cores, 2026-11-24"
    )
    assert told["Parameters"] == "1.54 B" and told["Context"] == "32,768 tokens"
    french = facts(settings, QWEN, "fr-FR")
    assert french["Mesuré ici"].startswith("10,4 jetons par seconde, prêt après 1,1 s, 1,5 Go de mémoire")
    assert french["Limites connues"].startswith("petit : se trompe")
    assert re.fullmatch(r"(oui|non) : il faut 1,5 Go.* \d+,\d Go sont libres.*", french["Tient maintenant"])


def test_what_was_tried_here_counts_more_than_what_a_maker_says(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    model = "openai:gpt-4.1-mini"
    assert card_of(settings, model).model.calls_tools
    assert "assistant models probe" in facts(settings, model)["Calls tools"]
    measurements(tmp_path).put(model, tool_calls=Probed("2026-11-24T20:00:00+00:00", 2, 4))
    assert not card_of(settings, model).model.calls_tools
    assert facts(settings, model)["Calls tools"] == "tried here on 2026-11-24: 2 of 4 right, do not rely on it"


def test_what_was_fetched_is_told_with_revision_and_checksum(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "hub" / "Systran--faster-whisper-small"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text('{"repo": "x", "revision": "abc", "date": "", "sha256": {"model.bin": "12ef"}}')
    told = facts(Settings(home=tmp_path), "faster-whisper:small")
    assert (told["Revision fetched here"], told["sha256"]) == ("abc", "12ef model.bin")


def test_a_fact_that_is_not_known_has_no_line(tmp_path: Path) -> None:
    told = facts(Settings(home=tmp_path), "openai:gpt-5")
    assert not {"Parameters", "Architecture", "Size", "Languages", "sha256"} & set(told)
    assert all(told.values())
    assert "leaves this machine" in told["Where it runs"]
    assert facts(Settings(home=tmp_path), "ollama:mistral:7b")["Where it runs"].startswith(
        "On a server of this machine:"
    )
    elsewhere = Settings(home=tmp_path, keys={"OLLAMA_HOST": "192.168.7.7:11434"})
    assert "unless it is on this machine" in facts(elsewhere, "ollama:mistral:7b")["Where it runs"]
    assert facts(elsewhere, "ollama:mistral:7b")["Price"] == "price unknown"


def test_every_sentence_of_every_card_has_french() -> None:
    said = {text for card in cards() for text in (card.limits, card.forbids, card.commercial_use) if text}
    assert [text for text in said if in_words(text, "fr") == text] == []
    left = {text for text in said if text not in CARD_WORDS}
    assert all(". Never run" in text and "Jamais lancé" in in_words(text, "fr") for text in left)


def test_a_model_that_cannot_call_tools_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    assert call(["models", "probe", QWEN]) == 2
    assert "does not call tools reliably" in capsys.readouterr().err
    assert call(["models", "probe", "whisper:base"]) == 2
    assert call(["models", "measure", "whisper:bas"]) == 2
    assert measurements(tmp_path).of(QWEN) == Known()
