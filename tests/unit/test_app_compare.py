"""What the page that compares asks for: streams, votes and exports for their owner alone, and models that may be named."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.settings import load_settings
from tests.openai_server import OpenAIServer, Reply

Client = httpx.AsyncClient


@pytest.fixture
def models() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
async def clients(chainlit: None, tmp_path: Path, models: OpenAIServer) -> AsyncIterator[Any]:
    """`clients("ada")` asks as ada; login is on, and one endpoint is set up."""
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_compare, app_compare_cost, app_compare_page
    from assistant.app_knowledge import knowledge_failed
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page
    from assistant.settings import SettingsError
    from tools.engines.errors import EngineError

    (tmp_path / "assistant.toml").write_text(f'chat = "here:one"\n[endpoints.here]\nbase_url = "{models.url}"\n')
    settings = load_settings(tmp_path, {"ASSISTANT_HOME": str(tmp_path / "home")})
    page = _open(replace(settings, login=True))
    open_page(page)

    def ask_as(name: str, language: str = "en") -> Client:
        app = FastAPI()
        app.include_router(app_compare.router)
        app.include_router(app_compare_cost.router)
        app.include_router(app_compare_page.router)
        app.add_exception_handler(SettingsError, knowledge_failed)
        app.add_exception_handler(EngineError, knowledge_failed)
        app.dependency_overrides[get_current_user] = lambda: User(identifier=name)
        headers = {"Accept-Language": language}
        return Client(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers, timeout=60)

    yield ask_as
    await page.assistant.close()
    await page.store.close()


async def run(client: Client, **asked: Any) -> list[dict[str, Any]]:
    wish = {"task": "text", "asked": "Why?", "candidates": [{"model": "here:one"}, {"model": "here:two"}], **asked}
    answer = await client.post("/compare/api/run", json=wish)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines() if line]


async def test_a_comparison_streams_and_its_vote_makes_a_leaderboard_for_its_owner_alone(clients: Any) -> None:
    ada, bob = clients("ada"), clients("bob")
    events = await run(ada)
    assert (events[0]["event"], events[-1]["event"]) == ("comparison", "finished")
    given = {"id": events[0]["id"], "choice": "B"}
    assert (await bob.post("/compare/api/vote", json=given)).status_code == 400
    voted = (await ada.post("/compare/api/vote", json=given)).json()
    assert voted["choice"] == "B" and voted["candidates"][1]["model"] == "here:two"
    board = (await ada.get("/compare/api/board")).json()
    assert [row["name"] for row in board["rows"]] == ["here:two", "here:one"] and board["votes"] == 1
    assert (await bob.get("/compare/api/board")).json() == {"rows": [], "votes": 0}
    lines = (await ada.get("/compare/api/export?format=jsonl")).text.splitlines()
    assert [json.loads(line)["winner"] for line in lines] == ["here:two"]
    assert (await bob.get("/compare/api/export?format=jsonl")).text == ""


async def test_a_failure_is_told_in_the_language_of_the_page(clients: Any, models: OpenAIServer) -> None:
    models.queue(Reply(hang=True), Reply(hang=True))
    events = await run(clients("ada", "fr"), time_limit_s=0.3)
    told = {e["message"] for e in events if e["event"] == "failed"}
    assert told == {"Il a fallu plus de 0.3 s. Laissez-lui plus de temps, ou choisissez-en un plus rapide."}


async def test_who_logs_in_names_no_file_of_the_machine_and_no_provider_without_a_key(clients: Any) -> None:
    for model in ("llama-cpp:/etc/passwd", "diffusers:/tmp/x", "openai:gpt-5"):
        wish = {"task": "text", "asked": "?", "candidates": [{"model": "here:one"}, {"model": model}]}
        answer = await clients("ada").post("/compare/api/run", json=wish)
        assert answer.status_code == 400 and "is not offered here" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("wish", "part"),
    [
        ({"candidates": [{"model": "here:one"}]}, "two to four"),
        ({"candidates": [{"model": "here:one"}, {"model": "here:one"}]}, "twice"),
        ({"asked": "  "}, "What all of them are asked"),
        ({"time_limit_s": 0}, "time limit"),
        ({"task": "speech"}, "Drop a recording first"),
    ],
)
async def test_what_cannot_be_compared_is_told_in_a_line(clients: Any, wish: dict[str, Any], part: str) -> None:
    both = [{"model": "here:one"}, {"model": "here:two"}]
    answer = await clients("ada").post(
        "/compare/api/run", json={"task": "text", "asked": "?", "candidates": both} | wish
    )
    assert answer.status_code == 400 and part in answer.json()["detail"]


async def test_a_picture_is_its_owners_and_its_path_is_told_to_nobody(clients: Any) -> None:
    ada = clients("ada")
    events = await run(ada, task="image", asked="A red house")
    assert not any("path" in event for event in events)
    address = f"/compare/api/picture/{events[0]['id']}"
    assert (await ada.get(f"{address}/A")).content[:4] == b"\x89PNG" == (await ada.get(f"{address}/grid")).content[:4]
    assert (await clients("bob").get(f"{address}/A")).status_code == 400
    assert (await ada.get(f"{address}/C")).status_code == 404


async def test_what_is_no_recording_is_refused_and_leaves_nothing(clients: Any, tmp_path: Path) -> None:
    answer = await clients("ada").post("/compare/api/recordings?name=notes.txt", content=b"Only words.")
    assert answer.status_code == 400 and "is no recording" in answer.json()["detail"]
    assert not [path for path in (tmp_path / "home" / "compared").rglob("*") if path.is_file()]


async def test_before_anything_is_sent_it_is_told_where_it_goes_and_about_what_it_costs(
    clients: Any, models: OpenAIServer, tmp_path: Path
) -> None:
    async def line(*names: str, **more: Any) -> tuple[str, bool]:
        wish = {"task": "text", "asked": "Why is the sky blue?", "candidates": [{"model": m} for m in names], **more}
        answer = await clients("ada").post("/compare/api/estimate", json=wish)
        assert answer.status_code == 200, answer.text
        return answer.json()["line"], answer.json()["leaves"]

    assert await line("here:one", "here:two") == ("stays here", False)
    dear = await line("openai:gpt-5-mini", "openai:gpt-4.1", "here:one")
    assert dear == ("to OpenAI, about 0.3 ct (at most 1.0 ct)", True)
    assert await line("openai:gpt-5-mini", "openai:gpt-99") == ("to OpenAI, price unknown", True)
    text = '[models]\n"openai:gpt-4.1" = { input = 2, output = 8, currency = "EUR" }\n"here:one" = { input = 9, output = 9 }\n"here:two" = { input = 9, output = 9, currency = "CHF" }\n'
    (tmp_path / "home" / "prices.toml").write_text(text, "utf-8")
    mixed, _ = await line("openai:gpt-5", "openai:gpt-4.1")
    assert mixed.startswith("to OpenAI, about 0.3 ct (USD) + 0.2 ct (EUR) (at most")
    own, leaves = await line("here:one", "here:two")
    assert re.match(r"stays here, about \d\.\d ct \(USD\) \+ 0\.\d+ CHF \(at most", own) and not leaves
    assert (await line("here:one", "here:free"))[0].startswith("stays here, about")
    assert (await line("openai:whisper-1", "here:ear", task="speech", sound_s=120))[0] == "to OpenAI, about 1.2 ct"
    assert (await line("openai:whisper-1", "here:ear", task="speech"))[0] == "to OpenAI, price unknown"
    assert (await line("openai:dall-e-3", "openai:gpt-image-1", task="image"))[0] == "to OpenAI, about 33.0 ct"
    assert not models.received


async def test_longer_prompts_cost_more_beforehand_and_nonsense_is_refused(clients: Any) -> None:
    def wish(**more: Any) -> dict[str, Any]:
        return {
            "task": "text",
            "asked": "Why?",
            "candidates": [{"model": "openai:gpt-5", **more}, {"model": "here:one"}],
        }

    client = clients("ada", "fr")
    short = (await client.post("/compare/api/estimate", json=wish())).json()["line"]
    assert short.startswith("vers OpenAI, environ 0,3 ct (au plus")
    long = (await client.post("/compare/api/estimate", json=wish(system="Be brief. " * 1500))).json()["line"]
    read = (await client.post("/compare/api/estimate", json=wish(retrieval=True))).json()["line"]
    assert len({short, long, read}) == 3
    assert (await client.post("/compare/api/estimate", json=wish(model="nobody:x"))).status_code == 400


async def test_prompts_of_the_library_are_offered_and_shown_to_the_model(clients: Any, models: OpenAIServer) -> None:
    offered = (await clients("ada").get("/compare/api/prompts")).json()["prompts"]
    translate = next(row for row in offered if row["name"] == "translate")
    assert translate["inputs"][0]["name"] == "language"
    candidates = [{"model": "here:one"}, {"model": "here:one", "prompt": '/translate language="Dutch"'}]
    await run(clients("ada"), asked="Good night", candidates=candidates)
    asked = {r.body["messages"][-1]["content"] for r in models.received if "messages" in r.body}
    assert asked == {"Good night", "Translate into Dutch:\n\nGood night"}
    wish = {
        "task": "text",
        "asked": "?",
        "candidates": [{"model": "here:one"}, {"model": "here:one", "prompt": "/nobody"}],
    }
    answer = await clients("ada", "fr").post("/compare/api/run", json=wish)
    assert answer.status_code == 400 and answer.json()["detail"].startswith("Il n'y a pas de prompt nobody.")


async def test_the_page_offers_models_and_says_where_they_go(clients: Any) -> None:
    first, *others = (await clients("ada").get("/compare/api/models?task=text")).json()["models"]
    assert first == {"id": "here:one", "set": True, "host": "", "priced": True} and others
    html = (await clients("ada").get("/compare")).text
    assert "data-words" in html and "{mb}" not in html.split("<body")[1].split(">", 1)[1]
