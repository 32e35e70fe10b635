"""The catalogue: ids, providers, cards, and what fits."""

import importlib.util
import re
from dataclasses import replace
from typing import get_args

import pytest

from tools.engines.base import Architecture, ModelCard, Task
from tools.engines.catalogue import (
    PROVIDERS,
    card_of,
    cards,
    find_engine,
    find_provider,
    fit_of,
    free_bytes,
    split_id,
)
from tools.engines.errors import ModelNotFound
from tools.engines.filters import openness_of

CARD = ModelCard("llama-cpp:some", "text", "local", "MIT", "somewhere", size_bytes=1000)


def test_only_the_first_colon_separates() -> None:
    assert split_id("ollama:llama3.2:1b") == ("ollama", "llama3.2:1b")
    assert split_id("diffusers:/a/b") == ("diffusers", "/a/b")


@pytest.mark.parametrize("wrong", ["", ":", "openai", "openai:", ":gpt-5", "  "])
def test_an_id_without_two_halves_is_refused(wrong: str) -> None:
    with pytest.raises(ModelNotFound, match="provider:model"):
        split_id(wrong)


def test_a_model_without_its_provider_is_recognized() -> None:
    with pytest.raises(ModelNotFound, match="Did you mean openai:gpt-5-mini"):
        split_id("gpt-5-mini")


def test_an_unknown_provider_lists_those_that_can_do_the_task() -> None:
    with pytest.raises(ModelNotFound, match="Did you mean ollama") as error:
        find_provider("olama:x", "text")
    assert "llama-cpp" in error.value.remedy
    assert "faster-whisper" not in error.value.remedy


def test_a_provider_for_another_task_is_refused() -> None:
    with pytest.raises(ModelNotFound, match="faster-whisper is for speech, not for text"):
        find_provider("faster-whisper:base", "text")


def test_a_named_endpoint_stands_beside_the_providers() -> None:
    assert find_provider("work:m", "speech", ["work"]).module == "openai"


def test_every_provider_has_a_loader_for_each_of_its_tasks() -> None:
    for name, provider in PROVIDERS.items():
        for task in provider.tasks:
            load, model = find_engine(f"{name}:some", task)
            assert callable(load), (name, task)
            assert model == "some"


def test_every_package_a_provider_names_is_installed() -> None:
    assert [p.package for p in PROVIDERS.values() if not importlib.util.find_spec(p.package)] == []


def test_every_card_stands_under_its_own_id() -> None:
    listed = [card.id for card in cards()]
    assert sorted(set(listed)) == sorted(listed)


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.id)
def test_every_card_states_what_can_be_so(card: ModelCard) -> None:
    """A row's figures are of the right size, what it names exists, and what is not known is empty, never nought."""
    provider = PROVIDERS[card.id.partition(":")[0]]
    assert card.task in provider.tasks and card.runs == provider.runs
    assert card.licence and card.source and card.maker
    assert card.licence != "unknown" and card.licence == card.licence.strip()
    assert card.size_bytes is None or 10**7 < card.size_bytes < 10**12
    assert card.memory_bytes is None or 10**8 <= card.memory_bytes < 10**12
    assert card.parameters is None or 10**7 < card.parameters < 10**13
    assert card.context_tokens is None or 128 <= card.context_tokens <= 10**7
    assert card.size_bytes is None or card.parameters is None or card.size_bytes > card.parameters / 4
    assert card.architecture in (None, *get_args(Architecture))
    assert card.licence != "proprietary" or (card.parameters is None and card.architecture is None)
    assert all(re.fullmatch("[a-z]{2}|multilingual", language) for language in card.languages)
    assert len(set(card.languages)) == len(card.languages)
    assert card.sha256 is None or re.fullmatch("[0-9a-f]{64}", card.sha256)
    assert not (card.sees_images or card.calls_tools) or card.task == "text"
    assert card.base_url is None or (card.base_url.startswith("https://") and card.id.startswith("openai-compatible:"))
    assert not card.id.startswith("openai-compatible:") or card.base_url
    for figure in card.benchmarks:
        assert figure.name and figure.unit and figure.score > 0 and figure.source.startswith("https://")


def test_all_kinds_are_in_the_catalogue() -> None:
    listed = cards()
    assert {card.task for card in listed} == set(get_args(Task))
    assert {card.architecture for card in listed} == {None, *get_args(Architecture)}
    assert {openness_of(card) for card in listed} == {"open", "proprietary"}
    assert any(card.sees_images and openness_of(card) == "open" for card in listed)


def test_the_starter_models_come_first() -> None:
    starters = [card.starter for card in cards()]
    assert starters == sorted(starters, reverse=True)
    assert starters[0]


def test_an_unlisted_card_lists_the_known_ones_of_its_provider() -> None:
    with pytest.raises(ModelNotFound, match="Did you mean faster-whisper:base") as error:
        card_of("faster-whisper:bas")
    assert "faster-whisper:small" in error.value.remedy
    assert "gpt" not in error.value.remedy


def test_what_fits_is_told_with_the_memory_that_was_measured() -> None:
    assert fit_of(CARD).fits is True
    too_large = fit_of(replace(CARD, memory_bytes=10**15))
    assert too_large.fits is False
    assert "1000000.0 GB" in too_large.why


def test_a_model_of_unknown_size_is_neither_said_to_fit_nor_not_to_fit() -> None:
    assert fit_of(replace(CARD, size_bytes=None)).fits is None


def test_a_hosted_model_fits_any_machine() -> None:
    assert fit_of(replace(CARD, id="openai:x", runs="hosted", memory_bytes=10**15)).fits is True


def test_free_memory_is_measured_on_every_device() -> None:
    assert free_bytes()["cpu"] > 0
