"""What the page does when someone types, speaks, presses a button or comes back: thin handlers around `app_turn.show`.

Chainlit loads this file by its path (see app_server.py); nobody imports it. Every handler goes through `readable`, because
Chainlit shows nothing when one fails.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import logging
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import chainlit as cl
from chainlit.auth import decode_jwt
from chainlit.chat_context import chat_context
from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data.base import BaseDataLayer
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import connect as connect_to_chainlit
from chainlit.socket import process_message
from chainlit.types import CommandDict, Starter, ThreadDict

from assistant import app_costs, app_voice
from assistant.agent import LONGEST_MESSAGE, Turn
from assistant.app_brush import brush_actions, masked_turn, picture_of
from assistant.app_choices import LANGUAGES, chosen_speakers, settings_form
from assistant.app_cited import as_still_readable
from assistant.app_config import MAX_FILES, texts
from assistant.app_markdown import escape_colons
from assistant.app_passages import beside
from assistant.app_pictures import pictures_made, seed_actions
from assistant.app_prompt_commands import (
    commands_of,
    inputs_for,
    profiles,
    prompt_of_turn,
    prompts_here,
    take_inputs,
    tell_inputs,
)
from assistant.app_session import answer, hide_actions, message_of, readable, run_below, say_for_user, start, stop_turns
from assistant.app_speaking import end_conversation, tell
from assistant.app_state import LOCAL_USER, page
from assistant.app_storage import file_url
from assistant.app_transcript import keep_lines
from assistant.app_turn import (
    ICONS,
    again_action,
    available_tools,
    keep_actions,
    kept_file,
    tool_actions,
    words,
)
from assistant.events import Decision
from assistant.history import TurnRecord
from assistant.replay import exactly
from assistant.shelf_names import free_name
from knowledge.kept_files import link
from knowledge.knowledge_base import KnowledgeError
from tools.engines.errors import BadInput

COMMANDS = {"image": "generate_image", "search": "search_knowledge", "transcribe": "transcribe_audio"}
LARGEST_SOCKET_MESSAGE = 8_000_000
log = logging.getLogger(__name__)

sio.eio.max_http_buffer_size = LARGEST_SOCKET_MESSAGE


# Who is there


@sio.on("connect")
async def connect(sid: str, environ: Any, auth: Any) -> Any:
    """Before Chainlit's own: it makes folders of these names, so only the ids that the page itself makes are let in."""
    names = [auth.get("sessionId"), auth.get("threadId") or None] if isinstance(auth, dict) else [None]
    if names[0] is None or not all(name is None or _is_uuid(name) for name in names):
        raise ConnectionRefusedError("This is no id of a session or a conversation.")
    return await connect_to_chainlit(sid, environ, auth)


def _is_uuid(name: Any) -> bool:
    try:
        return isinstance(name, str) and str(uuid.UUID(name)) == name
    except ValueError:
        return False


@cl.data_layer
def data_layer() -> BaseDataLayer:
    return page().store


if page().settings.login:

    @cl.password_auth_callback
    async def sign_in(username: str, password: str) -> cl.User | None:
        """Our own /login route signs people in; this only tells Chainlit that there is a login."""
        return None

else:

    @cl.header_auth_callback
    async def local_user(headers: Any) -> cl.User | None:
        return cl.User(identifier=LOCAL_USER)


@cl.set_starters
async def starters(user: cl.User | None, language: str | None) -> list[Starter]:
    say = texts(language or "en-US")
    return [
        Starter(label=say[f"starter_{tool}"], message=say[f"starter_{tool}_message"], icon=f"/public/{tool}.svg")
        for tool in available_tools()
    ]


@cl.set_chat_profiles
async def chat_profiles(user: cl.User | None, language: str | None) -> list[cl.ChatProfile]:
    return await profiles(user, language)


@cl.on_chat_start
@readable
async def begin() -> None:
    await _offer_tools()
    await settings_form(page().settings).send()
    await end_conversation()
    await tell(connected=True)


