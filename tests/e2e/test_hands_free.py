"""Hands-free under other conditions: hosted speech and voice, the browser's own voices, a connection that breaks, a phone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Server, open_page, picture_of
from tests.openai_server import OpenAIServer

QUESTION = "[data-step-type=user_message]"
OPEN = "[data-microphone]:has(.lucide-x)"
VOICES = """
window.said = [];
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(window, "speechSynthesis", { value: {
  getVoices: () => %s,
  speak: (one) => { window.said.push(one.voice.name); setTimeout(() => one.onend(), 50); },
  cancel() {}, pause() {}, resume() {},
} });
"""
FAR = '{ name: "far", lang: "fr-FR", localService: false }'
NEAR = '{ name: "near", lang: "fr-FR", localService: true }'


def hands_free(page: Page) -> None:
    page.locator("#hands-free").press("Enter")
    page.wait_for_selector("[data-voice=listening]")


def test_hosted_speech_and_voice_hold_a_conversation(
    new_context: Callable[..., BrowserContext], new_server: Callable[..., Server]
) -> None:
    with OpenAIServer() as hosted:
        address = {f"ASSISTANT_{of}_BASE_URL": hosted.url for of in ("SPEECH", "VOICE", "CHAT")}
        model = {f"ASSISTANT_{of}": "openai-compatible:any" for of in ("SPEECH", "CHAT")}
        voice = {"ASSISTANT_VOICE": "openai:gpt-4o-mini-tts", "OPENAI_API_KEY": "key"}
        page = open_page(new_context(), new_server(**address, **model, **voice).start())
        page.click("#chat-settings-open-modal")
        page.click("#voice")
        page.get_by_role("option", name="nova").click()
        page.click("#confirm")
        hands_free(page)
        page.wait_for_selector("[data-voice=speaking]", timeout=60_000)
        expect(page.locator(QUESTION).first).to_have_text("Hello there.")
        expect(page.locator(QUESTION)).to_have_count(2, timeout=60_000)
        asked = [received.path.rsplit("/", 1)[1] for received in hosted.received]
        assert asked[0] == "transcriptions"
        assert asked.index("completions") < asked.index("speech")
        assert asked.count("transcriptions") <= page.locator(QUESTION).count() + 1
        assert {r.body["voice"] for r in hosted.received if r.path.endswith("/speech")} == {"nova"}


@pytest.fixture(scope="module")
def french(new_server: Callable[..., Server]) -> Server:
    """Takes what is said for French, which the starter voice does not speak: the browser is to say the answers."""
    return new_server(ASSISTANT_SPEECH_LANGUAGE="fr", ASSISTANT_CHAT_MAX_TOKENS="20").start()


def test_without_a_voice_here_the_browser_speaks_by_a_local_one(
    new_context: Callable[..., BrowserContext], french: Server
) -> None:
    context = new_context()
    context.add_init_script(VOICES % f"[{FAR}, {NEAR}]")
    page = open_page(context, french)
    hands_free(page)
    expect(page.locator(QUESTION)).to_have_count(2, timeout=90_000)
    assert set(page.evaluate("window.said")) == {"near"}


def test_a_voice_that_would_send_the_answer_away_is_never_used(
    new_context: Callable[..., BrowserContext], french: Server
) -> None:
    context = new_context(locale="fr-FR")
    context.add_init_script(VOICES % f"[{FAR}]")
    page = open_page(context, french)
    hands_free(page)
    expect(page.locator("#hands-free-notice")).to_contain_text("pas de voix locale", timeout=60_000)
    page.wait_for_selector("[data-voice=listening]", timeout=60_000)
    assert page.evaluate("window.said") == []


class Relay:
    """A port of 127.0.0.1 that hands everything on to another, and can break what is open."""

    def __init__(self, port: int) -> None:
        self._to, self._open = port, []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._open += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._hand_on, args=(one, other), daemon=True).start()

    def _hand_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def relayed(server: Server) -> Iterator[tuple[Server, Relay]]:
    relay = Relay(server.port)
    yield Server(server.home, relay.port), relay
    relay.close()


def test_after_a_break_of_the_connection_hands_free_listens_again(
    new_context: Callable[..., BrowserContext], relayed: tuple[Server, Relay]
) -> None:
    server, relay = relayed
    page = open_page(new_context(), server)
    hands_free(page)
    page.wait_for_selector(OPEN)
    relay.cut()
    page.wait_for_selector("[data-microphone]:not(:has(.lucide-x))", timeout=30_000)
    expect(page.locator("#hands-free")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(QUESTION)).to_contain_text("days are there in a week", timeout=60_000)
    page.locator("#hands-free").press("Enter")
    expect(page.locator(OPEN)).to_have_count(0)


def test_a_microphone_that_was_open_when_the_connection_broke_is_closed_and_told_of(
    new_context: Callable[..., BrowserContext], relayed: tuple[Server, Relay]
) -> None:
    server, relay = relayed
    page = open_page(new_context(), server)
    page.click("[data-microphone]")
    page.wait_for_selector(OPEN)
    relay.cut()
    expect(page.locator("#hands-free-notice")).to_contain_text("The connection broke while you spoke", timeout=30_000)
    expect(page.locator(OPEN)).to_have_count(0)
    expect(page.locator(QUESTION)).to_have_count(0)


def test_on_a_phone_nothing_in_the_header_covers_another_while_it_listens(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    page = open_page(new_context(viewport={"width": 390, "height": 844}, locale="fr-FR"), server)
    page.click("[data-microphone]")
    page.wait_for_selector(OPEN)
    picture_of(page, "phone-listening")
    shown = page.locator("#header a, #header button, #header canvas, #header [data-word]")
    boxes = [one.bounding_box() for one in shown.all() if one.is_visible()]
    for n, one in enumerate(boxes):
        for other in boxes[n + 1 :]:
            assert not _overlap(one, other), (one, other)
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("#header [data-word]")).to_have_attribute("data-word", "À l'écoute")
    picture_of(page, "listening-french")
    page.locator("[data-microphone]").press("Enter")
    expect(page.locator(OPEN)).to_have_count(0)


def _overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    """A link around a button shares its box."""
    if one == other:
        return False
    across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    inside = across >= min(one["width"], other["width"]) - 1 and down >= min(one["height"], other["height"]) - 1
    return across > 1 and down > 1 and not inside
