"""Recordings: heard, read, played from a line, asked about, opened at the second, kept for every conversation."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, ask, leave, open_page, picture_of, press_stop
from tests.sound import RATE_HZ, noise, record, samples_of, speak
from tests.speech import SPANISH

SAID = [
    "Welcome to the meeting of the harbour board.",
    "The old crane was painted in the month of March.",
    "The price of the new crane is forty thousand euros.",
    "I will call the bank on Friday morning.",
]
PAUSE_S = 6
TIMES = f"{ANSWER} a[href^='/transcripts/'][href*='#t=']"
ADDRESS = f"{ANSWER} a[href^='/transcripts/']:not([href*='#']):not([download])"
NOW = "element => element.currentTime"


def played_to(player: Locator, second: float) -> None:
    """Wait until the player stands there. (`wait_for_function` would evaluate text in the page, whose policy forbids it.)"""
    for _attempt in range(100):
        if player.evaluate(NOW) >= second:
            return
        player.page.wait_for_timeout(100)
    raise AssertionError(f"the player stands at {player.evaluate(NOW)} s, before {second} s")


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sentences with pauses between them, about 40 seconds."""
    folder = tmp_path_factory.mktemp("meeting")
    parts = [folder / f"{n}.wav" for n in range(len(SAID))]
    for part, text in zip(parts, SAID, strict=True):
        said = part.with_name(f"said-{part.name}")
        subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", said, text], check=True)
        subprocess.run(["sox", said, "-r", "16000", part, "pad", "0", str(PAUSE_S)], check=True)
    subprocess.run(["sox", *parts, folder / "meeting.wav"], check=True)
    return folder / "meeting.wav"


def test_a_recording_is_read_played_asked_about_and_kept(page: Page, meeting: Path, server: Server) -> None:
    page.set_input_files("#upload-button-input", str(meeting))
    text = answer(page, "/transcribe this", timeout=90_000)
    assert "forty thousand" in text or "40,000" in text
    player = page.locator(f"{ANSWER} audio")
    page.locator(TIMES).nth(2).click()
    start = int(str(page.locator(TIMES).nth(2).get_attribute("href")).partition("#t=")[2])
    expect(page.locator(TIMES).nth(2)).to_have_attribute("aria-current", "true")
    assert start <= player.evaluate(NOW) < start + 6
    player.evaluate("element => element.pause()")
    picture_of(page, "recording")

    answer(page, "/transcribe At what minute do they mention the price?")
    expect(page.locator(ANSWER).last).to_contain_text(
        re.compile(r"price of the new crane.*meeting\.wav, 0:\d\d", re.DOTALL)
    )
    page.locator(f"{ANSWER} a[href^='/passages/']").first.click()
    beside = page.locator("#side-view-content audio")
    expect(beside).to_be_visible()
    expect(page.locator("#side-view-content")).to_contain_text("price")
    played_to(beside, 15)
    picture_of(page, "recording-citation")

    page.locator("[id^=keep-]").click()
    expect(page.get_by_text("is in the knowledge base now")).to_be_visible()
    other = open_page(page.context, server)
    answer(other, "/search What is the price of the new crane?")
    expect(other.locator(ANSWER)).to_contain_text(re.compile(r"meeting\.wav, 0:\d\d"))
    other.locator(f"{ANSWER} a[href^='/passages/']").first.click()
    expect(other.locator("#side-view-content audio")).to_be_visible()
    address = other.locator("#side-view-content a[href^='/transcripts/']").get_attribute("href")
    other.goto(f"{server.url}{address}")
    expect(other.locator("#lines > li", has_text="The old crane")).not_to_contain_text("forty thousand")
    expect(other.locator("#who")).to_have_count(0)
    leave(other)
    other.close()


def test_the_transcript_has_a_page_of_its_own(page: Page, meeting: Path, server: Server) -> None:
    page.set_input_files("#upload-button-input", str(meeting))
    answer(page, "/transcribe this", timeout=90_000)
    address = page.locator(ADDRESS).get_attribute("href")
    page.goto(f"{server.url}{address}")
    lines = page.locator("#lines > li")
    lines.nth(2).click()
    expect(lines.nth(2)).to_have_attribute("aria-current", "true")
    start = float(str(lines.nth(2).get_attribute("data-start")))
    assert start <= page.locator("#player").evaluate(NOW) < start + 6
    page.keyboard.press("Space")
    assert page.locator("#player").evaluate("element => element.paused")
    page.keyboard.press("ArrowDown")
    expect(lines.nth(3)).to_have_attribute("aria-current", "true")
    expect(lines.nth(3).locator("button")).to_be_focused()
    page.fill("#find", "PRICE")
    expect(page.locator("#found")).to_have_text("1")
    expect(page.locator("#lines > li.hit")).to_contain_text("price")
    picture_of(page, "transcript-page")
    with page.expect_download() as download:
        page.get_by_role("link", name="SRT").click()
    assert "-->" in Path(download.value.path()).read_text("utf-8")
    page.goto("about:blank")
    page.goto(f"{server.url}{address}#t={start}")
    played_to(page.locator("#player"), start)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    picture_of(page, "transcript-page-phone")
    page.set_viewport_size({"width": 1280, "height": 800})
    status = page.request.get(f"{server.url}{address}/media", headers={"Range": "bytes=0-99"})
    assert (status.status, len(status.body())) == (206, 100)


