"""What the page tells of costs: the line under an answer, French for what a cap says, and receipts for their owner only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.app_config import texts
from assistant.app_errors import told
from assistant.calls import Call, call_json
from assistant.events import TurnDone
from assistant.prices import Cost
from assistant.settings import Spending, load_settings
from assistant.spending import Ledger, SpendingCap
from tools.engines.base import Usage
from tools.engines.errors import EngineError

ADA = SimpleNamespace(identifier="ada")
EVE = SimpleNamespace(identifier="eve")
FRENCH: Any = SimpleNamespace(headers={"accept-language": "fr"})
RECEIPT = {
    "usage": {"cost": 0.0042, "currency": "USD"},
    "hosts": ["api.openai.com"],
    "seed": 7,
    "calls": [{"model": "openai:m<b>", "temperature": 0.3}],
    "weights": {"openai:m<b>": {"revision": "m-2026-01-01"}},
    "settings": {"max_tokens": 9},
}


@pytest.mark.parametrize(
    ("usage", "hosts", "line"),
    [
        (Usage(11, 7, cost=0.0), [], "11 + 7 tokens · stays here"),
        (Usage(11, 7, cost=0.0042), ["api.openai.com"], "11 + 7 tokens · went to api.openai.com · 0.4 ct"),
        (Usage(11, 7, counted=True), ["h:1"], "≈ 11 + 7 tokens · went to h:1 · price unknown"),
        (Usage(cost=1.5), ["h"], "went to h · 1.50 USD"),
        (Usage(cost=0.00001), ["h"], "went to h · < 0.1 ct"),
    ],
)
def test_an_answer_tells_its_tokens_where_it_went_and_its_price(
    chainlit: None, usage: Usage, hosts: list[str], line: str
) -> None:
    from assistant.app_receipts import cost_line

    done = TurnDone("Hi", "write_text", (), (), usage, "01R", hosts)
    assert cost_line(done, texts("en-US")) == f"[{line}](/receipts/01R)"


def test_costs_in_several_currencies_are_told_side_by_side(chainlit: None) -> None:
    from assistant.app_receipts import _cost, cost_line

    costs = [Cost(0.004), Cost(0.02, "EUR")]
    done = TurnDone("Hi", None, (), (), Usage(11, 7), "01R", ["a", "b"], costs)
    assert "0.4 ct (USD) + 2.0 ct (EUR)" in cost_line(done, texts("en-US"))
    calls = [call_json(Call("m", "text", "h", Usage(), cost)) for cost in (*costs, Cost(0.0, local=True), costs[0])]
    assert _cost({"calls": calls, "usage": {}}, texts("fr-FR")) == "0,8 ct (USD) + 2,0 ct (EUR)"
    unknown = [*calls, call_json(Call("m", "text", "h", Usage(), None))]
    assert _cost({"calls": unknown, "usage": {}}, texts("en-US")) == "price unknown"


def test_what_a_cap_says_has_french(tmp_path: Path) -> None:
    ledger, lines = Ledger(tmp_path), []
    (tmp_path / "file").touch()
    tries = [
        (ledger, None, Spending(day=1)),
        (ledger, Cost(1.0, "EUR"), Spending(day=1)),
        (ledger, Cost(2.0), Spending(day=1)),
        (ledger, Cost(2.0), Spending(user_day=1)),
        (Ledger(tmp_path / "file"), Cost(2.0), Spending()),
    ]
    for where, most, caps in tries:
        with pytest.raises(EngineError) as raised:
            where.hold("ada", "openai:m", most, caps)
        lines.append(raised.value)
    assert [isinstance(line, SpendingCap) for line in lines] == [True] * 4 + [False]
    for line in lines:
        french = told(line.message, line.remedy, "fr-FR")
        assert "nothing was sent" not in french.lower() and "rien n'a été envoyé" in french.lower(), french
        assert not {"Write", "Wait", "Free"} & set(french.split()), french


@pytest.fixture
async def opened(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    from assistant.app_server import _open
    from assistant.app_state import open_page

    page = _open(replace(load_settings(tmp_path, {}), home=tmp_path))
    open_page(page)
    turn = await page.assistant.history.begin("t", "ada", "What <i>is</i> it?", [], "01R")
    await page.assistant.history.save(turn, state="done", tool="write_text", answer="That.", receipt=RECEIPT)
    yield page
    await page.assistant.close()
    await page.store.close()


async def test_the_owner_reads_the_receipt_and_takes_it_as_json(opened: Any) -> None:
    from assistant.app_receipts import read

    shown = bytes((await read(FRENCH, "01R", ADA, "html")).body).decode()
    for text in (
        "Reçu",
        "What &lt;i&gt;is&lt;/i&gt; it?",
        "openai:m&lt;b&gt; · m-2026-01-01 · temperature 0.3",
        "0,4 ct",
    ):
        assert text in shown
    assert "<i>is" not in shown and "assistant replay 01R" in shown and "api.openai.com" in shown
    value = json.loads(bytes((await read(FRENCH, "01R", ADA, "json")).body))
    assert (value["receipt"], value["seed"], value["answer"]) == ("01R", 7, "That.")


async def test_nobody_else_sees_a_receipt(opened: Any) -> None:
    from fastapi import HTTPException

    from assistant.app_receipts import read

    for receipt, user in (("01R", EVE), ("01NONE", ADA), ("x" * 100_000, ADA)):
        for form in ("html", "json"):
            with pytest.raises(HTTPException) as raised:
                await read(FRENCH, receipt, user, form)
            assert raised.value.status_code == 404


async def test_prompts_of_answers_from_documents_stay_out_of_what_the_page_hands_out(opened: Any) -> None:
    from assistant.app_receipts import read
    from assistant.app_routes import export

    read_of = {**RECEIPT, "calls": [{"model": "m", "messages": [{"role": "user", "content": "Passages: secret"}]}]}
    await opened.assistant.history.save("01R", state="done", tool="search_knowledge", answer="That.", receipt=read_of)
    for answer in (await read(FRENCH, "01R", ADA, "json"), await export(FRENCH, ADA, "json", "t")):
        assert b"secret" not in bytes(answer.body) and b"left out" in bytes(answer.body)
    assert (await opened.assistant.history.turn("01R")).receipt["calls"] == read_of["calls"], "a replay still can"
