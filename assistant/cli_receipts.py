"""The commands about what was answered and what it cost: receipts, receipts show, replay, spending."""

from __future__ import annotations

import datetime
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.cli_output import DONE, FAILED, CallerError, note, print_json, print_table, print_text
from assistant.estimate_words import estimate_json, in_words, money, sums_in_words
from assistant.estimates import estimate
from assistant.history import TurnRecord
from assistant.prices import Cost
from assistant.receipts import costs_of
from assistant.replay import Pixels, Replayed, Words, replay
from assistant.settings import Settings
from assistant.spending import Ledger, Spent, left, today
from tools.sniff import sniff

MARKS = {"=": "{}", "-": "[-{}-]", "+": "{{+{}+}}"}
SHOWN = 40


async def dry_run(settings: Settings, turn: Turn, json_lines: bool) -> int:
    """Where `turn` would go and about what it would cost; nothing is sent."""
    assistant = build_assistant(settings)
    try:
        attachments = [sniff(path, None, settings.max_upload_mb * 1_000_000) for path in turn.attachments]
        found = await estimate(assistant, turn, attachments)
    finally:
        await assistant.close()
    if json_lines:
        print_json(estimate_json(found))
    else:
        models = ", ".join(dict.fromkeys(leg.model for leg in found.legs)) or "no model"
        print_text(f"{in_words(found)} — {found.tool} with {models}\n")
    return DONE


async def list_receipts(settings: Settings, user: str, limit: int, json_lines: bool) -> int:
    """The newest first."""
    assistant = build_assistant(settings)
    try:
        records = await assistant.history.search(user, "", limit)
    finally:
        await assistant.close()
    rows = [_row(record) for record in records]
    if json_lines:
        for row in rows:
            print_json(row)
    elif rows:
        print_table(
            (r["receipt"], r["tool"] or "", _cost_words(r), " ".join(r["request"].split())[:SHOWN]) for r in rows
        )
    else:
        note("Nothing was answered yet.")
    return DONE


async def show(settings: Settings, receipt: str, user: str, json_lines: bool) -> int:
    """Raises: CallerError."""
    assistant = build_assistant(settings)
    try:
        record = await own_turn(assistant, receipt, user)
    finally:
        await assistant.close()
    value = receipt_json(record)
    if json_lines:
        print_json(value)
    else:
        print_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    return DONE


async def run_again(settings: Settings, receipt: str, user: str, json_lines: bool) -> int:
    """DONE where the answer is the same, FAILED where it differs. Raises: CallerError, EngineError, KnowledgeError."""
    assistant = build_assistant(settings)
    try:
        record = await own_turn(assistant, receipt, user)
        with tempfile.TemporaryDirectory() as folder:
            found = await replay(assistant, record, user, Path(folder))
    finally:
        await assistant.close()
    if json_lines:
        print_json(asdict(found))
    else:
        _print(found)
    return DONE if found.same else FAILED


async def own_turn(assistant: Assistant, receipt: str, user: str) -> TurnRecord:
    """The turn of a receipt that is `user`'s. Others' are not told apart from none. Raises: CallerError."""
    record = await assistant.history.turn(receipt.strip())
    if record is None or await assistant.history.owner(record.thread) != user:
        raise CallerError(
            f"There is no receipt {receipt} of {user}. `assistant receipts` lists them; --user names somebody else."
        )
    return record


def receipt_json(record: TurnRecord) -> dict[str, Any]:
    """Everything that is kept of one answer."""
    return {
        "receipt": record.id,
        "thread": record.thread,
        "created": record.created,
        "state": record.state,
        "tool": record.tool,
        "request": record.request,
        "attachments": [dict(a) for a in record.attachments],
        "answer": record.answer,
        **record.receipt,
    }


def spending(settings: Settings, since: str, user: str | None, json_lines: bool) -> int:
    """A line for each day, person and model, and below what the caps leave."""
    ledger, caps = Ledger(settings.home), settings.spending
    rows = ledger.rows(since, user)
    if json_lines:
        for row in rows:
            print_json(spent_json(row))
        return DONE
    if rows:
        print_table((r.day, r.user, r.model, f"{r.calls} calls", _spent_words(r)) for r in rows)
    else:
        note("Nothing was sent to a hosted model.")
    whose = user or "local"
    if (rest := left(caps, ledger.rows(today()), whose)) is not None:
        print_text(f"{whose} may spend {rest:.4f} {caps.currency} more today\n")
    return DONE


def day_of(text: str) -> str:
    """Raises: CallerError."""
    try:
        return datetime.date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise CallerError(f"{text!r} is no day. Write it as YYYY-MM-DD.") from error


def spent_json(row: Spent) -> dict[str, Any]:
    """`cost` is null where no call of the row has a known price."""
    return {
        "day": row.day,
        "user": row.user,
        "model": row.model,
        "calls": row.calls,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": None if row.unknown == row.calls else round(row.amount, 6),
        "currency": row.currency,
        "unknown": row.unknown,
        "open": row.open,
    }


def _spent_words(row: Spent) -> str:
    parts = [] if row.unknown == row.calls else [money(Cost(row.amount, row.currency))]
    parts += [f"{row.unknown} of unknown price"] if row.unknown else []
    parts += [f"{row.open} not ended"] if row.open else []
    return ", ".join(parts)


def _row(record: TurnRecord) -> dict[str, Any]:
    usage = record.receipt.get("usage") or {}
    return {
        "receipt": record.id,
        "created": record.created,
        "state": record.state,
        "tool": record.tool,
        "request": record.request,
        "hosts": record.receipt.get("hosts") or [],
        "cost": usage.get("cost"),
        "currency": usage.get("currency"),
        "costs": [{"cost": cost.amount, "currency": cost.currency} for cost in costs_of(record.receipt)],
    }


def _cost_words(row: dict[str, Any]) -> str:
    if len(row["costs"]) > 1:
        return sums_in_words([Cost(each["cost"], each["currency"]) for each in row["costs"]])
    if row["cost"] is None:
        return "price unknown"
    return money(Cost(row["cost"], row["currency"])) if row["cost"] or row["hosts"] else "stays here"


def _print(found: Replayed) -> None:
    _print_words("answer", found.answer)
    for n, picture in enumerate(found.pictures, 1):
        print_text(f"picture {n}: {_picture_words(picture)}\n")
    for n, heard in enumerate(found.transcripts, 1):
        _print_words(f"transcript {n}", heard)
    for line in found.changed:
        print_text(f"since then: {line}\n")
    print_text("same\n" if found.same else "differs\n")


def _print_words(name: str, words: Words) -> None:
    if words.same:
        print_text(f"{name}: same, {words.words} words\n")
        return
    print_text(f"{name}: {words.changed} of {words.words} words differ\n")
    print_text("  " + " ".join(MARKS[mark].format(text) for mark, text in words.diff) + "\n")


def _picture_words(picture: Pixels) -> str:
    if picture.size != picture.size_before:
        before, now = picture.size_before, picture.size
        return f"was {before[0]}×{before[1]} and is {now[0]}×{now[1]}"
    if picture.same:
        return "same bytes" if picture.same_bytes else "same pixels"
    return f"{picture.changed:.1%} of the pixels differ, by {picture.mean:.1f} of 255 on average"