def test_stop_keeps_what_was_heard_and_asking_again_goes_on(page: Page, meeting: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    subprocess.run(["sox", *[meeting] * 6, long], check=True)
    page.set_input_files("#upload-button-input", str(long))
    ask(page, "/transcribe this")
    expect(page.locator(ANSWER)).to_contain_text("[0:00]", timeout=120_000)
    expect(page.locator("[data-step-type=tool]")).to_contain_text("%")
    press_stop(page)
    expect(page.locator(ANSWER)).to_contain_text(re.compile(r"Stopped at \d:\d\d of 3:\d\d"), timeout=120_000)
    expect(page.locator("a[download='long.srt']")).to_be_visible()
    picture_of(page, "recording-stopped")
    page.click("#again")
    expect(page.locator(ANSWER)).not_to_contain_text("Stopped at", timeout=120_000)
    page.wait_for_selector("#again", timeout=180_000)
    times = [int(str(link.get_attribute("href")).partition("#t=")[2]) for link in page.locator(TIMES).all()]
    assert times == sorted(set(times))
    assert times[-1] > 180


@pytest.fixture(scope="module")
def spanish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speak(tmp_path_factory.mktemp("spanish") / "hola.wav", SPANISH, "es")


def test_a_language_can_be_changed_and_put_into_english(page: Page, spanish: Path) -> None:
    page.set_input_files("#upload-button-input", str(spanish))
    assert "casa" in answer(page, "/transcribe this", timeout=60_000)
    expect(page.locator(ANSWER)).to_contain_text("· Spanish")
    expect(page.locator("#hear-again")).to_have_text("Transcribe again in English")
    page.click("#to-english")
    expect(page.locator(ANSWER)).to_contain_text(re.compile(r"\bthe\b.*\bis\b", re.IGNORECASE), timeout=60_000)
    page.wait_for_selector("#again")
    expect(page.locator(ANSWER)).to_have_count(1)
    page.click("#again")
    expect(page.locator("#hear-again")).to_be_visible(timeout=60_000)
    page.click("#hear-again")
    expect(page.locator(ANSWER)).to_contain_text("· English", timeout=60_000)


def test_a_film_plays_and_its_words_are_read(page: Page, spoken: Path, tmp_path: Path, server: Server) -> None:
    page.set_input_files("#upload-button-input", str(film(tmp_path / "film.webm", samples_of(spoken)[: 5 * RATE_HZ])))
    assert "days are there in a week" in answer(page, "/transcribe this", timeout=60_000)
    player = page.locator(f"{ANSWER} video")
    player.evaluate("element => element.play()")
    played_to(player, 0.5)
    assert player.evaluate("element => element.videoWidth") == 64
    page.goto(f"{server.url}{page.locator(ADDRESS).get_attribute('href')}")
    page.locator("#lines > li").first.click()
    played_to(page.locator("video#player"), 0.6)


def film(path: Path, samples: np.ndarray) -> Path:
    """Sound under ten grey pictures a second."""
    with av.open(str(path), "w") as container:
        sight = container.add_stream("libvpx", rate=10)
        sight.width, sight.height, sight.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("libopus", rate=48_000, layout="mono")
        for _ in range(len(samples) * 10 // RATE_HZ):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
            container.mux(sight.encode(picture))
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        container.mux(sight.encode(None))
    return path


def test_several_recordings_of_one_message_are_told_apart(page: Page, spoken: Path, spanish: Path) -> None:
    page.set_input_files("#upload-button-input", [str(spoken), str(spanish)])
    text = answer(page, "/transcribe these recordings", timeout=90_000)
    assert text.index("heard.wav") < text.index("week") < text.index("hola.wav") < text.index("casa")
    expect(page.locator(f"{ANSWER} audio")).to_have_count(2)
    expect(page.locator(ADDRESS)).to_have_count(2)


def test_a_recording_without_words_is_said_to_have_none(page: Page, tmp_path: Path) -> None:
    page.set_input_files("#upload-button-input", str(record(tmp_path / "wind.wav", noise(4.0))))
    assert "No speech was heard in wind.wav." in answer(page, "/transcribe this", timeout=60_000)
    expect(page.locator("#who-spoke")).to_have_count(0)


def test_the_transcripts_page_is_french_for_who_reads_french(
    new_context: Callable[..., BrowserContext], server: Server, spoken: Path
) -> None:
    page = open_page(new_context(locale="fr-FR"), server)
    page.set_input_files("#upload-button-input", str(spoken))
    answer(page, "/transcribe", timeout=60_000)
    expect(page.locator("#who-spoke")).to_have_text("Qui a parlé ?")
    page.goto(f"{server.url}{page.locator(ADDRESS).get_attribute('href')}")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("#find")).to_have_attribute("placeholder", "Chercher dans la transcription")
    expect(page.locator("#lines button").first).to_have_attribute("aria-label", re.compile("Écouter à partir de"))
    page.locator("#who summary").click()
    expect(page.locator("#tell-apart button")).to_have_text("Distinguer les voix")
    picture_of(page, "transcript-page-french")
