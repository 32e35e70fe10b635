"""What is settled before anything is sent: keys, addresses, offline mode, cards, token estimates and batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.engines import openai
from tools.engines.base import Endpoint, EngineOptions, Message
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput, MissingKey, ModelNotFound, Refused
from tools.engines.hosted import is_loopback

LOADERS = {
    "text": (openai.load_text, "gpt-5-mini", "ASSISTANT_CHAT=llama-cpp:"),
    "speech": (openai.load_speech, "whisper-1", "ASSISTANT_SPEECH=faster-whisper:"),
    "image": (openai.load_image, "gpt-image-1", "ASSISTANT_IMAGE=diffusers:"),
    "embedding": (openai.load_embedding, "text-embedding-3-small", "ASSISTANT_EMBEDDING=onnx:"),
}


def options(endpoint: Endpoint | None = None, *, offline: bool = False, **values: Any) -> EngineOptions:
    return EngineOptions(Path("models"), DeviceArbiter(), endpoint=endpoint, offline=offline, values=values)


@pytest.mark.parametrize("task", LOADERS)
def test_a_missing_key_names_the_variable_and_the_local_choice(task: str) -> None:
    load, model, local = LOADERS[task]
    with pytest.raises(MissingKey) as raised:
        load(model, options())
    assert str(raised.value).startswith("No key for openai. Put OPENAI_API_KEY in .env, or set " + local)


@pytest.mark.parametrize("key", ["sk-abc\n", "sk abc", "clé", "sk-“abc”"])
def test_a_key_that_cannot_be_one_is_told_and_not_shown(key: str) -> None:
    with pytest.raises(MissingKey, match="What OPENAI_API_KEY holds is not a key") as raised:
        openai.load_text("gpt-5", options(Endpoint(api_key=key)))
    assert "abc" not in str(raised.value)


def test_azure_asks_for_its_own_key() -> None:
    endpoint = Endpoint("https://mine.openai.azure.com", None, "AZURE_OPENAI_API_KEY", "2025-04-01-preview")
    with pytest.raises(MissingKey, match=r"No key for azure\. Put AZURE_OPENAI_API_KEY"):
        openai.load_text("deployment", options(endpoint, provider="azure"))


def test_a_compatible_server_needs_no_key() -> None:
    engine = openai.load_text("llama3.2", options(Endpoint("http://127.0.0.1:11434/v1"), provider="ollama"))
    assert engine.card.id == "ollama:llama3.2"
    assert engine.context_tokens == openai.UNKNOWN_CONTEXT_TOKENS


@pytest.mark.parametrize("task", LOADERS)
def test_offline_mode_refuses_whatever_is_not_this_machine(task: str) -> None:
    load, model, local = LOADERS[task]
    with pytest.raises(Refused, match=f"Offline mode.*{local}"):
        load(model, options(Endpoint("https://models.example.org/v1", "key"), offline=True))


def test_offline_mode_allows_a_server_on_this_machine() -> None:
    assert (
        openai.load_text("llama3.2", options(Endpoint("http://localhost:11434/v1"), offline=True)).card.runs == "hosted"
    )


@pytest.mark.parametrize("url", ["127.0.0.1:11434", "ftp://127.0.0.1", "http://", "not an address"])
def test_a_base_url_that_is_no_web_address_is_told(url: str) -> None:
    with pytest.raises(BadInput, match="is not a web address"):
        openai.load_text("x", options(Endpoint(url, "key")))


def test_a_model_of_another_capability_lists_the_known_ones() -> None:
    with pytest.raises(ModelNotFound, match=r"whisper-1 is a model for speech.*gpt-5-mini"):
        openai.load_text("whisper-1", options(Endpoint(api_key="key")))


def test_an_unlisted_model_runs_on_a_plain_card() -> None:
    card = openai.load_text("gpt-9", options(Endpoint(api_key="key"))).card
    assert (card.id, card.licence, card.calls_tools) == ("openai:gpt-9", "unknown", False)


def test_every_card_is_found_under_its_own_name() -> None:
    for name, card in openai.MODELS.items():
        assert (card.id, card.runs, card.licence) == (f"openai:{name}", "hosted", "proprietary")


@pytest.mark.parametrize(("wanted", "given"), [(9000, 9000), (None, 128_000), (900_000, 128_000)])
def test_the_person_may_narrow_the_context_of_a_model(wanted: int | None, given: int) -> None:
    engine = openai.load_text("gpt-4o-mini", options(Endpoint(api_key="key"), context_tokens=wanted))
    assert engine.context_tokens == given


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://localhost/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://0.0.0.0/v1", False),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://192.168.1.5/v1", False),
    ],
)
def test_only_loopback_counts_as_this_machine(url: str, inside: bool) -> None:
    assert is_loopback(url) is inside


async def test_token_estimates_are_above_the_true_count() -> None:
    engine = openai.load_text("gpt-4o-mini", options(Endpoint(api_key="key")))
    english = "The harbour office opens at nine and closes when the last ferry has left the pier."  # 17 tokens in o200k
    chinese = "港口办公室九点开门。"  # 9 tokens in o200k
    assert 17 < await engine.count_tokens([Message("user", english)]) < 40
    assert 9 < await engine.count_tokens([Message("user", chinese)]) < 25


async def test_half_a_surrogate_pair_is_counted_and_embedded() -> None:
    engine = openai.load_text("gpt-4o-mini", options(Endpoint(api_key="key")))
    assert await engine.count_tokens([Message("user", "\ud83d oh")]) > 0
    assert openai.batches(["\ud83d oh"]) == [["? oh"]]


def test_texts_are_batched_in_order_and_none_is_empty() -> None:
    texts = [f"text {n}" for n in range(600)] + [""]
    lists = openai.batches(texts)
    assert [len(batch) for batch in lists] == [256, 256, 89]
    assert [text for batch in lists for text in batch] == [*texts[:-1], " "]


def test_a_long_text_is_cut_and_long_texts_share_no_request_beyond_the_limit() -> None:
    lists = openai.batches(["é" * 100_000] * 40)
    assert all(len(text.encode()) <= 24_000 for batch in lists for text in batch)
    assert [len(batch) for batch in lists] == [31, 9]