@cl.on_chat_resume
@readable
async def resume(thread: ThreadDict) -> None:
    await _offer_tools()
    await settings_form(page().settings).refresh()
    await end_conversation()
    await tell(connected=True)
    await _tell_interrupted(thread)
    answers = [s for s in thread["steps"] if s["type"] == "assistant_message" and (s.get("metadata") or {}).get("turn")]
    if answers:
        last = answers[-1]
        payload = {**{k: str(last["metadata"].get(k, "")) for k in ("turn", "question", "step")}, "message": last["id"]}
        record = await _own_turn(payload["turn"])
        decided = record.receipt.get("decision") if record else None
        decision = Decision(**decided) if decided else None
        made = pictures_made(record.receipt) if record else []
        actions = [
            again_action(payload),
            *seed_actions(made, payload, words()),
            *brush_actions(made, payload, words()),
            *tool_actions(decision, payload, True),
            *await keep_actions(thread["id"]),
        ]
        await _show_actions(last["id"], actions)


async def _tell_interrupted(thread: ThreadDict) -> None:
    """An answer that a killed process left half-way, or that the page was closed over: its words come back, and it can be
    asked for again."""
    known = {(s.get("metadata") or {}).get("turn") for s in thread["steps"]}
    for turn in await page().assistant.history.turns(thread["id"]):
        if turn.state != "running" and turn.id not in known:
            note = "" if turn.state == "done" else f"\n\n> {words()['interrupted']}"
            text = f"{escape_colons(turn.answer)}{note}".strip()
            asked = [s["id"] for s in thread["steps"] if s["type"] == "user_message"]
            place = {"turn": turn.id, "question": asked[-1] if asked else "", "step": ""}
            message = cl.Message(content=text, metadata=place)
            thread["steps"].append(message.to_dict() | {"createdAt": "9999"})


async def _offer_tools() -> None:
    commands = [
        CommandDict(
            id=name,
            description=words()[f"command_{name}"],
            icon=ICONS[tool],
            button=False,
            persistent=False,
            selected=False,
        )
        for name, tool in COMMANDS.items()
        if tool in available_tools()
    ]
    prompts = await prompts_here()
    await context.emitter.set_commands([*commands, *commands_of(prompts)])
    await tell_inputs(prompts)


@cl.on_settings_update
@readable
async def settings_changed(settings: Mapping[str, Any]) -> None:
    """Chainlit keeps them with the session; the next turn reads them. What a message would cost may be another now."""
    await context.emitter.send_window_message({"type": "cost_line", "again": True})


# Asking


@sio.on("client_message")
async def receive(sid: str, payload: Any) -> None:
    """Before Chainlit's own: a message without words gets the names of its files, or the page would not open its
    conversation. `_said` takes them off again."""
    session = WebsocketSession.require(sid)
    message = payload["message"]
    if not str(message.get("output") or "").strip():
        files = [session.files.get(reference["id"]) for reference in payload.get("fileReferences") or ()]
        message["output"] = _names(file["name"] for file in files if file) or f"/{message.get('command') or ''}"
    session.current_task = asyncio.create_task(process_message(session, payload))


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


def _said(message: cl.Message) -> str:
    """The words of a message; none where it only names its files or its command."""
    bare = (_names(element.name for element in message.elements), f"/{message.command or ''}", "/")
    return "" if message.content.strip() in bare else message.content


@cl.on_message
@readable
async def ask(message: cl.Message) -> None:
    if not _still_welcome():
        await cl.ErrorMessage(content=words()["signed_out"]).send()
        return
    if len(message.content) > LONGEST_MESSAGE:
        await _keep_long_text(message)
        return
    if not _said(message).strip() and not message.elements and not message.command:
        await message.remove()
        return
    before = await _turn_of(message)
    files, names = await _files_of(message, before)
    text = words()["bare_transcribe"] if _bare_transcribe(message) else _said(message)
    prompt, inputs = _prompt_of(message, before)
    await answer(
        Turn(
            text=text if text.strip() or not prompt else f"/{prompt}",
            attachments=files,
            names=names,
            tool="transcribe_audio" if _bare_transcribe(message) else COMMANDS.get(message.command or ""),
            prompt=prompt,
            inputs=inputs,
            replaces=before.id if before else None,
        ),
        message,
    )


