"""“Download” on a model's card: its weights come in the background, one model after the other, to be watched and stopped."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from assistant.app_errors import in_language
from assistant.app_models import Chooser, may_pull
from assistant.app_routes import CurrentUser, language_of
from assistant.app_state import page
from assistant.pulling import pull_weights
from tools.engines.errors import BadInput, EngineError

router = APIRouter(prefix="/models/api")
ENDS_S = 10.0
"""How long the end of the page waits for a connection that is silent."""


class _Stopped(Exception):
    """The person does not want it any more; what has come is kept."""


@dataclass
class Pull:
    """`said` is how large it is, or why it failed; `fraction` None where that is not known."""

    model: str
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    said: str = ""
    fraction: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None

    @property
    def going(self) -> bool:
        return self.state in ("waiting", "running")


_pulls: dict[str, Pull] = {}
_turn = asyncio.Lock()


class Wanted(BaseModel):
    id: str


@router.post("/pull")
async def begin(request: Request, wanted: Wanted, _user: Chooser) -> dict[str, Any]:
    """Begins, or goes on where it was broken off. Raises: BadInput where nothing is to be fetched."""
    model = wanted.id.strip()
    if (known := _pulls.get(model)) is None or not known.going:
        if not await asyncio.to_thread(may_pull, model):
            raise BadInput(f"The weights of {model} are here already, or cannot be fetched beforehand.")
        _pulls[model] = known = Pull(model)
        known.task = asyncio.create_task(_work(known))
    return _told(known, language_of(request))


@router.get("/pull")
async def state(
    request: Request,
    _user: CurrentUser,
    id: Annotated[str, Query(max_length=300)],  # noqa: A002
) -> dict[str, Any]:
    return _told(_pulls.get(id), language_of(request))


@router.post("/pull/stop")
async def stop(request: Request, wanted: Wanted, _user: Chooser) -> dict[str, Any]:
    """What has come is kept: another time it goes on from there."""
    if (known := _pulls.get(wanted.id.strip())) is not None and known.going:
        known.stop.set()
        if known.state == "waiting":
            known.state = "stopped"
    return _told(known, language_of(request))


async def stop_pulling() -> None:
    """At the end of the page."""
    going = [one for one in _pulls.values() if one.going]
    for one in going:
        one.stop.set()
    if tasks := [one.task for one in going if one.task]:
        await asyncio.wait(tasks, timeout=ENDS_S)
    _pulls.clear()


async def _work(pull: Pull) -> None:
    async with _turn:
        if pull.stop.is_set():
            return
        pull.state = "running"
        try:
            await asyncio.to_thread(pull_weights, page().settings, pull.model, lambda *told: _hear(pull, *told))
            pull.state, pull.fraction = "done", 1.0
        except _Stopped:
            pull.state = "stopped"
        except EngineError as error:
            pull.state, pull.said = "failed", str(error)
        except Exception:
            pull.state, pull.said = "failed", "It went wrong; the log tells more."
            raise


def _hear(pull: Pull, text: str, fraction: float | None) -> None:
    if pull.stop.is_set():
        raise _Stopped
    pull.said, pull.fraction = text, fraction


def _told(pull: Pull | None, language: str) -> dict[str, Any]:
    if pull is None:
        return {"state": "none", "said": "", "fraction": None}
    return {"state": pull.state, "said": in_language(pull.said, language), "fraction": pull.fraction}
