"""The commands that answer: ask, route, transcribe, imagine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast, get_args

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.cli_output import (
    DONE,
    FAILED,
    CallerError,
    Meter,
    failure_status,
    note,
    print_json,
    print_text,
)
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
    TurnDone,
    TurnFailed,
    as_json,
)
from assistant.router import PastTurn
from assistant.settings import Settings
from tools.context import TOOL_NAMES, Citation, Kind
from tools.transcript import short_stamp


async def ask(settings: Settings, turn: Turn, json_lines: bool) -> int:
    """One turn; its events go to stdout as they come. Returns the exit status."""
    show = JsonLines() if json_lines else Words()
    assistant = build_assistant(settings)
    try:
        await _check_owner(assistant, turn)
        events = cast(AsyncGenerator[Event, None], assistant.reply(turn))
        async with contextlib.aclosing(events):
            async for event in events:
                show(event)
    except asyncio.CancelledError:
        show(TurnFailed("Stopped", "Stopped.", ""))
        raise
    finally:
        await assistant.close()
    return show.status


async def _check_owner(assistant: Assistant, turn: Turn) -> None:
    """Raises: CallerError where the thread was begun by somebody who logged in to the page."""
    owner = await assistant.history.owner(turn.thread) if turn.thread else None
    if owner not in (None, turn.user):
        raise CallerError(f"The thread {turn.thread} belongs to {owner}. Choose another --thread.")


class JsonLines:
    status = FAILED

    def __call__(self, event: Event) -> None:
        print_json(as_json(event))
        if isinstance(event, TurnFailed):
            note(f"{event.message} {event.remedy}")
        self.status = _status(event, self.status)


class Words:
    """Words on stdout; what happens meanwhile on stderr."""

    status = FAILED

    def __init__(self) -> None:
        self._meter = Meter()
        self._citations: list[Citation] = []
        self._mid_line = False

    def __call__(self, event: Event) -> None:
        self.status = _status(event, self.status)
        if isinstance(event, ToolProgress):
            self._meter.show(event.text or event.tool, event.fraction)
            return
        if not isinstance(event, ToolFinished):
            self._meter.clear()
        match event:
            case TextDelta(text):
                print_text(text)
                self._mid_line = bool(text) and not text.endswith("\n")
            case Routed(decision):
                if sys.stderr.isatty():
                    note(_in_words(decision))
            case ArtifactReady(artifact):
                self._line(str(artifact.path))
            case Cited(citation):
                self._citations.append(citation)
            case Notice(text):
                self._end_line()
                note(text)
            case TurnFailed():
                self._end_line()
                note(f"{event.message} {event.remedy}")
            case TurnDone():
                self._end_line()
                for citation in self._citations:
                    self._line(_reference(citation))

    def _line(self, text: str) -> None:
        self._end_line()
        print_text(text + "\n")

    def _end_line(self) -> None:
        if self._mid_line:
            print_text("\n")
            self._mid_line = False


def _status(event: Event, before: int) -> int:
    match event:
        case TurnDone():
            return DONE
        case TurnFailed():
            return failure_status(event.error)
    return before


def _reference(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page else ""
    page = page or (f", {short_stamp(citation.start_s)}" if citation.start_s is not None else "")
    if not page and citation.passage and citation.passage.place:
        page = f", {citation.passage.place}"
    unsure = "" if citation.supported else " (the passage may not say so)"
    return f"[{citation.n}] {citation.title or citation.source}{page}{unsure}"


async def route(settings: Settings, turn: Turn, json_lines: bool) -> int:
    assistant = build_assistant(settings)
    try:
        decision = await assistant.route(turn)
    finally:
        await assistant.close()
    if json_lines:
        print_json(vars(decision))
    else:
        print_text(_in_words(decision) + "\n")
    return DONE


async def route_batch(settings: Settings) -> int:
    """A decision for each line of stdin, as soon as the line has come.

    Raises: CallerError with the number of a line that cannot be used.
    """
    assistant = build_assistant(settings)
    number = 0
    try:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            number += 1
            if line.strip():
                await _route_line(assistant, line, number)
    finally:
        await assistant.close()
    return DONE


async def _route_line(assistant: Assistant, line: bytes, number: int) -> None:
    try:
        item = json.loads(line.decode("utf-8-sig"))
        turn, kinds, past = _question(item)
    except (ValueError, TypeError, KeyError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise CallerError(f'Line {number} is not {{"id", "text", "kinds"?, "thread"?}} as JSON: {why}.') from error
    decision = await assistant.route(turn, kinds, past)
    print_json({"id": item["id"], **vars(decision)})


def _question(item: Any) -> tuple[Turn, list[str], list[PastTurn]]:
    """Raises: KeyError, TypeError, ValueError."""
    if not isinstance(item, dict):
        raise TypeError("it is not an object")
    if not isinstance(item["id"], str | int) or not isinstance(item["text"], str):
        raise TypeError("id and text must be text")
    kinds = [_one_of(kind, get_args(Kind)) for kind in _list(item, "kinds")]
    return Turn(item["text"]), kinds, [_past(turn) for turn in _list(item, "thread")]


def _list(item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name) or []
    if not isinstance(value, list):
        raise TypeError(f"{name} must be a list")
    return value


def _one_of(value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return str(value)


def _past(turn: Any) -> PastTurn:
    if not isinstance(turn, dict) or not isinstance(turn["text"], str):
        raise TypeError('thread must hold {"text", "tool"}')
    tool = turn.get("tool")
    return PastTurn(turn["text"], tool and _one_of(tool, TOOL_NAMES))


def _in_words(decision: Decision) -> str:
    tool = decision.tool or "not sure"
    runner_up = f", then {decision.runner_up}" if decision.runner_up else ""
    return f"{tool} ({decision.confidence:.0%}{runner_up}; {decision.why})"
