"""The page that compares: answers side by side, a failure and a slow one beside a quick one, a vote, the leaderboard."""

from __future__ import annotations

import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.conftest import Server, open_page, picture_of
from tests.openai_server import OpenAIServer, Reply

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> is blue **because** of scattering."


@pytest.fixture(scope="module")
def quick() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def slow() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def comparing(new_server: Callable[..., Server], quick: OpenAIServer, slow: OpenAIServer) -> Iterator[Server]:
    server = new_server(ASSISTANT_CHAT="quick:sky", ASSISTANT_SPEECH="quick:ear", ASSISTANT_IMAGE="quick:brush")
    endpoints = {"quick": quick.url, "slow": slow.url, "down": "http://127.0.0.1:9/v1"}
    lines = [f'[endpoints.{name}]\nbase_url = "{url}"' for name, url in endpoints.items()]
    (server.home.parent / "assistant.toml").write_text("\n".join(lines), "utf-8")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tab(new_context: Callable[..., BrowserContext], comparing: Server) -> Page:
    return compare_page(new_context(), comparing)


def compare_page(context: BrowserContext, server: Server) -> Page:
    """As who came from the chat, which gave them their cookie."""
    context.request.post(f"{server.url}/auth/header", data={}, timeout=60_000)
    page = context.new_page()
    page.goto(f"{server.url}/compare")
    expect(page.locator(".candidate")).to_have_count(2)
    return page


def choose(page: Page, *models: str) -> None:
    """Each of them as another model than the listed ones, once those are there."""
    page.locator(".candidate").first.wait_for()
    while page.locator(".candidate").count() < len(models):
        page.get_by_role("button", name="Add a candidate").click()
    for n, model in enumerate(models):
        form = page.locator(".candidate").nth(n)
        form.locator(".model").select_option("…")
        form.locator(".model-id").fill(model)


def result(page: Page, letter: str) -> Locator:
    return page.locator(f".result[data-letter={letter}]")


def test_a_quick_a_slow_and_a_failing_one_side_by_side_then_a_vote(
    tab: Page, quick: OpenAIServer, slow: OpenAIServer
) -> None:
    quick.queue(Reply(pieces=["The sky: ", HOSTILE]))
    slow.queue(Reply(pieces=["Slowly "] * 600, piece_delay_s=0.1))
    choose(tab, "slow:turtle", "quick:hare", "down:nobody")
    tab.fill("#question", "Why is the sky blue?")
    tab.click("#ask")
    expect(result(tab, "B")).to_have_attribute("data-state", "done")
    expect(result(tab, "B").locator(".text")).to_have_text(f"The sky: {HOSTILE}")
    expect(result(tab, "C")).to_have_attribute("data-state", "failed")
    expect(result(tab, "C").locator(".why")).to_contain_text("cannot be reached")
    expect(result(tab, "A").locator(".text")).to_contain_text("Slowly ")
    expect(result(tab, "A").locator(".state")).to_have_text("answers…")
    expect(result(tab, "B").locator(".figures")).to_contain_text(
        re.compile(r"First token\d+\.\d\d s.*Tokens11 read, 7 written", re.DOTALL)
    )
    picture_of(tab, "compare-streaming")
    tab.get_by_role("button", name="Stop").click()
    expect(result(tab, "A").locator(".state")).to_have_text("stopped")
    assert slow.received[-1].hung_up.wait(10)
    assert tab.title() == "Compare"
    expect(tab.get_by_role("button", name="A is best")).to_be_disabled()
    tab.get_by_role("button", name="B is best").click()
    expect(tab.locator("#vote-said")).to_contain_text("counted")


def test_where_it_goes_and_about_what_it_costs_is_shown_before_asking(tab: Page, quick: OpenAIServer) -> None:
    before = len(quick.received)
    choose(tab, "quick:one", "quick:two")
    tab.fill("#question", "Why is the sky blue?")
    expect(tab.locator("#cost")).to_have_text("stays here")
    choose(tab, "openai:gpt-5", "quick:two")
    expect(tab.locator("#cost")).to_have_text(re.compile(r"^to OpenAI, about \d+\.\d ct \(at most \d+\.\d ct\)$"))
    picture_of(tab, "compare-cost")
    cheap = tab.locator("#cost").inner_text()
    form = tab.locator(".candidate").first
    form.locator("summary").click()
    form.locator(".max-tokens").fill("20")
    expect(tab.locator("#cost")).not_to_have_text(cheap)
    form.locator(".model-id").fill("openai:gpt-99")
    expect(tab.locator("#cost")).to_have_text("to OpenAI, price unknown")
    form.locator(".model-id").fill("openai")
    expect(tab.locator("#cost")).to_have_text("")
    assert len(quick.received) == before


