"""Where it goes and what it costs, as the page tells it: below the message box, under an answer, and on its receipt."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, ask, open_page, picture_of
from tests.openai_server import png

BELOW = "#cost-line"


@pytest.fixture(scope="module")
def with_key(new_server: Callable[..., Server]) -> Server:
    """A hosted model could be chosen: its key is there."""
    return new_server(OPENAI_API_KEY="sk-nothing", ASSISTANT_CHAT_MAX_TOKENS="60").start()


def test_before_sending_the_page_tells_where_it_goes_and_about_what_it_costs(
    new_context: Callable[..., BrowserContext], with_key: Server, tmp_path: Path
) -> None:
    page = open_page(new_context(), with_key)
    expect(page.locator(BELOW)).to_have_text("stays here")
    answer(page, "What is the capital of France?")
    _the_answer_has_a_receipt(page)
    page.click("#chat-settings-open-modal")
    page.locator("#chat").click()
    page.get_by_role("option", name="openai:gpt-5-mini").click()
    page.click("#confirm")
    expect(page.locator(BELOW)).to_have_text("to OpenAI, < 0.1 ct")
    page.fill("#chat-input", "/write Explain rainbows. " + "Rainbows are round. " * 1500)
    expect(page.locator(BELOW)).to_have_text(re.compile(r"^to OpenAI, about 0\.2 ct"))
    picture_of(page, "cost-below")
    page.fill("#chat-input", "/image A fox")
    expect(page.locator(BELOW)).to_have_text("stays here")


def _the_answer_has_a_receipt(page: Page) -> None:
    link = page.locator(f"{ANSWER} a[href^='/receipts/']")
    expect(link).to_have_text(re.compile(r"^\d+ \+ \d+ tokens · stays here$"))
    with page.context.new_page() as receipt:
        receipt.goto(page.url.split("/thread")[0].rstrip("/") + str(link.get_attribute("href")))
        expect(receipt.locator("h1")).to_have_text("Receipt")
        expect(receipt.locator("main")).to_contain_text("llama-cpp:smollm2-135m-instruct · sha256 b179c9523d0e6a0f")
        expect(receipt.locator("main")).to_contain_text("assistant replay")
        picture_of(receipt, "receipt")


def test_a_picture_that_the_model_cannot_see_is_offered_to_one_that_does(
    new_context: Callable[..., BrowserContext], with_key: Server, tmp_path: Path
) -> None:
    (tmp_path / "chart.png").write_bytes(png())
    page = open_page(new_context(locale="fr-FR"), with_key)
    page.set_input_files("#upload-button-input", str(tmp_path / "chart.png"))
    expect(page.locator(BELOW)).to_have_text("reste ici")
    ask(page, "/write Que montre cette image ?")
    shown = page.locator(ANSWER).last
    expect(shown).to_contain_text("ne peut pas regarder les images")
    expect(shown).to_contain_text("openai:gpt-5-mini")
    expect(page.locator("#see-with")).to_have_text("Demander à openai:gpt-5-mini, qui voit")
    picture_of(page, "cannot-see")
