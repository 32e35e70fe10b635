"""Reports in the page: only where login is off, only those that are there, and never as a page that runs anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.evaluation.evaluate import write_report
from assistant.settings import load_settings
from tests.evaluations import HOSTILE, report


@pytest.fixture
def client(chainlit: None, tmp_path: Path) -> Callable[..., httpx.AsyncClient]:
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_evaluations
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page

    def make(login: bool = False) -> httpx.AsyncClient:
        open_page(_open(replace(load_settings(tmp_path, {}), home=tmp_path, login=login)))
        app = FastAPI()
        app.include_router(app_evaluations.router)
        app.dependency_overrides[get_current_user] = lambda: User(identifier="ada")
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

    return make


async def test_reports_are_listed_opened_and_downloaded(client: Any, tmp_path: Path) -> None:
    ask = client()
    assert "There is no report yet." in (await ask.get("/evaluations")).text
    write_report(report(hostile=HOSTILE), tmp_path / "evaluations")
    shown = (await ask.get("/evaluations")).text
    assert "Take large" in shown and "<script>alert" not in shown and 'href="/evaluations/d-1"' in shown
    opened = await ask.get("/evaluations/d-1", headers={"accept-language": "fr"})
    assert "Prenez large" in opened.text and "<script" not in opened.text
    assert opened.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert (await ask.get("/evaluations/d-1/json")).json()["id"] == "d-1"


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "D-1", "d-1%2f..%2fd-1", "d-1\x00"])
async def test_what_is_not_there_is_404(client: Any, tmp_path: Path, name: str) -> None:
    write_report(report(), tmp_path / "evaluations")
    assert (await client().get(f"/evaluations/{name.replace(chr(0), '%00')}/json")).status_code == 404


async def test_a_damaged_report_is_left_out_and_not_shown(client: Any, tmp_path: Path) -> None:
    _, data = write_report(report(), tmp_path / "evaluations")
    data.write_text("{", "utf-8")
    assert "There is no report yet." in (await client().get("/evaluations")).text
    assert (await client().get("/evaluations/d-1")).status_code == 404


async def test_with_login_on_nobody_sees_what_was_made_at_the_command_line(client: Any, tmp_path: Path) -> None:
    write_report(report(), tmp_path / "evaluations")
    ask = client(login=True)
    listed = (await ask.get("/evaluations")).text
    assert "only where login is off" in listed and "d-1" not in listed
    assert [(await ask.get(f"/evaluations/d-1{more}")).status_code for more in ("", "/json")] == [404, 404]
