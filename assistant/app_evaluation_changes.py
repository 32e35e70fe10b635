"""The HTML of what changed from one report to another, in the reader's language. It needs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.app_routes import escaped
from assistant.evaluation.compare_reports import Change, Changes
from assistant.evaluation.recommendation import money
from assistant.evaluation.report_words import in_language
from assistant.evaluation.shown import shown

VERDICTS = {
    "better": "verdict_better",
    "worse": "verdict_worse",
    "too few rows to tell": "verdict_few",
    "no difference that this data can show": "verdict_same",
}
Say = Mapping[str, str]


def changes_page(before: Mapping[str, Any], after: Mapping[str, Any], changes: Changes, say: Say, language: str) -> str:
    words = {key: escaped(text) for key, text in say.items()}
    lead = words["changes_lead"].format(score=escaped(in_language(language, changes.main)), n=changes.rows)
    body = (
        f'<nav><a href="/evaluations">← {words["title"]}</a></nav><header><h1>{words["changes"]}</h1><p class="lead">{lead}</p></header>'
        f"<main>{_which(before, after, words)}{_table(changes.changes, words)}{_alone(changes, words)}{_taken(changes, words)}</main>"
    )
    return (
        f'<!doctype html><html lang="{escaped(language)}"><head><meta charset="utf-8"><title>{words["changes"]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon">'
        '<link rel="stylesheet" href="/public/small.css"><link rel="stylesheet" href="/public/knowledge.css">'
        '<link rel="stylesheet" href="/public/evaluations.css"><script src="/public/theme.js"></script></head>'
        f"<body>{body}</body></html>"
    )


def _which(before: Mapping[str, Any], after: Mapping[str, Any], say: Say) -> str:
    rows = "".join(
        f'<div><dt>{say[word]}</dt><dd><a href="/evaluations/{escaped(str(report["id"]))}" dir="auto">{_text(report["data"]["name"])}</a> '
        f'<span class="quiet">{escaped(str(report["created"])[:16].replace("T", " "))} UTC</span></dd></div>'
        for word, report in (("before", before), ("after", after))
    )
    return f'<dl class="which">{rows}</dl>'


def _table(changes: Sequence[Change], say: Say) -> str:
    heads = ("setup", "change", "verdict", "seconds", "cost")
    head = "".join(f'<th scope="col" role="columnheader">{say[name]}</th>' for name in heads)
    rows = "".join(_row(change, say) for change in changes)
    empty = f'<p class="quiet">{say["changes_none"]}</p>'
    return (
        f'<table role="table" class="changes"><caption class="visually-hidden">{say["changes"]}</caption><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup">{rows}</tbody></table>'
        if changes
        else empty
    )


def _row(change: Change, say: Say) -> str:
    d = change.difference
    between = "" if d.low is None else f'<span class="quiet">{d.low:+.3f} {say["to"]} {d.high:+.3f}</span>'
    seconds = f" {say['to']} ".join("?" if s is None else f"{s:.2f}" for s in change.latency_s)
    paid = zip(change.cost, change.currency, strict=True)
    cost = f" {say['to']} ".join(say["unknown"] if c is None else escaped(money(c, currency)) for c, currency in paid)
    kind = VERDICTS[change.verdict].removeprefix("verdict_")
    cells = (
        (say["change"], f"<b>{d.mean or 0.0:+.3f}</b> {between}", ""),
        (say["verdict"], say[VERDICTS[change.verdict]], f' data-verdict="{kind}"'),
        (say["seconds"], seconds, ""),
        (say["cost"], cost, ""),
    )
    shown_cells = "".join(f'<td role="cell" data-label="{label}"{more}>{text}</td>' for label, text, more in cells)
    return f'<tr role="row"><th scope="row" role="rowheader" dir="auto">{_text(change.name)}</th>{shown_cells}</tr>'


def _alone(changes: Changes, say: Say) -> str:
    """Setups that only one of the reports has."""
    items = [(say["only_before"], name) for name in changes.gone] + [(say["only_after"], name) for name in changes.new]
    lines = "".join(f'<li>{word} <b dir="auto">{_text(name)}</b></li>' for word, name in items)
    return f'<ul class="alone">{lines}</ul>' if lines else ""


def _taken(changes: Changes, say: Say) -> str:
    before, after = (f'<b dir="auto">{_text(name)}</b>' if name else say["nothing"] for name in changes.recommended)
    words = say["taken_same"] if before == after else say["taken_other"]
    return f'<p class="said">{words.replace("{after}", after).replace("{before}", before)}</p>'


def _text(text: Any) -> str:
    return escaped(shown(text, 300))
