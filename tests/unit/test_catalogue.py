"""The catalogue: ids, providers, cards, and what fits."""

import importlib.util
from dataclasses import replace

import pytest

from tools.engines.base import ModelCard
from tools.engines.catalogue import (
    PROVIDERS,
    card_of,
    cards,
    find_engine,
    find_provider,
    fit_of,
    free_bytes,
    select,
    split_id,
)
from tools.engines.errors import ModelNotFound

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


def test_every_card_stands_under_its_own_id_and_states_a_licence() -> None:
    listed = cards()
    assert len({card.id for card in listed}) == len(listed)
    for card in listed:
        assert card.licence
        assert card.task in PROVIDERS[card.id.partition(":")[0]].tasks


def test_the_starter_models_come_first() -> None:
    starters = [card.starter for card in cards()]
    assert starters == sorted(starters, reverse=True)
    assert starters[0]


def test_an_unlisted_card_lists_the_known_ones_of_its_provider() -> None:
    with pytest.raises(ModelNotFound, match="Did you mean faster-whisper:base") as error:
        card_of("faster-whisper:bas")
    assert "faster-whisper:small" in error.value.remedy
    assert "gpt" not in error.value.remedy


def test_conditions_narrow_the_catalogue() -> None:
    found = [card for card, _ in select(task="speech", licence="mit", runs="local", name="BASE")]
    assert {card.id for card in found} == {"faster-whisper:base", "whisper:base"}
    assert select(name="no such model") == []


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
