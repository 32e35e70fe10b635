"""Speaking: a microphone that plays a file, the end of speech found, the words shown, corrected and answered."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from socketio import SimpleClient

from tests.e2e.conftest import ANSWER, SENTENCE, Server, answer, microphone_file, open_page, picture_of
from tests.e2e.test_security import connected, say, turns_of
from tests.openai_server import OpenAIServer

SECOND = 48_000
STORY = "The train to the city leaves at half past seven, and nobody knows why the old clock has stopped at midnight."
QUESTION = "[data-step-type=user_message]"


def test_spoken_words_become_a_message_that_is_answered_and_can_be_corrected(page: Page) -> None:
    page.click("[data-microphone]")
    expect(page.locator(QUESTION)).to_contain_text("days are there in a week", timeout=60_000)
    page.wait_for_selector("#again", timeout=60_000)
    assert page.locator(ANSWER).inner_text()
    expect(page.locator("[data-microphone]")).to_have_attribute("aria-label", "Speak")
    picture_of(page, "voice")
    page.locator(".edit-message").click()
    page.fill("#edit-chat-input", "What is the capital of Italy?")
    page.click(".confirm-edit")
    expect(page.locator(QUESTION)).to_have_text("What is the capital of Italy?")
    page.wait_for_selector("#again", timeout=30_000)
    expect(page.locator(ANSWER)).to_have_count(1)


def test_what_is_heard_appears_while_it_is_said_and_can_be_kept_from_being_sent(
    new_browser: Callable[..., Browser], new_context: Callable[..., BrowserContext], server: Server, tmp_path: Path
) -> None:
    heard = microphone_file(tmp_path, f"{STORY} {SENTENCE}", 8)
    page = open_page(new_context(new_browser(heard)), server)
    page.click("#chat-settings-open-modal")
    page.click("#send_spoken")
    page.click("#confirm")
    page.click("[data-microphone]")
    expect(page.locator("#voice-caption")).to_contain_text("the train", ignore_case=True, timeout=30_000)
    expect(page.locator("[data-microphone]")).to_have_attribute("aria-label", "Stop speaking")
    expect(page.locator("#chat-input")).to_have_value(re.compile("days are there in a week"), timeout=60_000)
    expect(page.locator("#voice-caption")).to_be_hidden()
    expect(page.locator(QUESTION)).to_have_count(0)
    page.press("#chat-input", "Enter")
    expect(page.locator(QUESTION)).to_contain_text("days are there in a week")
    page.wait_for_selector("#again", timeout=30_000)


def test_silence_is_told_and_starts_no_conversation(page: Page) -> None:
    page.click("[data-microphone]")
    expect(page.locator("[data-microphone]")).to_have_attribute("aria-label", "Stop speaking")
    page.click("[data-microphone]")
    expect(page.get_by_text("I heard no speech.")).to_be_visible()
    expect(page.locator(QUESTION)).to_have_count(0)


def test_a_dropped_recording_gets_a_player_a_transcript_and_subtitles(page: Page, spoken: Path) -> None:
    page.set_input_files("#upload-button-input", str(spoken))
    text = answer(page, "/transcribe this", timeout=60_000)
    assert "days are there in a week" in text
    expect(page.locator(f"{ANSWER} audio")).to_be_visible()
    for ending in ("txt", "srt", "vtt", "json"):
        expect(page.locator(f"a[download='heard.{ending}']")).to_be_visible()
    with page.expect_download() as download:
        page.click("a[download='heard.srt']")
    assert "-->" in Path(download.value.path()).read_text("utf-8")
    picture_of(page, "transcript")


def test_where_the_microphone_cannot_work_the_page_says_so(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    context = new_context()
    context.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page = open_page(context, server)
    expect(page.locator("#microphone-notice")).to_contain_text("only over HTTPS or on localhost")
    expect(page.locator("[data-microphone]")).to_be_disabled()


def test_a_microphone_that_is_refused_is_told_of(
    new_browser: Callable[..., Browser], new_context: Callable[..., BrowserContext], server: Server, spoken: Path
) -> None:
    refusing = new_browser(spoken, "--deny-permission-prompts")
    page = open_page(new_context(refusing, permissions=[]), server)
    page.click("[data-microphone]")
    expect(page.locator("#voice-notice")).to_contain_text("does not allow the microphone")
    expect(page.locator("[data-microphone]")).to_have_attribute("aria-label", "Speak")
    expect(page.get_by_text("I heard no speech.")).to_have_count(0)


def test_hands_free_answers_are_spoken_and_then_the_page_listens_again(
    new_context: Callable[..., BrowserContext], new_server: Callable[..., Server]
) -> None:
    with OpenAIServer() as voice:
        voice.sound *= 3
        settings = {"ASSISTANT_VOICE": "openai-compatible:any", "ASSISTANT_VOICE_BASE_URL": voice.url}
        page = open_page(new_context(), new_server(**settings, ASSISTANT_CHAT_MAX_TOKENS="30").start())
        button = page.get_by_role("button", name="Hands-free")
        expect(button).to_have_attribute("aria-pressed", "false")
        button.press("Enter")
        expect(button).to_have_attribute("aria-pressed", "true")
        page.wait_for_selector("[data-voice=listening]")
        page.wait_for_selector("[data-voice=speaking]", timeout=60_000)
        picture_of(page, "hands_free")
        assert voice.received[0].body["input"].rstrip(".") in page.locator(ANSWER).inner_text()
        page.wait_for_selector("[data-voice=listening]", timeout=30_000)
        expect(page.locator(QUESTION)).to_have_count(1)
        page.wait_for_selector("[data-voice=speaking]", timeout=60_000)
        expect(page.locator(QUESTION)).to_have_count(2)
        page.get_by_role("button", name="Mute the voice").press("Enter")
        page.wait_for_selector("[data-voice=listening]", timeout=30_000)
        said = len(voice.received)
        page.locator(ANSWER).nth(page.locator(ANSWER).count()).wait_for(timeout=60_000)
        assert len(voice.received) == said
        button.press("Enter")
        expect(page.locator("html")).not_to_have_attribute("data-voice", re.compile("."))
        expect(page.locator("[data-microphone]")).to_have_attribute("aria-label", "Speak")
        expect(page.locator("#mute")).to_have_count(0)


def test_whoever_speaks_over_the_voice_silences_it_and_is_answered(
    new_context: Callable[..., BrowserContext], new_server: Callable[..., Server]
) -> None:
    with OpenAIServer() as voice:
        voice.sound *= 240
        settings = {"ASSISTANT_VOICE": "openai-compatible:any", "ASSISTANT_VOICE_BASE_URL": voice.url}
        page = open_page(new_context(), new_server(**settings, ASSISTANT_CHAT_MAX_TOKENS="30").start())
        page.get_by_role("button", name="Hands-free").click()
        page.wait_for_selector("[data-voice=speaking]", timeout=60_000)
        page.wait_for_selector("[data-voice=listening]", timeout=30_000)
        expect(page.locator(QUESTION)).to_have_count(2, timeout=60_000)
        expect(page.locator(QUESTION).last).to_contain_text("days are there in a week")


def test_escape_silences_the_voice_and_it_listens_again(
    new_browser: Callable[..., Browser],
    new_context: Callable[..., BrowserContext],
    new_server: Callable[..., Server],
    tmp_path: Path,
) -> None:
    once = new_browser(microphone_file(tmp_path, SENTENCE, 90))
    with OpenAIServer() as voice:
        voice.sound *= 120
        settings = {"ASSISTANT_VOICE": "openai-compatible:any", "ASSISTANT_VOICE_BASE_URL": voice.url}
        page = open_page(new_context(once), new_server(**settings, ASSISTANT_CHAT_MAX_TOKENS="30").start())
        page.get_by_role("button", name="Hands-free").click()
        page.wait_for_selector("[data-voice=speaking]", timeout=60_000)
        page.wait_for_selector("#again", timeout=30_000)
        page.keyboard.press("Escape")
        page.wait_for_selector("[data-voice=listening]", timeout=10_000)


def test_hands_free_switches_itself_off_when_nobody_speaks(server: Server) -> None:
    with connected(server, threadId=str(uuid.uuid4())) as client:
        client.emit("window_message", {"type": "voice", "do": "hands_free", "on": True, "muted": False})
        assert wait_for(client, "audio_connection") == "on"
        let_hear(client, bytes(11 * SECOND))
        while wait_for(client, "window_message").get("state") != "listening":
            pass
        let_hear(client, bytes(11 * SECOND))
        while (told := wait_for(client, "window_message")).get("hands_free") is not False:
            pass
        assert told["notice"].startswith("Nobody spoke")


def test_stop_reaches_what_is_being_heard(server: Server, spoken: Path, tmp_path: Path) -> None:
    raw, thread = tmp_path / "spoken.raw", str(uuid.uuid4())
    subprocess.run(["sox", spoken, "-r", "24000", "-e", "signed", "-b", "16", "-c", "1", raw], check=True)
    with connected(server, threadId=thread) as client:
        speak_into(client, raw.read_bytes())
        wait_for(client, "task_start")
        client.emit("stop")
        wait_for(client, "task_end")
        say(client, "/write Name a bird.")
    assert turns_of(server, thread) == [("Name a bird.", "done")]


@pytest.mark.parametrize("kind", ["noise", "chord", "melody"])
def test_noise_and_music_are_no_speech(server: Server, kind: str) -> None:
    seconds = np.arange(11 * 24_000) / 24_000
    loudness = 0.2 * (1 + np.sin(2 * np.pi * 2 * seconds))
    notes = np.array([262, 330, 392, 523, 440, 349])[(seconds * 3).astype(int) % 6]
    samples = {
        "noise": np.random.default_rng(1).normal(0, 0.1, len(seconds)),
        "chord": sum(np.sin(2 * np.pi * hz * seconds) for hz in (220, 277, 330)) / 3 * loudness,
        "melody": np.sin(2 * np.pi * np.cumsum(notes) / 24_000) * loudness,
    }[kind]
    with connected(server, threadId=str(uuid.uuid4())) as client:
        speak_into(client, (samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
        assert wait_for(client, "toast")["message"].startswith("I heard no speech.")


def speak_into(client: SimpleClient, sound: bytes) -> None:
    """Open the microphone and let it hear 24 kHz samples."""
    client.emit("audio_start")
    wait_for(client, "audio_connection")
    let_hear(client, sound)


def let_hear(client: SimpleClient, sound: bytes) -> None:
    """A second at a time."""
    for start in range(0, len(sound), SECOND):
        chunk = {"isStart": start == 0, "mimeType": "pcm16", "elapsedTime": start / SECOND}
        client.emit("audio_chunk", {**chunk, "data": sound[start : start + SECOND]})


def wait_for(client: SimpleClient, event: str) -> Any:
    """What comes with the next `event`."""
    while (received := client.receive(timeout=20))[0] != event:
        pass
    return received[1] if len(received) > 1 else None
