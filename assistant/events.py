"""What `Assistant.reply` says while it works. `as_json` gives the line the command line prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assistant.prices import Cost
from tools.context import Artifact, Citation
from tools.engines.base import Usage


@dataclass(frozen=True)
class Decision:
    """Which tool answers and why. `why` is one of: command, attachment, learned from you, classifier, model,
    the model's choice, unsure."""

    tool: str | None
    confidence: float
    runner_up: str | None
    abstained: bool
    why: str


@dataclass(frozen=True)
class Routed:
    decision: Decision


@dataclass(frozen=True)
class ToolStarted:
    tool: str


@dataclass(frozen=True)
class ToolProgress:
    """`preview` is a small JPEG for the page; it is no part of the public surface."""

    tool: str
    fraction: float | None
    eta_s: float | None
    text: str
    preview: bytes | None = None


@dataclass(frozen=True)
class ToolFinished:
    tool: str
    seconds: float


@dataclass(frozen=True)
class TextDelta:
    text: str


@dataclass(frozen=True)
class ArtifactReady:
    artifact: Artifact


@dataclass(frozen=True)
class Cited:
    citation: Citation


@dataclass(frozen=True)
class Notice:
    text: str


@dataclass(frozen=True)
class TurnDone:
    answer: str
    tool: str | None
    artifacts: Sequence[Artifact]
    citations: Sequence[Citation]
    usage: Usage
    receipt: str
    hosts: Sequence[str] = ()
    """Where something of the turn was sent; none where all stayed on this machine."""
    costs: Sequence[Cost] = ()
    """In each currency; `usage` tells the cost only where there is one."""


@dataclass(frozen=True)
class TurnFailed:
    error: str
    message: str
    remedy: str


Event = (
    Routed
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | TextDelta
    | ArtifactReady
    | Cited
    | Notice
    | TurnDone
    | TurnFailed
)


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    return {
        "kind": artifact.kind,
        "path": str(artifact.path),
        "mime_type": artifact.mime_type,
        "meta": dict(artifact.meta),
    }


def citation_json(citation: Citation) -> dict[str, Any]:
    return {
        "n": citation.n,
        "source": citation.source,
        "title": citation.title,
        "page": citation.page,
        "start_s": citation.start_s,
        "quote": citation.quote,
        "supported": citation.supported,
    }


def as_json(event: Event) -> dict[str, Any]:
    """The event as the JSON object of the public surface."""
    match event:
        case Routed(decision):
            return {"event": "routed", **asdict(decision)}
        case ToolStarted():
            return {"event": "tool_started", **asdict(event)}
        case ToolProgress(tool, fraction, eta_s, text):
            return {"event": "tool_progress", "tool": tool, "fraction": fraction, "eta_s": eta_s, "text": text}
        case ToolFinished():
            return {"event": "tool_finished", **asdict(event)}
        case TextDelta():
            return {"event": "text_delta", **asdict(event)}
        case ArtifactReady(artifact):
            return {"event": "artifact", **artifact_json(artifact)}
        case Cited(citation):
            return {"event": "cited", **citation_json(citation)}
        case Notice():
            return {"event": "notice", **asdict(event)}
        case TurnFailed():
            return {"event": "failed", **asdict(event)}
        case TurnDone():
            return {
                "event": "done",
                "answer": event.answer,
                "tool": event.tool,
                "artifacts": [artifact_json(a) for a in event.artifacts],
                "citations": [citation_json(c) for c in event.citations],
                "usage": asdict(event.usage),
                "receipt": event.receipt,
            }
