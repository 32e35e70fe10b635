"""Evaluations in the page: whose sets, runs and reports are seen by whom, and that no report runs anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.evaluation.evaluate import write_report
from assistant.evaluation.own import reports_folder
from assistant.settings import SettingsError, load_settings
from tests.evaluations import HOSTILE, report
from tests.openai_server import OpenAIServer, Received, Reply

ROWS = [{"question": f"What is {n} and {n}?", "reference": str(2 * n)} for n in range(1, 6)]


def by_question(received: Received) -> Reply:
    number = int(received.body["messages"][-1]["content"].split()[2])
    return Reply((str(2 * number if received.body["model"] == "right" else 0),))


@pytest.fixture
def models() -> Iterator[OpenAIServer]:
    with OpenAIServer(rule=by_question) as server:
        yield server


@pytest.fixture
async def client(chainlit: None, tmp_path: Path, models: OpenAIServer) -> AsyncIterator[Any]:
    """`client("bob", login=True)` asks as bob."""
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_evaluation_runs, app_evaluation_sets, app_evaluations, app_evaluations_page
    from assistant.app_evaluation_queue import stop_evaluating
    from assistant.app_knowledge import knowledge_failed
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page

    (tmp_path / "assistant.toml").write_text(f'chat = "lab:right"\n[endpoints.lab]\nbase_url = "{models.url}"\n')
    settings = replace(load_settings(tmp_path, {}), home=tmp_path)
    pages = []

    def make(name: str = "ada", login: bool = False) -> httpx.AsyncClient:
        pages.append(_open(replace(settings, login=login)))
        open_page(pages[-1])
        app = FastAPI()
        for module in (app_evaluations_page, app_evaluation_sets, app_evaluation_runs, app_evaluations):
            app.include_router(module.router)
        app.add_exception_handler(SettingsError, knowledge_failed)
        app.dependency_overrides[get_current_user] = lambda: User(identifier=name)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=30)

    yield make
    await stop_evaluating()
    for page in pages:
        await page.assistant.close()
        await page.store.close()


async def listed(ask: httpx.AsyncClient, **headers: str) -> list[dict[str, Any]]:
    return list((await ask.get("/evaluations/api/reports", headers=headers)).json()["reports"])


async def bring(ask: httpx.AsyncClient, *rows: Any, name: str = "sums.jsonl") -> dict[str, Any]:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    answer = await ask.post(f"/evaluations/api/sets?name={name}", content=text)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def wish(set_id: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"set": set_id, "candidates": [{"model": f"lab:{n}"} for n in names], "levers": ["zero-shot"], **more}


async def ended(ask: httpx.AsyncClient) -> dict[str, Any]:
    for _ in range(400):
        (run,) = (await ask.get("/evaluations/api/runs")).json()["runs"]
        if run["state"] not in ("waiting", "running"):
            return dict(run)
        await asyncio.sleep(0.05)
    raise AssertionError(run)


async def test_reports_are_listed_opened_and_downloaded(client: Any, tmp_path: Path) -> None:
    ask = client()
    assert await listed(ask) == []
    write_report(report(hostile=HOSTILE), tmp_path / "evaluations")
    (row,) = await listed(ask)
    assert "Take large" in row["sentence"] and row["name"] == "d-1" and not row["own"]
    opened = await ask.get("/evaluations/d-1", headers={"accept-language": "fr"})
    assert "Prenez large" in opened.text and "<script" not in opened.text
    assert opened.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert (await ask.get("/evaluations/d-1/json")).json()["id"] == "d-1"
    assert "attachment" in (await ask.get("/evaluations/d-1/html")).headers["content-disposition"]


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "D-1", "d-1%2f..%2fd-1", "d-1\x00"])
async def test_what_is_not_there_is_404(client: Any, tmp_path: Path, name: str) -> None:
    write_report(report(), tmp_path / "evaluations")
    assert (await client().get(f"/evaluations/{name.replace(chr(0), '%00')}/json")).status_code == 404


async def test_a_damaged_report_is_left_out_and_not_shown(client: Any, tmp_path: Path) -> None:
    _, data = write_report(report(), tmp_path / "evaluations")
    data.write_text("{", "utf-8")
    assert await listed(client()) == []
    assert (await client().get("/evaluations/d-1")).status_code == 404


async def test_with_login_on_reports_belong_to_who_made_them_and_the_command_lines_to_nobody(
    client: Any, tmp_path: Path
) -> None:
    write_report(report(), tmp_path / "evaluations")
    write_report(replace(report(), id="own-1"), reports_folder(tmp_path, "ada"))
    ada, bob = client("ada", login=True), client("bob", login=True)
    assert [row["name"] for row in await listed(ada)] == ["own-1"] and await listed(bob) == []
    assert [(await ask.get("/evaluations/own-1")).status_code for ask in (ada, bob)] == [200, 404]
    assert [(await ada.get(f"/evaluations/d-1{more}")).status_code for more in ("", "/json", "/html")] == [404] * 3
    assert "only where login is off" in (await ada.get("/evaluations")).text
    assert (await bob.post("/evaluations/api/reports/own-1/delete")).status_code == 404
    assert (await ada.post("/evaluations/api/reports/own-1/delete")).json() == {"deleted": True}
    assert await listed(ada) == []


async def test_what_changed_is_shown_with_nothing_of_a_model_as_markup(client: Any, tmp_path: Path) -> None:
    write_report(report(5, name=f"small {HOSTILE}"), tmp_path / "evaluations")
    later = replace(report(15, name=f"small {HOSTILE}"), id="d-2", created="2026-11-25T20:00:00+00:00")
    write_report(later, tmp_path / "evaluations")
    ask = client()
    shown = await ask.get("/evaluations/compare?one=d-2&other=d-1")
    assert 'data-verdict="better"' in shown.text and "<script>alert" not in shown.text and "<img" not in shown.text
    french = await ask.get("/evaluations/compare?one=d-1&other=d-2", headers={"accept-language": "fr"})
    assert "Ce qui a changé" in french.text and "mieux" in french.text
    assert (await ask.get("/evaluations/compare?one=d-1&other=none")).status_code == 404


async def test_a_file_with_bad_rows_is_told_row_by_row_and_kept_whole(client: Any) -> None:
    ask = client()
    found = await bring(ask, ROWS[0], '{"question": "no end', {"question": "q"}, {**ROWS[1], "id": "row-1"})
    assert [one["text"] for one in found["problems"]] == [
        "Line 2: it is not JSON at character 14: Unterminated string starting at.",
        "Line 3: it has no reference, the right answer.",
        "Line 4: it has the id 'row-1' of line 1. Give each row its own.",
    ]
    assert (found["set"]["accepted"], found["set"]["faulty"], found["set"]["rows"]) == (1, 3, 4)
    rows = (await ask.get(f"/evaluations/api/sets/{found['set']['id']}?show=faulty")).json()["rows"]
    assert rows[0]["raw"] == '{"question": "no end' and rows[2]["needs_id"]
    french = await ask.post(
        "/evaluations/api/sets?name=d.csv", content="question\nq", headers={"accept-language": "fr"}
    )
    assert french.json()["problems"][0]["text"] == "Ligne 2 : il n'y a pas de référence, la bonne réponse."
    refused = await ask.post("/evaluations/api/sets?name=d.jsonl", content=b"\xff")
    assert refused.status_code == 400 and "not UTF-8" in refused.json()["detail"]


async def test_a_set_is_its_owners_alone(client: Any) -> None:
    ada, bob = client("ada", login=True), client("bob", login=True)
    set_id = (await bring(ada, *ROWS))["set"]["id"]
    assert (await bob.get("/evaluations/api/sets")).json() == {"sets": []}
    for path in ("", "/download"):
        assert (await bob.get(f"/evaluations/api/sets/{set_id}{path}")).status_code == 400
    for path, body in (("delete", {}), ("rows/1", {"state": "dropped"})):
        assert (await bob.post(f"/evaluations/api/sets/{set_id}/{path}", json=body)).status_code == 400
    assert (await bob.post("/evaluations/api/runs", json=wish(set_id, "right"))).status_code == 400
    lines = (await ada.get(f"/evaluations/api/sets/{set_id}/download")).text.splitlines()
    assert [json.loads(line)["reference"] for line in lines] == ["2", "4", "6", "8", "10"]


async def test_what_it_takes_is_told_then_it_runs_and_its_report_is_the_owners(
    client: Any, models: OpenAIServer
) -> None:
    ask = client("ada", login=True)
    set_id = (await bring(ask, *ROWS))["set"]["id"]
    told = (await ask.post("/evaluations/api/estimate", json=wish(set_id, "right", "wrong"))).json()
    assert (told["calls"], told["rows"]) == (10, 5) and "Costs nothing." in told["lines"] and not models.received
    assert (await ask.post("/evaluations/api/estimate", json=wish(set_id, "right", rows=3))).json()["calls"] == 3
    began = await ask.post("/evaluations/api/runs", json=wish(set_id, "right", "wrong"))
    assert began.status_code == 200
    run = await ended(ask)
    assert (run["state"], run["models"]) == ("done", ["lab:right", "lab:wrong"])
    (row,) = await listed(ask)
    assert row["own"] and row["name"] == run["result"] and row["title"] == "sums.jsonl"
    assert len(models.received) == 10 and await listed(client("bob", login=True)) == []


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"levers": ["context"]}, "rows with a context"),
        ({"levers": ["retrieval"]}, "no document yet"),
        ({"candidates": [{"model": "openai:gpt-5-mini"}]}, "is not offered here"),
        ({"candidates": [{"model": "lab:right"}, {"model": "lab:right"}]}, "given twice"),
        ({"set": "../../x"}, "no such data set"),
    ],
)
async def test_what_cannot_run_is_refused_before_anything_is_asked(
    client: Any, models: OpenAIServer, more: dict[str, Any], part: str
) -> None:
    ask = client("ada", login=True)
    set_id = (await bring(ask, *ROWS))["set"]["id"]
    for path in ("estimate", "runs"):
        answer = await ask.post(f"/evaluations/api/{path}", json={**wish(set_id, "right"), **more})
        assert answer.status_code == 400 and part in answer.json()["detail"]
    assert not models.received and (await ask.get("/evaluations/api/runs")).json() == {"runs": []}


async def test_a_cap_on_what_has_no_price_is_refused_at_once(client: Any) -> None:
    ask = client()
    set_id = (await bring(ask, *ROWS))["set"]["id"]
    unknown = {**wish(set_id, "right", cap=1), "candidates": [{"model": "openai:unheard-of"}]}
    answer = await ask.post("/evaluations/api/estimate", json=unknown)
    assert answer.status_code == 400 and "no spend cap can hold" in answer.json()["detail"]


async def test_without_a_thumb_that_is_said(client: Any) -> None:
    answer = await client().post("/evaluations/api/sets/from-chat")
    assert answer.status_code == 400 and "No conversation has been kept yet" in answer.json()["detail"]


async def test_pages_are_whole_in_both_languages(client: Any) -> None:
    ask = client()
    for path in ("/evaluations", "/evaluations/sets/01ABC%22%3E%3Cscript%3E"):
        for language in ("en", "fr"):
            shown = await ask.get(path, headers={"accept-language": language})
            assert shown.status_code == 200 and "><script>" not in shown.text
