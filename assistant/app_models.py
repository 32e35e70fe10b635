"""What the page of models asks for: the list, a card, the servers' own lists, and “Use this”."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel

from assistant.app_config import models_texts
from assistant.app_errors import in_language
from assistant.app_model_facts import facts_of, fits, number, size
from assistant.app_routes import CurrentUser, language_of
from assistant.app_state import open_page, page
from assistant.endpoints import ask_endpoints, configured_endpoints
from assistant.model_cards import Card, capability_for, find_cards
from assistant.settings import SettingsError
from assistant.using import TAKEN_UP, Chosen, use_model
from tools.engines.base import ModelCard
from tools.engines.errors import BadInput
from tools.engines.filters import Filter
from tools.engines.weights import can_fetch

router = APIRouter(prefix="/models/api")
Text = Annotated[str | None, Query(max_length=200)]
_served: dict[str, ModelCard] = {}
"""What the servers told when they were last asked, by id."""
_writing = asyncio.Lock()


def may_choose(user: Any) -> bool:
    """Whoever runs the machine: everybody on it while login is off, and the `admins` of the settings where it is on."""
    settings = page().settings
    return not settings.login or user.identifier in settings.admins


def _chooser(request: Request, user: CurrentUser) -> Any:
    if not may_choose(user):
        raise HTTPException(403, models_texts(language_of(request))["use_denied"])
    return user


Chooser = Annotated[Any, Depends(_chooser)]


def _filter(
    task: Text = None,
    modality: Text = None,
    provider: Text = None,
    openness: Text = None,
    licence: Text = None,
    architecture: Text = None,
    largest: Text = None,
    language: Text = None,
    runs: Text = None,
    name: Text = None,
    sees: bool = False,
    fits: bool = False,
) -> Filter:
    return Filter(task, modality, provider, openness, licence, architecture, largest, language, runs, name, sees, fits)


@router.get("/cards")
async def cards(request: Request, _user: CurrentUser, wanted: Annotated[Filter, Depends(_filter)]) -> dict[str, Any]:
    """The rows that meet every condition, and how many there are in all."""
    say = models_texts(language_of(request))
    every = await asyncio.to_thread(_find, Filter())
    found = await asyncio.to_thread(_find, wanted)
    return {"rows": [_row(card, say) for card in found], "all": len(every)}


@router.get("/card")
async def card(request: Request, user: CurrentUser, id: Annotated[str, Query(max_length=300)]) -> dict[str, Any]:  # noqa: A002
    """One card whole. `use` is the capability that it can be set for by this person, `used` those it is set for."""
    language = language_of(request)
    say = models_texts(language)
    found = await asyncio.to_thread(_one, id)
    capability = capability_for(found.model)
    commands = [f"assistant models measure {id}", f"assistant models use {id}"]
    if found.model.runs == "local" and not found.model.starter:
        commands.insert(0, f"assistant models pull {id}")
    if tryable := found.model.task == "text" and found.model.runs == "hosted":
        commands.append(f"assistant models probe {id}")
    return {
        "id": id,
        "facts": [{"label": label, "text": text, "address": at} for label, text, at in facts_of(found, say, language)],
        "use": capability if may_choose(user) and capability not in found.used_for else None,
        "used": list(found.used_for),
        "probe": tryable and may_choose(user),
        "pull": may_choose(user) and await asyncio.to_thread(may_pull, id),
        "commands": commands,
    }


@router.post("/endpoints")
async def endpoints(request: Request, _user: Chooser) -> dict[str, Any]:
    """Asks every configured server for its models. This opens connections, so it happens only on request."""
    language = language_of(request)
    say = models_texts(language)
    asked = configured_endpoints(page().settings)
    answers = await ask_endpoints(page().settings)
    _served.clear()
    _served.update({card.id: card for answer in answers for card in answer.cards})
    head = say["asked"].format(n=len(_served), servers=len(asked)) if asked else say["ask_none"]
    troubles = [in_language(answer.trouble, language) for answer in answers if answer.trouble]
    return {"told": [head, *troubles], "providers": [answer.provider for answer in answers if answer.cards]}


class Wish(BaseModel):
    id: str
    capability: str | None = None


@router.post("/use")
async def use(request: Request, wish: Wish, _user: Chooser) -> dict[str, Any]:
    """Sets a capability. Words, sound and pictures take it up at once; what documents hang on waits for the next start."""
    say = models_texts(language_of(request))
    async with _writing:
        try:
            chosen = await asyncio.to_thread(
                use_model, page().settings, wish.id, wish.capability, _served.get(wish.id.strip())
            )
        except SettingsError as error:
            raise BadInput(str(error)) from error
        if chosen.overridden:
            return {"said": say["use_overridden"].format(model=chosen.model, names=" + ".join(chosen.overridden))}
        if chosen.capability in TAKEN_UP:
            _take_up(chosen)
            return {"said": say["use_now"].format(model=chosen.model)}
    return {"said": say["use_restart"].format(model=chosen.model)}


def _take_up(chosen: Chosen) -> None:
    """From the next turn on, in every conversation."""
    here = page()
    here.assistant.engines.settings = chosen.settings
    open_page(replace(here, settings=chosen.settings))


def _find(wanted: Filter) -> list[Card]:
    return find_cards(page().settings, wanted, tuple(_served.values()))


def _one(model_id: str) -> Card:
    from tools.engines.catalogue import card_of

    found = next((card for card in _find(Filter()) if card.model.id == model_id), None)
    if found is None:
        card_of(model_id)
        raise BadInput(f"No card for {model_id!r}.")
    return found


def may_pull(model_id: str) -> bool:
    """Whether its weights are not here and can be brought. Raises: ModelNotFound, BadInput."""
    return can_fetch(_one(model_id).model, page().settings.home / "models")


def _row(card: Card, say: Any) -> dict[str, Any]:
    model = card.model
    marks = [
        (bool(card.used_for), "used"),
        (model.sees_images, "sees"),
        (model.calls_tools, "tools"),
        (card.known.measured is not None, "here"),
    ]
    return {
        "id": model.id,
        "maker": model.maker,
        "task": say[f"task_{model.task}"],
        "runs": say[f"runs_{model.runs}"],
        "parameters": number(model.parameters, say),
        "size": size(model.size_bytes, say),
        "licence": say["licence_unknown"] if model.licence == "unknown" else model.licence,
        "fits": fits(card, say),
        "fitting": card.fit.fits,
        "marks": [say[f"mark_{name}"] for true, name in marks if true],
    }
