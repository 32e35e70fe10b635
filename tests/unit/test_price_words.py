"""The price on a card: by its unit, with currency and date, the person's own first; unknown is said and never nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.app_config import models_texts
from assistant.app_model_facts import facts_of
from assistant.cli import call
from assistant.model_cards import Card, card_json, find_cards
from assistant.price_words import WORDS, price_in_words
from assistant.settings import Chat, Settings, SettingsError
from tools.engines.base import ModelCard
from tools.engines.filters import Filter


def card_of(settings: Settings, model: str) -> Card:
    served = (ModelCard(model, "text", "hosted", "", ""),)
    return next(card for card in find_cards(settings, Filter(name=model), served) if card.model.id == model)


def told(settings: Settings, model: str) -> str:
    return price_in_words(card_of(settings, model).tariff)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "openai:gpt-5-mini",
            "0.25 USD in, 0.025 USD in from the cache, 2.00 USD out for a million tokens, as of 2026-02-07",
        ),
        ("openai:whisper-1", "0.006 USD a minute of sound, as of 2026-02-07"),
        ("openai:tts-1", "15.00 USD for a million characters, as of 2026-02-07"),
        ("openai:gpt-image-1", "0.25 USD a picture, as of 2026-02-07"),
        ("faster-whisper:base", "costs nothing per call (runs here)"),
        ("ollama:mistral:7b", "costs nothing per call (runs here)"),
        ("openai:gpt-99", "price unknown"),
    ],
)
def test_a_card_tells_what_a_call_costs(tmp_path: Path, model: str, words: str) -> None:
    assert told(Settings(home=tmp_path), model) == words


def test_the_persons_own_prices_come_first(tmp_path: Path) -> None:
    text = '[defaults]\ncurrency = "EUR"\n[models]\n"openai:gpt-5-mini" = { input = 0.0001, output = 3 }\n"azure:ours" = { input = 1, date = "2026-11-01" }\n'
    (tmp_path / "prices.toml").write_text(text, "utf-8")
    settings = Settings(home=tmp_path)
    assert (
        told(settings, "openai:gpt-5-mini") == "0.0001 EUR in, 3.00 EUR out for a million tokens, as your own file says"
    )
    assert told(settings, "azure:ours") == "1.00 EUR in for a million tokens, as your own file says, as of 2026-11-01"


def test_the_list_of_one_provider_is_not_taken_for_another_server(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path, chat=Chat("openai:gpt-5", base_url="https://proxy.example/v1"))
    assert told(elsewhere, "openai:gpt-5-mini") == "price unknown"


def test_the_page_says_it_in_the_readers_language_and_links_the_list(tmp_path: Path) -> None:
    card, say = card_of(Settings(home=tmp_path), "openai:gpt-4.1"), models_texts("fr-FR")
    facts = {label: (text, address) for label, text, address in facts_of(card, say, "fr-FR")}
    words = (
        "2,00 USD en entrée, 0,50 USD en entrée depuis le cache, 8,00 USD en sortie le million de jetons, au 2026-02-07"
    )
    assert facts["Prix"] == (words, "https://platform.openai.com/docs/pricing")
    english = models_texts("en-US")
    assert {name: english[name] for name in WORDS} == WORDS


def test_json_has_the_row_nothing_for_unknown_and_says_local(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    row = card_json(card_of(settings, "openai:gpt-5"))["price"]
    assert (row["input"], row["output"], row["currency"], row["date"], row["own"]) == (1.25, 10, "USD", "2026-02-07", False)  # fmt: skip
    assert card_json(card_of(settings, "openai:gpt-99"))["price"] is None
    assert card_json(card_of(settings, "whisper:base"))["price"] == {"local": True}


def test_the_shell_shows_it_and_a_broken_price_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    assert call(["models", "show", "openai:text-embedding-3-small"]) == 0
    assert "0.02 USD in for a million tokens" in capsys.readouterr().out
    assert call(["models", "show", "whisper:base", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["price"] == {"local": True}
    (tmp_path / "prices.toml").write_text("[models]\nx = 3\n", "utf-8")
    with pytest.raises(SettingsError, match="is no row"):
        find_cards(Settings(home=tmp_path), Filter())
    assert call(["models", "show", "openai:gpt-5"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
