"""An answer that is spoken while it is written, with a voice whose sound is its text."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from typing import Any

from assistant.app_speaking import Speech
from tools.engines.base import ModelCard, Sound
from tools.engines.errors import EngineError, Stopped, Unreachable


class FakeVoice:
    card = ModelCard("fake:voice", "voice", "local", "MIT", "tests")

    def __init__(self, failure: EngineError | None = None) -> None:
        self.said: list[str] = []
        self._failure = failure

    async def speak(self, text: str, language: str | None, stop: threading.Event) -> AsyncIterator[Sound]:
        self.said.append(text)
        if self._failure:
            raise self._failure
        yield Sound(text.encode(), 8000)
        if stop.is_set():
            raise Stopped("Stopped.")
        yield Sound(b"..", 8000)

    async def close(self) -> None: ...


class Page:
    """What a page is told; `over` comes with the end of the answer."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.over = asyncio.Event()
        self.sounding = asyncio.Event()

    async def tell(self, **what: Any) -> None:
        self.told.append(what)
        if "pcm" in what:
            self.sounding.set()
            await asyncio.sleep(0)
        if "over" in what:
            self.over.set()

    @property
    def heard(self) -> bytes:
        return b"".join(base64.b64decode(what["pcm"]) for what in self.told if "pcm" in what)


async def test_sentences_are_spoken_before_the_answer_is_over() -> None:
    voice, page = FakeVoice(), Page()
    speech = Speech(3, "en", lambda _: voice, page.tell)
    speech.feed("One. Tw")
    await page.sounding.wait()
    assert not page.over.is_set()
    speech.feed("o.")
    speech.end()
    await page.over.wait()
    assert page.heard == b"One...Two..."
    assert page.told[-1] == {"speech": 3, "over": True}
    assert all(what["rate_hz"] == 8000 for what in page.told[:-1])


async def test_without_a_voice_the_sentences_go_to_the_page() -> None:
    page = Page()
    speech = Speech(1, "fr", lambda _: None, page.tell)
    speech.feed("Oui. ```")
    speech.end()
    await page.over.wait()
    assert page.told[0] == {"speech": 1, "sentence": "Oui.", "language": "fr"}


async def test_hushed_it_says_no_more_but_tells_the_end() -> None:
    voice, page = FakeVoice(), Page()
    speech = Speech(1, "en", lambda _: voice, page.tell)
    speech.feed("One. Two. Three. ")
    await page.sounding.wait()
    speech.hush()
    speech.feed("Four. ")
    speech.end()
    await page.over.wait()
    assert voice.said == ["One."]
    assert page.heard == b"One."


async def test_a_voice_that_fails_is_told_of_once() -> None:
    voice, page = FakeVoice(Unreachable("The server cannot be reached.", "Try again.")), Page()
    speech = Speech(1, "en", lambda _: voice, page.tell)
    speech.feed("One. Two. ")
    speech.end()
    await page.over.wait()
    assert page.told == [{"notice": "The server cannot be reached. Try again."}, {"speech": 1, "over": True}]


async def test_dropped_it_tells_nothing_more() -> None:
    page = Page()
    speech = Speech(1, "en", lambda _: FakeVoice(), page.tell)
    speech.feed("One. ")
    speech.drop()
    speech.end()
    await asyncio.sleep(0.01)
    assert page.told == []
