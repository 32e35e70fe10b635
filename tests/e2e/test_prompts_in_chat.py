"""The library of prompts in the chat: a command with its inputs, and a profile that a whole conversation is under."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, open_page, picture_of

PROMPTS = """
[[prompt]]
name = "capital"
title = "Capitals"
description = "The capital of a country"
message = "What is the capital of {{country}}? {{text}}"
inputs = [
  { name = "country", label = "Country", type = "choice", choices = ["France", "Italy"], default = "France" },
  { name = "since" },
]

[[prompt]]
name = "brief"
title = "In brief"
description = "Short answers"
system = "Answer in one word."
profile = true
"""


@pytest.fixture(scope="module")
def with_prompts(new_server: Callable[..., Server]) -> Server:
    server = new_server(ASSISTANT_CHAT_MAX_TOKENS="40")
    command = [sys.executable, "-m", "assistant.cli", "prompts", "add", "-"]
    subprocess.run(command, input=PROMPTS, text=True, check=True, env={"ASSISTANT_HOME": str(server.home)})
    return server.start()


def test_a_command_shows_its_inputs_and_words_the_message(
    new_context: Callable[..., BrowserContext], with_prompts: Server
) -> None:
    page = open_page(new_context(), with_prompts)
    _choose(page, "capital")
    inputs = page.get_by_role("group", name="/capital")
    inputs.get_by_label("Country").select_option("Italy")
    expect(page.locator("#cost-line")).to_contain_text("/capital needs since")
    inputs.get_by_label("since").fill("1871")
    expect(page.locator("#cost-line")).to_have_text(re.compile(r"^stays here · “Capitals” adds"))
    picture_of(page, "prompt-inputs")
    page.fill("#chat-input", "In a word.")
    page.keyboard.press("Enter")
    receipt = _receipt(page)
    assert receipt["request"] == "In a word."
    assert receipt["prompt"]["message"] == "What is the capital of Italy? In a word."
    assert receipt["prompt"]["inputs"] == {"country": "Italy", "since": "1871"}
    expect(inputs).to_be_hidden()
    page.locator("#again").click()
    expect(page.locator(f"{ANSWER} a[href^='/receipts/']")).to_have_count(1)
    assert _receipt(page, but=receipt["receipt"])["prompt"] == receipt["prompt"]


def test_a_conversation_stays_under_its_profile(
    new_context: Callable[..., BrowserContext], with_prompts: Server
) -> None:
    page = open_page(new_context(), with_prompts)
    page.get_by_role("combobox").filter(has_text="Assistant").click()
    page.get_by_role("option", name="In brief").click()
    expect(page.locator("#cost-line")).to_contain_text("“In brief” adds")
    picture_of(page, "prompt-profile")
    answer(page, "What is the capital of Spain?")
    first = _receipt(page)
    assert (first["prompt"]["name"], first["prompt"]["profile"]) == ("brief", True)
    assert first["prompt"]["system"] == "Answer in one word."
    page.reload()
    expect(page.locator(ANSWER)).to_have_count(1)
    answer(page, "And of Italy?")
    assert _receipt(page, but=first["receipt"])["prompt"]["name"] == "brief"


def _choose(page: Page, name: str) -> None:
    page.fill("#chat-input", f"/{name[:3]}")
    page.locator(".command-item", has_text=name).first.click()


def _receipt(page: Page, but: str = "") -> dict[str, object]:
    link = page.locator(f"{ANSWER} a[href^='/receipts/']:not([href$='{but or '-'}'])").last
    href = link.get_attribute("href", timeout=40_000)
    return dict(page.request.get(f"{page.url.split('/thread')[0].rstrip('/')}{href}?format=json").json())
