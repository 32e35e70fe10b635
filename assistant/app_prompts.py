"""What the page of prompts asks for: the list, one prompt with its versions, a preview, and every change.

Whose prompt it is decides the library: what a person saves is their own, whatever it was made from.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from assistant.app_config import prompts_texts
from assistant.app_errors import told
from assistant.app_prompt_commands import language_code
from assistant.app_prompt_gains import bought, gain_told
from assistant.app_routes import SANDBOX, CurrentUser, language_of
from assistant.app_state import page
from assistant.prompt_changes import changes
from assistant.prompt_library import Kept
from assistant.prompt_reading import Problem, look_over, read_prompts
from assistant.prompted import about_tokens, tokens_added
from assistant.prompts import Prompt, fill
from tools.engines.errors import BadInput

router = APIRouter(prefix="/prompts/api")
Name = Annotated[str, Query(max_length=100)]


class Typed(BaseModel):
    """A prompt as it stands in the form. `new` says that it shall be one more, not a change; `inputs` and `text` are tried on it."""

    prompt: dict[str, Any]
    shared: bool = False
    new: bool = False
    inputs: dict[str, str] = Field(default_factory=dict, max_length=50)
    text: str = Field("", max_length=60_000)


class Which(BaseModel):
    name: str = Field(max_length=100)
    version: int | None = Field(None, ge=1)


class Dropped(BaseModel):
    """A file of prompts: what it is called, and its text."""

    name: str = Field(max_length=200)
    text: str = Field(max_length=2_000_000)


# The list and one prompt


@router.get("/list")
async def listed(request: Request, user: CurrentUser) -> dict[str, Any]:
    """All that this person can use, in the language of the page, as the chat offers it."""
    here, say = page(), prompts_texts(language_of(request))
    library = here.assistant.prompts
    found = await library.of(user.identifier, language_code(language_of(request)))
    gains = await bought(found, library, user.identifier, here.settings.home)
    return {
        "rows": [
            {
                **_row(prompt, user.identifier, say),
                "gain": gain_told(one, prompt, here.settings, say) if (one := gains.get(prompt.name)) else None,
            }
            for prompt in found
        ]
    }


@router.get("/prompt")
async def whole(request: Request, user: CurrentUser, name: Name) -> dict[str, Any]:
    """A prompt whole, with its versions, the newest first. Raises: BadInput, HistoryError."""
    here, say = page(), prompts_texts(language_of(request))
    library = here.assistant.prompts
    prompt = await library.find(name, user.identifier)
    gains = await bought([prompt], library, user.identifier, here.settings.home)
    return {
        **_row(prompt, user.identifier, say),
        "gain": gain_told(gains[prompt.name], prompt, here.settings, say) if prompt.name in gains else None,
        "prompt": prompt.as_json(),
        "versions": [_dated(kept) for kept in await library.versions(name, user.identifier)],
    }


@router.get("/version")
async def version(
    request: Request, user: CurrentUser, name: Name, version: Annotated[int, Query(ge=1)]
) -> dict[str, Any]:
    """A version, and what the present one has otherwise. Raises: BadInput, HistoryError."""
    library = page().assistant.prompts
    now = await library.find(name, user.identifier)
    then = await library.find(name, user.identifier, version)
    return {"prompt": then.as_json(), "changes": changes(then, now, prompts_texts(language_of(request)))}


# While somebody types


@router.post("/preview")
async def preview(request: Request, _user: CurrentUser, typed: Typed) -> dict[str, Any]:
    """What the model would read, about how many tokens that adds, and all that is wrong."""
    language = language_of(request)
    prompt, problems = look_over(typed.prompt)
    known = {name: value for name, value in typed.inputs.items() if name in {one.name for one in prompt.inputs}}
    try:
        filled, trouble = fill(prompt, known, typed.text), ""
    except BadInput as error:
        filled, trouble = None, told(error.message, error.remedy, language)
    return {
        "problems": _told(problems, language),
        "trouble": trouble,
        "filled": filled
        and {
            "system": filled.system or "",
            "message": filled.message,
            "examples": [list(pair) for pair in filled.examples],
        },
        "tokens": about_tokens(prompt),
    }


@router.post("/tokens")
async def tokens(_user: CurrentUser, typed: Typed) -> dict[str, Any]:
    """What the prompt adds by the tokenizer of the model that answers here. Raises: EngineError, SettingsError."""
    prompt, problems = look_over(typed.prompt)
    if problems:
        raise problems[0].error
    text = page().assistant.engines.text()
    return {"tokens": await tokens_added(prompt, text), "model": text.card.id}


# Changes


@router.post("/save")
async def save(request: Request, user: CurrentUser, typed: Typed) -> dict[str, Any]:
    """As the next version of the person's own. Where something is wrong nothing is kept, and all of it is told."""
    language = language_of(request)
    say = prompts_texts(language)
    prompt, problems = look_over(typed.prompt)
    before = await page().assistant.prompts.get(prompt.name, user.identifier)
    own = before if before and before.owner == user.identifier else None
    if typed.new and own:
        problems.append(Problem("name", BadInput(say["name_taken"].format(name=own.name))))
    if problems:
        return {"problems": _told(problems, language)}
    try:
        saved = await page().assistant.prompts.save(prompt, user.identifier, typed.shared)
    except BadInput as error:
        return {"problems": _told([Problem("", error)], language)}
    same = own is not None and own.version == saved.version
    said = say["unchanged" if same else "saved"].format(n=saved.version, name=saved.name)
    return {"name": saved.name, "said": said, "problems": []}


