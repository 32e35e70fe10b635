"""French, dark, a phone's width, keyboard and screen reader: the page for everybody."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, open_page, picture_of

PHONE = {"width": 390, "height": 844}


def test_a_french_browser_gets_a_french_page(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = open_page(new_context(locale="fr-FR"), server)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator(".greeting")).to_have_text("Que voulez-vous faire ?")
    expect(page.locator("#starters")).to_contain_text("Dessiner une image")
    expect(page.locator("#chat-input")).to_have_attribute("placeholder", re.compile("Posez une question"))
    answer(page, "Quelle est la capitale de la France ?")
    expect(page.locator("[data-step-type=tool]")).to_contain_text(re.compile(r"Discussion · (sûr à \d+ %|pas sûr)"))
    expect(page.locator("#again")).to_contain_text("Répondre de nouveau")
    picture_of(page, "french")


def test_every_french_word_has_its_english_one() -> None:
    from assistant.app_config import browser_texts, texts

    assert texts("fr").keys() == texts("en").keys()
    assert browser_texts("fr-CA").keys() == browser_texts("en-GB").keys()


def test_the_page_follows_the_dark_of_the_system(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = open_page(new_context(color_scheme="dark"), server)
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    answer(page, "Show a Python function that adds two numbers.")
    picture_of(page, "dark")


def test_the_page_fits_a_phone(new_context: Callable[..., BrowserContext], server: Server) -> None:
    page = open_page(new_context(viewport=PHONE, is_mobile=True, has_touch=True), server)
    expect(page.locator("#starters button").last).to_be_in_viewport()
    picture_of(page, "phone-welcome")
    answer(page, "Write one sentence with the word internationalisation in it.")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for selector in ("#chat-submit", "[data-microphone]", "#upload-button", "#chat-settings-open-modal"):
        expect(page.locator(selector)).to_be_in_viewport()
    picture_of(page, "phone")


def test_every_button_has_a_name(page: Page) -> None:
    answer(page, "Name a flower.")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), textarea")]
             .filter((e) => e.checkVisibility() && !(e.ariaLabel || e.innerText?.trim() || e.title || e.labels?.length))
             .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert not nameless, nameless


def test_the_keyboard_alone_asks_and_opens_the_step(page: Page) -> None:
    page.keyboard.press("Tab")
    page.locator("#chat-input").focus()
    page.keyboard.type("Name a fruit.")
    page.keyboard.press("Enter")
    page.wait_for_selector("#again", timeout=40_000)
    page.locator("[data-step-type=tool] button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-step-type=tool]")).to_contain_text("Runner-up")
    expect(page.locator("[role=log]").first).to_have_attribute("aria-busy", "false")
    page.locator("#again").focus()
    page.keyboard.press("Enter")
    expect(page.locator(ANSWER)).to_have_count(1)
