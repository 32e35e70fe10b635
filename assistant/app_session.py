"""The turns of the open conversations: begun, answered in order, stopped. What goes wrong in a handler is told here."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, ParamSpec

import chainlit as cl
from chainlit.chat_context import chat_context
from chainlit.context import context

from assistant.agent import Turn
from assistant.app_choices import chosen
from assistant.app_markdown import escape_colons
from assistant.app_prompt_commands import profile_here
from assistant.app_speaking import hush
from assistant.app_state import page
from assistant.app_turn import show, words
from assistant.history import new_id

P = ParamSpec("P")
log = logging.getLogger(__name__)

_running: defaultdict[str, set[asyncio.Task[Any]]] = defaultdict(set)
"""The turns of each session, so that stop reaches them however they began."""
_threads: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


def readable(handler: Callable[P, Coroutine[Any, Any, Any]]) -> Callable[P, Coroutine[Any, Any, Any]]:
    """What goes wrong in a handler is one line in the page and a traceback in the log."""

    @functools.wraps(handler)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return await handler(*args, **kwargs)
        except Exception as error:
            log.exception("the page failed")
            remedy = getattr(error, "remedy", None)
            await cl.ErrorMessage(content=words()["wrong"] if remedy is None else escape_colons(str(error))).send()

    return wrapped


@readable
async def run_below(turn: Turn, message: cl.Message) -> None:
    """As Chainlit runs `on_message`: inside a run below the person's message, with the page told that work goes on."""
    await context.emitter.task_start()
    try:
        async with cl.Step(name="on_message", type="run", parent_id=message.id):
            await answer(turn, message)
    finally:
        await context.emitter.task_end()


def start(work: Any) -> None:
    """The button is free again at once; the work can be stopped."""
    session = context.session
    session.current_task = asyncio.create_task(work)


async def answer(turn: Turn, message: cl.Message) -> None:
    """Answer below `message`, after the thread's earlier turns. Ends quietly when stopped."""
    session = context.session
    await hush()
    models, options = chosen(page().settings, session.chat_settings)
    options["page_language"] = session.language[:2]
    turn = replace(
        turn,
        thread=session.thread_id,
        user=session.user.identifier,
        models={**models, **turn.models},
        options={**options, **turn.options},
        profile=profile_here(),
        id=new_id(),
    )
    task = await stoppable(_in_order(turn, message))
    if not task.cancelled() and (error := task.exception()):
        raise error


async def stoppable(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Do the work in a task that stop reaches; returns it when it has ended, however it did."""
    running = _running[context.session.id]
    task = asyncio.create_task(work)
    running.add(task)
    task.add_done_callback(running.discard)
    await asyncio.wait([task])
    return task


def stop_turns(session_id: str) -> None:
    for task in tuple(_running[session_id]):
        task.cancel()


async def _in_order(turn: Turn, message: cl.Message) -> None:
    async with _threads[turn.thread]:
        await hide_actions()
        try:
            await show(turn, message.id)
        finally:
            message.metadata = {**(message.metadata or {}), "turn": turn.id}
            await page().store.update_step(message.to_dict())


def message_of(message_id: str) -> cl.Message | None:
    return next((message for message in chat_context.get() if message.id == message_id), None)


async def hide_actions() -> None:
    for action in cl.user_session.get("actions") or ():
        await context.emitter.emit("remove_action", action)
    cl.user_session.set("actions", [])


async def say_for_user(text: str) -> cl.Message:
    session = context.session
    message = cl.Message(content=text, type="user_message", author=session.user.identifier)
    if not session.has_first_interaction:
        session.has_first_interaction = True
        await context.emitter.init_thread(text)
    await message.send()
    return message
