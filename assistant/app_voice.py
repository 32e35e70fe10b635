"""The microphone of the page: what it hears is written down while it is said, and becomes the person's message.

Hands-free (app_speaking.py) it opens by itself after each answer, and while one is spoken it heeds only who speaks over it.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chainlit as cl
import numpy as np
from chainlit.context import context, init_ws_context
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import connection_successful as greet
from chainlit.types import InputAudioChunk

from assistant.agent import Turn
from assistant.app_choices import chosen
from assistant.app_session import readable, run_below, say_for_user, start, stop_turns, stoppable
from assistant.app_speaking import (
    Conversation,
    conversation,
    converse,
    end_conversation,
    hush,
    is_answering,
    pause,
    tell,
)
from assistant.app_state import page
from assistant.app_turn import words
from assistant.live import LiveTranscript, Words
from assistant.voice import RATE_HZ, Listener, save_sound
from tools.engines.errors import EngineError

MOST_SILENCES = 2
"""Hands-free: so often in a row nobody may say a word."""
log = logging.getLogger(__name__)
_ears: dict[str, Ear] = {}
_warming: set[asyncio.Task[None]] = set()


@dataclass
class Ear:
    """An open microphone: one utterance and its words so far."""

    listener: Listener
    guards: bool = False
    """Opened while an answer is spoken, in case somebody speaks over it."""
    live: LiveTranscript = field(init=False)

    def __post_init__(self) -> None:
        self.live = LiveTranscript(self.listener, _decode, _show_partial, partials=_runs_here())


@cl.on_audio_start
@readable
async def open_microphone() -> bool:
    """Hands-free, whoever presses the button speaks over the answer."""
    if is_answering():
        await _interrupt()
    await _listen()
    return True


async def _interrupt() -> None:
    await hush()
    stop_turns(context.session.id)
    await tell(state="listening")


async def _listen() -> None:
    _ears.pop(context.session.id, None)
    _ears[context.session.id] = Ear(await asyncio.to_thread(Listener))
    if conversation():
        await tell(state="listening")
    warming = asyncio.create_task(_warm())
    _warming.add(warming)
    warming.add_done_callback(_warming.discard)


@cl.on_audio_chunk
@readable
async def listen(chunk: InputAudioChunk) -> None:
    """Chunks come as tasks of their own, in order: the sound is taken in before anything is awaited."""
    ear = _ears.get(context.session.id)
    if ear is None:
        return
    if is_answering() and not ear.guards:
        await _close()
        return
    heard = ear.listener.feed(chunk.data)
    if ear.guards and not ear.listener.has_speech:
        if talk := conversation():
            await pause(talk, on=ear.listener.has_hint)
        return
    if ear.guards:
        ear.guards = False
        await _interrupt()
    ear.live.advance()
    if heard == "silence" and (talk := conversation()) and talk.silences + 1 < MOST_SILENCES:
        talk.silences += 1
        await _listen()
    elif heard in ("done", "silence"):
        del _ears[context.session.id]
        await context.emitter.update_audio_connection("off")
        start(_understand(ear))


async def _close() -> None:
    """What was heard so far counts for nothing."""
    if ear := _ears.pop(context.session.id, None):
        await context.emitter.update_audio_connection("off")
        await ear.live.drop()
        await tell(caption="")


@sio.on("connection_successful")
async def connected(sid: str) -> None:
    """Around Chainlit's own. When the connection broke nobody listened here any more: the page, which may still have its
    microphone open, is told that it is back."""
    session = WebsocketSession.require(sid)
    again = session.restored and session.chat_started
    await greet(sid)
    if again:
        init_ws_context(session)
        await tell(connected=True)


@cl.on_chat_end
async def leave() -> None:
    """Whoever left says no more."""
    if ear := _ears.pop(context.session.id, None):
        await ear.live.drop()
    await end_conversation()


@sio.on("audio_end")
async def close_microphone(sid: str) -> None:
    """The person pressed the button again. In place of Chainlit's own, which would name the conversation "audio"."""
    session = WebsocketSession.require(sid)
    init_ws_context(session)
    if ear := _ears.pop(session.id, None):
        if not ear.listener.has_speech and conversation():
            await end_conversation()
        else:
            start(_understand(ear))


