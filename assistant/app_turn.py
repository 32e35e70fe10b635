"""Shows one turn in the page: its events become a tool step, a streamed answer, pictures, players, citations and buttons."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import chainlit as cl
from chainlit.context import context, local_steps
from chainlit.utils import utc_now

from assistant.agent import Turn
from assistant.app_brush import brush_actions
from assistant.app_config import texts
from assistant.app_errors import in_language
from assistant.app_markdown import MarkdownStream, escape_colons
from assistant.app_pictures import attach_pictures, cards, hide_preview, seed_actions, show_preview
from assistant.app_receipts import cost_line
from assistant.app_speaking import Speech, begin_speech
from assistant.app_state import page
from assistant.app_transcript import (
    LONGEST_SHOWN,
    attach,
    attach_recording,
    keep_transcript,
    kept_transcript,
    line_below,
    next_actions,
    recording_type,
    with_times,
)
from assistant.document_origins import fetched_page
from assistant.events import (
    ArtifactReady,
    Cited,
    Decision,
    Event,
    Notice,
    Routed,
    TextDelta,
    ToolProgress,
    TurnDone,
    TurnFailed,
)
from assistant.history import HistoryError
from assistant.tool_calling import MODELS_CHOICE
from knowledge.knowledge_base import KnowledgeError
from tools.context import TOOL_NAMES, Artifact, Citation
from tools.engines.errors import BadInput, EngineError
from tools.sniff import sniff
from tools.speech_wishes import asks_english, asks_more
from tools.transcript import short_stamp

ICONS = {
    "write_text": "message-square",
    "generate_image": "image",
    "search_knowledge": "book-open",
    "transcribe_audio": "audio-lines",
}
PROGRESS_EVERY_S = 0.4
BAR = 16
log = logging.getLogger(__name__)


def words() -> Mapping[str, str]:
    """The page's words in the language of whoever is talking."""
    return texts(getattr(context.session, "language", "en-US"))


def available_tools() -> tuple[str, ...]:
    """The tools that the settings leave on."""
    return tuple(tool for tool in TOOL_NAMES if tool != "generate_image" or page().settings.image.enabled)


@dataclass
class Shown:
    """What of a turn stands in the page so far. `question` is the id of the person's message."""

    turn: Turn
    question: str
    decision: Decision | None = None
    step: cl.Step | None = None
    answer: cl.Message | None = None
    speech: Speech | None = None
    """Where the answer is also spoken."""
    notices: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    transcripts: dict[str, Artifact] = field(default_factory=dict)
    pictures: list[Artifact] = field(default_factory=list)
    previewed: bool = False
    left_out: bool = False
    """Whether the transcript is too long for the chat; its own page shows the whole."""
    drawn: float = 0.0
    failed: bool = False
    done: TurnDone | None = None
    markdown: MarkdownStream = field(default_factory=MarkdownStream)


async def show(turn: Turn, question: str) -> None:
    """Answer the turn below the message `question`. Cancelling stops the work and keeps what was said."""
    shown = Shown(turn, question, speech=await begin_speech())
    try:
        async with aclosing(page().assistant.reply(turn)) as events:  # type: ignore[type-var]
            async for event in events:
                await _show_event(shown, event)
    except asyncio.CancelledError:
        shown.notices.append(words()["stopped"])
        if shown.speech:
            shown.speech.hush()
        raise
    finally:
        if shown.speech:
            shown.speech.end()
        await _finish(shown)


async def _show_event(shown: Shown, event: Event) -> None:
    match event:
        case Routed(decision):
            await _start_step(shown, decision)
        case ToolProgress():
            await _show_progress(shown, event)
        case TextDelta() if _hears(shown) and shown.answer and len(shown.answer.content) > LONGEST_SHOWN:
            shown.left_out = True
        case TextDelta(text):
            _speak(shown, text)
            await (await _message(shown)).stream_token(shown.markdown.feed(text))
        case ArtifactReady(artifact):
            await _show_artifact(shown, artifact)
        case Cited(citation):
            shown.citations.append(citation)
        case Notice(text):
            shown.notices.append(escape_colons(_told(text)))
        case TurnDone():
            shown.done = event
        case TurnFailed(_, message, remedy):
            shown.failed = True
            failure = _told(f"{message} {remedy}".strip())
            _speak(shown, f"\n\n{failure}")
            await (await _message(shown)).stream_token("\n\n" + escape_colons(failure))


