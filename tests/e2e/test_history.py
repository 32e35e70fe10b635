"""What is remembered: reload, restart, kill, search, export, delete."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, ask, open_page, picture_of


def test_a_reloaded_conversation_goes_on_with_tools_settings_and_buttons(page: Page) -> None:
    answer(page, "What is the capital of France?")
    page.reload()
    expect(page.locator(ANSWER)).to_contain_text("Paris")
    expect(page.locator("#again")).to_be_visible()
    expect(page.locator("#chat-settings-open-modal")).to_be_visible()
    expect(page.locator("#command-button")).to_be_visible()
    answer(page, "What is the capital of Italy?")
    expect(page.locator(ANSWER)).to_have_count(2)


def test_a_conversation_is_there_after_a_restart_and_an_answer_cut_by_a_kill_says_so(
    new_server: Callable[..., Server], new_context: Callable[..., BrowserContext]
) -> None:
    server = new_server().start()
    page = open_page(new_context(), server)
    answer(page, "What is the capital of France?")
    ask(page, "/write Write a very long story about the sea, in forty paragraphs.")
    expect(page.locator(ANSWER)).to_have_count(2)
    page.wait_for_timeout(2500)
    server.kill()
    server.start()
    page = open_page(new_context(), server)
    page.locator("[id^=thread-]").first.click()
    expect(page.locator(ANSWER).first).to_contain_text("Paris")
    expect(page.locator(ANSWER).last).to_contain_text("This answer was interrupted.")
    expect(page.locator(ANSWER).last.locator("#again")).to_be_visible()
    picture_of(page, "resumed")
    server.stop()


def test_conversations_are_searched_and_exported(page: Page, server: Server) -> None:
    answer(page, "Tell me one thing about the kookaburra.")
    thread = page.url.rsplit("/", 1)[1]
    page.goto(f"{server.url}/history")
    page.fill("input[name=q]", "kookaburra")
    page.keyboard.press("Enter")
    expect(page.locator(f"a[href='/thread/{thread}']")).to_be_visible()
    picture_of(page, "history")
    for name in ("Markdown", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        text = Path(download.value.path()).read_text("utf-8")
        assert "kookaburra" in text
    assert any(turn["request"].startswith("Tell me one") for t in json.loads(text) for turn in t["turns"])


def test_the_sidebar_finds_a_conversation_by_its_words(page: Page) -> None:
    answer(page, "Tell me one thing about the axolotl.")
    page.click("#search-chats-button")
    page.get_by_placeholder("Search").fill("axolotl")
    expect(page.get_by_role("option").first).to_contain_text("axolotl")


def test_a_deleted_conversation_stays_deleted_with_its_files(page: Page, server: Server, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The lighthouse keeper is called Ines.")
    page.set_input_files("#upload-button-input", str(note))
    answer(page, "Who is the lighthouse keeper?", timeout=60_000)
    thread = page.url.rsplit("/", 1)[1]
    assert list((server.home / "files" / thread).iterdir())
    page.locator(f"#thread-{thread} #thread-options").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(f"#thread-{thread}")).to_have_count(0)
    page.goto(server.url)
    page.wait_for_selector(".greeting")
    expect(page.locator(f"#thread-{thread}")).to_have_count(0)
    assert not (server.home / "files" / thread).exists()


def test_the_page_writes_nothing_outside_its_home(server: Server) -> None:
    assert {p.name for p in server.home.parent.iterdir()} <= {"home", "server.log"}
