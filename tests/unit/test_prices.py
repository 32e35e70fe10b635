"""Prices: what a call comes to, whose rows win, and that an unknown price is never nothing."""

import datetime
from pathlib import Path

import pytest

from assistant.prices import Cost, cost_of, load_prices, read_rows
from assistant.settings import SettingsError
from tools.engines.base import Usage


def own(home: Path, text: str) -> Path:
    (home / "prices.toml").write_text(text, "utf-8")
    return home


@pytest.mark.parametrize("row", load_prices().all(), ids=lambda row: row.model)
def test_every_row_that_ships_is_dated_and_says_where_it_stood(row) -> None:  # type: ignore[no-untyped-def]
    assert datetime.date.fromisoformat(row.date) <= datetime.date.today()
    assert row.source.startswith("https://") and row.currency == "USD"
    prices = (row.input, row.output, row.minute, row.characters, row.picture)
    assert any(prices) and all(price is None or price > 0 for price in prices)
    assert row.cached_input is None or row.cached_input < row.input


def test_tokens_are_charged_by_the_million_and_cached_ones_at_their_own_price() -> None:
    whole = cost_of("openai:gpt-5-mini", Usage(1_000_000, 500_000))
    assert whole == Cost(1.25)
    partly = cost_of("openai:gpt-5-mini", Usage(1_000_000, 0, cached_tokens=400_000))
    assert partly is not None and partly.amount == pytest.approx(0.6 * 0.25 + 0.4 * 0.025)


def test_sound_characters_and_pictures_have_their_own_units() -> None:
    assert cost_of("openai:whisper-1", Usage(audio_s=90)) == Cost(pytest.approx(0.009))
    assert cost_of("openai:tts-1", Usage(characters=2000)) == Cost(pytest.approx(0.03))
    assert cost_of("openai:dall-e-3", Usage(pictures=3)) == Cost(pytest.approx(0.24))


def test_a_dated_model_costs_what_its_family_costs() -> None:
    assert cost_of("openai:gpt-5-mini-2025-08-07", Usage(1_000_000)) == Cost(0.25)
    assert cost_of("openai:gpt-5-mini-2025-08-99", Usage(1_000_000)) is None


def test_a_model_of_this_machine_costs_nothing() -> None:
    assert cost_of("llama-cpp:qwen2.5-coder-1.5b-instruct", Usage(5000, 500)) == Cost(0.0, local=True)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("openai:gpt-99", Usage(10, 10)),
        ("work:gpt-5-mini", Usage(10, 10)),
        ("openai:gpt-5-mini", Usage()),
        ("openai:gpt-5-mini", Usage(10, 10, pictures=1)),
        ("openai:text-embedding-3-small", Usage(10, 10)),
    ],
)
def test_what_has_no_price_is_unknown_and_not_nothing(model: str, usage: Usage) -> None:
    assert cost_of(model, usage) is None


def test_ones_own_prices_come_first_and_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    own(tmp_path, '[defaults]\ncurrency = "EUR"\n[models]\n"openai:gpt-5-mini" = { input = 3, output = 0 }\n')
    assert cost_of("openai:gpt-5-mini", Usage(1_000_000, 9), tmp_path) == Cost(3.0, "EUR")
    assert cost_of("openai:gpt-5", Usage(1_000_000), tmp_path) == Cost(1.25)
    own(tmp_path, '[models]\n"openai:gpt-5-mini" = { input = 44.5 }\n')
    assert cost_of("openai:gpt-5-mini", Usage(1_000_000), tmp_path) == Cost(44.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models", "cannot be read"),
        ("[model]\n", "It takes [defaults] and [models]"),
        ("models = 3\n", "takes the tables"),
        ('[models]\n"gpt-5-mini" = { input = 1 }\n', "'gpt-5-mini' is no row"),
        ('[models]\n"a:b" = 3\n', "'a:b' is no row"),
        ('[models]\n"a:b" = { inputs = 1 }\n', "inputs of a:b is unknown"),
        ('[models]\n"a:b" = { input = -1 }\n', "input of a:b is -1"),
        ('[models]\n"a:b" = { input = "1" }\n', "input of a:b is '1'"),
        ('[models]\n"a:b" = { input = inf }\n', "It takes a price of 0 or more"),
        ('[models]\n"a:b" = { currency = 1 }\n', "currency of a:b is 1"),
    ],
)
def test_a_price_file_that_cannot_be_used_is_told_in_one_line(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_rows(text, "prices.toml")
    assert said in str(raised.value) and "\n" not in str(raised.value)
