"""The HTML of the page that compares, in the reader's language; `public/compare.js` fills it and carries out what is pressed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assistant.app_config import compare_texts
from assistant.app_routes import CurrentUser, escaped, language_of
from assistant.app_state import page
from assistant.votes import TASKS

COLUMNS = ("rank", "name", "rating", "interval", "won", "lost", "tied", "failures")
router = APIRouter()


@router.get("/compare")
async def compare(request: Request, _user: CurrentUser) -> HTMLResponse:
    language = language_of(request)
    html = _page(compare_texts(language), language[:2], page().settings.max_upload_mb)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _page(say: Mapping[str, str], language: str, largest_mb: int) -> str:
    words = {key: escaped(text) for key, text in say.items()}
    body = f"{_header(words)}<main>{_form(words, largest_mb)}{_answers(words)}{_board(words)}</main>"
    return (
        f'<!doctype html><html lang="{escaped(language)}"><head><meta charset="utf-8"><title>{words["title"]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/knowledge.css">'
        '<link rel="stylesheet" href="/public/compare.css">'
        '<script src="/public/theme.js"></script><script type="module" src="/public/compare.js"></script></head>'
        f'<body data-api="/compare/api/" data-words="{escaped(json.dumps(dict(say), ensure_ascii=False))}">'
        f"{body}{_templates(words)}</body></html>"
    )


def _header(say: Mapping[str, str]) -> str:
    return (
        f'<a class="skip" href="#answers">{say["skip"]}</a><nav><a href="/">← {say["to_chat"]}</a></nav>'
        f'<header><h1>{say["title"]}</h1><p class="lead">{say["lead"]}</p></header>'
        '<p id="trouble" role="alert" hidden></p><p id="said" class="visually-hidden" role="status"></p>'
    )


def _form(say: Mapping[str, str], largest_mb: int) -> str:
    tasks = "".join(
        f'<label><input type="radio" name="task" value="{task}"{" checked" if task == "text" else ""}><span>{say[f"task_{task}"]}</span></label>'
        for task in TASKS
    )
    return (
        f'<form id="wish"><fieldset class="tasks"><legend class="visually-hidden">{say["task"]}</legend>{tasks}</fieldset>'
        f'<section aria-labelledby="candidates-title"><h2 id="candidates-title" class="visually-hidden">{say["candidates"]}</h2>'
        f'<div id="candidates"></div><button type="button" class="plain" id="add">+ {say["add"]}</button></section>'
        f'<section class="asked">{_asked(say, largest_mb)}'
        f'<div class="buttons"><label class="check"><input type="checkbox" id="blind"><span>{say["blind"]}</span></label>'
        f'<label class="short"><span>{say["time_limit"]}</span><input id="limit" type="number" min="1" max="3600" step="1" inputmode="numeric"></label>'
        f'<button id="ask">{say["ask"]}</button><button type="button" class="danger" id="stop" hidden>{say["stop"]}</button></div>'
        '<p id="cost" class="quiet" role="status"></p></section></form>'
    )


def _asked(say: Mapping[str, str], largest_mb: int) -> str:
    return (
        f'<div data-for="text image"><label for="question" data-for="text">{say["question"]}</label>'
        f'<label for="question" data-for="image" hidden>{say["prompt"]}</label>'
        f'<textarea id="question" rows="3" maxlength="60000" placeholder="{say["question_hint"]}"></textarea></div>'
        f'<div data-for="image" hidden><label class="short"><span>{say["seed"]}</span><input id="seed" type="number" min="0" max="2147483646" '
        f'placeholder="{say["seed_hint"]}"></label></div>'
        f'<div data-for="speech" hidden><div id="drop"><p><strong>{say["recording"]}</strong><br>'
        f'<span class="quiet">{say["recording_hint"].format(mb=largest_mb)}</span></p>'
        f'<p class="buttons"><button type="button" class="plain" id="choose">{say["choose"]}</button><span id="file-name" class="quiet" role="status"></span></p>'
        '<input type="file" id="file" accept="audio/*,video/*" hidden></div>'
        f'<label for="reference">{say["reference"]}</label><textarea id="reference" rows="2" maxlength="200000"></textarea>'
        f'<label class="short"><span>{say["language"]}</span><input id="language" maxlength="20" placeholder="{say["language_hint"]}"></label></div>'
    )


def _answers(say: Mapping[str, str]) -> str:
    return (
        f'<section id="answers" aria-labelledby="answers-title" tabindex="-1"><h2 id="answers-title" hidden>{say["answers"]}</h2>'
        '<p id="in-turn" class="quiet" hidden></p><div id="results"></div>'
        f'<p id="grid" class="quiet" hidden><a download>{say["grid"]}</a></p>'
        f'<div id="vote" role="group" aria-labelledby="vote-title" hidden><h3 id="vote-title">{say["vote"]}</h3><div id="choices" class="buttons"></div>'
        f'<p id="vote-said" class="quiet" role="status">{say["vote_hint"]}</p></div></section>'
    )


def _board(say: Mapping[str, str]) -> str:
    heads = "".join(f'<th scope="col" role="columnheader" class="{name}">{say[name]}</th>' for name in COLUMNS)
    return (
        f'<section id="board" aria-labelledby="board-title"><div class="head"><h2 id="board-title">{say["board"]}</h2>'
        f'<span id="votes" class="quiet"></span></div><p class="quiet">{say["board_lead"]}</p>'
        f'<table role="table" hidden><caption class="visually-hidden">{say["board"]}</caption><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody id="standings" role="rowgroup"></tbody></table><p id="board-none" class="quiet">{say["board_none"]}</p>'
        f'<p class="links">{say["export"]}: <a href="/compare/api/export?format=jsonl" download>JSON Lines</a> '
        '<a href="/compare/api/export?format=csv" download>CSV</a></p></section>'
    )


def _templates(say: Mapping[str, str]) -> str:
    """What the script makes candidates, answers and rows of."""
    cells = "".join(
        f'<td role="cell" class="{name}" data-label="{say[name]}"></td>' for name in COLUMNS if name != "name"
    )
    first, rest = cells.split("</td>", 1)
    return (
        '<template id="candidate-form"><fieldset class="candidate"><legend></legend><button type="button" class="plain remove">✕</button>'
        f'<label><span>{say["model"]}</span><select class="model"></select></label>'
        f'<label class="other" hidden><span>{say["other_id"]}</span><input class="model-id" maxlength="300" spellcheck="false" autocapitalize="off"></label>'
        f'<p class="where quiet"></p><details class="levers" data-for="text"><summary>{say["levers"]}</summary>'
        f'<label><span>{say["library"]}</span><select class="prompt"><option value="">{say["no_prompt"]}</option></select></label>'
        f'<div class="prompt-inputs" role="group" aria-label="{say["library"]}" hidden></div><p class="prompt-instead quiet" hidden>{say["prompt_instead"]}</p>'
        f'<label class="without-prompt"><span>{say["system"]}</span><textarea class="system" rows="2" maxlength="20000" placeholder="{say["system_hint"]}"></textarea></label>'
        f'<div class="two"><label><span>{say["temperature"]}</span><input class="temperature" type="number" min="0" max="2" step="0.1" placeholder="{say["as_set"]}"></label>'
        f'<label><span>{say["max_tokens"]}</span><input class="max-tokens" type="number" min="1" max="1000000" placeholder="{say["as_set"]}"></label></div>'
        f'<label class="check"><input type="checkbox" class="retrieval"><span>{say["retrieval"]}</span></label>'
        f'<div class="examples without-prompt" role="group" aria-label="{say["examples"]}"></div><button type="button" class="plain add-example without-prompt">+ {say["add_example"]}</button>'
        f'<p class="quiet without-prompt">{say["examples_hint"]}</p></details></fieldset></template>'
        f'<template id="example-form"><div class="example"><label><span>{say["example_q"]}</span><textarea class="example-question" rows="1"></textarea></label>'
        f'<label><span>{say["example_a"]}</span><textarea class="example-answer" rows="1"></textarea></label>'
        f'<button type="button" class="plain" aria-label="{say["remove_example"]}">✕</button></div></template>'
        '<template id="result-card"><article class="result" tabindex="-1"><header><b class="letter" aria-hidden="true"></b><h3></h3><span class="state"></span></header>'
        '<progress max="1" hidden></progress><img hidden><div class="text" tabindex="0"></div><p class="why" hidden></p><div class="diff" hidden><h4></h4><p></p></div>'
        '<dl class="figures"></dl></article></template>'
        f'<template id="standing-row"><tr role="row">{first}</td><th scope="row" role="rowheader" class="name"></th>{rest}</tr></template>'
    )
