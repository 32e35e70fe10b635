"""The choice of a tool as a data set: chat models against the classifier that ships, and the router that asks a model where it is unsure.

The rows are the development split (`data/routing-dev.jsonl`), on which the router's thresholds were fitted, so these two stand a little
better here than on sentences of strangers; examples come from the training split.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.candidates import Candidate
from assistant.classifier import WEIGHTS, Classifier
from assistant.engines import Engines
from assistant.evaluation.dataset import Dataset, Row
from assistant.evaluation.evaluate import Wish
from assistant.evaluation.levers import WITH_EXAMPLES, Lever, leaking
from assistant.evaluation.run import Special
from assistant.router import PastTurn, Router
from tools.context import TOOL_NAMES
from tools.prompts import ROUTE

ROWS, EXAMPLES = WEIGHTS.parent / "routing-dev.jsonl", WEIGHTS.parent / "routing-train.jsonl"
POOL = 500
CLASSIFIER, ROUTER = "router:classifier", "router:classifier-then-chat-model"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"tool": {"type": "string", "enum": list(TOOL_NAMES)}},
    "required": ["tool"],
    "additionalProperties": False,
}


def as_router(candidate: Candidate) -> Candidate:
    """The candidate with the prompt and the settings by which the router asks a model."""
    return replace(
        candidate,
        system=ROUTE if candidate.system is None else candidate.system,
        temperature=candidate.temperature or 0.0,
        max_tokens=candidate.max_tokens or 30,
    )


def wish_of(candidates: Sequence[Candidate], levers: Sequence[Lever], rows: int | None, seed: int) -> Wish:
    """An evaluation of `candidates` beside the classifier and the router. `rows` takes a seeded part of the data."""
    dataset = _read(ROWS, rows, seed)
    pool = _read(EXAMPLES, POOL, seed) if set(levers) & set(WITH_EXAMPLES) else None
    if pool is not None:
        pool = replace(pool, rows=tuple(row for row in pool.rows if not _leaks(row, dataset.rows)))
    every = [Candidate(CLASSIFIER, "the classifier"), Candidate(ROUTER, "the router"), *candidates]
    return Wish(dataset, every, levers, pool, by="exact", constrained=True, seed=seed)


def specials(engines: Engines) -> dict[str, Special]:
    """How the classifier and the router answer a row; the router asks the chat model that is set where the classifier is unsure."""
    classify = Classifier()
    router = Router(classify, engines.settings.home / "evaluations" / "no-corrections.jsonl")
    known = {row["text"]: row for row in _lines(ROWS)}

    async def by_classifier(row: Row) -> str:
        text, kinds, thread = _parts(known[row.id])
        scores = await asyncio.to_thread(classify, text, kinds, thread)
        return _said(scores.best()[0])

    async def by_router(row: Row) -> str:
        text, kinds, thread = _parts(known[row.id])
        decision = await router.decide(text, kinds=kinds, thread=thread, ask=engines.text_or_none())
        return _said(decision.tool)

    return {CLASSIFIER: by_classifier, ROUTER: by_router}


def _read(path: Path, wanted: int | None, seed: int) -> Dataset:
    values = list({row["text"]: row for row in _lines(path)}.values())
    if wanted is not None and wanted < len(values):
        values = random.Random(seed).sample(values, wanted)
    rows = tuple(
        Row(
            row["text"],
            _shown(row),
            _said(row["tool"]),
            tags=(row["language"], *(["near miss"] if row["near_miss"] else [])),
            schema=SCHEMA,
            line=number,
        )
        for number, row in enumerate(values, 1)
    )
    return Dataset("routing.jsonl", rows, hashlib.sha256(path.read_bytes()).hexdigest())


def _shown(row: dict[str, Any]) -> str:
    """As the router shows a request to a model, with what is attached."""
    _, kinds, thread = _parts(row)
    before = f"(before, {thread[-1].tool} answered: {thread[-1].text[:200]})\n" if thread else ""
    return before + "".join(f"(a file is attached: {kind})\n" for kind in kinds) + str(row["text"])[:1000]


def _parts(row: dict[str, Any]) -> tuple[str, list[str], list[PastTurn]]:
    thread = [PastTurn(turn["text"], turn["tool"]) for turn in row.get("thread", ())]
    return row["text"], list(row.get("kinds", ())), thread


def _leaks(row: Row, scored: Sequence[Row]) -> bool:
    return bool(leaking([(row.question, row.reference)], scored))


def _said(tool: str | None) -> str:
    return json.dumps({"tool": tool})


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
