"""The reports of evaluations in the page: each one in its reader's language, and what changed from one to another.

Those that were made in the page belong to their owner. Those of the command line tell of anybody's documents and answers, so they are
shown only where login is off.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from assistant.app_config import evaluations_texts
from assistant.app_evaluation_changes import changes_page
from assistant.app_routes import CurrentUser, language_of
from assistant.app_state import page
from assistant.evaluation.compare_reports import compare_reports
from assistant.evaluation.evaluate import FOLDER
from assistant.evaluation.own import reports_folder
from assistant.evaluation.report import render
from assistant.evaluation.report_words import in_language
from assistant.evaluation.results import load_json
from assistant.settings import SettingsError

NAME = re.compile(r"[a-z0-9-]{1,80}")
SANDBOX = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
Report = Mapping[str, Any]
router = APIRouter()


@router.get("/evaluations/api/reports")
async def reports(request: Request, user: CurrentUser) -> dict[str, Any]:
    """The newest first. `own`: made in the page, by this person."""
    language = _language(request)
    found = await asyncio.to_thread(_reports, user.identifier)
    return {"reports": [_row(name, report, own, language) for name, report, own in found]}


@router.post("/evaluations/api/reports/{name}/delete")
async def delete(request: Request, name: str, user: CurrentUser) -> dict[str, bool]:
    """Of one's own alone. Raises: HTTPException."""
    folder = reports_folder(page().settings.home, user.identifier) / name
    if not NAME.fullmatch(name) or not folder.is_dir():
        raise HTTPException(404, evaluations_texts(language_of(request))["report_gone"])
    await asyncio.to_thread(shutil.rmtree, folder)
    return {"deleted": True}


Named = Annotated[str, Query(max_length=80)]


@router.get("/evaluations/compare")
async def compare(request: Request, user: CurrentUser, one: Named, other: Named) -> HTMLResponse:
    """From the earlier of the two to the later. Raises: SettingsError where they share no row, HTTPException."""
    found = [await asyncio.to_thread(load_json, _file(request, name, user.identifier)) for name in (other, one)]
    before, after = sorted(found, key=lambda report: str(report["created"]))
    changes = await asyncio.to_thread(compare_reports, before, after)
    say = evaluations_texts(language_of(request))
    return HTMLResponse(changes_page(before, after, changes, say, _language(request)), headers=NO_STORE)


@router.get("/evaluations/{name}")
async def evaluation(request: Request, name: str, user: CurrentUser) -> HTMLResponse:
    values = await asyncio.to_thread(_read, _file(request, name, user.identifier))
    if values is None:
        raise HTTPException(404, evaluations_texts(language_of(request))["report_gone"])
    return HTMLResponse(await asyncio.to_thread(render, values, _language(request)), headers=SANDBOX)


@router.get("/evaluations/{name}/json")
async def as_file(request: Request, name: str, user: CurrentUser) -> Response:
    file = _file(request, name, user.identifier)
    return FileResponse(file, media_type="application/json", filename=f"{name}.json", headers=SANDBOX)


@router.get("/evaluations/{name}/html")
async def as_page(request: Request, name: str, user: CurrentUser) -> Response:
    """The file that needs nothing else, to be kept or sent."""
    values = await asyncio.to_thread(_read, _file(request, name, user.identifier))
    if values is None:
        raise HTTPException(404, evaluations_texts(language_of(request))["report_gone"])
    text = await asyncio.to_thread(render, values, _language(request))
    attached = {"Content-Disposition": f'attachment; filename="{name}.html"'}
    return HTMLResponse(text, headers=SANDBOX | attached)


NO_STORE = {"Cache-Control": "no-store"}


def _folders(owner: str) -> list[tuple[Path, bool]]:
    """Where reports that a person may see lie, and whether they are their own."""
    here = page().settings
    own = [(reports_folder(here.home, owner), True)]
    return own if here.login else [*own, (here.home / FOLDER, False)]


def _file(request: Request, name: str, owner: str) -> Path:
    """Raises: HTTPException where there is no such report, or it is not to be shown."""
    files = [folder / name / "report.json" for folder, _ in _folders(owner)] if NAME.fullmatch(name) else []
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise HTTPException(404, evaluations_texts(language_of(request))["report_gone"])
    return found


def _reports(owner: str) -> list[tuple[str, Report, bool]]:
    """(name, report, whether it is theirs); what cannot be read is left out."""
    found = [
        (file.parent.name, values, own)
        for folder, own in _folders(owner)
        for file in folder.glob("*/report.json")
        if NAME.fullmatch(file.parent.name) and (values := _read(file)) is not None
    ]
    return sorted(found, key=lambda each: str(each[1]["created"]), reverse=True)


def _row(name: str, report: Report, own: bool, language: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": str(report["data"]["name"]),
        "created": str(report["created"]),
        "rows": int(report["data"]["scored"]),
        "setups": [str(setup["name"]) for setup in report["setups"]],
        "sentence": in_language(language, str(report["recommendation"]["sentence"])),
        "own": own,
    }


def _read(file: Path) -> Report | None:
    """None for what is no report, or was edited into none."""
    try:
        report = load_json(file)
        return report if report["created"] and report["data"]["scored"] and report["recommendation"] else None
    except (SettingsError, LookupError, TypeError):
        return None


def _language(request: Request) -> str:
    return "fr" if language_of(request).startswith("fr") else "en"
