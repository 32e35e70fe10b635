"""The page of models: filter the catalogue, ask a server, open a card, use a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Server, open_page, picture_of
from tests.hub_server import serving_hub
from tests.openai_server import OpenAIServer
from tests.seeing import looks
from tests.unit.test_endpoint_models import HOSTILE, listing, models

SETTINGS = "# Ours.\n[endpoints.work]\nbase_url = '{url}'\n[endpoints.down]\nbase_url = 'http://127.0.0.1:9/v1'\n"


@pytest.fixture(scope="module")
def models_server(new_server: Callable[..., Server]) -> Iterator[Server]:
    with listing(models(HOSTILE, "gpt-4.1-mini")) as url:
        server = new_server()
        (server.home.parent / "assistant.toml").write_text(SETTINGS.format(url=url), "utf-8")
        yield server.start()
        server.stop()


@pytest.fixture(scope="module")
def seeing_server(new_server: Callable[..., Server]) -> Iterator[Server]:
    with OpenAIServer(models=("looking",), rule=looks) as eyes:
        server = new_server()
        (server.home.parent / "assistant.toml").write_text(f"[endpoints.eyes]\nbase_url = '{eyes.url}'\n", "utf-8")
        yield server.start()
        server.stop()


def names(page: Page) -> list[str]:
    return page.locator("#rows th button").all_inner_texts()


def test_the_catalogue_is_filtered_a_server_asked_and_a_model_used(
    new_context: Callable[..., BrowserContext], models_server: Server
) -> None:
    page = open_page(new_context(), models_server)
    page.get_by_role("link", name="Models: explore, compare, choose").click()
    expect(page.locator("#count")).to_contain_text(re.compile(r"^(\d+) of \1$"))
    page.get_by_label("For", exact=True).select_option("speech")
    page.get_by_label("Language").select_option("fr")
    page.get_by_label("Size", exact=True).select_option("500MB")
    expect(page.locator("#rows tr")).to_have_count(4)
    assert names(page)[:2] == ["faster-whisper:base", "whisper:base"]
    assert page.url.endswith("task=speech&largest=500MB&language=fr")
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(4)
    page.get_by_role("button", name="Clear").click()
    picture_of(page, "models")

    page.get_by_label("Name or maker").fill("gpt-4.1-mini")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_role("button", name="Ask the servers what they serve").click()
    expect(page.locator("#told li")).to_have_text(
        ["2 models of 2 servers are in the list now.", re.compile(r"^down \(127\.0\.0\.1:9\) cannot be reached")]
    )
    expect(page.locator("#rows tr")).to_have_count(2)
    assert names(page) == ["openai:gpt-4.1-mini", "work:gpt-4.1-mini"]
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Provider").select_option("work")
    expect(page.get_by_role("button", name=f"Show work:{HOSTILE}")).to_be_visible()
    assert page.locator("#rows img").count() == 0

    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Name or maker").fill("tiny.en")
    page.get_by_role("button", name="Show faster-whisper:tiny.en").click()
    card = page.get_by_role("dialog", name="faster-whisper:tiny.en")
    expect(card).to_contain_text("Encoder and decoder")
    expect(card).to_contain_text("1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a")
    expect(card).to_contain_text("not yet: assistant models measure faster-whisper:tiny.en")
    picture_of(page, "model-card")
    card.get_by_role("button", name="Use this for: speech to text").click()
    expect(card.locator("#card-said")).to_have_text("faster-whisper:tiny.en is used from now on.")
    expect(card).to_contain_text("In use for: speech to text")
    page.keyboard.press("Escape")
    expect(page.locator("#rows tr").filter(has_text="faster-whisper:tiny.en").locator(".marks")).to_contain_text(
        "in use"
    )
    text = (models_server.home.parent / "assistant.toml").read_text("utf-8")
    assert text.startswith('# Ours.\nspeech = "faster-whisper:tiny.en"\n') and "[endpoints.down]" in text


def test_a_model_that_sees_is_tried_from_its_card(
    new_context: Callable[..., BrowserContext], seeing_server: Server
) -> None:
    page = open_page(new_context(), seeing_server)
    page.goto(f"{seeing_server.url}/models")
    page.get_by_role("button", name="Ask the servers what they serve").click()
    page.get_by_role("button", name="Show eyes:looking").click()
    card = page.get_by_role("dialog", name="eyes:looking")
    expect(card).to_contain_text("costs nothing per call (runs here)")
    card.get_by_role("button", name="Try its tools and sight").click()
    said = "Tried eyes:looking: calls tools: 1 of 4 right; sees pictures: yes."
    expect(card.locator("#card-said")).to_have_text(said)
    expect(card).to_contain_text(re.compile(r"tried here on \d{4}-\d\d-\d\d: yes"))
    picture_of(page, "model-card-tried")
    page.keyboard.press("Escape")
    page.get_by_label("Name or maker").fill("eyes")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_label("Sees pictures").check()
    expect(page.locator("#rows tr .marks")).to_contain_text("sees pictures")


def test_weights_are_downloaded_from_the_card_stopped_and_gone_on_with(
    new_context: Callable[..., BrowserContext], new_server: Callable[..., Server]
) -> None:
    files = {"model.bin": bytes(range(256)) * 60_000, "config.json": b"{}", "tokenizer.json": b"{}"}
    with serving_hub(files, "Systran/faster-whisper-small") as hub:
        server = new_server(HF_ENDPOINT=hub.url)
        starters = (server.home / "models").resolve()
        (server.home / "models").unlink()
        (server.home / "models").mkdir()
        for starter in starters.iterdir():
            (server.home / "models" / starter.name).symlink_to(starter)
        page = open_page(new_context(), server.start())
        page.goto(f"{server.url}/models?name=faster-whisper:small")
        page.get_by_role("button", name="Show faster-whisper:small", exact=True).click()
        card = page.get_by_role("dialog", name="faster-whisper:small")
        hub.pause_s = 0.15
        card.get_by_role("button", name="Download").click()
        told = re.compile(r"^Fetching Systran/faster-whisper-small: 15\.4 MB, [1-9]\d? % here\.$")
        expect(card.locator("#pull-said")).to_have_text(told)
        expect(card.get_by_role("progressbar", name="Downloaded")).to_be_visible()
        picture_of(page, "model-card-download")
        card.get_by_role("button", name="Stop").click()
        expect(card.locator("#pull-said")).to_contain_text("Stopped. What has come is kept")
        hub.pause_s = 0.0
        card.get_by_role("button", name="Download").click()
        expect(card.locator("#pull-said")).to_have_text("Its weights are here.")
        expect(card.get_by_role("button", name="Download")).to_be_hidden()
        server.stop()


def test_a_choice_that_a_variable_overrides_says_so_in_french_on_a_phone(
    new_context: Callable[..., BrowserContext], models_server: Server
) -> None:
    context = new_context(locale="fr-FR", viewport={"width": 390, "height": 800})
    page = open_page(context, models_server, "/")
    page.goto(f"{models_server.url}/models?name=qwen2.5-coder-1.5b")
    page.get_by_role("button", name="Montrer llama-cpp:qwen2.5-coder-1.5b-instruct").click()
    card = page.get_by_role("dialog")
    expect(card).to_contain_text("petit : se trompe souvent")
    card.get_by_role("button", name="L'utiliser pour : répondre en mots").click()
    expect(card.locator("#card-said")).to_contain_text("ASSISTANT_CHAT dans l'environnement ou .env l'emporte")
    picture_of(page, "model-card-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_nobody_reads_or_chooses_without_a_cookie_or_from_another_site(models_server: Server) -> None:
    before = (models_server.home.parent / "assistant.toml").read_bytes()
    wish = {"id": "faster-whisper:base"}
    for path in ("/models", "/models/api/cards", "/models/api/card?id=whisper:base"):
        assert httpx.get(models_server.url + path).status_code == 401
    for path in ("/models/api/use", "/models/api/endpoints"):
        assert httpx.post(models_server.url + path, json=wish).status_code == 401
        foreign = {"Origin": "http://elsewhere.example"}
        assert httpx.post(models_server.url + path, json=wish, headers=foreign).status_code == 403
    assert (models_server.home.parent / "assistant.toml").read_bytes() == before
