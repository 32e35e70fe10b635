"""Evaluations against a real server on loopback that answers by rule: what is planted in the data is what the report says."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.answers import Price
from assistant.bootstrap import build_assistant
from assistant.candidates import parse_candidate
from assistant.cli_evaluate import retriever
from assistant.evaluation.dataset import Dataset, Row
from assistant.evaluation.evaluate import Wish, evaluate
from assistant.evaluation.report import render
from assistant.evaluation.results import Report, as_json
from assistant.prices import Cost
from assistant.settings import NamedEndpoint, Settings, SettingsError
from tests.openai_server import OpenAIServer, Received, Reply
from tools.engines.base import Usage

PRICES = {"lab:small": 1e-6, "lab:large": 2e-5}
PLACES = [
    a + b for a in ("Ar", "Bel", "Cor", "Dun", "El", "Far") for b in ("wick", "ton", "mouth", "ham", "dale", "ford")
]


def price(model: str, usage: Usage) -> Cost | None:
    rate = PRICES.get(model)
    tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
    return None if rate is None else Cost(rate * tokens)


def code(place: str) -> str:
    return f"{place.upper()}{int(hashlib.sha256(place.encode()).hexdigest(), 16) % 90 + 10}"


ROWS = tuple(Row(f"r{n}", f"Which code has the gate of {p}?", code(p), line=n) for n, p in enumerate(PLACES, 1))


GATES = Dataset("gates.jsonl", ROWS, "")


def said(received: Received) -> list[str]:
    return [m["content"] for m in received.body["messages"] if m["role"] != "system"]


def reply(received: Received, text: str) -> Reply:
    return Reply((text,), usage=(sum(len(t) for t in said(received)) // 4, 5))


def place_of(question: str) -> str:
    return re.findall(r"gate of (\w+)\?", question)[-1]


def few_shot_is_enough(received: Received) -> Reply:
    """The large model knows the codes; the small one writes them as wanted once it has seen three examples."""
    messages = said(received)
    knows = received.body["model"] == "large" or len(messages) >= 7
    return reply(received, code(place_of(messages[-1])) if knows else "Codes are letters and figures.")


def only_retrieval_helps(received: Received) -> Reply:
    question = said(received)[-1]
    found = re.search(rf"gate of {place_of(question)} has the code (\w+)", question)
    return reply(received, f"It is {found[1]}." if found else "I do not know.")


def nothing_differs(received: Received) -> Reply:
    """Right on the same two thirds of the places, whoever is asked and however."""
    place = place_of(said(received)[-1])
    return reply(received, code(place) if int(hashlib.md5(place.encode()).hexdigest(), 16) % 3 else "XX00")


async def report_of(home: Path, rule: Callable[[Received], Reply], **wish: Any) -> tuple[Report, OpenAIServer]:
    with OpenAIServer(rule=rule) as server:
        return await evaluated(home, server, **wish), server


async def evaluated(
    home: Path,
    server: OpenAIServer,
    models: Sequence[str] = ("lab:small",),
    dataset: Dataset = GATES,
    price: Price | None = price,
    **wish: Any,
) -> Report:
    settings = Settings(home=home, endpoints={"lab": NamedEndpoint(server.url)})
    candidates = [parse_candidate(model, settings.endpoints) for model in models]
    assistant = build_assistant(settings)
    retrieve = retriever(assistant.knowledge()) if wish.get("collection") else None
    try:
        wanted = Wish(dataset, candidates, **wish)
        return await evaluate(settings, assistant.engines, wanted, retrieve=retrieve, price=price)
    finally:
        await assistant.close()


async def test_where_few_shot_is_enough_the_small_model_with_examples_is_recommended(home: Path) -> None:
    report, _ = await report_of(
        home, few_shot_is_enough, models=("lab:small", "lab:large"), levers=["zero-shot", "few-shot"]
    )
    assert report.recommendation.setup == "lab:small · few-shot"
    assert report.recommendation.by == "cost"
    worse = {s.name: s.worse for s in report.setups}
    assert worse["lab:small · zero-shot"] is True


async def test_where_only_retrieval_helps_it_is_recommended(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home)
    assistant = build_assistant(settings)
    file = tmp_path / "gates.txt"
    file.write_text("\n\n".join(f"The gate of {p} has the code {code(p)}." for p in PLACES), "utf-8")
    await assistant.knowledge().add(file, collection="gates")
    await assistant.close()
    report, _ = await report_of(
        home, only_retrieval_helps, levers=["zero-shot", "few-shot", "retrieval"], collection="gates"
    )
    assert report.recommendation.setup == "lab:small · retrieval"
    assert all(s.worse for s in report.setups if s.lever != "retrieval")
    (reads,) = [s for s in report.setups if s.lever == "retrieval"]
    assert reads.scores["groundedness"].mean == 1.0 and reads.scores["citations"].mean == 1.0


async def test_where_nothing_differs_that_is_said_and_the_cheapest_is_recommended(home: Path) -> None:
    report, _ = await report_of(
        home, nothing_differs, models=("lab:large", "lab:small"), levers=["zero-shot", "few-shot"]
    )
    assert report.recommendation.no_difference
    assert "no difference that this data can show" in report.recommendation.sentence
    assert report.recommendation.setup == "lab:small · zero-shot"


async def test_a_candidate_that_always_fails_is_shown_as_failed_and_soon_left_alone(home: Path) -> None:
    def down(received: Received) -> Reply:
        return Reply(status=500) if received.body["model"] == "broken" else nothing_differs(received)

    report, server = await report_of(home, down, models=("lab:broken", "lab:small"), levers=["zero-shot"])
    broken, small = report.setups
    assert (broken.failed, small.failed) == (len(ROWS), 0)
    assert report.recommendation.setup == "lab:small"
    assert any("lab:broken failed every time" in note for note in report.notes)
    assert sum(r.body["model"] == "broken" for r in server.received) < len(ROWS)


async def test_where_all_fail_nothing_is_recommended(home: Path) -> None:
    report, _ = await report_of(home, lambda _r: Reply(status=500), levers=["zero-shot"])
    assert report.recommendation.setup == "" and report.setups[0].failed == len(ROWS)


async def test_the_spend_cap_stops_before_it_is_passed_and_more_goes_on_from_there(home: Path) -> None:
    wish: dict[str, Any] = {"models": ("lab:large max_tokens=5",), "levers": ["zero-shot"]}
    cap = 10.5 * PRICES["lab:large"] * 45
    with OpenAIServer(rule=nothing_differs) as server:
        report = await evaluated(home, server, **wish, cap=cap)
        first = len(server.received)
        rest = await evaluated(home, server, **wish, cap=10 * cap)
    assert report.calls["spent"] <= cap and 5 < first < len(ROWS)
    assert any("spend cap" in note for note in report.notes)
    assert rest.setups[0].failed == 0 and len(server.received) == len(ROWS)


async def test_a_cap_refuses_a_candidate_of_unknown_price(home: Path) -> None:
    with pytest.raises(SettingsError, match="price of lab:new is unknown"):
        await report_of(home, nothing_differs, models=("lab:new",), levers=["zero-shot"], cap=1.0)


EUROS = """[models]
"lab:small" = { input = 1, output = 2, currency = "EUR" }
"lab:large" = { input = 20, output = 30, currency = "EUR" }
"lab:dear" = { input = 20, output = 30, currency = "CHF" }
"""


async def priced_by_file(home: Path, *models: str, **wish: Any) -> Report:
    (home / "prices.toml").write_text(EUROS, "utf-8")
    try:
        return (await report_of(home, nothing_differs, models=models, levers=["zero-shot"], price=None, **wish))[0]
    finally:
        (home / "prices.toml").unlink()


async def test_costs_carry_the_currency_of_the_price_list(home: Path) -> None:
    report = await priced_by_file(home, "lab:small", "lab:large", cap=100)
    assert (report.calls["currency"], [s.currency for s in report.setups]) == ("EUR", ["EUR", "EUR"])
    assert report.recommendation.by == "cost" and "EUR an answer" in report.recommendation.sentence
    assert report.calls["spent"] == pytest.approx(sum(s.cost_total or 0 for s in report.setups))


async def test_costs_in_several_currencies_are_said_and_never_added(home: Path) -> None:
    report = await priced_by_file(home, "lab:small max_tokens=7", "lab:dear")
    assert report.calls["spent"] is None and set(report.calls["spent_in"]) == {"EUR", "CHF"}
    assert report.recommendation.by == "latency" and "Prices are in CHF and EUR" in report.recommendation.sentence
    html = render(as_json(report))
    assert re.search(r"[\d.]+ CHF \+ [\d.]+ EUR", html) and "$" not in html
    with pytest.raises(SettingsError, match="CHF and EUR, which cannot be added"):
        await priced_by_file(home, "lab:small", "lab:dear", cap=1)


async def test_an_unknown_price_is_said_and_time_decides(home: Path) -> None:
    report, _ = await report_of(home, nothing_differs, models=("lab:new", "lab:small"), levers=["zero-shot"])
    assert report.setups[0].cost is None and report.setups[1].cost
    assert report.recommendation.by == "latency" and "price of lab:new is unknown" in report.recommendation.sentence


async def test_a_busy_server_is_asked_more_slowly_until_all_is_answered(home: Path) -> None:
    seen: Counter[str] = Counter()

    def busy(received: Received) -> Reply:
        place = place_of(said(received)[-1])
        seen[place] += 1
        if seen[place] == 1 and place in PLACES[:3]:
            return Reply(status=429, headers={"retry-after": "30"})
        return nothing_differs(received)

    report, _ = await report_of(home, busy, levers=["zero-shot"])
    assert report.setups[0].failed == 0 and all(seen[place] == 2 for place in PLACES[:3])


async def test_a_judge_is_measured_by_the_persons_marks_and_its_nonsense_is_counted(home: Path) -> None:
    marked = tuple(
        Row(f"m{n}", f"Which code has the gate of {p}?", code(p), answer=code(p), mark=1.0)
        for n, p in enumerate(PLACES[:6])
    )
    wrong = tuple(
        Row(f"w{n}", f"Which code has the gate of {p}?", code(p), answer="No", mark=0.0)
        for n, p in enumerate(PLACES[6:12])
    )

    def judged(received: Received) -> Reply:
        if received.body["model"] != "judge":
            return nothing_differs(received)
        parts = re.split(r"^---.*$", said(received)[-1], flags=re.M)
        place, right, answer = place_of(parts[1]), parts[2].strip(), parts[3].strip()
        if place == PLACES[0]:
            return Reply(("As a judge I would say it is fine!",))
        return Reply((json.dumps({"verdict": "right" if right == answer else "wrong", "why": "same"}),))

    dataset = Dataset("marked.jsonl", (*marked, *wrong), "")
    judge = parse_candidate("lab:judge", {"lab"})
    report, _ = await report_of(home, judged, dataset=dataset, levers=["zero-shot"], judge=judge)
    assert report.main == "judge" and report.judge is not None
    assert report.judge["nonsense"] >= 1 and "never an instruction" in report.judge["prompt"]
    assert report.judge["agreement"] == {"rows": 11, "share": 1.0, "kappa": 1.0}
    assert report.setups[0].scores["judge"].rows == 11


def command(home: Path, folder: Path, server: OpenAIServer, *words: str) -> Sequence[str]:
    (folder / "assistant.toml").write_text(f'[endpoints.lab]\nbase_url = "{server.url}"\n', "utf-8")
    rows = [{"id": r.id, "question": r.question, "reference": r.reference} for r in ROWS]
    (folder / "gates.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    os.environ["ASSISTANT_HOME"] = str(home)
    return [sys.executable, "-m", "assistant.cli", "evaluate", "gates.jsonl", "-c", "lab:small", *words]


async def test_after_kill_9_no_finished_row_is_asked_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    asked: Counter[str] = Counter()

    def slow(received: Received) -> Reply:
        asked[said(received)[-1]] += 1
        return Reply((code(place_of(said(received)[-1])),), piece_delay_s=0.05)

    with OpenAIServer(rule=slow) as server:
        words = command(home, tmp_path, server, "--lever", "zero-shot", "--json")
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        killed = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        while len(asked) < 12:
            assert killed.poll() is None
            await asyncio.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        finished = finished_in(home)
        done = await asyncio.to_thread(
            subprocess.run, words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert 4 <= len(finished) < len(ROWS)
    assert all(asked[row.question] == 1 for row in ROWS if row.reference in finished)
    assert report["setups"][0]["failed"] == 0 and report["setups"][0]["scores"]["exact"]["mean"] == 1.0


def finished_in(home: Path) -> set[str]:
    """The answers that are kept."""
    with sqlite3.connect(home / "evaluations" / "answers.sqlite3") as db:
        return {json.loads(value)["text"] for (value,) in db.execute("SELECT value FROM answers")}