def _prompt_of(message: cl.Message, before: TurnRecord | None) -> tuple[str | None, dict[str, str]]:
    """(name, inputs) of the prompt whose command is chosen; an edited message keeps those it had."""
    command = message.command or ""
    if before is not None:
        return prompt_of_turn(before)
    return (None, {}) if not command or command in COMMANDS else (command, inputs_for(command))


def _bare_transcribe(message: cl.Message) -> bool:
    """The command alone means the recording that is attached, or asks for one."""
    return f"{message.command or ''}{_said(message)}".strip().strip("/") == "transcribe"


@sio.on("edit_message")
async def edit(sid: str, payload: Any) -> None:
    """In place of Chainlit's own: stop reaches the new answer, and what followed the question leaves no orphans."""
    session = WebsocketSession.require(sid)
    init_ws_context(session)
    session.current_task = asyncio.create_task(_edited(payload["message"]["id"], payload["message"]["output"]))


@readable
async def _edited(message_id: str, text: str) -> None:
    message = message_of(message_id)
    if message is None:
        return
    message.content = text
    await message.update()
    await _clear_after(message_id)
    if config.code.on_message:
        await context.emitter.task_start()
        await config.code.on_message(message)
        await context.emitter.task_end()


@sio.on("stop")
async def stop(sid: str) -> None:
    """In place of Chainlit's own: every turn of the session ends, however it began."""
    if session := WebsocketSession.get(sid):
        init_ws_context(session)
        stop_turns(session.id)
        await context.emitter.task_end()


async def _files_of(message: cl.Message, before: TurnRecord | None) -> tuple[Sequence[Path], Mapping[Path, str]]:
    """The message's files under lasting paths; an edited message keeps those it had."""
    if before is not None and not message.elements:
        names = {Path(a["path"]): str(a["name"]) for a in before.attachments}
        return tuple(names), names
    if len(message.elements) > MAX_FILES:
        await context.emitter.send_toast(words()["too_many_files"].format(n=MAX_FILES), "warning")
    names = {}
    for element in message.elements[:MAX_FILES]:
        path = await page().store.keep(
            Path(element.path), {**element.to_dict(), "forId": message.id}, message.thread_id
        )
        names[path] = element.name
    return tuple(names), names


async def _turn_of(message: cl.Message) -> TurnRecord | None:
    """The turn that this message was before it was edited; None for a new message."""
    return await _own_turn((message.metadata or {}).get("turn"))


async def _own_turn(turn: Any) -> TurnRecord | None:
    """A turn of the open conversation, if it is this person's. The browser sends the id, so it may be anything."""
    history, session = page().assistant.history, context.session
    record = await history.turn(turn) if isinstance(turn, str) and turn else None
    if record is None or record.thread != session.thread_id:
        return None
    return record if await history.owner(record.thread) == session.user.identifier else None


async def _keep_long_text(message: cl.Message) -> None:
    """Too long to send: the text becomes a file of the thread, offered as a document beside the files it came with."""
    say = words()
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", delete=False) as file:
        file.write(message.content)
    files = [(Path(file.name), f"{say['document_name']}.txt", "text/plain")]
    files += [(Path(e.path), e.name, e.mime) for e in message.elements[:MAX_FILES]]
    text = say["too_long"].format(n=f"{len(message.content):,}", limit=f"{LONGEST_MESSAGE:,}")
    await message.remove()
    reply = cl.Message(content=text)
    reply.parent_id = None
    elements = [cl.File(url="-", name=name, mime=mime, for_id=reply.id) for _, name, mime in files]
    for element, (path, _, _) in zip(elements, files, strict=True):
        element.url = file_url(element.id)
        await page().store.keep(path, element.to_dict(), context.session.thread_id)
    Path(file.name).unlink()
    await reply.send()
    for element in elements:
        await element.send(for_id=reply.id)
    payload = {"elements": [element.id for element in elements]}
    action = cl.Action(
        name="as_document", id="as-document", icon="file-text", label=say["long_as_document"], payload=payload
    )
    await _show_actions(reply.id, [action])


# Buttons


