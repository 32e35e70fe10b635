"""Tool choice as a measured component: facts of the turn, then a classifier, then the chat model, else "not sure".

Every decision says its confidence, its runner-up and why. `tests/bench/route.py` measures it on sentences that no fitting touched.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from assistant.events import Decision
from tools.engines.base import Message, TextGenerator
from tools.engines.errors import EngineError
from tools.prompts import ROUTE

SURE = 0.6
"""Below this the classifier asks the chat model. Fitted on the development split; see `tests/bench/route.py`."""
ATTACHMENT_TOOLS = {"audio": "transcribe_audio", "video": "transcribe_audio", "document": "search_knowledge"}
AGAINST_ATTACHMENT = 0.9
"""How sure the classifier must be of a picture to draw one although a recording or document is attached."""
SAME_REQUEST = 0.85
"""How alike the letters of two requests must be (Ratcliff and Obershelp) for what a person corrected once to hold again."""

LONGEST_CORRECTION = 500
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PastTurn:
    """An earlier request of the thread and the tool that answered it."""

    text: str
    tool: str | None


@dataclass(frozen=True)
class Scores:
    """A probability a tool."""

    probabilities: Mapping[str, float]

    def best(self) -> tuple[str, float, str]:
        """(tool, its probability, the runner-up)."""
        (tool, p), (runner_up, _) = sorted(self.probabilities.items(), key=lambda item: -item[1])[:2]
        return tool, p, runner_up


class Classifies(Protocol):
    def __call__(self, text: str, kinds: Sequence[str], thread: Sequence[PastTurn]) -> Scores: ...


class Router:
    def __init__(self, classify: Classifies, corrections: Path) -> None:
        """`corrections` is a JSON Lines file of {"text", "tool"}: what people chose instead."""
        self._classify = classify
        self._path = corrections
        self._corrections: list[Mapping[str, Any]] | None = None
        self._lock = asyncio.Lock()

    async def decide(
        self,
        text: str,
        *,
        kinds: Sequence[str] = (),
        thread: Sequence[PastTurn] = (),
        pictures: bool = True,
        ask: TextGenerator | None = None,
        model_chooses: bool = False,
    ) -> Decision:
        """The tool for `text`. `kinds` are those of its attachments, `ask` the chat model for the unsure ones.
        With `model_chooses` a model that calls tools well decides what the facts leave open, while it answers."""
        if not text.strip():
            return _by_attachment_alone(kinds)
        async with self._lock:
            scores = await asyncio.to_thread(self._classify, text, kinds, thread)
            likeness, learned = await asyncio.to_thread(self._learned, text)
        if not pictures:
            scores = _without(scores, "generate_image")
        tool, p, runner_up = scores.best()
        attached = next((ATTACHMENT_TOOLS[k] for k in kinds if k in ATTACHMENT_TOOLS), None)
        if attached and (tool != "generate_image" or p < AGAINST_ATTACHMENT):
            return Decision(attached, 1.0, _other(tool, runner_up, attached), False, "attachment")
        if learned and (pictures or learned != "generate_image"):
            return Decision(learned, round(likeness, 3), _other(tool, runner_up, learned), False, "learned from you")
        if model_chooses:
            return Decision(None, 1.0, None, False, "the model's choice")
        if p >= SURE:
            return Decision(tool, round(p, 3), runner_up, False, "classifier")
        return await self._ask(ask, text, thread, scores)

    async def learn(self, text: str, tool: str) -> None:
        """`text` belongs to `tool`: kept in the corrections, and used from the next request on."""
        async with self._lock:
            await asyncio.to_thread(self._append, text, tool)

    def _learned(self, text: str) -> tuple[float, str | None]:
        """How alike the closest correction is, and its tool if that is close enough; later corrections win."""
        best, tool = SAME_REQUEST, None
        for row in self._known_corrections():
            likeness = difflib.SequenceMatcher(None, _plain(row["text"]), _plain(text)).ratio()
            if likeness >= best:
                best, tool = likeness, row["tool"]
        return best, tool

    def _known_corrections(self) -> list[Mapping[str, Any]]:
        if self._corrections is None:
            lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
            self._corrections = [row for row in map(_parsed, lines) if row and row.keys() >= {"text", "tool"}]
        return self._corrections

    def _append(self, text: str, tool: str) -> None:
        known = self._known_corrections()
        row = {"text": text[:LONGEST_CORRECTION], "tool": tool}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        known.append(row)

    async def _ask(self, ask: TextGenerator | None, text: str, thread: Sequence[PastTurn], scores: Scores) -> Decision:
        """The chat model chooses between the classifier's two best; where it names another or fails, nobody is sure."""
        tool, p, runner_up = scores.best()
        unsure = Decision(None, round(p, 3), tool, True, "unsure")
        if ask is None:
            return unsure
        try:
            answer = await _models_choice(ask, text, thread, (tool, runner_up))
        except EngineError as error:
            log.info("the chat model could not choose a tool: %s", error)
            return unsure
        if answer == tool:
            return Decision(tool, round(p, 3), runner_up, False, "model")
        return unsure


async def _models_choice(ask: TextGenerator, text: str, thread: Sequence[PastTurn], tools: Sequence[str]) -> str | None:
    schema = {
        "type": "object",
        "properties": {"tool": {"type": "string", "enum": list(tools)}},
        "required": ["tool"],
        "additionalProperties": False,
    }
    before = f"(before, {thread[-1].tool} answered: {thread[-1].text[:200]})\n" if thread else ""
    messages = [Message("system", ROUTE), Message("user", before + text[:1000])]
    reply = [c.text async for c in ask.stream(messages, max_tokens=30, temperature=0, json_schema=schema)]
    row = _parsed("".join(reply))
    return row.get("tool") if row else None


def _plain(text: str) -> str:
    """The words that count when two requests are compared."""
    return " ".join(re.findall(r"\w+", text[:LONGEST_CORRECTION].casefold()))


def _by_attachment_alone(kinds: Sequence[str]) -> Decision:
    for kind in kinds:
        if kind in ATTACHMENT_TOOLS:
            return Decision(ATTACHMENT_TOOLS[kind], 1.0, None, False, "attachment")
    return Decision(None, 0.0, None, True, "unsure")


def _without(scores: Scores, tool: str) -> Scores:
    rest = {name: p for name, p in scores.probabilities.items() if name != tool}
    total = sum(rest.values()) or 1.0
    return Scores({name: p / total for name, p in rest.items()})


def _other(tool: str, runner_up: str, chosen: str) -> str:
    return runner_up if tool == chosen else tool


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None
