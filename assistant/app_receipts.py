"""What an answer did cost, as a line under it, and behind that its receipt, for the owner of the conversation only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from assistant.app_config import texts
from assistant.app_routes import SANDBOX, CurrentUser, escaped, language_of, small_page
from assistant.app_state import page
from assistant.cli_receipts import receipt_json
from assistant.estimate_words import money, sums_in_words
from assistant.events import TurnDone
from assistant.history import TurnRecord
from assistant.prices import Cost
from assistant.receipts import costs_of, without_material

LONGEST_ID = 64
router = APIRouter()


def cost_line(done: TurnDone, say: Mapping[str, str]) -> str:
    """`11 + 7 tokens · stays here`, as a link to the receipt."""
    usage, parts = done.usage, []
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        counted = "≈ " if usage.counted else ""
        parts.append(say["tokens"].format(prompt=f"{counted}{usage.prompt_tokens}", answer=usage.completion_tokens))
    parts.append(say["went_to"].format(places=", ".join(done.hosts)) if done.hosts else say["stays_here"])
    if len(done.costs) > 1:
        parts.append(sums_in_words(done.costs, say["comma"]))
    elif usage.cost is None:
        parts.append(say["price_unknown"])
    elif usage.cost or done.hosts:
        parts.append(money(Cost(usage.cost, usage.currency), say["comma"]))
    return f"[{' · '.join(parts)}](/receipts/{done.receipt})"


# The receipt


@router.get("/receipts/{receipt}")
async def read(
    request: Request,
    receipt: str,
    user: CurrentUser,
    format: Annotated[str, Query(pattern="^(html|json)$")] = "html",  # noqa: A002  (the word in the address)
) -> Response:
    """What decided an answer and what it cost. Somebody else's is not told apart from none."""
    history = page().assistant.history
    record = await history.turn(receipt) if len(receipt) <= LONGEST_ID else None
    if record is None or await history.owner(record.thread) != user.identifier:
        raise HTTPException(404, "There is no such receipt.")
    if format == "json":
        value = {**receipt_json(record), **without_material(record.tool, record.receipt)}
        text = json.dumps(value, ensure_ascii=False, indent=1)
        name = {"Content-Disposition": f'attachment; filename="receipt-{record.id}.json"'}
        return Response(text, media_type="application/json", headers=name | SANDBOX)
    say = texts(language_of(request))
    return small_page(request, say["receipt"], _page(record, say))


def _page(record: TurnRecord, say: Mapping[str, str]) -> str:
    told = record.receipt
    rows = [
        (say["question"], record.request),
        (say["receipt_prompt"], _prompt(told.get("prompt"), say)),
        (say["answer"], record.answer),
        (say["tool"], say.get(record.tool or "", record.tool or "")),
        (say["receipt_when"], datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")),
        (say["receipt_went"], ", ".join(told.get("hosts") or ()) or say["stays_here"]),
        (say["receipt_cost"], _cost(told, say)),
        (say["receipt_seed"], str(told.get("seed", ""))),
        (say["receipt_models"], _lines(_model(call, told) for call in told.get("calls") or ())),
        (say["receipt_settings"], _lines(f"{k} = {v}" for k, v in (told.get("settings") or {}).items())),
        (say["sources"], _lines(f"{p['source']} · sha256 {p['sha256'][:16]}…" for p in told.get("passages") or ())),
        (say["receipt_versions"], _lines(f"{k} {v}" for k, v in (told.get("versions") or {}).items())),
    ]
    shown = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>" for name, text in rows if text)
    return (
        f"<h1>{escaped(say['receipt'])}</h1><dl class='receipt'>{shown}</dl>"
        f"<p>{escaped(say['receipt_again'])} <code>assistant replay {escaped(record.id)}</code></p>"
        f'<p class="links"><a href="/receipts/{escaped(record.id)}?format=json" download>JSON</a></p>'
    )


def _prompt(told: Mapping[str, Any] | None, say: Mapping[str, str]) -> str:
    """Its command and version, the inputs, and what the model was asked in place of the question."""
    if not told:
        return ""
    version = say["prompt_version"].format(n=told["version"]) if told["version"] else ""
    inputs = (f"{name} = {value}" for name, value in told["inputs"].items())
    return _lines(part for part in (f"/{told['name']} {version}".rstrip(), *inputs, told["message"]) if part)


def _model(call: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    known = (told.get("weights") or {}).get(call["model"]) or {}
    which = f"sha256 {known['sha256'][:16]}…" if known.get("sha256") else known.get("revision", "")
    heat = f"temperature {call['temperature']:g}" if "temperature" in call else ""
    return " · ".join(part for part in (call["model"], which, heat) if part)


def _cost(told: Mapping[str, Any], say: Mapping[str, str]) -> str:
    usage, costs = told.get("usage") or {}, costs_of(told)
    if len(costs) > 1:
        return sums_in_words(costs, say["comma"])
    if usage.get("cost") is None:
        return say["price_unknown"]
    if not usage["cost"]:
        return ""
    return money(Cost(usage["cost"], usage["currency"]), say["comma"])


def _lines(parts: Any) -> str:
    return "\n".join(dict.fromkeys(parts))
