"""The HTML of the page of prompts, in the reader's language; `public/prompts.js` fills it and carries out what is pressed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assistant.app_config import prompts_texts
from assistant.app_routes import CurrentUser, escaped, language_of
from assistant.prompts import INPUT_TYPES
from tools.context import TOOL_NAMES

COLUMNS = ("kind", "whose", "adds", "bought")
router = APIRouter()


@router.get("/prompts")
async def prompts(request: Request, _user: CurrentUser) -> HTMLResponse:
    say = prompts_texts(language_of(request))
    return HTMLResponse(_page(say, language_of(request)[:2]), headers={"Cache-Control": "no-store"})


def _page(say: Mapping[str, str], language: str) -> str:
    words = {key: escaped(text) for key, text in say.items()}
    return (
        f'<!doctype html><html lang="{escaped(language)}"><head><meta charset="utf-8"><title>{words["title"]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/knowledge.css">'
        '<link rel="stylesheet" href="/public/prompts.css"><script src="/public/theme.js"></script>'
        '<script type="module" src="/public/prompts.js"></script></head>'
        f'<body data-words="{escaped(json.dumps(dict(say), ensure_ascii=False))}" data-api="/prompts/api/">'
        f"{_header(words)}<main>{_library(words)}{_editor(words)}</main>{_sure(words)}{_templates(words)}</body></html>"
    )


def _header(say: Mapping[str, str]) -> str:
    return (
        f'<a class="skip" href="#library">{say["skip"]}</a><nav><a href="/">← {say["to_chat"]}</a></nav>'
        f'<header><h1>{say["title"]}</h1><p class="lead">{say["lead"]}</p></header>'
        '<p id="trouble" role="alert" hidden></p><p id="said" class="notice" role="status" hidden></p>'
    )


def _library(say: Mapping[str, str]) -> str:
    heads = "".join(
        f'<th scope="col" role="columnheader" class="{name}">{say[name]}</th>' for name in ("prompt", *COLUMNS)
    )
    return (
        f'<section id="library" aria-labelledby="library-title" tabindex="-1"><h2 id="library-title" class="visually-hidden">{say["prompts"]}</h2>'
        f'<div class="bar"><form id="which" role="search"><input id="by-name" type="search" maxlength="100" autocomplete="off" spellcheck="false" '
        f'aria-label="{say["search"]}" placeholder="{say["search"]}"></form><span id="count" class="quiet" role="status"></span>'
        f'<p class="buttons"><button type="button" id="new">+ {say["new"]}</button>'
        f'<button type="button" class="plain" id="import" title="{say["import_hint"]}">{say["import"]}</button>'
        f'<a class="button plain" id="export-all" href="/prompts/api/export" download>{say["export_all"]}</a></p>'
        f'<input type="file" id="file" accept=".toml,.json" aria-label="{say["import_hint"]}" hidden></div>'
        f'<table role="table"><caption class="visually-hidden">{say["prompts"]}</caption><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody id="rows" role="rowgroup"></tbody></table><p id="none" class="quiet" hidden>{say["none"]}</p></section>'
    )


def _editor(say: Mapping[str, str]) -> str:
    return (
        '<section id="editor" aria-labelledby="editor-title" tabindex="-1" hidden>'
        f'<p class="back"><button type="button" class="plain" id="back">← {say["all_prompts"]}</button></p>'
        '<div class="head"><h2 id="editor-title"></h2><span id="facts" class="quiet"></span></div>'
        f'<p id="gain" class="quiet"></p><p id="copy-note" class="hint" hidden>{say["copy_note"]}</p>'
        f'<p id="draft-note" class="hint" hidden>{say["draft_note"]} <button type="button" class="link" id="discard">{say["discard"]}</button></p>'
        f'<div class="pair"><form id="prompt" aria-label="{say["form"]}" autocomplete="off" novalidate>{_fields(say)}</form>{_preview(say)}</div>'
        f'<section id="versions" aria-labelledby="versions-title" hidden><h3 id="versions-title">{say["versions"]}</h3><ol id="dated"></ol></section>'
        "</section>"
    )


def _fields(say: Mapping[str, str]) -> str:
    languages = [("", "none"), ("en", "en"), ("fr", "fr")]
    return (
        f'<div class="two">{_line(say, "title", "title_field", 200)}{_line(say, "name", "name", 40, hint="name_hint")}</div>'
        f'<div class="two">{_line(say, "description", "description", 200)}'
        f"{_choice('language', say['language'], [(value, say[f'language_{key}']) for value, key in languages])}</div>"
        f"{_area(say, 'system', 3)}{_area(say, 'message', 5)}"
        f'<p id="blanks" class="buttons" role="group" aria-label="{say["blanks"]}"></p>'
        f"{_rows(say, 'inputs', 'add_input')}{_rows(say, 'examples', 'add_example')}"
        f"{_choice('tool', say['tool'], [('', say['tool_none']), *((name, say[f'tool_{name}']) for name in TOOL_NAMES)])}"
        f"{_check(say, 'profile')}{_check(say, 'shared')}"
        f'<div id="wrong" role="alert" hidden><p>{say["not_saved"]}</p><ul></ul></div>'
        f'<p class="buttons do"><button id="save">{say["save"]}</button><button type="button" class="plain" id="duplicate">{say["duplicate"]}</button>'
        f'<a class="button plain" id="export" download>{say["export"]}</a>'
        f'<button type="button" class="plain danger" id="delete">{say["delete"]}</button></p>'
    )


def _line(say: Mapping[str, str], name: str, label: str, longest: int, hint: str = "") -> str:
    told = f'<small id="hint-{name}">{say[hint]}</small>' if hint else ""
    described = f' aria-describedby="hint-{name} wrong-{name}"' if hint else f' aria-describedby="wrong-{name}"'
    return (
        f'<div class="field" data-place="{name}"><label for="f-{name}">{say[label]}</label>'
        f'<input id="f-{name}" name="{name}" maxlength="{longest}" spellcheck="false"{described}>{told}{_wrong(name)}</div>'
    )


def _area(say: Mapping[str, str], name: str, rows: int) -> str:
    return (
        f'<div class="field" data-place="{name}"><label for="f-{name}">{say[name]}</label>'
        f'<textarea id="f-{name}" name="{name}" rows="{rows}" aria-describedby="hint-{name} wrong-{name}"></textarea>'
        f'<small id="hint-{name}">{say[f"{name}_hint"]}</small>{_wrong(name)}</div>'
    )


def _choice(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    shown = "".join(f'<option value="{value}">{text}</option>' for value, text in options)
    return (
        f'<div class="field" data-place="{name}"><label for="f-{name}">{label}</label>'
        f'<select id="f-{name}" name="{name}" aria-describedby="wrong-{name}">{shown}</select>{_wrong(name)}</div>'
    )


def _check(say: Mapping[str, str], name: str) -> str:
    return (
        f'<div class="field" data-place="{name}"><label class="check"><input type="checkbox" name="{name}" aria-describedby="wrong-{name}"> '
        f"<span>{say[name]}</span></label>{_wrong(name)}</div>"
    )


def _rows(say: Mapping[str, str], name: str, add: str) -> str:
    return (
        f'<fieldset class="field" data-place="{name}"><legend>{say[name]}</legend><small>{say[f"{name}_hint"]}</small>'
        f'<div id="{name}"></div>{_wrong(name)}<button type="button" class="plain" id="{add}">+ {say[add]}</button></fieldset>'
    )


def _wrong(place: str) -> str:
    return f'<small class="wrong" id="wrong-{place}" hidden></small>'


def _preview(say: Mapping[str, str]) -> str:
    return (
        f'<aside aria-labelledby="preview-title"><h3 id="preview-title">{say["preview"]}</h3><div id="try"></div>'
        f'<div class="field"><label for="try-text">{say["try_text"]}</label><textarea id="try-text" rows="2" maxlength="60000">{say["try_sample"]}</textarea></div>'
        f'<h4>{say["reads"]}</h4><p id="preview-trouble" class="wrong" role="status" hidden></p><dl id="reads"></dl>'
        '<p id="adds" role="status"></p>'
        f'<p class="buttons"><button type="button" class="plain" id="count-exactly">{say["count_exactly"]}</button>'
        '<span id="counted" class="quiet" role="status"></span></p></aside>'
    )


def _sure(say: Mapping[str, str]) -> str:
    return (
        '<dialog id="sure" aria-labelledby="sure-title" aria-describedby="sure-text"><form method="dialog">'
        '<h2 id="sure-title"></h2><p id="sure-text"></p><p id="sure-word" hidden><label for="word"></label><input id="word"></p>'
        f'<p class="buttons"><button type="button" class="plain" data-close autofocus>{say["cancel"]}</button>'
        f'<button type="submit" class="danger" id="sure-yes">{say["delete"]}</button></p></form></dialog>'
    )


def _templates(say: Mapping[str, str]) -> str:
    """What the scripts make rows, inputs, examples and versions of."""
    cells = "".join(f'<td role="cell" class="{name}" data-label="{say[name]}"></td>' for name in COLUMNS)
    types = "".join(f'<option value="{kind}">{say[f"type_{kind}"]}</option>' for kind in INPUT_TYPES)
    return (
        '<template id="prompt-row"><tr role="row"><th scope="row" role="rowheader" class="title"><button type="button" class="link"></button> '
        f'<code></code><span class="source"></span></th>{cells}</tr></template>'
        '<template id="input-form"><div class="part input" role="group"><button type="button" class="plain remove">✕</button>'
        f'<label><span>{say["input_name"]}</span><input class="name" maxlength="40" spellcheck="false" autocapitalize="off"></label>'
        f'<label><span>{say["input_type"]}</span><select class="type">{types}</select></label>'
        f'<label><span>{say["input_label"]}</span><input class="label" maxlength="200"></label>'
        f'<label class="wide" hidden><span>{say["choices"]}</span><textarea class="choices" rows="3"></textarea></label>'
        f'<label><span>{say["default"]}</span><span class="default"></span></label><small class="wrong wide" hidden></small></div></template>'
        '<template id="example-form"><div class="part example" role="group"><button type="button" class="plain remove">✕</button>'
        f'<label><span>{say["question"]}</span><textarea class="question" rows="2"></textarea></label>'
        f'<label><span>{say["answer"]}</span><textarea class="answer" rows="2"></textarea></label><small class="wrong wide" hidden></small></div></template>'
        '<template id="version-row"><li><div class="head"><b></b><span class="quiet"></span><p class="buttons">'
        f'<button type="button" class="plain compare" aria-expanded="false">{say["compare_version"]}</button>'
        f'<button type="button" class="plain restore">{say["restore"]}</button></p></div><pre hidden tabindex="0"></pre></li></template>'
    )