def _hears(shown: Shown) -> bool:
    """Whether a recording is heard: its lines and its progress come side by side."""
    return shown.decision is not None and shown.decision.tool == "transcribe_audio"


def _tells_as_it_reads(shown: Shown) -> bool:
    """Whether the answer and progress come side by side, as of a recording, a long document or several pictures."""
    tools = ("transcribe_audio", "search_knowledge", "generate_image")
    return shown.decision is not None and shown.decision.tool in tools


def _speak(shown: Shown, text: str) -> None:
    """A transcript is not read out: its recording can be played."""
    if shown.speech and not (_hears(shown) and _written_out(shown.turn)):
        shown.speech.feed(text)


def _told(line: str) -> str:
    """What an engine or a tool says, in the language of whoever is talking."""
    return in_language(line, getattr(context.session, "language", "en-US"))


async def _message(shown: Shown) -> cl.Message:
    if shown.answer is None:
        if not _tells_as_it_reads(shown):
            await _end_progress(shown)
        shown.answer = cl.Message(content="")
    return shown.answer


# The tool step


async def _start_step(shown: Shown, decision: Decision) -> None:
    shown.decision = decision
    tool = decision.tool or "write_text"
    step = cl.Step(name=_step_name(decision), type="tool", default_open=True, auto_collapse=True, show_input=False)
    step.parent_id = _run()
    step.start = utc_now()
    step.icon = ICONS[tool]
    step.metadata = {"tool": tool, "confidence": decision.confidence, "runner_up": decision.runner_up}
    step.output = _explained(decision)
    shown.step = step
    await step.send()
    await context.emitter.task_start()


async def _show_progress(shown: Shown, event: ToolProgress) -> None:
    if (
        shown.step is None
        or shown.decision is None
        or (shown.answer and not _tells_as_it_reads(shown))
        or (time.monotonic() - shown.drawn < PROGRESS_EVERY_S and not event.preview)
    ):
        return
    shown.drawn = time.monotonic()
    shown.step.output = f"{_explained(shown.decision)}\n\n{progress_line(event)}"
    await context.emitter.update_step(shown.step.to_dict())
    if event.preview:
        shown.previewed = True
        await show_preview(shown.step.id, event.preview)


async def _end_progress(shown: Shown) -> None:
    if shown.step is not None and shown.previewed:
        shown.previewed = False
        await hide_preview(shown.step.id)
    if shown.step is not None and shown.decision is not None and not shown.step.end:
        shown.step.output = _explained(shown.decision)
        shown.step.end = utc_now()
        await shown.step.update()


def progress_line(event: ToolProgress) -> str:
    """`▰▰▰▱▱▱ 50 % · Loading the model · about 3 s left`, as far as it is known."""
    parts = []
    if event.fraction is not None:
        full = round(max(0.0, min(1.0, event.fraction)) * BAR)
        parts.append(f"{'▰' * full}{'▱' * (BAR - full)} {event.fraction:.0%}")
    parts.append(_told(event.text) if event.text else words()["working"])
    if event.eta_s is not None and event.eta_s >= 1:
        parts.append(words()["eta"].format(seconds=round(event.eta_s)))
    return " · ".join(parts)


def _run() -> str | None:
    """The run that Chainlit shows the turn's steps in."""
    steps = local_steps.get()
    return steps[-1].id if steps else None


