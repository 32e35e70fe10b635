"""Typing, streaming, stopping, editing, asking again: the page as someone uses it all day."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, ask, open_page, picture_of, press_stop

LONG_STORY = "/write Write a very long story about a sailor and the sea, in forty paragraphs."


def test_the_welcome_offers_the_four_tools(page: Page) -> None:
    expect(page.locator(".greeting")).to_have_text("What would you like to do?")
    expect(page.locator("#starters button")).to_have_count(4)
    expect(page.locator("#starters img").first).to_be_visible()
    picture_of(page, "welcome")


def test_a_question_is_answered_and_the_step_tells_which_tool_and_how_sure(page: Page) -> None:
    text = answer(page, "What is the capital of France?")
    assert "Paris" in text
    step = page.locator("[data-step-type=tool]")
    expect(step).to_contain_text(re.compile(r"Chat · \d+ % sure"))
    step.get_by_role("button").first.click()
    for word in ("Tool", "Confidence", "Runner-up", "Why"):
        expect(step).to_contain_text(word)
    picture_of(page, "answer")


def test_an_answer_streams(page: Page) -> None:
    page.evaluate(
        """(selector) => { window.lengths = []; new MutationObserver(() => {
             const last = [...document.querySelectorAll(selector)].pop();
             if (last) window.lengths.push(last.innerText.length);
           }).observe(document.body, {childList: true, subtree: true, characterData: true}); }""",
        ANSWER,
    )
    answer(page, "Count from one to twenty in words.")
    assert len(set(page.evaluate("window.lengths"))) > 5


def test_a_starter_is_asked_at_once(page: Page) -> None:
    page.click("#starter-explain-something")
    expect(page.locator("[data-step-type=user_message]")).to_contain_text("rainbow")
    page.wait_for_selector("#again", timeout=60_000)


@pytest.fixture(scope="module")
def patient_server(new_server: Callable[..., Server]) -> Server:
    """Its answers may be so long that none ends before a slow browser has pressed Stop."""
    return new_server(ASSISTANT_CHAT_MAX_TOKENS="1200").start()


def test_stop_ends_the_answer_and_the_next_question_is_answered(
    new_context: Callable[..., BrowserContext], patient_server: Server
) -> None:
    page = open_page(new_context(), patient_server)
    ask(page, LONG_STORY)
    page.wait_for_selector(ANSWER)
    press_stop(page)
    expect(page.locator(ANSWER).last).to_contain_text("Stopped.")
    assert "Stopped." not in answer(page, "Name a bird.", timeout=120_000)


def test_stop_also_ends_the_answer_to_an_edited_message(
    new_context: Callable[..., BrowserContext], patient_server: Server
) -> None:
    page = open_page(new_context(), patient_server)
    answer(page, "Say hello.", timeout=120_000)
    edit(page, LONG_STORY)
    page.wait_for_selector(ANSWER)
    press_stop(page)
    expect(page.locator(ANSWER).last).to_contain_text("Stopped.")
    expect(page.locator(ANSWER)).to_have_count(1)


def test_an_edited_message_replaces_what_followed_it_for_good(page: Page) -> None:
    answer(page, "Name a river.")
    answer(page, "Name a mountain.")
    edit(page, "Name a city.", which=0)
    page.wait_for_selector("#again")
    page.reload()
    page.wait_for_selector("#again")
    expect(page.locator("[data-step-type=user_message]")).to_have_count(1)
    expect(page.locator(ANSWER)).to_have_count(1)
    expect(page.locator("[data-step-type=tool]")).to_have_count(1)


def test_answer_again_leaves_one_answer(page: Page) -> None:
    answer(page, "Count from one to twenty in words.")
    first = page.locator(f"{ANSWER} [id^=step-]").first.get_attribute("id")
    page.click("#again")
    expect(page.locator(f"#{first}")).to_have_count(0)
    page.wait_for_selector("#again")
    expect(page.locator(ANSWER)).to_have_count(1)
    expect(page.locator("[data-step-type=user_message]")).to_have_count(1)


def test_another_tool_is_one_click_away_and_the_click_is_learned(page: Page, server: Server) -> None:
    answer(page, "The old harbour before the storm")
    page.locator("button[id^=use-]").first.click()
    expect(page.locator("[data-step-type=tool]")).to_contain_text("you chose it", timeout=40_000)
    assert "old harbour" in (server.home / "corrections.jsonl").read_text("utf-8")


def test_two_questions_at_once_are_both_answered(page: Page, server: Server) -> None:
    other = open_page(page.context, server)
    ask(page, "Name a bird.")
    ask(other, "Name a fish.")
    for one in (page, other):
        one.wait_for_selector("#again", timeout=60_000)
        expect(one.locator(ANSWER)).to_have_count(1)


def test_an_empty_message_is_not_sent(page: Page) -> None:
    page.fill("#chat-input", "   ")
    expect(page.locator("#chat-submit")).to_be_disabled()
    page.keyboard.press("Enter")
    expect(page.locator("[data-step-type=user_message]")).to_have_count(0)


def test_a_message_of_200000_characters_is_kept_and_offered_as_a_document(page: Page) -> None:
    ask(page, "The harbour opens at seven. " * 7200)
    expect(page.locator(ANSWER)).to_contain_text("It was not sent")
    expect(page.locator("[data-step-type=user_message]")).to_have_count(0)
    expect(page.locator(".inline-file")).to_contain_text("pasted text")
    page.click("#as-document")
    expect(page.locator("[data-step-type=tool]")).to_contain_text("Documents")
    press_stop(page)


def test_a_long_paste_becomes_a_document_before_it_is_sent(page: Page) -> None:
    page.locator("#chat-input").evaluate(
        """(input) => { const data = new DataTransfer(); data.setData("text/plain", "word ".repeat(20000));
             input.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})); }"""
    )
    expect(page.locator("#attachments")).to_contain_text("pasted text.txt")
    expect(page.locator("#chat-input")).to_have_value("")


def test_a_failure_is_one_readable_line_and_the_conversation_goes_on(page: Page) -> None:
    ask(page, "/image")
    expect(page.locator(ANSWER).last).to_contain_text("The message is empty. Type a question")
    page.wait_for_selector("#again")
    assert "Paris" in answer(page, "What is the capital of France?")


def test_transcribe_alone_asks_for_a_recording(page: Page) -> None:
    assert "Drop an audio or video file" in answer(page, "/transcribe")


def test_a_picture_is_drawn_into_the_chat(page: Page, server: Server) -> None:
    answer(page, "/image a red lighthouse", timeout=90_000)
    image = page.locator(f"{ANSWER} img[src^='/files/']")
    expect(image).to_be_visible()
    assert image.evaluate("i => i.naturalWidth") > 0
    assert not list((server.home / "page" / ".files").rglob("*.png"))
    picture_of(page, "picture")


def test_a_picture_is_drawn_again_with_its_seed(page: Page) -> None:
    first = re.search(r"seed (\d+)", answer(page, "/image a blue boat", timeout=90_000))
    assert first
    page.click("#same-seed-0")
    again = page.locator(ANSWER).nth(1)
    expect(again).to_contain_text(f"seed {first[1]} ", timeout=90_000)
    expect(again.locator("img[src^='/files/']")).to_be_visible()


def test_the_page_serves_others_while_it_works(page: Page, server: Server) -> None:
    ask(page, LONG_STORY)
    page.wait_for_selector(ANSWER)
    other = open_page(page.context, server)
    expect(other.locator(".greeting")).to_be_visible()
    other.close()
    page.wait_for_selector("#again")


def test_a_button_that_fails_says_so_in_the_page(page: Page, server: Server, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The ferry leaves at noon.")
    with page.expect_response("**/project/file?*") as uploaded:
        page.set_input_files("#upload-button-input", str(note))
    answer(page, "When does the ferry leave?")
    action = {"name": "keep", "id": "x", "payload": {"source": "gone.txt", "title": "gone", "id": "x"}}
    session = uploaded.value.url.split("session_id=")[1].strip("&")
    page.request.post(f"{server.url}/project/action", data={"sessionId": session, "action": action})
    expect(page.locator(ANSWER).last).to_contain_text("gone.txt is not in")


def test_a_command_can_be_chosen_from_the_list(page: Page) -> None:
    page.fill("#chat-input", "/ima")
    page.get_by_text("Draw or change a picture").click()
    page.fill("#chat-input", "a blue boat")
    page.click("#chat-submit")
    expect(page.locator("[data-step-type=tool]")).to_contain_text("Picture · you chose it", timeout=60_000)


def test_feedback_is_saved_with_its_comment(page: Page) -> None:
    answer(page, "Name a tree.")
    page.locator("button.positive-feedback-off").click()
    page.get_by_role("dialog").locator("textarea").fill("well said")
    page.click("#submit-feedback")
    page.wait_for_selector("button.positive-feedback-on")
    page.reload()
    expect(page.locator("button.positive-feedback-on")).to_be_visible()


def test_the_settings_offer_models_language_and_temperature(page: Page) -> None:
    page.click("#chat-settings-open-modal")
    for name in ("#chat", "#speech", "#image", "#language", "#temperature"):
        expect(page.locator(name)).to_be_visible()
    page.click("#chat")
    page.get_by_role("option", name="llama-cpp:qwen2.5-coder-1.5b-instruct").click()
    picture_of(page, "settings")
    page.click("#confirm")


def edit(page: Page, text: str, which: int = -1) -> None:
    page.locator(".edit-message").nth(which).click()
    page.fill("#edit-chat-input", text)
    page.click(".confirm-edit")