@cl.action_callback("use_tool")
@readable
async def use_tool(action: cl.Action) -> None:
    """The click is a labelled example from now on."""
    record, tool = await _own_turn(action.payload["turn"]), action.payload["tool"]
    if record is not None and tool in available_tools():
        if record.request.strip():
            await page().assistant.learn(record.request, tool)
        start(_answer_again(record, action.payload, tool))


@cl.action_callback("again")
@readable
async def again(action: cl.Action) -> None:
    record = await _own_turn(action.payload["turn"])
    if record is None:
        question = message_of(action.payload["question"])
        if question is not None:
            start(_edited(question.id, question.content))
    else:
        decided = (record.receipt.get("decision") or {}).get("why") == "command"
        start(_answer_again(record, action.payload, record.tool if decided else None))


@cl.action_callback("see_with")
@readable
async def see_with(action: cl.Action) -> None:
    """The same question once more, to a model that looks at pictures."""
    record, model = await _own_turn(action.payload["turn"]), action.payload["model"]
    if record is not None and model in page().assistant.engines.seeing():
        start(_answer_again(record, action.payload, "write_text", models={"chat": model}))


@cl.action_callback("hear_again")
@readable
async def hear_again(action: cl.Action) -> None:
    """The recording once more, in another language, put into English, or with who spoke, as it was asked for before."""
    record, asked = await _own_turn(action.payload["turn"]), action.payload
    if record is not None:
        spoken = {"language": asked["language"]} if asked.get("language") in LANGUAGES else {}
        options = {**spoken, **({"translate": True} if asked.get("translate") else {})}
        if asked.get("speakers"):
            before = record.receipt.get("options") or {}
            options = {k: before[k] for k in ("language", "translate") if k in before}
            options["speakers"] = chosen_speakers(context.session.chat_settings) or 0
        start(_answer_again(record, asked, "transcribe_audio", options))


@cl.action_callback("same_seed")
@readable
async def same_seed(action: cl.Action) -> None:
    """The same picture once more, as a turn of its own."""
    record, n = await _own_turn(action.payload["turn"]), action.payload["picture"]
    made = [picture["meta"] for picture in pictures_made(record.receipt)] if record else []
    if isinstance(n, int) and 0 <= n < len(made) and made[n].get("seed") is not None:
        text = words()["same_seed_request"].format(seed=made[n]["seed"], prompt=made[n]["prompt"])
        turn = Turn(text[:LONGEST_MESSAGE], tool="generate_image", options=exactly(made[n]))
        start(run_below(turn, await say_for_user(turn.text)))


@cl.action_callback("brush")
@readable
async def brush(action: cl.Action) -> None:
    """The page lets the person paint over the part of a picture that shall change; then it sends what was painted."""
    turn, n = str(action.payload["turn"]), action.payload["picture"]
    await _picture_to_change(turn, n)
    await context.emitter.send_window_message({"type": "brush", "turn": turn, "picture": n})


@readable
async def _paint(request: Mapping[str, Any]) -> None:
    picture = await _picture_to_change(str(request.get("turn")), request.get("picture"))
    turn = await masked_turn(picture, request.get("wish"), request.get("mask"))
    start(run_below(turn, await say_for_user(turn.text)))


async def _picture_to_change(turn: str, n: Any) -> Path:
    """The n-th picture of one of this person's turns. Raises: BadInput."""
    record = await _own_turn(turn)
    picture = picture_of(record.receipt, n) if record else None
    if picture is None:
        raise BadInput("The picture is no longer there.", "Draw it again.")
    return picture


@cl.action_callback("keep")
@readable
async def keep(action: cl.Action) -> None:
    """A document of this thread becomes one of this person's own, under a name that no other has."""
    thread, knowledge = context.session.thread_id, page().assistant.knowledge()
    own = f"thread-{thread}"
    source = next((s for s in knowledge.sources([own]) if s.source == action.payload["source"]), None)
    if source is None:
        raise KnowledgeError(f"{action.payload['source']} is not in this conversation.", "Drop it here again.")
    kept_in = f"user-{context.session.user.identifier}"
    name = free_name(source.source, source.sha256, {s.source: s.sha256 for s in knowledge.sources([kept_in])})
    kept = await knowledge.copy(source.source, from_collection=own, to_collection=kept_in, name=name)
    if path := await page().store.named_file(thread, source.source):
        await asyncio.to_thread(link, path, kept_file(kept.sha256, path.suffix.lower()))
        await asyncio.to_thread(keep_lines, thread, path, kept.sha256)
    await action.remove()
    await context.emitter.send_toast(words()["kept"].format(name=kept.title), "success")