@readable
async def told(message: Mapping[str, Any]) -> None:
    """What voice.js says. "refused": the browser gave no microphone, and has told why. "listen": the answer has been heard."""
    talk = conversation()
    match message:
        case {"do": "refused"}:
            if ear := _ears.pop(context.session.id, None):
                await ear.live.drop()
            await end_conversation()
        case {"do": "hands_free", "on": True}:
            if converse(muted=message.get("muted") is True):
                await _listen_again()
        case {"do": "hands_free"}:
            await end_conversation()
            await _close()
        case {"do": "hush" | "listen"} if talk is None:
            await end_conversation()
        case {"do": "hush"}:
            await hush()
        case {"do": "plays", "speech": number, "piece": int(piece), "in_s": int() | float() as in_s} if talk:
            if number == talk.answers and talk.plays(piece, in_s) and context.session.id not in _ears:
                await _guard(talk)
        case {"do": "listen", "speech": number} if talk and number == talk.answers:
            talk.speech = None
            await _listen_again()


async def _listen_again() -> None:
    ear = _ears.get(context.session.id)
    if ear is None or ear.guards:
        await _listen()
    if ear is None:
        await context.emitter.update_audio_connection("on")


async def _guard(talk: Conversation) -> None:
    """Listen for somebody who speaks over the answer; the answer itself is known when it comes back."""
    _ears[context.session.id] = Ear(Listener(is_own=talk.is_own), guards=True)
    await context.emitter.update_audio_connection("on")


@readable
async def _understand(ear: Ear) -> None:
    """The spoken words become the person's message, which can be edited, and are answered; or wait in the message box."""
    try:
        text = await _heard(ear) if ear.listener.has_speech else ""
    except EngineError:
        await end_conversation()
        raise
    finally:
        await tell(caption="")
    talk = conversation()
    if talk:
        talk.silences = talk.silences + 1 if text == "" else 0
    if talk and not text:
        await _go_on_or_end(talk.silences)
    elif text is None:
        return
    elif not text:
        await context.emitter.send_toast(words()["no_speech"], "warning")
    elif not talk and (context.session.chat_settings or {}).get("send_spoken") is False:
        await tell(written=text)
    else:
        message = await say_for_user(text)
        await run_below(Turn(message.content), message)


async def _go_on_or_end(silences: int) -> None:
    """Hands-free, nothing was said, or the decoding was stopped."""
    if silences < MOST_SILENCES:
        await _listen_again()
    else:
        await end_conversation(words()["hands_free_silence"])


async def _heard(ear: Ear) -> str | None:
    """All that was said; None when the person stopped it."""
    await context.emitter.task_start()
    try:
        task = await stoppable(ear.live.final())
    finally:
        await context.emitter.task_end()
    if task.cancelled():
        return None
    heard: Words = task.result()
    if heard.text:
        cl.user_session.set("spoken_language", heard.language)
    return heard.text


async def _decode(sound: np.ndarray) -> Words:
    """By the model and in the language that the person chose; otherwise in the language of their first words."""
    settings = page().settings
    models, options = chosen(settings, context.session.chat_settings)
    language = options.get("language") or settings.speech.language or cl.user_session.get("spoken_language")
    with tempfile.TemporaryDirectory() as folder:
        path = await asyncio.to_thread(save_sound, Path(folder) / "speech.wav", sound)
        text, language = await page().assistant.transcribe_speech(
            path, language, models, context.session.user.identifier
        )
        return Words(text.strip(), language)


async def _warm() -> None:
    """Load the weights while the person begins to speak: silence is read, and nothing is decoded."""
    try:
        if _runs_here():
            await _decode(np.zeros(RATE_HZ // 4, np.float32))
    except EngineError as error:
        log.info("the speech model is not ready: %s", error)


def _runs_here() -> bool:
    """Whether the speech model runs on this machine: a hosted one is asked once an utterance, for each request costs."""
    models, _ = chosen(page().settings, context.session.chat_settings)
    try:
        return page().assistant.engines.speech(models).card.runs == "local"
    except EngineError:
        return False


async def _show_partial(text: str) -> None:
    await tell(caption=text)