@router.post("/restore")
async def restore(request: Request, user: CurrentUser, which: Which) -> dict[str, str]:
    """An earlier version becomes the newest. Raises: BadInput, HistoryError."""
    library = page().assistant.prompts
    then = await library.find(which.name, user.identifier, which.version)
    saved = await library.save(then, user.identifier)
    say = prompts_texts(language_of(request))
    return {"said": say["restored"].format(old=which.version, n=saved.version)}


@router.post("/remove")
async def remove(request: Request, user: CurrentUser, which: Which) -> dict[str, str]:
    """One's own, with all versions. Raises: BadInput, HistoryError."""
    await page().assistant.prompts.remove(which.name, user.identifier)
    return {"said": prompts_texts(language_of(request))["removed"].format(name=which.name)}


# Files


@router.post("/import")
async def take_in(request: Request, user: CurrentUser, dropped: Dropped) -> dict[str, Any]:
    """All of the file, or nothing where one of its prompts is wrong. Raises: BadInput, HistoryError."""
    say, library = prompts_texts(language_of(request)), page().assistant.prompts
    prompts = read_prompts(dropped.text, dropped.name)
    before = [await library.get(prompt.name, user.identifier) for prompt in prompts]
    saved = await library.save_all(prompts, user.identifier)
    told = [("import_same" if old == new else "import_kept", new) for old, new in zip(before, saved, strict=True)]
    return {"said": [say[word].format(name=new.name, n=new.version) for word, new in told]}


@router.get("/export")
async def export(request: Request, user: CurrentUser, name: Name = "") -> Response:
    """One prompt, or all of one's own, as `/import` and `assistant prompts add` read it. Raises: BadInput, HistoryError."""
    library = page().assistant.prompts
    if name:
        found = [await library.find(name, user.identifier)]
    else:
        found = [prompt for prompt in await library.of(user.identifier) if prompt.owner == user.identifier]
    if not found:
        raise BadInput(prompts_texts(language_of(request))["export_none"])
    text = json.dumps({"prompt": [prompt.as_json() for prompt in found]}, ensure_ascii=False, indent=1) + "\n"
    file = f"attachment; filename*=UTF-8''{quote(found[0].name if name else 'prompts')}.json"
    return Response(
        text,
        media_type="application/json",
        headers={**SANDBOX, "Content-Disposition": file, "Cache-Control": "no-store"},
    )


def _row(prompt: Prompt, user: str, say: Any) -> dict[str, Any]:
    """`own` says that this person may change it in place; what anybody else changes becomes their own copy."""
    own = prompt.owner == user
    whose = say["mine_shared" if prompt.shared else "mine"] if own else ""
    whose = whose or (say["shared_by"].format(owner=prompt.owner) if prompt.owner else say["shipped"])
    return {
        "name": prompt.name,
        "title": prompt.title,
        "description": prompt.description,
        "own": own,
        "whose": whose,
        "shared": own and prompt.shared,
        "kind": say["kind_profile" if prompt.profile else "kind_command"],
        "version": prompt.version,
        "tokens": about_tokens(prompt),
    }


def _dated(kept: Kept) -> dict[str, Any]:
    created = datetime.fromtimestamp(kept.created, UTC).isoformat() if kept.created else ""
    return {"version": kept.prompt.version, "created": created}


def _told(problems: list[Problem], language: str) -> list[dict[str, str]]:
    return [{"place": p.place, "said": told(p.error.message, p.error.remedy, language)} for p in problems]