@cl.action_callback("as_document")
@readable
async def as_document(action: cl.Action) -> None:
    found = [await page().store.file(str(element)) for element in action.payload["elements"][: MAX_FILES + 1]]
    names = {f[0]: f[2] for f in found if f is not None and f[3] == context.session.thread_id}
    if names:
        message = await say_for_user(words()["long_request"])
        start(run_below(Turn(words()["long_request"], tuple(names), names=names), message))


@readable
async def _answer_again(
    record: TurnRecord,
    place: Mapping[str, str],
    tool: str | None,
    options: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
) -> None:
    question = message_of(place["question"])
    if question is None:
        question = await say_for_user(record.request)
    else:
        await _clear_after(question.id)
    names = {Path(a["path"]): str(a["name"]) for a in record.attachments}
    prompt, inputs = prompt_of_turn(record)
    turn = Turn(
        record.request,
        tuple(names),
        tool=tool,
        prompt=prompt,
        inputs=inputs,
        replaces=record.id,
        names=names,
        options=options or {},
        models=models or {},
    )
    await run_below(turn, question)


async def _clear_after(message_id: str) -> None:
    """Take what followed a message off the page and out of the store."""
    messages = chat_context.get()
    ids = [m.id for m in messages]
    for message in messages[ids.index(message_id) + 1 :] if message_id in ids else []:
        chat_context.remove(message)
    thread = await page().store.get_thread(context.session.thread_id)
    steps = thread["steps"] if thread else []
    start = next((s["createdAt"] for s in steps if s["id"] == message_id), None)
    for step in steps:
        if start is not None and step["id"] != message_id and str(step["createdAt"]) >= str(start):
            await context.emitter.delete_step(step)
    await page().store.delete_after(context.session.thread_id, message_id)


async def _show_actions(message_id: str, actions: Sequence[cl.Action]) -> None:
    await hide_actions()
    for action in actions:
        await action.send(for_id=message_id)
    cl.user_session.set("actions", [a.to_dict() for a in actions])


# Passages beside the chat


@cl.on_window_message
@readable
async def from_browser(request: Any) -> None:
    """What our own scripts in the page say."""
    match request:
        case {"type": "passage"}:
            await _open_passage(request)
        case {"type": "masked"}:
            await _paint(request)
        case {"type": "voice"}:
            await app_voice.told(request)
        case {"type": "prompt_inputs"}:
            take_inputs(request)
        case {"type": "cost", "n": int()}:
            await app_costs.told(request)


async def _open_passage(request: Mapping[str, Any]) -> None:
    """A click on [1] opens the passage in the side panel, and the document at its page or its second."""
    passage_id = str(request.get("id"))
    found = await page().store.passage(passage_id)
    if found is None or not await _mine(found[0]):
        return
    data = await as_still_readable(*found, context.session.user.identifier)
    common = {"display": "side", "threadId": found[0], "name": data["where"]}
    elements = [{**common, "id": f"text-{passage_id}", "type": "text", "url": f"/passages/{passage_id}/text"}]
    if (document := await beside(passage_id, data)) is not None:
        elements.append({**common, "id": f"file-{passage_id}", **document})
    await context.emitter.emit("set_sidebar_elements", {"elements": elements, "key": passage_id})
    await context.emitter.emit("set_sidebar_title", data["where"])


async def _mine(thread: str) -> bool:
    return bool(await page().store.get_thread_author(thread) == context.session.user.identifier)


def _still_welcome() -> bool:
    """An account that was removed or got another password answers no more, even in an open page."""
    token = context.session.token
    user = decode_jwt(token) if token else None
    return user is not None and page().welcome(user.identifier, user.metadata.get("stamp", ""))
