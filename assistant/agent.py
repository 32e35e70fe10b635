"""One turn, one way: perceive, route, act, answer.

`Assistant.reply` is the whole product seen from the page and the command line: a turn goes in, events come out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.calls import Bill, billed_to
from assistant.engines import Engines
from assistant.events import (
    ArtifactReady,
    Cited,
    Decision,
    Event,
    Notice,
    Routed,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnDone,
    TurnFailed,
)
from assistant.history import History, HistoryError, TurnRecord, new_id
from assistant.memory import asked_of, recall
from assistant.prompt_library import PromptLibrary
from assistant.prompted import Wanted, filled_prompt, prompt_of_json, tool_of
from assistant.prompts import Filled
from assistant.receipts import Made, added, receipt_of, total, weights_of
from assistant.router import PastTurn, Router
from assistant.settings import Settings
from assistant.tool_calling import MODELS_CHOICE, ToolChosen, call_tools
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError
from tools import context as said
from tools.context import Artifact, Attachment, Citation, Tool, ToolContext, ToolName, ToolOutput
from tools.engines.base import Message, SpeechInfo, SpeechRequest, Usage
from tools.engines.errors import BadInput, EngineError, Stopped
from tools.sniff import sniff

COMMANDS: dict[str, ToolName] = {
    "/image": "generate_image",
    "/search": "search_knowledge",
    "/transcribe": "transcribe_audio",
    "/write": "write_text",
}
LONGEST_MESSAGE = 60_000
SAVE_EVERY_S = 2.0
THREAD_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """What a person sends. `tool` forces a tool (a command or "use … instead"); `models` replaces settings for this turn
    ({"chat": "openai:gpt-5-mini"}); `replaces` is the id of an earlier turn asked again or edited."""

    text: str
    attachments: Sequence[Path] = ()
    thread: str = ""
    user: str = "local"
    tool: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None
    """One of the library by its name, with `inputs`; it may also be typed as `/name …`."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    """The prompt that the whole conversation is under."""
    replaces: str | None = None
    names: Mapping[Path, str] = field(default_factory=dict)
    """Names that the person knows the attachments by, where the paths are not telling."""
    id: str = ""
    """Given by a caller that must know the turn before it is answered; otherwise made here."""


@dataclass
class _Reply(Made):
    """What one turn has produced so far. `folder` is where its files go, if not to those of its thread."""

    begun: bool = False
    started: float = field(default_factory=time.monotonic)
    first_token_s: float | None = None
    folder: Path | None = None
    names: dict[str, str] = field(default_factory=dict)
    """What people call the files of the conversation, by what they are called on disk."""

    def told(self, text: str) -> str:
        """Of what an engine says of a file, which it knows by its place on disk alone."""
        for stored, name in self.names.items():
            text = text.replace(stored, name)
        return text

    def take(self, output: ToolOutput, tool: str) -> Event | None:
        """Keep what a tool said, and the event it becomes."""
        match output:
            case said.TextDelta(text):
                if self.first_token_s is None:
                    self.first_token_s = time.monotonic() - self.started
                self.text += text
                return TextDelta(text)
            case said.Progress(fraction, eta_s, text, preview):
                return ToolProgress(tool, fraction, eta_s, text, preview)
            case Artifact():
                self.artifacts.append(output)
                return ArtifactReady(output)
            case Citation():
                self.citations.append(output)
                return Cited(output)
            case said.Notice(text):
                return Notice(self.told(text))
            case said.Cost(usage):
                self.usage = added(self.usage, usage)
                return None

    def total(self) -> Usage:
        return total(self, self.first_token_s, time.monotonic() - self.started)


class Assistant:
    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        router: Router,
        history: History,
        open_knowledge: Callable[[], KnowledgeBase],
        tools: Mapping[ToolName, Tool],
        prompts: PromptLibrary,
    ) -> None:
        self.settings = settings
        self.engines = engines
        self.router = router
        self.history = history
        self.prompts = prompts
        self._open_knowledge = open_knowledge
        self._knowledge: KnowledgeBase | None = None
        self._tools = tools

    async def reply(self, turn: Turn) -> AsyncIterator[Event]:
        """Answer one turn. Closing the iterator (or cancelling the task) stops the work within a second.

        The last event is TurnDone or TurnFailed; a failure never raises.
        """
        turn = with_command(replace(turn, thread=turn.thread or new_id()))
        reply = self._begun(turn)
        state, unsaved = "failed", ""
        try:
            async for event in self._answer(turn, reply):
                yield event
            state = "done"
        except (EngineError, KnowledgeError, HistoryError) as error:
            log.info("turn failed", exc_info=error)
            yield TurnFailed(type(error).__name__, reply.told(error.message), error.remedy)
        except (asyncio.CancelledError, GeneratorExit):
            state = "stopped"
            raise
        except Exception as error:
            log.exception("turn failed")
            yield TurnFailed(
                type(error).__name__, f"Something went wrong: {error}.", "The log has the details; try again."
            )
        finally:
            if reply.begun:
                unsaved = await asyncio.shield(self._save_quietly(turn, reply, state))
        if state == "done":
            if unsaved:
                yield Notice(unsaved)
            tool = reply.decision.tool if reply.decision else None
            yield TurnDone(
                reply.text,
                tool,
                reply.artifacts,
                reply.citations,
                reply.total(),
                reply.receipt,
                reply.bill.hosts(),
                reply.bill.costs(),
            )

    def _begun(self, turn: Turn) -> _Reply:
        return _Reply(
            turn.id or new_id(),
            bill=Bill(turn.user, _seed(turn.options)),
            models=self.engines.model_ids(turn.models),
            options=turn.options,
            settings={**self.engines.answer_options(), **turn.options},
        )

    async def again(
        self, record: TurnRecord, user: str, folder: Path, more: Mapping[str, Any] = MappingProxyType({})
    ) -> Made:
        """The turn of `record` once more, as its receipt tells it: the same tool, models, options, seed and turns before it, and
        the options `more` besides. Nothing of it is kept; its files go to `folder`.

        Raises: BadInput (a file of the turn is gone), EngineError, KnowledgeError, HistoryError.
        """
        told = record.receipt
        models = {name: model for name, model in (told.get("models") or {}).items() if model}
        options = {**(told.get("settings") or told.get("options") or {}), "seed": told.get("seed"), **more}
        paths = {Path(a["path"]): str(a["name"]) for a in record.attachments}
        if gone := [name for path, name in paths.items() if not path.is_file()]:
            raise BadInput(f"{gone[0]}, which this turn was about, is no longer there.", "It cannot be run again.")
        turn = Turn(record.request, tuple(paths), record.thread, user, record.tool, models, options, names=paths)
        reply = self._begun(turn)
        reply.prompt = prompt_of_json(told["prompt"]) if told.get("prompt") else None
        turn = _worded(turn, reply.prompt)
        reply.folder = folder
        attachments = await asyncio.to_thread(self._perceive, turn)
        before = [await self.history.turn(one) for one in told.get("history") or ()]
        decided = told.get("decision") or {}
        reply.decision = Decision(**decided) if decided else None
        tool: ToolName = record.tool or "write_text"  # type: ignore[assignment]
        run = self._tools[tool]
        if decided.get("why") == MODELS_CHOICE:
            run = partial(call_tools, tools=self._available())  # type: ignore[assignment]
        async for output in self._act(run, tool, turn, attachments, [t for t in before if t], reply):
            if not isinstance(output, ToolChosen):
                reply.take(output, tool)
        reply.usage = reply.total()
        return reply

    async def _answer(self, turn: Turn, reply: _Reply) -> AsyncIterator[Event]:
        attachments = await asyncio.to_thread(self._perceive, turn)
        await self._check_owner(turn)
        turn, reply.prompt = await self._prompted(turn)
        past = _before(await self.history.turns(turn.thread), turn.replaces)
        known = [*(a for record in past for a in record.attachments), *map(_plain, attachments)]
        reply.names |= {Path(a["path"]).name: a["name"] for a in known}
        await self.history.begin(turn.thread, turn.user, turn.text, [_plain(a) for a in attachments], reply.receipt)
        reply.begun = True
        reply.past = [t.id for t in past]
        if turn.profile and reply.prompt is None:
            yield Notice(NO_PROFILE.format(name=turn.profile))
        turn = _worded(turn, reply.prompt)
        with billed_to(reply.bill):
            reply.decision = await self._decide(turn, [a.kind for a in attachments], past)
        if turn.replaces:
            await self.history.replace_from(turn.replaces, thread=turn.thread, but=reply.receipt)
        tool: ToolName = reply.decision.tool or "write_text"  # type: ignore[assignment]
        run = self._tools[tool]
        if reply.decision.why == MODELS_CHOICE:
            run = partial(call_tools, tools=self._available())  # type: ignore[assignment]
        else:
            yield Routed(reply.decision)
            yield ToolStarted(tool)
        saved = time.monotonic()
        async for output in self._act(run, tool, turn, attachments, past, reply):
            if isinstance(output, ToolChosen):
                if reply.decision.tool:
                    yield ToolFinished(tool, round(time.monotonic() - reply.started, 3))
                tool = output.tool
                reply.decision = replace(reply.decision, tool=tool)
                yield Routed(reply.decision)
                yield ToolStarted(tool)
            elif event := reply.take(output, tool):
                yield event
            if time.monotonic() - saved > SAVE_EVERY_S:
                saved = time.monotonic()
                await self._save_quietly(turn, reply, "running")
        yield ToolFinished(tool, round(time.monotonic() - reply.started, 3))

    async def _prompted(self, turn: Turn) -> tuple[Turn, Filled | None]:
        """Raises: BadInput, HistoryError."""
        if turn.tool and turn.prompt is None and turn.profile is None:
            return turn, None
        wanted = Wanted(turn.text, turn.user, turn.prompt, turn.inputs, turn.profile)
        prompt, text = await filled_prompt(self.prompts, wanted, files=bool(turn.attachments))
        return replace(turn, text=text or turn.text), prompt

    def _available(self) -> dict[ToolName, Tool]:
        pictures = self.settings.image.enabled
        return {name: tool for name, tool in self._tools.items() if pictures or name != "generate_image"}

    async def _check_owner(self, turn: Turn) -> None:
        if await self.history.owner(turn.thread) not in (None, turn.user):
            raise BadInput("This conversation belongs to somebody else.", "Start a new one.")

    def _perceive(self, turn: Turn) -> list[Attachment]:
        if turn.thread and not THREAD_ID.fullmatch(turn.thread):
            raise BadInput(f"{turn.thread!r} cannot name a conversation.", "Use letters, digits, - and _, at most 64.")
        if not turn.text.strip() and not turn.attachments:
            raise BadInput("The message is empty.", "Type a question, speak, or drop a file.")
        if len(turn.text) > LONGEST_MESSAGE:
            raise BadInput(
                f"The message has {len(turn.text):,} characters; the limit is {LONGEST_MESSAGE:,}.",
                "Save it as a text file and drop it here, then ask about it.",
            )
        limit = self.settings.max_upload_mb * 1_000_000
        return [sniff(path, turn.names.get(path), limit) for path in turn.attachments]

    async def route(self, turn: Turn, kinds: Sequence[str] | None = None, past: Sequence[PastTurn] = ()) -> Decision:
        """Only the decision. `kinds` stand for attachments that are not at hand, `past` for a thread that is not stored."""
        turn = _worded(*await self._prompted(with_command(turn)))
        if kinds is None:
            kinds = [a.kind for a in await asyncio.to_thread(self._perceive, turn)]
        stored = await self.history.turns(turn.thread) if turn.thread else []
        return await self._decide(turn, kinds, stored, past, only=True)

    async def _decide(
        self,
        turn: Turn,
        kinds: Sequence[str],
        stored: Sequence[TurnRecord],
        past: Sequence[PastTurn] = (),
        only: bool = False,
    ) -> Decision:
        """With `only`, nothing is answered afterwards: a model that would choose while answering is not asked."""
        if turn.tool:
            if turn.tool not in self._tools:
                raise BadInput(f"There is no tool {turn.tool!r}.", f"Use one of: {', '.join(self._tools)}.")
            if turn.tool not in self._available():
                raise BadInput("Pictures are switched off here.", "Set ASSISTANT_IMAGE_ENABLED=true to switch them on.")
            return Decision(turn.tool, 1.0, None, False, "command")
        thread = [*(PastTurn(t.request, t.tool) for t in stored), *past]
        text = self.engines.text_or_none(turn.models)
        return await self.router.decide(
            turn.text,
            kinds=kinds,
            thread=thread,
            pictures=self.settings.image.enabled,
            ask=text,
            model_chooses=not only and self.engines.calls_tools(turn.models),
        )

    async def _act(
        self,
        run: Tool,
        tool: ToolName,
        turn: Turn,
        attachments: Sequence[Attachment],
        past: Sequence[TurnRecord],
        reply: _Reply,
    ) -> AsyncIterator[ToolOutput | ToolChosen]:
        """Run the tool in a task of its own, so that its outputs and the loading of weights arrive in one stream."""
        stop = threading.Event()
        outputs: asyncio.Queue[ToolOutput | ToolChosen | BaseException | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def on_load(text: str, fraction: float | None) -> None:
            loop.call_soon_threadsafe(outputs.put_nowait, said.Progress(fraction, text=text))

        async def work() -> None:
            try:
                context = await self._context(tool, turn, attachments, past, stop, outputs, reply.prompt)
                context = replace(context, keep=reply.artifacts.append, artifacts=reply.folder or context.artifacts)
                async with contextlib.aclosing(run(context)) as stream:  # type: ignore[type-var]
                    async for output in stream:
                        outputs.put_nowait(output)
                outputs.put_nowait(None)
            except Exception as error:  # noqa: BLE001  (handed to the reader below)
                outputs.put_nowait(error)

        with self.engines.listening(on_load):
            with billed_to(reply.bill):
                task = asyncio.create_task(work())
            try:
                while (output := await outputs.get()) is not None:
                    if isinstance(output, BaseException):
                        raise output
                    yield output
            finally:
                stop.set()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Stopped):
                    await task

    async def _context(
        self,
        tool: ToolName,
        turn: Turn,
        attachments: Sequence[Attachment],
        past: Sequence[TurnRecord],
        stop: threading.Event,
        outputs: asyncio.Queue[Any],
        prompt: Filled | None,
    ) -> ToolContext:
        models = turn.models
        shown = prompt.shown() if prompt else []
        history: Sequence[Any] = ()
        options = {**self.engines.answer_options(), **turn.options}
        if past and tool in ("write_text", "search_knowledge"):
            text = self.engines.text(models)
            options["max_tokens"] = min(options["max_tokens"], text.context_tokens // 2)
            size = await text.count_tokens([Message("user", turn.text), *shown])
            budget = text.context_tokens - options["max_tokens"] - size - 100
            memory = await recall(past, text.count_tokens, max(budget, 0), sees=self.engines.sees(models))
            history = memory.messages
            if memory.dropped:
                outputs.put_nowait(said.Notice(FORGOTTEN.format(n=memory.dropped)))
        elif past:
            history = [m for t in past[-6:] for m in (Message("user", asked_of(t)), Message("assistant", t.answer))]
        folder = self.settings.home / "artifacts" / turn.thread
        return ToolContext(
            request=turn.text,
            history=history,
            attachments=attachments,
            thread_attachments=[_attachment(a) for t in past for a in t.attachments],
            collections=[f"thread-{turn.thread}", f"user-{turn.user}", "shared", "handbook"],
            artifacts=folder,
            stop=stop,
            text=lambda: self.engines.text(models),
            speech=lambda: self.engines.speech(models),
            image=lambda: self.engines.image(models),
            knowledge=self.knowledge,
            options=options,
            pictures=[p for t in past for p in _pictures(t)],
            sees=self.engines.sees(models),
            seeing=() if self.engines.sees(models) else self.engines.seeing(),
            tell_apart=self.engines.tell_apart,
            system=prompt.system if prompt else None,
            examples=shown,
        )

    async def _save_quietly(self, turn: Turn, reply: _Reply, state: Any) -> str:
        """Why the turn could not be saved; an answer that was given is not taken back for that."""
        try:
            await self._save(turn, reply, state)
        except HistoryError as error:
            log.warning("turn not saved", exc_info=error)
            return str(error)
        return ""

    async def _save(self, turn: Turn, reply: _Reply, state: Any) -> None:
        whole = state != "running"
        weights = await weights_of(reply.bill, self.settings.home) if whole else None
        receipt = receipt_of(reply, reply.total(), whole=whole, weights=weights)
        tool = reply.decision.tool if reply.decision else None
        await self.history.save(reply.receipt, state=state, tool=tool, answer=reply.text, receipt=receipt)

    async def learn(self, text: str, tool: str) -> None:
        """The person chose another tool: a labelled example from now on."""
        await self.router.learn(text, tool)

    async def transcribe_speech(
        self, path: Path, language: str | None = None, models: Mapping[str, str] | None = None, user: str = "local"
    ) -> tuple[str, str | None]:
        """(text, language) of a spoken message; the text is empty when there is no speech. `models` and `user` as in a turn.

        Raises: EngineError.
        """
        words: list[str] = []
        stop = threading.Event()
        request = SpeechRequest(path, language, vocabulary=self.settings.speech.vocabulary)
        with billed_to(Bill(user)):
            async with contextlib.aclosing(self.engines.speech(models).transcribe(request, stop)) as heard:  # type: ignore[type-var]
                async for item in heard:
                    if isinstance(item, SpeechInfo):
                        language = item.language or language
                    else:
                        words.append(item.text.strip())
        return " ".join(words), language

    def knowledge(self) -> KnowledgeBase:
        """The documents, opened on the first call. Raises: KnowledgeError, EngineError."""
        if self._knowledge is None:
            self._knowledge = self._open_knowledge()
        return self._knowledge

    async def close(self) -> None:
        if self._knowledge is not None:
            await self._knowledge.close()
        await self.engines.close()
        await self.prompts.close()
        await self.history.close()


FORGOTTEN = "The first {n} turns of this conversation no longer fit the model's memory and were left out."

NO_PROFILE = "The prompt {name}, which this conversation is under, is gone. The answer comes without it."


def with_command(turn: Turn) -> Turn:
    """`/image a cat` forces its tool; the command itself is no part of the request."""
    command, *rest = turn.text.split(maxsplit=1) or [""]
    if turn.tool is None and command in COMMANDS:
        return replace(turn, text="".join(rest).strip(), tool=COMMANDS[command])
    return turn


def _worded(turn: Turn, prompt: Filled | None) -> Turn:
    """As the router and the tool read it: in the words of the prompt, with the tool that it asks for."""
    if prompt is None:
        return turn
    return replace(turn, text=prompt.message, tool=turn.tool or tool_of(prompt, bool(turn.attachments)))


def _before(turns: Sequence[TurnRecord], replaced: str | None) -> Sequence[TurnRecord]:
    """The turns before the one that is asked again; all of them where none is."""
    place = next((n for n, turn in enumerate(turns) if turn.id == replaced), len(turns))
    return turns[:place]


def _plain(attachment: Attachment) -> dict[str, str]:
    return {
        "path": str(attachment.path),
        "name": attachment.name,
        "kind": attachment.kind,
        "mime_type": attachment.mime_type,
    }


def _attachment(plain: Mapping[str, Any]) -> Attachment:
    return Attachment(Path(plain["path"]), plain["name"], plain["kind"], plain["mime_type"])


def _pictures(turn: TurnRecord) -> list[Artifact]:
    made = turn.receipt.get("artifacts", ())
    return [Artifact("image", Path(a["path"]), "image/png", a["meta"]) for a in made if a["kind"] == "image"]


def _seed(options: Mapping[str, Any]) -> int:
    """The one that is asked for, or any: the receipt tells it, so that the turn can be run again with it."""
    asked = options.get("seed")
    return asked if isinstance(asked, int) else secrets.randbelow(2**31)
