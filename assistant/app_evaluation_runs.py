"""The runs of the page that evaluates: what they would take, begun, told of while they go, cancelled, continued."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request

from assistant.app_compare_wishes import may_use, models_offered
from assistant.app_config import evaluations_texts
from assistant.app_errors import in_language
from assistant.app_evaluation_queue import SNAPSHOT, queue, wish_of
from assistant.app_evaluation_shelf import OwnSets, collection_choices, readable, shelf_for
from assistant.app_evaluation_wishes import Asked
from assistant.app_routes import CurrentUser, language_of
from assistant.app_state import page
from assistant.estimate_words import sums_in_words
from assistant.evaluation.carry_out import task_of
from assistant.evaluation.dataset import Dataset
from assistant.evaluation.estimate import Estimated, estimate
from assistant.evaluation.levers import LEVERS
from assistant.evaluation.run_queue import Run
from assistant.evaluation.sets import DataSets

Act = Literal["cancel", "continue", "remove"]
router = APIRouter(prefix="/evaluations/api")


@router.get("/choices")
async def choices(user: CurrentUser) -> dict[str, Any]:
    """Models and collections to choose from."""
    here = page()
    engines = here.assistant.engines
    text, speech = [
        await asyncio.to_thread(models_offered, here.settings, engines, capability) for capability in ("chat", "speech")
    ]
    return {"text": text, "speech": speech, "collections": await collection_choices(user.identifier)}


@router.get("/fits")
async def fits(own: OwnSets, set: str) -> dict[str, Any]:  # noqa: A002  (the word in the address)
    """What goes with a data set: {"task", "levers"}. Raises: SettingsError."""
    dataset = await asyncio.to_thread(_accepted, own, set)
    task = task_of(dataset)
    with_context = any(row.context for row in dataset.rows)
    every = [lever for lever in LEVERS if lever != "context" or with_context]
    return {"task": task, "levers": ["zero-shot"] if task == "speech" else every, "rows": len(dataset.rows)}


@router.post("/estimate")
async def estimated(request: Request, own: OwnSets, user: CurrentUser, asked: Asked) -> dict[str, Any]:
    """Raises: SettingsError for what could not be run either, HTTPException."""
    await _check(request, user.identifier, asked)
    wish = wish_of(user.identifier, asked, await asyncio.to_thread(_accepted, own, asked.set))
    found = await asyncio.to_thread(estimate, wish, page().assistant.engines)
    return _told(found, evaluations_texts(language_of(request)))


@router.post("/runs")
async def begin(request: Request, own: OwnSets, user: CurrentUser, asked: Asked) -> dict[str, Any]:
    """Raises: SettingsError, HTTPException."""
    await _check(request, user.identifier, asked)
    wish = wish_of(user.identifier, asked, await asyncio.to_thread(_accepted, own, asked.set))
    await asyncio.to_thread(estimate, wish, page().assistant.engines)
    values = asked.model_dump(exclude_none=True)

    def prepare(folder: Path) -> None:
        own.snapshot(asked.set, folder / SNAPSHOT)

    name = (await asyncio.to_thread(own.find, asked.set)).name
    run = await asyncio.to_thread(queue().prepared, user.identifier, "evaluate", name, values, prepare)
    queue().enqueue(run)
    return {"run": run.id}


@router.get("/runs")
async def runs(request: Request, user: CurrentUser) -> dict[str, Any]:
    """The oldest first."""
    found = await asyncio.to_thread(queue().all, user.identifier)
    return {"runs": [_row(run, language_of(request)) for run in found]}


@router.post("/runs/{run_id}/{act}")
async def act_on(user: CurrentUser, run_id: str, act: Act) -> dict[str, bool]:
    """Raises: RunError."""
    match act:
        case "cancel":
            await queue().cancel(user.identifier, run_id)
        case "continue":
            queue().resume(user.identifier, run_id)
        case "remove":
            await asyncio.to_thread(queue().remove, user.identifier, run_id)
    return {"done": True}


async def _check(request: Request, owner: str, asked: Asked) -> None:
    """Raises: HTTPException for a model that this person may not name, or documents that are not theirs to read."""
    say = evaluations_texts(language_of(request))
    for wished in asked.candidates:
        allowed = [await asyncio.to_thread(may_use, page().settings, wished.model, c) for c in ("chat", "speech")]
        if not any(allowed):
            raise HTTPException(400, say["not_offered"].format(model=wished.model))
    if asked.searched() or any(wished.retrieval for wished in asked.candidates):
        every = await asyncio.to_thread(readable, shelf_for(owner))
        if not every or (asked.searched() not in ("", "shared", *every)):
            raise HTTPException(400, say["no_documents"])


def _accepted(own: DataSets, set_id: str) -> Dataset:
    """The rows that would be asked now. Raises: SetError, DatasetError."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / SNAPSHOT
        own.snapshot(set_id, path)
        return own.accepted(set_id, path, own.find(set_id).name)


def _told(found: Estimated, say: Any) -> dict[str, Any]:
    """In words of the page."""
    lines = [say["calls_n"].format(calls=found.calls, rows=found.rows)]
    if found.pool:
        lines.append(say["pool_n"].format(n=found.pool))
    if found.about is None:
        lines.append(say["cost_unknown"].format(models=", ".join(found.unknown)))
    elif found.most:
        lines.append(
            say["cost_about"].format(
                about=sums_in_words(found.about, say["comma"]), most=sums_in_words(found.most or (), say["comma"])
            )
        )
    else:
        lines.append(say["cost_none"])
    lines.append(say["goes_to"].format(hosts=", ".join(found.elsewhere)) if found.elsewhere else say["stays"])
    return {"calls": found.calls, "rows": found.rows, "lines": lines}


def _row(run: Run, language: str) -> dict[str, Any]:
    now = queue().progress if run.state == "running" else None
    return {
        "id": run.id,
        "kind": run.kind,
        "title": run.title,
        "state": run.state,
        "place": queue().place(run),
        "fraction": round(now.fraction, 4) if now else None,
        "doing": now.text if now else "",
        "left_s": now.left_s() if now else None,
        "message": in_language(run.message, language),
        "result": run.result,
        "models": [c["model"] for c in run.asked.get("candidates", [])],
        "levers": list(run.asked.get("levers", [])),
    }
