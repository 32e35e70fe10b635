"""One turn run again from its receipt, and what differs: words of the answer and transcripts, pixels of pictures, and what has
changed since that the answer depends on."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.agent import Assistant
from assistant.history import TurnRecord
from assistant.receipts import Made, passages_of, versions, weights_of
from tools.context import Artifact
from tools.engines.errors import BadInput

EXACT = ("prompt", "negative_prompt", "seed", "steps", "guidance_scale", "strength", "image", "mask")
Part = tuple[str, str]
"""("=", words that stayed), ("-", words that went) or ("+", words that came)."""


@dataclass(frozen=True)
class Words:
    """`changed` of `words` differ: those that went and those that came, of the longer text."""

    same: bool
    changed: int
    words: int
    diff: Sequence[Part]


@dataclass(frozen=True)
class Pixels:
    """`same` where every pixel is; `changed` is the share of pixels that differ, `mean` by how much, of 255."""

    same: bool
    same_bytes: bool
    size: tuple[int, int]
    size_before: tuple[int, int]
    changed: float
    mean: float


@dataclass(frozen=True)
class Replayed:
    receipt: str
    same: bool
    answer: Words
    pictures: Sequence[Pixels]
    transcripts: Sequence[Words]
    changed: Sequence[str]
    """What the answer depends on and is another now, a sentence each."""
    usage: Mapping[str, Any]


async def replay(assistant: Assistant, record: TurnRecord, user: str, folder: Path) -> Replayed:
    """Files of the new answer go to `folder`; the conversation stays as it is.

    Raises: BadInput (nothing to compare with), EngineError, KnowledgeError, HistoryError.
    """
    if record.state not in ("done", "replaced"):
        raise BadInput(f"This turn did not end: it is {record.state}.", "Only a whole answer can be run again.")
    if "calls" not in record.receipt:
        raise BadInput("This receipt was written before receipts told enough.", "Ask again, and use the new one.")
    before = [Artifact(a["kind"], Path(a["path"]), "", a["meta"]) for a in record.receipt.get("artifacts", ())]
    pictures = [a for a in before if a.kind == "image" and "stopped_at_step" not in a.meta]
    made = await _made_again(assistant, record, user, folder, pictures)
    compared = [
        compare_pictures(_there(a.path), b.path)
        for a, b in zip(pictures, (a for m in made for a in m.artifacts if a.kind == "image"), strict=False)
    ]
    heard = zip(_heard(before), _heard([a for m in made for a in m.artifacts]), strict=False)
    transcripts = [compare_words(a, b) for a, b in heard]
    answer = compare_words(record.answer, made[0].text)
    same = (
        answer.same
        and all(p.same for p in compared)
        and all(t.same for t in transcripts)
        and len(compared) == len(pictures)
    )
    usage = vars(made[0].usage)
    changed = await _changes(assistant, record, made)
    return Replayed(record.id, same, answer, compared, transcripts, changed, usage)


async def _made_again(
    assistant: Assistant, record: TurnRecord, user: str, folder: Path, pictures: Sequence[Artifact]
) -> list[Made]:
    """The turn; where it drew several pictures, once for each."""
    folder.mkdir(parents=True, exist_ok=True)
    exact = [exactly(picture.meta) for picture in pictures] if record.tool == "generate_image" else []
    return [await assistant.again(record, user, folder, options) for options in exact or [{}]]


def exactly(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a turn that makes this picture again."""
    options = {name: meta[name] for name in EXACT if meta.get(name) is not None}
    return {**options, "size": f"{meta['width']}x{meta['height']}", "count": 1}


def compare_words(before: str, now: str) -> Words:
    """Word by word; how they are spaced does not count."""
    a, b = before.split(), now.split()
    parts: list[Part] = []
    changed = 0
    for what, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if what == "equal":
            parts.append(("=", " ".join(a[a1:a2])))
            continue
        changed += max(a2 - a1, b2 - b1)
        parts += [("-", " ".join(a[a1:a2]))] if a2 > a1 else []
        parts += [("+", " ".join(b[b1:b2]))] if b2 > b1 else []
    return Words(not changed, changed, max(len(a), len(b)), parts)


def compare_pictures(before: Path, now: Path) -> Pixels:
    """Raises: BadInput where the picture of before is gone or damaged."""
    import numpy as np

    from tools.engines.picture_input import open_picture

    a, b = open_picture(before)[0], open_picture(now)[0]
    same_bytes = before.read_bytes() == now.read_bytes()
    if a.size != b.size:
        return Pixels(False, False, b.size, a.size, 1.0, 255.0)
    apart = np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16))
    share = float((apart.max(axis=-1) > 0).mean())
    return Pixels(share == 0, same_bytes, b.size, a.size, round(share, 4), round(float(apart.mean()), 3))


async def _changes(assistant: Assistant, record: TurnRecord, made: Sequence[Made]) -> list[str]:
    """What is another now than in the receipt, as far as the answer depends on it."""
    told, lines = record.receipt, []
    calls = [call for m in made for call in m.bill.calls]
    for bill in (m.bill for m in made):
        now = await weights_of(bill, assistant.settings.home, verify=True)
        lines += _differing_weights(told.get("weights") or {}, now)
    was = {call["model"] for call in told["calls"]}
    for model in sorted({call.model for call in calls} - was):
        lines.append(f"{model} was called now and not before.")
    for name, version in versions(call.model for call in calls).items():
        before = (told.get("versions") or {}).get(name)
        if before and before != version:
            lines.append(f"{name} was {before} and is {version}.")
    hosts = list(dict.fromkeys(call.host for call in calls if call.host))
    if sorted(hosts) != sorted(told.get("hosts") or ()):
        lines.append(
            f"It went to {', '.join(told.get('hosts') or ()) or 'this machine'}, and now to {', '.join(hosts) or 'this machine'}."
        )
    cited = {(p["source"], p["sha256"]) for m in made for p in passages_of(m.citations)}
    for passage in told.get("passages") or ():
        if (passage["source"], passage["sha256"]) not in cited:
            page = f", page {passage['page']}" if passage.get("page") else ""
            lines.append(f"A passage of {passage['source']}{page} has changed, is gone, or is not cited now.")
    return list(dict.fromkeys(lines))


def _differing_weights(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    lines = []
    for model, known in now.items():
        for what in ("sha256", "revision"):
            was, is_now = (before.get(model) or {}).get(what), known.get(what)
            if was and is_now and was != is_now:
                name = "weights" if what == "sha256" else "revision"
                lines.append(f"The {name} of {model} were {_short(was)} and are {_short(is_now)}.")
    return lines


def _short(value: str) -> str:
    return f"{value[:12]}…" if re.fullmatch(r"[0-9a-f]{64}", value) else value


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(
            f"The picture of that turn, {path.name}, is no longer there.", "There is nothing to compare with."
        )
    return path


def _heard(artifacts: Sequence[Artifact]) -> list[str]:
    """The words of the transcripts among them that can be read."""
    texts = []
    for one in artifacts:
        if one.kind == "transcript" and one.path.is_file():
            texts.append(str(json.loads(one.path.read_text("utf-8")).get("text", "")))
    return texts
