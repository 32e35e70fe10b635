"""What a tool may use in one turn, and what it may say while it works.

A tool is one async generator: `async def tool(context: ToolContext) -> AsyncIterator[ToolOutput]`. It yields pieces of its
answer, progress, artifacts and citations; it raises EngineError or KnowledgeError with a readable message.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from knowledge.knowledge_base import KnowledgeBase, Passage
from tools.engines.base import ImageGenerator, Message, SpeechRecognizer, TellApart, TextChunk, TextGenerator, Usage

ToolName = Literal["write_text", "generate_image", "search_knowledge", "transcribe_audio"]
TOOL_NAMES: tuple[ToolName, ...] = get_args(ToolName)
Kind = Literal["audio", "video", "image", "document"]


@dataclass(frozen=True)
class Attachment:
    """A file of this turn or of the thread; `kind` was sniffed from its content."""

    path: Path
    name: str
    kind: Kind
    mime_type: str


@dataclass(frozen=True)
class TextDelta:
    text: str


@dataclass(frozen=True)
class Progress:
    """`fraction` runs from 0 to 1, or is None where it cannot be known. `preview` is a small JPEG of what is being drawn."""

    fraction: float | None
    eta_s: float | None = None
    text: str = ""
    preview: bytes | None = None


@dataclass(frozen=True)
class Artifact:
    """A file the turn made: kind "image" or "transcript"."""

    kind: str
    path: Path
    mime_type: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Citation:
    """`n` is the number that stands in the answer as [n]; pages count from 1."""

    n: int
    source: str
    title: str
    page: int | None
    start_s: float | None
    quote: str
    supported: bool
    passage: Passage | None = None


@dataclass(frozen=True)
class Notice:
    """Something the person should know that is not part of the answer: what was cut, skipped or unsure."""

    text: str


@dataclass(frozen=True)
class Cost:
    """The usage of a model call made by the tool."""

    usage: Usage


MOST_SEEN = 8
"""Pictures that a model is shown with one message."""
CUT = "The answer reached its length limit. Say “continue” for the rest."


ToolOutput = TextDelta | Progress | Artifact | Citation | Notice | Cost


@dataclass(frozen=True)
class ToolContext:
    """One turn, seen by a tool. Engines are loaded on the first call of their function."""

    request: str
    history: Sequence[Message]
    attachments: Sequence[Attachment]
    thread_attachments: Sequence[Attachment]
    """Files of earlier turns of this thread, newest last."""
    collections: Sequence[str]
    artifacts: Path
    """The folder for files this turn makes."""
    stop: threading.Event
    text: Callable[[], TextGenerator]
    speech: Callable[[], SpeechRecognizer]
    image: Callable[[], ImageGenerator]
    knowledge: Callable[[], KnowledgeBase]
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the caller fixed: temperature, max_tokens, language, translate, speakers, seed, steps, size …"""
    keep: Callable[[Artifact], None] = lambda _artifact: None
    """Takes what is worth keeping where nothing can be yielded any more: the turn is being stopped, or fails."""
    pictures: Sequence[Artifact] = ()
    """The pictures of earlier turns of this thread, newest last."""
    sees: bool = False
    """Whether the text engine looks at pictures."""
    seeing: Sequence[str] = ()
    """Models that could be chosen and do, where it does not."""
    system: str | None = None
    """A system prompt in place of the product's own, where it is answered in words."""
    examples: Sequence[Message] = ()
    """Questions and their answers that are shown before the conversation, where it is answered in words."""
    tell_apart: TellApart = lambda _recording, segments, *_: list(segments)
    """Whose voice is heard in each segment."""


Tool = Callable[[ToolContext], AsyncIterator[ToolOutput]]


async def as_outputs(chunks: AsyncIterator[TextChunk]) -> AsyncIterator[ToolOutput]:
    """What a text engine streams, as a tool says it."""
    async for chunk in chunks:
        if chunk.fraction is not None:
            yield Progress(chunk.fraction, text="Reading")
        if chunk.text:
            yield TextDelta(chunk.text)
        if chunk.usage:
            yield Cost(chunk.usage)
        if chunk.cut:
            yield Notice(CUT)
