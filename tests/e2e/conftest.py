"""A real page in a real browser: `assistant run` as a process of its own, Chromium with a microphone that plays a file."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.tiny_pipeline import build_tiny_pipeline

SCREENSHOTS = Path(__file__).with_name("screenshots")
SENTENCE = "How many days are there in a week?"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
]
GRANTED = "--use-fake-ui-for-media-stream"
LOOPBACK = ("127.0.0.1", "localhost")
CONTEXT: dict[str, Any] = {"permissions": ["microphone"], "viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
ANSWER = "[data-step-type=assistant_message]"


@pytest.fixture(autouse=True)
def closed_after_the_test() -> None:
    """Nothing is open here: the page is a process of its own. An async fixture would clash with the browser's loop."""


@dataclass
class Server:
    """`assistant run` on a free port. `extra` are further settings as environment variables."""

    home: Path
    port: int
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ASSISTANT_", "CHAINLIT_"))}
        environment |= {
            "ASSISTANT_HOME": str(self.home),
            "ASSISTANT_CHAT": "llama-cpp:smollm2-135m-instruct",
            "ASSISTANT_PORT": str(self.port),
            "ASSISTANT_CHAT_TEMPERATURE": "0",
            "ASSISTANT_MAX_UPLOAD_MB": "20",
            **self.extra,
        }
        log = (self.home.parent / "server.log").open("ab")
        command = [sys.executable, "-m", "assistant.cli", "run"]
        self.process = subprocess.Popen(command, env=environment, cwd=self.home.parent, stdout=log, stderr=log)
        self._wait()
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process and self.process.poll() is None, (self.home.parent / "server.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the page did not start")

    def kill(self) -> None:
        """As a power cut does."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def new_server(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(**extra: str) -> Server:
        home = tmp_path_factory.mktemp("page") / "home"
        home.mkdir()
        (home / "models").symlink_to(models_folder)
        servers.append(Server(home, free_port(), extra))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def server(new_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Shared by most tests; its picture model is a tiny pipeline of random weights."""
    pipeline = build_tiny_pipeline(tmp_path_factory.mktemp("pipeline") / "tiny")
    return new_server(ASSISTANT_IMAGE=f"diffusers:{pipeline}", ASSISTANT_CHAT_MAX_TOKENS="300").start()


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SENTENCE between pauses: what the microphone hears."""
    return microphone_file(tmp_path_factory.mktemp("spoken"), SENTENCE, 6)


def microphone_file(folder: Path, text: str, then_s: float) -> Path:
    """`heard.wav`: `text` spoken, then a pause; 48 kHz mono, as Chromium plays it into a microphone."""
    said, heard = folder / "said.wav", folder / "heard.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "130", "-w", said, text], check=True)
    subprocess.run(["sox", said, "-r", "48000", "-c", "1", heard, "pad", "0.6", str(then_s)], check=True)
    return heard


@pytest.fixture(scope="session")
def new_browser() -> Iterator[Callable[..., Browser]]:
    """Browsers whose microphone plays a file, over and over. `permission` is the flag that answers the browser's question."""
    expect.set_options(timeout=20_000)
    browsers: list[Browser] = []
    with sync_playwright() as playwright:

        def launch(heard: Path, permission: str = GRANTED) -> Browser:
            flags = [*FLAGS, permission, f"--use-file-for-fake-audio-capture={heard}"]
            browsers.append(playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags))
            return browsers[-1]

        yield launch
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="session")
def browser(new_browser: Callable[..., Browser], spoken: Path) -> Browser:
    return new_browser(spoken)


@dataclass
class Watch:
    """What the pages asked for and complained about."""

    outside: list[str] = field(default_factory=list)
    """Requests that left this machine; what the page's own policy stopped did not."""
    errors: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> BrowserContext:
        context.set_default_timeout(20_000)
        context.on("request", lambda r: None if _is_here(r.url) else self.outside.append(r.url))
        context.on("requestfailed", lambda r: self.outside.remove(r.url) if r.failure == "csp" else None)
        context.on("weberror", lambda e: self.errors.append(str(e.error)))
        return context

    def assert_quiet(self) -> None:
        """Every request stayed on this machine, and no page raised an error."""
        assert self.outside == []
        assert self.errors == []


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Fresh contexts: no cookie, no cache. `within` names another browser than the shared one."""
    contexts: list[BrowserContext] = []
    watch = Watch()

    def make(within: Browser = browser, **options: Any) -> BrowserContext:
        contexts.append(watch.over(within.new_context(**{**CONTEXT, **options})))
        return contexts[-1]

    yield make
    for context in contexts:
        for tab in context.pages:
            leave(tab)
        context.close()
    watch.assert_quiet()


@pytest.fixture(scope="session")
def shared_context(browser: Browser) -> Iterator[tuple[BrowserContext, Watch]]:
    watch = Watch()
    context = watch.over(browser.new_context(**CONTEXT))
    yield context, watch
    context.close()


@pytest.fixture
def page(shared_context: tuple[BrowserContext, Watch], server: Server) -> Iterator[Page]:
    """The shared server's page in a new tab, ready to type into."""
    context, watch = shared_context
    tab = open_page(context, server)
    yield tab
    leave(tab)
    tab.close()
    watch.assert_quiet()


def open_page(context: BrowserContext, server: Server, path: str = "/") -> Page:
    page = context.new_page()
    page.goto(server.url + path)
    page.wait_for_selector("#chat-settings-open-modal")
    return page


def leave(page: Page) -> None:
    """Go to an empty page, since Chromium may hang for good where a tab is closed on its way to another page."""
    with contextlib.suppress(PlaywrightError):
        page.goto("about:blank", timeout=5000)


def press_stop(page: Page) -> None:
    """Without waiting for the button to stand still, as a mouse does: a short answer may end meanwhile. In one step, since
    the page may draw the button anew between putting the focus on it and pressing a key."""
    page.locator("#stop-button").dispatch_event("click")


def ask(page: Page, text: str) -> None:
    page.fill("#chat-input", text)
    page.keyboard.press("Escape")
    page.click("#chat-submit")


def answer(page: Page, text: str, timeout: float = 40_000) -> str:
    """Ask, once the turn before has ended, and wait until the answer is whole."""
    page.wait_for_selector("#stop-button", state="detached", timeout=timeout)
    before = page.locator(ANSWER).count()
    ask(page, text)
    page.locator(ANSWER).nth(before).wait_for(timeout=timeout)
    page.wait_for_selector("#again", timeout=timeout)
    return page.locator(ANSWER).last.inner_text()


def picture_of(page: Page, name: str) -> None:
    """A screenshot for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"))


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "about") or parts.hostname in LOOPBACK