def _step_name(decision: Decision) -> str:
    tool = words()[decision.tool or "write_text"]
    if decision.abstained:
        return words()["step_unsure"].format(tool=tool)
    if decision.why == "command":
        return words()["step_chosen"].format(tool=tool)
    if decision.why == MODELS_CHOICE:
        return words()["step_model"].format(tool=tool)
    return words()["step"].format(tool=tool, confidence=round(decision.confidence * 100))


def _explained(decision: Decision) -> str:
    say = words()
    runner_up = say.get(decision.runner_up or "none", say["none"])
    why = say.get(f"why_{decision.why}", decision.why)
    measured = [f"**{say['confidence']}** {decision.confidence:.0%}", f"**{say['runner_up']}** {runner_up}"]
    lines = [
        f"**{say['tool']}** {say[decision.tool or 'write_text']}",
        *(measured if decision.why != MODELS_CHOICE else ()),
        f"**{say['why']}** {why}",
    ]
    return "\n".join(lines)


# What the turn made


async def _show_artifact(shown: Shown, artifact: Artifact) -> None:
    message = await _message(shown)
    if artifact.kind == "image":
        shown.pictures.append(artifact)
    elif artifact.kind == "transcript":
        shown.transcripts[str(artifact.path)] = artifact
    else:
        await attach(message, cl.File(url="-", name=artifact.path.name, mime=artifact.mime_type), artifact.path)


# Citations


async def _with_links(shown: Shown, text: str) -> str:
    """`[1]` in the answer opens its passage; the sources stand below."""
    if not shown.citations:
        return text
    links = {c.n: await _keep_passage(shown, c) for c in shown.citations}

    def link(found: re.Match[str]) -> str:
        n = int(found[1])
        return f"[\\[{n}\\]]({links[n]})" if n in links else found[0]

    text = re.sub(r"\[(\d{1,3})\](?![(\[])", link, text)
    rows = [f"- [\\[{c.n}\\] {_escape(_where(c))}]({links[c.n]}){_doubt(c)}" for c in shown.citations]
    return f"{text}\n\n**{words()['sources']}**\n" + "\n".join(rows)


async def _keep_passage(shown: Shown, citation: Citation) -> str:
    passage_id = uuid.uuid4().hex
    passage = citation.passage
    data = {
        "title": citation.title,
        "where": _where(citation),
        "quote": citation.quote,
        "text": passage.text if passage else citation.quote,
        "source": citation.source,
        "page": citation.page,
        "start_s": citation.start_s,
        "collection": passage.collection if passage else "",
        "transcript": _transcript_of(shown, citation),
        **await _source_file(citation, shown.turn.thread),
    }
    await page().store.keep_passage(passage_id, shown.turn.thread, data)
    return f"/passages/{passage_id}"


def _transcript_of(shown: Shown, citation: Citation) -> str | None:
    return next((str(t.path) for t in shown.transcripts.values() if t.meta["name"] == citation.source), None)


async def _source_file(citation: Citation, thread: str) -> dict[str, str | None]:
    """The PDF or recording that a passage comes from, and its type, if it lies on this machine: where it was read, in the
    thread, or kept from one; of a kept recording its transcript too; of a web page what was fetched, and when."""
    collection = (citation.passage and citation.passage.collection) or f"thread-{thread}"
    lines: dict[str, str] = {}
    if collection == f"thread-{thread}":
        own = await page().store.named_file(thread, citation.source)
    else:
        listed = page().assistant.knowledge().sources([collection])
        kept = next((source.sha256 for source in listed if source.source == citation.source), None)
        own = kept_file(kept) if kept else None
        lines = {"transcript": str(kept_transcript(kept))} if kept and kept_transcript(kept).is_file() else {}
    for path in (Path(citation.source), own):
        if path is not None and path.is_absolute() and (mime := await asyncio.to_thread(_type, path)):
            return {"file": str(path), "mime": mime, **lines}
    if citation.source.startswith(("http://", "https://")):
        return await asyncio.to_thread(fetched_page, page().settings.home, citation.source, collection)
    return {"file": None, "mime": None, **lines}


