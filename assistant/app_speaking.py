"""Hands-free conversation: an answer is spoken sentence by sentence while it is written; then the page listens again.

The sound is made here where there is a voice; elsewhere the sentences go to the page, and the browser's own voice says them.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import chainlit as cl
import numpy as np
from chainlit.context import context

from assistant.app_errors import in_language
from assistant.app_state import page
from assistant.app_voices import voice_for
from assistant.calls import Bill, billed_to
from assistant.echo import Loudspeaker, is_echo, lookback
from assistant.speakable import Sentences
from tools.engines.base import Sound, VoiceSynthesizer
from tools.engines.errors import EngineError, Stopped

log = logging.getLogger(__name__)
_conversations: dict[str, Conversation] = {}


@dataclass
class Conversation:
    """A session that is hands-free. `silences` is how often in a row nobody said a word."""

    muted: bool = False
    speech: Speech | None = None
    answers: int = 0
    silences: int = 0
    loudspeaker: Loudspeaker = field(default_factory=Loudspeaker)

    @property
    def is_silent(self) -> bool:
        return self.speech is None or self.speech.is_hushed

    def hush(self) -> None:
        if self.speech:
            self.speech.hush()
        self.loudspeaker.stop(time.monotonic())

    def plays(self, piece: int, in_s: float) -> bool:
        """The page begins to play a piece of the answer so many seconds from now. Whether it is to be heard at all."""
        sound = self.speech.sounds.pop(piece, None) if self.speech else None
        if sound is None or self.is_silent:
            return False
        self.loudspeaker.play(sound.pcm, sound.sample_rate_hz, time.monotonic(), in_s)
        return True

    def is_own(self, heard: np.ndarray) -> bool:
        """Whether the microphone hears only the answer, come back from the loudspeaker."""
        return is_echo(heard, self.loudspeaker.until(time.monotonic(), lookback(len(heard))))


class Speech:
    """One answer as it is spoken. `tell` gets what the page is to play, with the answer's `number`, and at last `over`."""

    def __init__(
        self,
        number: int,
        language: str,
        open_voice: Callable[[str], VoiceSynthesizer | None],
        tell: Callable[..., Awaitable[None]],
    ) -> None:
        self.number = number
        self.sounds: dict[int, Sound] = {}
        """What was sent to the page and does not play yet, by its number."""
        self._pieces = 0
        self._language, self._open_voice, self._tell = language, open_voice, tell
        self._sentences = Sentences()
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._hushed = threading.Event()
        self._task = asyncio.create_task(self._speak())

    @property
    def is_hushed(self) -> bool:
        return self._hushed.is_set()

    def feed(self, text: str) -> None:
        for sentence in self._sentences.feed(text):
            self._waiting.put_nowait(sentence)

    def end(self) -> None:
        """No more text comes."""
        for sentence in self._sentences.end():
            self._waiting.put_nowait(sentence)
        self._waiting.put_nowait(None)

    def hush(self) -> None:
        """The rest stays unspoken; the page still hears when the answer is over."""
        self._hushed.set()

    def drop(self) -> None:
        """Nobody wants to hear of this answer any more."""
        self.hush()
        self._task.cancel()

    async def _speak(self) -> None:
        while (sentence := await self._waiting.get()) is not None:
            if not self.is_hushed:
                await self._say(sentence)
        await self._tell(speech=self.number, over=True)

    async def _say(self, sentence: str) -> None:
        try:
            voice = self._open_voice(self._language)
            if voice is None:
                await self._tell(speech=self.number, sentence=sentence, language=self._language)
            else:
                await self._play(voice, sentence)
        except Stopped:
            return
        except EngineError as error:
            self.hush()
            await self._tell(notice=str(error))

    async def _play(self, voice: VoiceSynthesizer, sentence: str) -> None:
        async with aclosing(voice.speak(sentence, self._language, self._hushed)) as sounds:  # type: ignore[type-var]
            async for sound in sounds:
                self._pieces += 1
                self.sounds[self._pieces] = sound
                pcm = base64.b64encode(sound.pcm).decode()
                await self._tell(speech=self.number, piece=self._pieces, pcm=pcm, rate_hz=sound.sample_rate_hz)


def conversation() -> Conversation | None:
    return _conversations.get(context.session.id)


def converse(*, muted: bool) -> bool:
    """Hands-free from now on. Whether it was not so before."""
    talk = conversation()
    if talk is None:
        _conversations[context.session.id] = Conversation(muted)
        return True
    talk.muted = muted
    if muted:
        talk.hush()
    return False


async def end_conversation(notice: str = "") -> None:
    """The page is told even where there was none, so that both sides agree."""
    talk = _conversations.pop(context.session.id, None)
    if talk and talk.speech:
        talk.speech.drop()
    await tell(hands_free=False, **({"notice": notice} if notice else {}))


def is_answering() -> bool:
    """Whether an answer is being spoken, or written in order to be."""
    talk = conversation()
    return talk is not None and not talk.is_silent


async def begin_speech() -> Speech | None:
    """A new answer begins; None where it is only read."""
    talk = conversation()
    if talk is None:
        return None
    if talk.speech:
        talk.speech.drop()
    talk.answers += 1
    language = cl.user_session.get("spoken_language") or context.session.language[:2]
    with billed_to(Bill(context.session.user.identifier)):
        talk.speech = Speech(talk.answers, language, _voice, tell)
    if talk.muted:
        talk.speech.hush()
    await tell(speech=talk.answers, state="thinking")
    return talk.speech


async def hush() -> None:
    """What is being said ends at once, here and in the page."""
    if (talk := conversation()) and talk.speech:
        talk.hush()
        await tell(speech=talk.speech.number, hush=True)


async def pause(talk: Conversation, *, on: bool) -> None:
    """What is being said waits while somebody may be speaking over it, or goes on."""
    if talk.speech is None or talk.is_silent or talk.loudspeaker.is_paused == on:
        return
    if on:
        talk.loudspeaker.pause(time.monotonic())
    else:
        talk.loudspeaker.go_on(time.monotonic())
    await tell(speech=talk.speech.number, pause=on)


async def tell(**what: Any) -> None:
    """To the page's voice.js and hands_free.js."""
    if "notice" in what:
        what["notice"] = in_language(what["notice"], context.session.language)
    await context.emitter.send_window_message({"type": "spoken", **what})


def _voice(language: str) -> VoiceSynthesizer | None:
    """None where the browser is to speak. Raises: EngineError."""
    return voice_for(page(), context.session.chat_settings or {}, language)
