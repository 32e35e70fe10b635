"""Who spoke: voices told apart on the transcript's page and in the chat, named, and known by their names from then on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, picture_of
from tests.sound import speak

SAID = [
    ("en+m3", "Good morning. I will call the bank on Friday, and I will ask for the new contract."),
    ("en+f4", "Thank you very much. Then I will pay the bill for the boat before the end of the month."),
    ("en+m3", "That is a good plan. Please send me the letter with the price of the new engine today."),
]
ADDRESS = f"{ANSWER} a[href^='/transcripts/']:not([href*='#']):not([download])"


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialogue")
    parts = [speak(folder / f"{n}.wav", text, voice) for n, (voice, text) in enumerate(SAID)]
    subprocess.run(["sox", *parts, "-r", "16000", folder / "dialogue.wav", "pad", "0.3", "0.5"], check=True)
    return folder / "dialogue.wav"


def test_voices_are_told_apart_named_and_answered_for(page: Page, dialogue: Path, server: Server) -> None:
    page.set_input_files("#upload-button-input", str(dialogue))
    answer(page, "/transcribe this", timeout=60_000)
    address = page.locator(ADDRESS).first.get_attribute("href")
    transcript = open_page_at(page, server, f"{address}")
    transcript.locator("#who summary").press("Enter")
    transcript.locator("#tell-apart select").select_option("2")
    transcript.locator("#tell-apart button").press("Enter")
    expect(transcript.locator("#telling button")).to_be_focused()
    transcript.keyboard.press("Enter")
    expect(transcript.locator("#who-told")).to_have_text("Stopped.", timeout=60_000)
    transcript.locator("#tell-apart button").press("Enter")
    expect(transcript.locator("#lines b")).to_have_text(["Speaker 1", "Speaker 2", "Speaker 1"], timeout=90_000)
    second = transcript.get_by_label("Name of Speaker 2")
    second.fill("Ada <b>")
    second.press("Enter")
    expect(transcript.locator("#lines b")).to_have_text(["Speaker 1", "Ada <b>", "Speaker 1"])
    expect(transcript.locator("#who-told")).to_have_text("Saved.")
    transcript.get_by_label("Name of Speaker 1").fill("Ben")
    transcript.get_by_label("Name of Speaker 1").press("Tab")
    expect(transcript.locator("#who-told")).to_have_text("Saved.")
    expect(transcript.locator("#lines b").first).to_have_text("Ben")
    picture_of(transcript, "speakers")
    transcript.set_viewport_size({"width": 390, "height": 844})
    transcript.emulate_media(color_scheme="dark")
    picture_of(transcript, "speakers-phone")
    transcript.reload()
    expect(transcript.locator("#lines b")).to_have_text(["Ben", "Ada <b>", "Ben"])
    for ending, line in {
        "srt": "Ben: Good morning.",
        "vtt": "Ada &lt;b&gt;: ",
        "txt": "Ada <b>: ",
        "json": '"Ben"',
    }.items():
        assert line in page.request.get(f"{server.url}{address}/file?format={ending}").text()
    with page.expect_download() as download:
        page.click("a[download='dialogue.srt']")
    assert download.value.suggested_filename == "dialogue.srt"
    assert "Ada <b>: " in Path(download.value.path()).read_text("utf-8")
    transcript.close()
    answer(page, "/transcribe Who will pay the bill for the boat?")
    page.locator(f"{ANSWER} a[href^='/passages/']").first.click()
    expect(page.locator("#side-view-content")).to_contain_text("Ada")


def open_page_at(page: Page, server: Server, path: str) -> Page:
    tab = page.context.new_page()
    tab.goto(server.url + path)
    return tab


def test_who_spoke_is_one_click_away_in_the_chat(page: Page, dialogue: Path) -> None:
    page.set_input_files("#upload-button-input", str(dialogue))
    answer(page, "/transcribe this", timeout=60_000)
    expect(page.locator(ANSWER)).not_to_contain_text("Speaker 1")
    page.click("#who-spoke")
    expect(page.locator(ANSWER).last).to_contain_text("Speaker 2", timeout=90_000)
    page.wait_for_selector("#again")
    expect(page.locator("#who-spoke")).to_have_count(0)
    picture_of(page, "speakers-chat")
