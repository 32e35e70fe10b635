"""The reports of evaluations in the page: a list of them, and each one in the reader's language.

They were made at the command line and tell of anybody's documents and answers, so they are shown only where login is off.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from assistant.app_routes import CurrentUser, escaped, language_of
from assistant.app_state import page
from assistant.evaluation.evaluate import FOLDER
from assistant.evaluation.report import render
from assistant.evaluation.report_words import in_language
from assistant.evaluation.results import load_json
from assistant.settings import SettingsError

NAME = re.compile(r"[a-z0-9-]{1,80}")
SANDBOX = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
LEAD = {
    "en": (
        "Evaluations",
        "To the chat",
        "Which model and which way of asking it answers your own questions best. `assistant evaluate DATA` makes a report.",
        "There is no report yet.",
        "Reports are shown only where login is off: they may tell of anybody's documents.",
        "This report is gone.",
        "rows",
    ),
    "fr": (
        "Évaluations",
        "Vers la conversation",
        "Quel modèle, et quelle façon de le questionner, répond le mieux à vos propres questions. `assistant evaluate DONNÉES` fait un rapport.",
        "Il n'y a pas encore de rapport.",
        "Les rapports ne se montrent que sans connexion : ils peuvent parler des documents de chacun.",
        "Ce rapport n'existe plus.",
        "lignes",
    ),
}
router = APIRouter()


@router.get("/evaluations")
async def evaluations(request: Request, _user: CurrentUser) -> HTMLResponse:
    language = _language(request)
    reports = [] if page().settings.login else await asyncio.to_thread(_reports)
    return HTMLResponse(_list(reports, language), headers={"Cache-Control": "no-store"})


@router.get("/evaluations/{name}")
async def evaluation(request: Request, name: str, _user: CurrentUser) -> HTMLResponse:
    values = await asyncio.to_thread(_read, _file(request, name))
    if values is None:
        raise HTTPException(404, LEAD[_language(request)][5])
    return HTMLResponse(await asyncio.to_thread(render, values, _language(request)), headers=SANDBOX)


@router.get("/evaluations/{name}/json")
async def as_file(request: Request, name: str, _user: CurrentUser) -> Response:
    return FileResponse(_file(request, name), media_type="application/json", filename=f"{name}.json", headers=SANDBOX)


def _file(request: Request, name: str) -> Path:
    """Raises: HTTPException where there is no such report, or it is not to be shown."""
    file = page().settings.home / FOLDER / name / "report.json"
    if page().settings.login or not NAME.fullmatch(name) or not file.is_file():
        raise HTTPException(404, LEAD[_language(request)][5])
    return file


def _reports() -> list[tuple[str, Mapping[str, Any]]]:
    """(name, report), the newest first; what cannot be read is left out."""
    found = [
        (file.parent.name, values)
        for file in (page().settings.home / FOLDER).glob("*/report.json")
        if NAME.fullmatch(file.parent.name) and (values := _read(file)) is not None
    ]
    return sorted(found, key=lambda each: str(each[1]["created"]), reverse=True)


def _read(file: Path) -> Mapping[str, Any] | None:
    try:
        return load_json(file)
    except SettingsError:
        return None


def _list(reports: list[tuple[str, Mapping[str, Any]]], language: str) -> str:
    title, back, lead, none, hidden, _, rows = map(escaped, LEAD[language])
    empty = f'<p class="quiet">{hidden if page().settings.login else none}</p>'
    items = "".join(
        f'<li><a href="/evaluations/{escaped(name)}"><strong dir="auto">{escaped(str(r["data"]["name"]))}</strong></a> '
        f'<span class="quiet">{escaped(str(r["created"])[:16].replace("T", " "))} UTC · {int(r["data"]["scored"])} {rows} · '
        f'<a href="/evaluations/{escaped(name)}/json" download>JSON</a></span>'
        f'<p dir="auto">{escaped(in_language(language, str(r["recommendation"]["sentence"])))}</p></li>'
        for name, r in reports
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><script src="/public/theme.js"></script></head>'
        f'<body><nav><a href="/">← {back}</a></nav><header><h1>{title}</h1><p class="lead">{lead}</p></header>'
        f"<main>{f'<ul>{items}</ul>' if items else empty}</main></body></html>"
    )


def _language(request: Request) -> str:
    return "fr" if language_of(request).startswith("fr") else "en"