def kept_file(sha256: str, suffix: str = "") -> Path:
    """Where the file of a document lies that was kept from a thread, by its content: others' have the same name. Without
    its suffix, whichever is there."""
    folder = page().settings.home / "kept"
    there = () if suffix else folder.glob(f"{sha256}*")
    return next(iter(there), folder / f"{sha256}{suffix or '.pdf'}")


def _type(path: Path) -> str | None:
    """Of a PDF or a recording; None for what the page cannot open beside the chat."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return "application/pdf" if file.read(5) == b"%PDF-" else recording_type(path)


def _where(citation: Citation) -> str:
    title = citation.title or citation.source
    if citation.start_s is not None:
        return f"{title}, {short_stamp(citation.start_s)}"
    if citation.page:
        return f"{title}, {words()['page_n'].format(n=citation.page)}"
    return f"{title}, {place}" if (place := _place(citation)) else title


def _place(citation: Citation) -> str:
    """Where in a document without pages the passage stands, such as "Prices, row 12"."""
    return citation.passage.place if citation.passage else ""


def _doubt(citation: Citation) -> str:
    return "" if citation.supported else f" — *{words()['unsupported']}*"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)


# The end


async def _finish(shown: Shown) -> None:
    """Settle the answer: links, notices, buttons; and tell the question which turn it became."""
    message = await _message(shown)
    await _end_progress(shown)
    await _take_up_kept(shown)
    if shown.decision and shown.decision.abstained:
        shown.notices.insert(0, words()["unsure"])
    message.content += shown.markdown.end()
    body = await _with_links(shown, message.content.strip())
    body = await _with_transcripts(shown, message, body)
    await attach_pictures(message, shown.pictures)
    body = "\n\n".join(part for part in (body, cards(shown.pictures, words())) if part)
    cost = [cost_line(shown.done, words())] if shown.done and body else []
    message.content = "\n\n".join([body, *(f"> {n}" for n in shown.notices), *cost]).strip() or "…"
    message.is_error = shown.failed
    message.metadata = {"turn": shown.turn.id, "question": shown.question, "step": shown.step.id if shown.step else ""}
    await message.send()
    message.actions = await actions_for(shown, message.id)
    for action in message.actions:
        await action.send(for_id=message.id)
    cl.user_session.set("actions", [action.to_dict() for action in message.actions])


async def _take_up_kept(shown: Shown) -> None:
    """What a stopped or failed turn handed over at its end, when it could say nothing any more."""
    if not _hears(shown) and not (shown.decision and shown.decision.tool == "generate_image"):
        return
    try:
        record = await page().assistant.history.turn(shown.turn.id)
    except HistoryError as error:
        log.warning("the history cannot be read", exc_info=error)
        return
    for kept in record.receipt.get("artifacts", ()) if record else ():
        if kept["kind"] == "transcript":
            path = Path(kept["path"])
            shown.transcripts.setdefault(str(path), Artifact("transcript", path, "application/json", kept["meta"]))
        elif "stopped_at_step" in kept["meta"]:
            shown.pictures.append(Artifact("image", Path(kept["path"]), "image/jpeg", kept["meta"]))


async def _with_transcripts(shown: Shown, message: cl.Message, body: str) -> str:
    """Times lead into the recording; the player and the files stand below where the transcript itself was asked for."""
    if not shown.transcripts:
        return body
    thread, written_out = shown.turn.thread, not shown.citations and _written_out(shown.turn)
    addresses = {path: await keep_transcript(t, thread) for path, t in shown.transcripts.items()}
    if written_out:
        named = {str(t.meta["name"]): addresses[path] for path, t in shown.transcripts.items()}
        body = with_times(body, named)
        for path, transcript in shown.transcripts.items():
            await attach_recording(message, transcript, addresses[path])
    more = [f"*{words()['more_in_transcript']}*"] if shown.left_out else []
    lines = [line_below(t, addresses[path], words()) for path, t in shown.transcripts.items()]
    return "\n\n".join([body, *more, *lines])


def _written_out(turn: Turn) -> bool:
    return bool(turn.options.get("translate")) or asks_english(turn.text) or not asks_more(turn.text)


async def actions_for(shown: Shown, message: str) -> list[cl.Action]:
    """One click to use another tool, to answer again, and to keep documents that were dropped into the thread."""
    payload = {
        "turn": shown.turn.id,
        "question": shown.question,
        "message": message,
        "step": shown.step.id if shown.step else "",
    }
    if not await _stored(shown.turn.id):
        return [again_action(payload)]
    tools = tool_actions(shown.decision, payload, bool(shown.turn.attachments))
    heard = list(shown.transcripts.values()) if _written_out(shown.turn) else []
    kept = await keep_actions(shown.turn.thread)
    made = [{"meta": picture.meta} for picture in shown.pictures]
    seeds, brushes = seed_actions(made, payload, words()), brush_actions(made, payload, words())
    own = [again_action(payload), *see_actions(shown, payload), *seeds, *brushes]
    return [*own, *next_actions(heard, payload, words()), *tools, *kept]


async def _stored(turn: str) -> bool:
    """Whether the turn came as far as the history."""
    try:
        return await page().assistant.history.turn(turn) is not None
    except HistoryError as error:
        log.warning("the history cannot be read", exc_info=error)
        return False


def tool_actions(decision: Decision | None, payload: Mapping[str, str], with_files: bool) -> list[cl.Action]:
    """The runner-up comes first. Speech is offered where there may be something to hear."""
    used = None if decision is None or decision.abstained else decision.tool
    others = [tool for tool in available_tools() if tool != used]
    if decision is not None and not decision.abstained:
        others = [t for t in others if t != "transcribe_audio" or t == decision.runner_up or with_files]
        others.sort(key=lambda tool: tool != decision.runner_up)
    return [
        cl.Action(
            name="use_tool",
            id=f"use-{tool}",
            icon=ICONS[tool],
            label=words()["use_instead"].format(tool=words()[tool]),
            payload={**payload, "tool": tool},
        )
        for tool in others
    ]


def again_action(payload: Mapping[str, str]) -> cl.Action:
    return cl.Action(name="again", id="again", icon="refresh-cw", label=words()["again"], payload=dict(payload))


def see_actions(shown: Shown, payload: Mapping[str, str]) -> list[cl.Action]:
    """Where pictures came with the question and the model does not see: a button for one that does."""
    engines, turn = page().assistant.engines, shown.turn
    asked = shown.decision is not None and (shown.decision.tool or "write_text") == "write_text"
    if not asked or not any(_is_picture(path) for path in turn.attachments) or engines.sees(turn.models):
        return []
    return [
        cl.Action(
            name="see_with",
            id="see-with",
            icon="eye",
            label=words()["see_with"].format(model=model),
            payload={**payload, "model": model},
        )
        for model in engines.seeing()[:1]
    ]


def _is_picture(path: Path) -> bool:
    try:
        return sniff(path).kind == "image"
    except BadInput:
        return False


async def keep_actions(thread: str) -> list[cl.Action]:
    """A button for each document that only this thread knows; none where the documents cannot be opened."""
    if not (page().settings.home / "knowledge").exists():
        return []
    try:
        knowledge = page().assistant.knowledge()
        kept = {s.sha256 for s in knowledge.sources([f"user-{context.session.user.identifier}", "shared"])}
        dropped = knowledge.sources([f"thread-{thread}"])
    except (KnowledgeError, EngineError) as error:
        log.warning("the documents cannot be opened", exc_info=error)
        return []
    return [
        cl.Action(
            name="keep",
            id=f"keep-{n}",
            icon="bookmark-plus",
            label=words()["keep"].format(name=source.title),
            payload={"source": source.source, "title": source.title, "id": f"keep-{n}"},
        )
        for n, source in enumerate(dropped)
        if source.state == "indexed" and source.sha256 not in kept
    ]
