"""The catalogue narrowed by conditions; a value that no card has is told with those there are."""

from typing import get_args

import pytest

from assistant import cli_groups
from tools.engines.base import Architecture, ModelCard, Task
from tools.engines.catalogue import cards
from tools.engines.errors import BadInput
from tools.engines.filters import Filter, Modality, gives, openness_of, select, takes, values_of


def ids(**conditions: object) -> set[str]:
    return {card.id for card, _ in select(Filter(**conditions), cards())}  # type: ignore[arg-type]


def test_conditions_hold_together() -> None:
    assert ids(task="speech", licence="mit", runs="local", name="BASE") == {"faster-whisper:base", "whisper:base"}
    assert ids(name="no such model") == set()
    assert len(ids()) == len(cards())


@pytest.mark.parametrize(
    ("conditions", "there", "not_there"),
    [
        ({"modality": "sound"}, "piper:en_US-joe-medium", "openai:gpt-5"),
        ({"modality": "image"}, "openai:gpt-5", "llama-cpp:smollm2-135m-instruct"),
        ({"provider": "ollama"}, "ollama:mistral:7b", "openai:gpt-5"),
        ({"openness": "proprietary"}, "openai-compatible:claude-sonnet-4-5", "ollama:mistral:7b"),
        ({"openness": "open"}, "ollama:mistral:7b", "openai:gpt-5"),
        ({"licence": "gemma"}, "ollama:gemma2:9b", "ollama:mistral:7b"),
        ({"architecture": "encoder-decoder"}, "whisper:base", "ollama:mistral:7b"),
        ({"largest": "2 GB"}, "ollama:llama3.2:1b", "ollama:mistral:7b"),
        ({"largest": "3b"}, "ollama:llama3.2:1b", "ollama:llama3.2:3b"),
        ({"language": "fr"}, "ollama:bge-m3", "ollama:gemma2:9b"),
        ({"name": "mistral ai"}, "ollama:mixtral:8x7b", "openai:gpt-5"),
        ({"sees": True}, "ollama:llava:7b", "ollama:mistral:7b"),
    ],
)
def test_each_condition_parts_the_catalogue(conditions: dict[str, object], there: str, not_there: str) -> None:
    found = ids(**conditions)
    assert there in found and not_there not in found


def test_what_fits_is_asked_of_this_machine() -> None:
    small = ModelCard("llama-cpp:small", "text", "local", "MIT", "x", size_bytes=1000)
    huge = ModelCard("llama-cpp:huge", "text", "local", "MIT", "x", memory_bytes=10**15)
    found = select(Filter(fits=True), [small, huge])
    assert [card.id for card, _ in found] == ["llama-cpp:small"]
    [(_, fit)] = select(Filter(name="huge"), [small, huge])
    assert fit.fits is False and "1000000.0 GB" in fit.why


@pytest.mark.parametrize(
    "condition", ["task", "modality", "provider", "openness", "licence", "architecture", "language", "runs"]
)
def test_a_value_that_no_card_has_lists_those_there_are(condition: str) -> None:
    with pytest.raises(BadInput, match="nonsense") as error:
        ids(**{condition: "nonsense"})
    assert all(value in error.value.remedy for value in values_of(cards())[condition])


def test_a_size_that_is_none_says_how_one_is_written() -> None:
    for wrong in ("big", "3", "GB", "-1GB", ""):
        with pytest.raises(BadInput, match="500MB"):
            ids(largest=wrong)


def test_what_goes_in_and_out_follows_the_task() -> None:
    by_id = {card.id: card for card in cards()}
    assert (takes(by_id["openai:gpt-5"]), gives(by_id["openai:gpt-5"])) == (("text", "image"), ("text",))
    assert (takes(by_id["whisper:base"]), gives(by_id["whisper:base"])) == (("sound",), ("text",))
    assert openness_of(ModelCard("work:x", "text", "hosted", "unknown", "x")) is None


def test_the_command_line_knows_every_value() -> None:
    for ours, theirs in (
        (cli_groups.Modality, Modality),
        (cli_groups.Architecture, Architecture),
        (cli_groups.Task, Task),
    ):
        assert set(get_args(ours)) == set(get_args(theirs))
