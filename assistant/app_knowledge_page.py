"""The knowledge page's HTML, in the reader's language; `public/knowledge.js` fills it and carries out what is pressed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from assistant.app_config import knowledge_texts
from assistant.app_routes import CurrentUser, escaped, language_of
from assistant.app_state import page

COLUMNS = ("title", "collection", "state", "pages", "chunks", "size", "added")
HEADINGS = ("name", "whose", "state", "pages", "chunks", "size", "last")
router = APIRouter()


@router.get("/knowledge")
async def knowledge(request: Request, _user: CurrentUser) -> HTMLResponse:
    say = knowledge_texts(language_of(request))
    html = _page(say, language_of(request)[:2], page().settings.max_upload_mb, not page().settings.login)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _page(say: Mapping[str, str], language: str, largest_mb: int, databases: bool) -> str:
    words = {key: escaped(text) for key, text in say.items()}
    body = f"{_header(words)}<main>{_search(words)}{_add(words, largest_mb, databases)}{_documents(words)}{_yours(words)}</main>"
    return (
        f'<!doctype html><html lang="{escaped(language)}"><head><meta charset="utf-8"><title>{words["title"]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/knowledge.css">'
        '<script src="/public/theme.js"></script><script type="module" src="/public/knowledge.js"></script></head>'
        f'<body data-words="{escaped(json.dumps(dict(say), ensure_ascii=False))}" data-largest-mb="{largest_mb}">'
        f"{body}{_dialogs(words)}{_rows(words)}</body></html>"
    )


def _header(say: Mapping[str, str]) -> str:
    return (
        f'<a class="skip" href="#documents">{say["skip"]}</a><nav><a href="/">← {say["to_chat"]}</a></nav>'
        f'<header><h1>{say["title"]}</h1><p class="lead">{say["lead"]}</p></header>'
        '<p id="trouble" role="alert" hidden></p><p id="notices" class="quiet" role="status" hidden></p><p id="said" class="visually-hidden" role="status"></p>'
    )


def _search(say: Mapping[str, str]) -> str:
    return (
        f'<section aria-labelledby="search-title"><h2 id="search-title" class="visually-hidden">{say["search"]}</h2>'
        f'<form id="search" role="search"><input id="query" name="q" type="search" maxlength="1000" autocomplete="off" '
        f'aria-label="{say["search"]}" placeholder="{say["search_hint"]}"><button>{say["find"]}</button></form>'
        '<p id="found" class="quiet" role="status"></p><ol id="passages"></ol></section>'
    )


def _add(say: Mapping[str, str], largest_mb: int, databases: bool) -> str:
    return (
        f'<section id="add" aria-labelledby="add-title"><h2 id="add-title">{say["add"]}</h2><div id="drop">'
        f"{_icon('M12 15V4m0 0L7.500 8.500M12 4l4.500 4.500M4.500 15v3.200A1.800 1.800 0 0 0 6.300 20h11.400a1.800 1.800 0 0 0 1.800-1.800V15')}"
        f'<p><strong>{say["drop"]}</strong><br><span class="quiet">{say["drop_hint"].format(mb=largest_mb)}</span></p>'
        f'<p class="buttons"><button type="button" id="choose-files">{say["choose_files"]}</button>'
        f'<button type="button" id="choose-folder" class="plain">{say["choose_folder"]}</button>'
        f'<label for="whom">{say["for_whom"]}</label><select id="whom"><option value="own">{say["only_me"]}</option>'
        f'<option value="shared">{say["everyone"]}</option></select></p>'
        '<input type="file" id="files" multiple hidden><input type="file" id="folder" webkitdirectory hidden></div>'
        f"{_elsewhere(say, databases)}"
        f'<div id="queue" hidden><div class="head"><h3>{say["queue"]}</h3><span id="queue-said" class="quiet"></span>'
        f'<span class="buttons"><button type="button" class="plain" id="pause-all">{say["pause_all"]}</button>'
        f'<button type="button" class="plain" id="cancel-all">{say["cancel_all"]}</button>'
        f'<button type="button" class="plain" id="clear-failed" hidden>{say["clear_failed"]}</button></span></div>'
        f'<progress id="queue-progress" max="1" value="0" aria-label="{say["queue"]}"></progress>'
        '<ul id="jobs"></ul><p id="queue-more" class="quiet" hidden></p></div></section>'
    )


def _elsewhere(say: Mapping[str, str], databases: bool) -> str:
    """Databases only where login is off: an address may name any file of this machine."""
    table = (
        f'<form id="database"><h3>{say["database"]}</h3><label for="database-address">{say["database_address"]}</label>'
        f'<input id="database-address" required maxlength="2000" autocomplete="off" placeholder="sqlite:////path/to/shop.db">'
        f'<label for="table">{say["table"]}</label><input id="table" required maxlength="200" autocomplete="off">'
        f'<label for="sql">{say["sql"]}</label><textarea id="sql" rows="2" maxlength="10000" spellcheck="false" '
        f'placeholder="{say["sql_hint"]}"></textarea><button>{say["read_in"]}</button></form>'
    )
    return (
        f'<details id="elsewhere"><summary>{say["elsewhere"]}</summary><div class="pair">'
        f'<form id="web"><h3>{say["web"]}</h3><label for="address">{say["web_address"]}</label>'
        f'<input id="address" required maxlength="2000" inputmode="url" autocomplete="off" placeholder="https://">'
        f'<label class="check"><input type="checkbox" id="site"> {say["site"]}</label><button>{say["read_in"]}</button></form>'
        f"{table if databases else ''}</div></details>"
    )


def _documents(say: Mapping[str, str]) -> str:
    heads = "".join(
        f'<th scope="col" role="columnheader" data-sort="{column}" class="{column}"><button type="button">{say[name]}</button></th>'
        for column, name in zip(COLUMNS, HEADINGS, strict=True)
    )
    return (
        f'<section id="documents" aria-labelledby="documents-title" tabindex="-1"><div class="head"><h2 id="documents-title">'
        f'{say["documents"]}</h2><span id="count" class="quiet"></span></div><form id="filters" class="filters">'
        f'<input id="filter" type="search" maxlength="200" aria-label="{say["filter"]}" placeholder="{say["filter"]}">'
        f'<select id="collection" aria-label="{say["show"]}"><option value="">{say["all"]}</option>'
        f'<option value="own">{say["mine"]}</option><option value="shared">{say["shared_ones"]}</option></select></form>'
        f'<p id="hint" class="hint" role="note" hidden></p>'
        f'<table role="table"><caption class="visually-hidden">{say["documents"]}</caption><thead role="rowgroup"><tr role="row">{heads}'
        f'<th scope="col" role="columnheader"><span class="visually-hidden">{say["actions"]}</span></th></tr></thead><tbody id="sources" role="rowgroup"></tbody></table>'
        f'<p id="none" class="quiet" hidden></p><div id="pager" class="buttons" hidden>'
        f'<button type="button" class="plain" id="before">← {say["before"]}</button><span id="rows" class="quiet"></span>'
        f'<button type="button" class="plain" id="next">{say["next"]} →</button></div></section>'
    )


def _yours(say: Mapping[str, str]) -> str:
    return (
        f'<section id="yours" aria-labelledby="yours-title"><h2 id="yours-title">{say["yours"]}</h2><div class="pair">'
        f'<div><p>{say["export_text"]}</p><a class="button plain" href="/knowledge/api/export" download>{say["export"]}</a></div>'
        f'<div><p id="forget-text"></p><button type="button" class="plain danger" id="forget">{say["forget"]}</button></div>'
        "</div></section>"
    )


def _dialogs(say: Mapping[str, str]) -> str:
    return (
        '<dialog id="reader" aria-labelledby="reader-title"><div class="head"><h2 id="reader-title"></h2>'
        f'<a id="reader-file" class="button plain" download hidden>{say["download"]}</a>'
        f'<button type="button" class="plain" data-close aria-label="{say["close"]}">✕</button></div>'
        f'<div id="reader-text" tabindex="0"><button type="button" class="plain" id="earlier" hidden>{say["earlier"]}</button>'
        f'<div id="blocks"></div><button type="button" class="plain" id="later" hidden>{say["later"]}</button></div></dialog>'
        '<dialog id="sure" aria-labelledby="sure-title" aria-describedby="sure-text"><form method="dialog">'
        '<h2 id="sure-title"></h2><p id="sure-text"></p><p id="sure-word" hidden><label for="word"></label>'
        '<input id="word" autocomplete="off" autocapitalize="characters" spellcheck="false"></p>'
        f'<p class="buttons"><button type="button" class="plain" data-close autofocus>{say["keep_it"]}</button>'
        f'<button type="submit" class="danger" id="sure-yes">{say["delete"]}</button></p></form></dialog>'
    )


def _rows(say: Mapping[str, str]) -> str:
    """What the script makes rows of. Roles are said, since a table shown as cards would lose them."""
    cells = "".join(
        f'<td role="cell" class="{column}" data-label="{say[name]}"></td>'
        for column, name in zip(COLUMNS[1:], HEADINGS[1:], strict=True)
    )
    return (
        '<template id="job-row"><li class="job"><div class="what"><span class="name" dir="auto"></span><span class="state"></span></div>'
        '<progress max="1"></progress><p class="why"></p><div class="buttons">'
        '<button type="button" class="plain" data-act="pause"></button><button type="button" class="plain" data-act="resume"></button>'
        '<button type="button" class="plain" data-act="retry"></button><button type="button" class="plain" data-act="cancel"></button>'
        "</div></li></template>"
        '<template id="source-row"><tr role="row"><th scope="row" role="rowheader" class="title"><button type="button" class="link" data-act="read" dir="auto"></button>'
        f'<span class="source"></span><span class="origin" hidden></span><details hidden><summary></summary><ul></ul></details></th>{cells}<td role="cell" class="buttons">'
        '<button type="button" class="plain" data-act="refresh" hidden></button>'
        '<button type="button" class="plain" data-act="share"></button>'
        '<button type="button" class="plain danger" data-act="forget"></button></td></tr></template>'
        '<template id="passage-row"><li><button type="button" class="link" dir="auto"></button><span class="quiet place"></span>'
        '<p class="text" dir="auto"></p><div class="why"><span class="shares" role="img"><i></i><b></b></span><span class="quiet"></span></div>'
        "</li></template>"
    )


def _icon(path: str) -> str:
    return (
        '<svg viewBox="0 0 24 24" width="32" height="32" fill="none" stroke="currentColor" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="{path}"/></svg>'
    )