def test_two_are_compared_blind_voted_by_key_and_ranked(tab: Page, quick: OpenAIServer) -> None:
    choose(tab, "quick:one", "quick:two")
    tab.locator(".candidate").nth(1).locator("summary").click()
    tab.locator(".candidate").nth(1).locator(".system").fill("Be brief.")
    tab.get_by_label("Blind").check()
    tab.fill("#question", "Which of you is it?")
    tab.press("#question", "Control+Enter")
    expect(result(tab, "A")).to_have_attribute("data-state", "done")
    expect(result(tab, "B")).to_have_attribute("data-state", "done")
    expect(tab.locator("#results")).not_to_contain_text("quick:")
    expect(tab.locator(".figures:not(:empty)")).to_have_count(0)
    systems = [
        r.body["messages"][0]["content"]
        for r in quick.received
        if r.body.get("messages", [{}])[-1].get("content") == "Which of you is it?"
    ]
    assert sorted(systems)[0] == "Be brief." and len(systems) == 2
    tab.locator("#answers").focus()
    tab.keyboard.press("1")
    expect(result(tab, "A").locator("h3")).to_have_text(re.compile("quick:(one|two)"))
    expect(result(tab, "A").locator(".figures")).to_contain_text("Total")
    winner = result(tab, "A").locator("h3").inner_text()
    expect(tab.locator("#standings tr").first).to_contain_text(winner)
    expect(tab.locator("#standings .range").first).to_have_attribute("aria-label", re.compile(r"[\d,]+ to [\d,]+"))
    tab.set_viewport_size({"width": 1280, "height": 1300})
    picture_of(tab, "compare")
    tab.emulate_media(color_scheme="dark")
    picture_of(tab, "compare-dark")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.locator("#answers").evaluate("element => element.scrollIntoView()")
    picture_of(tab, "compare-phone")
    with tab.expect_download() as download:
        tab.get_by_role("link", name="CSV").click()
    assert winner.split(",")[0] in Path(download.value.path()).read_text("utf-8")


def test_a_prompt_of_the_library_is_compared_with_no_prompt_and_chosen_again_the_next_time(
    tab: Page, quick: OpenAIServer
) -> None:
    choose(tab, "quick:plain", "quick:plain")
    form = tab.locator(".candidate").nth(1)
    form.locator("summary").click()
    form.get_by_label("Prompt of the library").first.select_option("translate")
    expect(form.locator(".system")).to_be_hidden()
    form.get_by_label("Into").select_option("Polish")
    tab.fill("#question", "Good night")
    tab.click("#ask")
    expect(result(tab, "A")).to_have_attribute("data-state", "done")
    expect(result(tab, "B")).to_have_attribute("data-state", "done")
    expect(tab.locator("#results")).to_contain_text('/translate language="Polish"')
    asked = {r.body["messages"][-1]["content"] for r in quick.received if "messages" in r.body}
    assert {"Good night", "Translate into Polish:\n\nGood night"} <= asked
    tab.set_viewport_size({"width": 1280, "height": 1200})
    picture_of(tab, "compare-prompt")
    tab.reload()
    expect(form.get_by_label("Into")).to_have_value("Polish")
    form.get_by_label("Prompt of the library").first.select_option("")
    expect(form.locator(".system")).to_be_visible()


def test_transcripts_and_pictures_are_compared_in_french(
    new_context: Callable[..., BrowserContext], comparing: Server, quick: OpenAIServer, tmp_path: Path
) -> None:
    page = compare_page(new_context(locale="fr-FR"), comparing)
    expect(page.locator("h1")).to_have_text("Comparer")
    page.get_by_label("Transcriptions", exact=True).check()
    recording = tmp_path / "voix.wav"
    with wave.open(str(recording), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\1" * 16_000)
    page.set_input_files("#file", recording)
    page.fill("#reference", "Le chat dort ici")
    choose(page, "quick:oreille", "quick:oreille-fine")
    quick.queue(Reply(pieces=["Le chat dort ici"]), Reply(pieces=["Le chien dort"]))
    page.click("#ask")
    expect(page.locator(".diff:not([hidden])")).to_have_count(2)
    expect(page.locator("#results")).to_contain_text(re.compile(r"Erreur de mots 50"))
    expect(page.locator(".diff del").first).to_have_text("chat")
    expect(page.locator(".diff ins")).to_have_text("chien")
    picture_of(page, "compare-french")
    page.get_by_label("Images", exact=True).check()
    choose(page, "quick:pinceau", "down:personne")
    page.fill("#question", "Une maison rouge")
    page.click("#ask")
    expect(result(page, "A").locator("img")).to_have_js_property("naturalWidth", 64)
    expect(result(page, "B").locator(".why")).to_contain_text("injoignable")
    expect(page.locator("#grid a")).to_be_visible()
    picture_of(page, "compare-pictures")


def test_the_chat_leads_to_the_page(new_context: Callable[..., BrowserContext], comparing: Server) -> None:
    page = open_page(new_context(), comparing)
    page.get_by_label("Compare models side by side").first.click()
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
