"""The HTML of the page of models, in the reader's language; `public/models.js` fills it and carries out what is pressed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assistant.app_config import models_texts
from assistant.app_models import may_choose
from assistant.app_routes import CurrentUser, escaped, language_of
from tools.engines.catalogue import cards
from tools.engines.filters import values_of

CHOICES = ("task", "modality", "runs", "openness", "provider", "licence", "architecture", "largest", "language")
NAMED = ("task", "modality", "runs", "openness", "architecture", "largest")
"""Conditions whose values have words of their own."""
SIZES = ("500MB", "2GB", "8GB", "3B", "10B")
COLUMNS = ("task", "runs", "parameters", "size", "licence", "fits", "marks")
router = APIRouter()


@router.get("/models")
async def models(request: Request, user: CurrentUser) -> HTMLResponse:
    say = models_texts(language_of(request))
    html = _page(say, language_of(request)[:2], may_choose(user))
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _page(say: Mapping[str, str], language: str, chooser: bool) -> str:
    words = {key: escaped(text) for key, text in say.items()}
    body = f"{_header(words)}<main>{_filters(words)}{_servers(words) if chooser else ''}{_list(words)}</main>"
    return (
        f'<!doctype html><html lang="{escaped(language)}"><head><meta charset="utf-8"><title>{words["title"]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/knowledge.css">'
        '<link rel="stylesheet" href="/public/models.css"><script src="/public/theme.js"></script>'
        '<script type="module" src="/public/models.js"></script></head>'
        f'<body data-words="{escaped(json.dumps(dict(say), ensure_ascii=False))}" data-api="/models/api/">'
        f"{body}{_card(words)}{_row(words)}</body></html>"
    )


def _header(say: Mapping[str, str]) -> str:
    return (
        f'<a class="skip" href="#models">{say["skip"]}</a><nav><a href="/">← {say["to_chat"]}</a></nav>'
        f'<header><h1>{say["title"]}</h1><p class="lead">{say["lead"]}</p></header>'
        '<p id="trouble" role="alert" hidden></p><p id="said" class="visually-hidden" role="status"></p>'
    )


def _filters(say: Mapping[str, str]) -> str:
    values: dict[str, Sequence[str]] = {**values_of(cards()), "largest": SIZES}
    selects = "".join(_select(name, values[name], say) for name in CHOICES)
    checks = "".join(
        f'<label class="check"><input type="checkbox" name="{name}" value="true"> {say[name]}</label>'
        for name in ("fits", "sees")
    )
    return (
        f'<section aria-labelledby="filters-title"><h2 id="filters-title" class="visually-hidden">{say["filters"]}</h2>'
        f'<form id="which" role="search"><p class="field wide"><label for="by-name">{say["name"]}</label>'
        f'<input id="by-name" name="name" type="search" maxlength="200" autocomplete="off" spellcheck="false"></p>{selects}{checks}'
        f'<button type="reset" class="plain">{say["clear"]}</button></form></section>'
    )


def _select(name: str, values: Sequence[str], say: Mapping[str, str]) -> str:
    options = "".join(
        f'<option value="{escaped(value)}">{say[f"{name}_{value}"] if name in NAMED else escaped(value)}</option>'
        for value in values
    )
    return (
        f'<p class="field"><label for="by-{name}">{say[name]}</label><select id="by-{name}" name="{name}">'
        f'<option value="">{say["any"]}</option>{options}</select></p>'
    )


def _servers(say: Mapping[str, str]) -> str:
    return (
        f'<section id="servers"><p class="buttons"><button type="button" class="plain" id="ask">{say["ask"]}</button>'
        f'<span class="quiet">{say["ask_hint"]}</span></p><ul id="told" class="quiet" role="status"></ul></section>'
    )


def _list(say: Mapping[str, str]) -> str:
    heads = "".join(
        f'<th scope="col" role="columnheader" class="{name}">{say[name]}</th>' for name in ("models", *COLUMNS)
    )
    return (
        f'<section id="models" aria-labelledby="models-title" tabindex="-1"><div class="head"><h2 id="models-title">{say["models"]}</h2>'
        f'<span id="count" class="quiet" role="status"></span></div><table role="table"><caption class="visually-hidden">'
        f'{say["models"]}</caption><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody id="rows" role="rowgroup"></tbody></table><p id="none" class="quiet" hidden>{say["none"]}</p></section>'
    )


def _card(say: Mapping[str, str]) -> str:
    return (
        '<dialog id="card" aria-labelledby="card-title"><div class="head"><h2 id="card-title"></h2>'
        f'<button type="button" class="plain" data-close aria-label="{say["close"]}">✕</button></div>'
        '<div id="card-text" tabindex="0"><p id="card-said" role="status" hidden></p>'
        '<p class="buttons"><button type="button" id="use" hidden></button><span id="used" class="quiet" hidden></span></p>'
        f'<p class="buttons" id="pulling" hidden><button type="button" class="plain" id="pull">{say["pull"]}</button>'
        f'<button type="button" class="plain" id="pull-stop" hidden>{say["pull_stop"]}</button>'
        f'<progress id="pull-bar" max="1" aria-label="{say["pull_bar"]}" hidden></progress>'
        '<span class="quiet" id="pull-said" role="status"></span></p>'
        f'<p class="buttons" id="trial" hidden><button type="button" class="plain" id="probe" aria-describedby="probe-hint">{say["probe"]}</button>'
        f'<span class="quiet" id="probe-hint">{say["probe_hint"]}</span></p>'
        f'<dl id="facts"></dl><h3>{say["shell"]}</h3><pre id="commands"></pre></div></dialog>'
    )


def _row(say: Mapping[str, str]) -> str:
    """What the script makes rows of. Roles are said, since a table shown as cards would lose them."""
    cells = "".join(f'<td role="cell" class="{name}" data-label="{say[name]}"></td>' for name in COLUMNS)
    return (
        '<template id="model-row"><tr role="row"><th scope="row" role="rowheader" class="title">'
        f'<button type="button" class="link"></button><span class="source"></span></th>{cells}</tr></template>'
    )
