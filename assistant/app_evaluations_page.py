"""The HTML of the page that evaluates and of the review of a data set, in the reader's language; `public/evaluations*.js` fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assistant.app_config import evaluations_texts
from assistant.app_evaluation_wishes import MOST
from assistant.app_routes import CurrentUser, escaped, language_of
from assistant.app_state import page
from assistant.evaluation.levers import LEVERS

NO_STORE = {"Cache-Control": "no-store"}
SHOWS = ("all", "open", "faulty", "accepted", "dropped")
Say = Mapping[str, str]
router = APIRouter()


@router.get("/evaluations")
async def evaluations(request: Request, _user: CurrentUser) -> HTMLResponse:
    say = evaluations_texts(language_of(request))
    words = {key: escaped(text) for key, text in say.items()}
    hidden = f'<p class="quiet">{words["shell_hidden"]}</p>' if page().settings.login else ""
    body = (
        f"{_header(words, '/', words['to_chat'], words['title'], words['lead'], 'sets')}<main>"
        f"{_sets(words, page().settings.max_upload_mb)}{_wish(words)}{_runs(words)}{_reports(words, hidden)}</main>"
        f"{_sure(words)}{_templates(words)}"
    )
    return HTMLResponse(_whole(request, say, "title", "evaluations", body), headers=NO_STORE)


@router.get("/evaluations/sets/{set_id}")
async def review(request: Request, set_id: str, _user: CurrentUser) -> HTMLResponse:
    """The rows of a data set one by one; the script asks for them, and whether there is such a set."""
    say = evaluations_texts(language_of(request))
    words = {key: escaped(text) for key, text in say.items()}
    shows = "".join(
        f'<label><input type="radio" name="show" value="{show}"{" checked" if show == "all" else ""}>'
        f'<span>{words[f"show_{show}"]} <b data-count="{show}"></b></span></label>'
        for show in SHOWS
    )
    body = (
        f"{_header(words, '/evaluations', words['title'], words['review'], words['review_lead'], 'rows')}<main>"
        f'<div class="head sticky"><fieldset class="tasks"><legend class="visually-hidden">{words["show"]}</legend>{shows}</fieldset>'
        f'<span id="count" class="quiet" role="status"></span><a class="button plain" id="download" download>{words["download"]}</a></div>'
        f'<div id="recordings" hidden><p>{words["recordings"]}</p><button type="button" class="plain" id="choose-sound">{words["choose_sound"]}</button>'
        '<input type="file" id="sound" accept="audio/*,video/*" multiple hidden></div>'
        f'<ol id="rows" tabindex="-1" aria-label="{words["rows"]}"></ol><p id="none" class="quiet" hidden>{words["rows_none"]}</p>'
        f'<div id="pager" class="buttons" hidden><button type="button" class="plain" id="before">← {words["earlier_rows"]}</button>'
        f'<span id="where" class="quiet"></span><button type="button" class="plain" id="next">{words["later_rows"]} →</button></div></main>'
        f"{_row_template(words)}"
    )
    html = _whole(request, say, "review", "evaluations_review", body, f' data-set="{escaped(set_id)}"')
    return HTMLResponse(html, headers=NO_STORE)


def _whole(request: Request, say: Say, title: str, script: str, body: str, more: str = "") -> str:
    return (
        f'<!doctype html><html lang="{escaped(language_of(request)[:2])}"><head><meta charset="utf-8"><title>{escaped(say[title])}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/knowledge.css">'
        '<link rel="stylesheet" href="/public/evaluations.css"><script src="/public/theme.js"></script>'
        f'<script type="module" src="/public/{script}.js"></script></head>'
        f'<body data-api="/evaluations/api/" data-words="{escaped(json.dumps(dict(say), ensure_ascii=False))}"{more}>{body}</body></html>'
    )


def _header(say: Say, back: str, to: str, title: str, lead: str, skip: str) -> str:
    return (
        f'<a class="skip" href="#{skip}">{say["skip"]}</a><nav><a href="{back}">← {to}</a></nav>'
        f'<header><h1 id="title">{title}</h1><p class="lead">{lead}</p></header>'
        '<p id="trouble" role="alert" hidden></p><p id="said" class="visually-hidden" role="status"></p>'
    )


def _sets(say: Say, largest_mb: int) -> str:
    return (
        f'<section id="sets" aria-labelledby="sets-title" tabindex="-1"><h2 id="sets-title">{say["sets"]}</h2>'
        f'<ul id="set-list" class="cards"></ul><p id="no-sets" class="quiet" hidden>{say["sets_none"]}</p>'
        f'<div class="ways"><div class="way"><h3>{say["of_chat"]}</h3><p class="quiet">{say["of_chat_hint"]}</p>'
        f'<button type="button" class="plain" id="from-chat">{say["of_chat_do"]}</button></div>'
        f'<div class="way"><h3>{say["of_documents"]}</h3><p class="quiet">{say["of_documents_hint"]}</p>'
        f'<p class="fields" id="document-fields"><label><span>{say["documents"]}</span><select id="made-of"></select></label>'
        f'<label><span>{say["how_many"]}</span><input id="made-count" type="number" min="1" max="200" value="20" inputmode="numeric"></label></p>'
        f'<button type="button" class="plain" id="from-documents">{say["of_documents_do"]}</button></div>'
        f'<div class="way" id="drop"><h3>{say["of_file"]}</h3><p class="quiet">{say["of_file_hint"].format(mb=largest_mb)}</p>'
        f'<button type="button" class="plain" id="choose">{say["choose"]}</button>'
        '<input type="file" id="file" accept=".jsonl,.csv,.ndjson,application/x-ndjson,text/csv" hidden></div></div>'
        f'<div id="problems" class="hint" role="alert" hidden><p></p><ul></ul><a href="">{say["correct_them"]}</a></div></section>'
    )


def _wish(say: Say) -> str:
    levers = "".join(
        f'<label class="check" title="{say[f"hint_{lever}"]}"><input type="checkbox" name="lever" value="{lever}"{" checked" if lever == "zero-shot" else ""}>'
        f"<span>{say[f'lever_{lever}']}<small>{say[f'hint_{lever}']}</small></span></label>"
        for lever in LEVERS
    )
    return (
        f'<section aria-labelledby="wish-title" id="new"><h2 id="wish-title">{say["new"]}</h2><form id="wish">'
        f'<label class="field"><span>{say["set"]}</span><select id="set" required></select></label>'
        f'<fieldset><legend>{say["candidates"]}</legend><div id="candidates" data-most="{MOST}"></div>'
        f'<button type="button" class="plain" id="add">+ {say["add"]}</button></fieldset>'
        f'<fieldset class="levers"><legend>{say["levers"]}</legend>{levers}</fieldset>'
        f'<div class="fields"><label id="collection-field" hidden><span>{say["documents"]}</span><select id="collection"></select></label>'
        f'<label><span>{say["only_rows"]}</span><input id="only" type="number" min="2" max="100000" inputmode="numeric" placeholder="{say["all_rows"]}"></label>'
        f'<label><span>{say["cap"]}</span><input id="cap" type="number" min="0" step="0.01" inputmode="decimal" placeholder="{say["no_cap"]}"></label></div>'
        f'<div class="go"><div role="status"><ul id="estimate" class="quiet"></ul></div><button id="start" disabled>{say["start"]}</button></div></form></section>'
    )


def _runs(say: Say) -> str:
    return (
        f'<section id="under-way" aria-labelledby="runs-title" tabindex="-1" hidden><h2 id="runs-title">{say["runs"]}</h2>'
        '<ul id="runs" class="cards"></ul></section>'
    )


def _reports(say: Say, hidden: str) -> str:
    return (
        f'<section id="made" aria-labelledby="reports-title" tabindex="-1"><div class="head"><h2 id="reports-title">{say["reports"]}</h2>'
        f'<button type="button" class="plain" id="compare" disabled>{say["compare"]}</button><span id="compare-hint" class="quiet">{say["compare_hint"]}</span></div>'
        f'{hidden}<ul id="reports" class="cards"></ul><p id="no-reports" class="quiet" hidden>{say["reports_none"]}</p>'
        f'<p class="quiet">{say["shell"]} <code>assistant evaluate DATA -c MODEL</code></p></section>'
    )


def _sure(say: Say) -> str:
    return (
        '<dialog id="sure" aria-labelledby="sure-title" aria-describedby="sure-text"><form method="dialog">'
        '<h2 id="sure-title"></h2><p id="sure-text"></p><p id="sure-word" hidden><label for="word"></label><input id="word"></p>'
        f'<p class="buttons"><button type="button" class="plain" data-close autofocus>{say["keep_it"]}</button>'
        f'<button type="submit" class="danger" id="sure-yes">{say["delete"]}</button></p></form></dialog>'
    )


def _templates(say: Say) -> str:
    return (
        '<template id="set-row"><li><div class="what"><a class="name" dir="auto"></a><span class="quiet facts"></span></div><div class="buttons">'
        f'<a class="button plain" data-act="review">{say["review_do"]}</a><a class="button plain" data-act="download" download>{say["download"]}</a>'
        f'<button type="button" class="plain danger" data-act="delete">{say["delete"]}</button></div></li></template>'
        '<template id="candidate-form"><fieldset class="candidate"><legend></legend><button type="button" class="plain remove">✕</button>'
        f'<label><span>{say["model"]}</span><select class="model"></select></label>'
        f'<label class="other" hidden><span>{say["other_id"]}</span><input class="model-id" maxlength="300" spellcheck="false" autocapitalize="off"></label>'
        f'<p class="where quiet"></p><details><summary>{say["more"]}</summary>'
        f'<label><span>{say["system"]}</span><textarea class="system" rows="2" maxlength="20000" placeholder="{say["system_hint"]}"></textarea></label>'
        f'<label><span>{say["temperature"]}</span><input class="temperature" type="number" min="0" max="2" step="0.1" placeholder="{say["as_set"]}"></label>'
        f'<label><span>{say["max_tokens"]}</span><input class="max-tokens" type="number" min="1" max="1000000" placeholder="{say["as_set"]}"></label>'
        "</details></fieldset></template>"
        '<template id="run-row"><li class="run"><div class="what"><span class="name" dir="auto"></span><span class="quiet facts" dir="auto"></span></div>'
        '<progress max="1"></progress><p class="state quiet"></p><p class="why" hidden></p><div class="buttons">'
        f'<a class="button" data-act="open" hidden></a><button type="button" data-act="continue" hidden>{say["continue"]}</button>'
        f'<button type="button" class="plain" data-act="cancel" hidden>{say["cancel"]}</button>'
        f'<button type="button" class="plain" data-act="remove" hidden>{say["remove_run"]}</button></div></li></template>'
        '<template id="report-row"><li class="report"><label class="pick"><input type="checkbox" name="report"></label><div class="what">'
        '<a class="name" dir="auto"></a><span class="quiet facts" dir="auto"></span><p class="sentence" dir="auto"></p></div><div class="buttons">'
        f'<a class="button plain" data-act="html" download>HTML</a><a class="button plain" data-act="json" download>JSON</a>'
        f'<button type="button" class="plain danger" data-act="delete">{say["delete"]}</button></div></li></template>'
    )


def _row_template(say: Say) -> str:
    return (
        '<template id="entry"><li class="entry" tabindex="-1"><div class="head"><b class="number"></b><span class="state"></span>'
        '<span class="from quiet" dir="auto"></span></div><div role="status"><ul class="wrong" hidden></ul></div>'
        f'<label class="raw" hidden><span>{say["raw"]}</span><pre dir="auto" tabindex="0"></pre></label>'
        f'<label><span>{say["question"]}</span><textarea class="question" rows="2" maxlength="200000" dir="auto"></textarea></label>'
        f'<label><span>{say["reference"]}</span><textarea class="reference" rows="2" maxlength="200000" dir="auto"></textarea></label>'
        f'<div class="fields"><label><span>{say["tags"]}</span><input class="tags" maxlength="2000" placeholder="{say["tags_hint"]}" dir="auto"></label>'
        f'<label class="id" hidden><span>{say["id"]}</span><input class="own-id" maxlength="200"></label></div>'
        f'<details class="answered" hidden><summary></summary><p dir="auto"></p></details>'
        f'<details class="context" hidden><summary></summary><div></div></details>'
        f'<div class="buttons"><button type="button" data-act="accepted">{say["accept"]}</button>'
        f'<button type="button" class="plain" data-act="dropped">{say["drop"]}</button>'
        f'<button type="button" class="plain" data-act="open" hidden>{say["reopen"]}</button><span class="kept quiet" role="status"></span></div></li></template>'
    )
