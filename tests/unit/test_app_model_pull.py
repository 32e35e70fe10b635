"""“Download” on a model's card: begun, watched, stopped, gone on with; from a hub on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.settings import load_settings
from tests.hub_server import HubServer, serving_hub

Client = httpx.AsyncClient
SMALL = "faster-whisper:small"
WEIGHTS = bytes(range(256)) * 40_000
FILES = {"model.bin": WEIGHTS, "config.json": b"{}", "tokenizer.json": b"{}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub import constants

    with serving_hub(dict(FILES), "Systran/faster-whisper-small") as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        yield server


@pytest.fixture
async def clients(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    """`clients("ada")` asks as ada, who is an admin."""
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_model_pull, app_models
    from assistant.app_knowledge import knowledge_failed
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page, page
    from tools.engines.errors import EngineError

    (tmp_path / "assistant.toml").write_text("admins = ['ada']\n", "utf-8")

    def ask_as(name: str, language: str = "en", **environ: str) -> Client:
        settings = load_settings(tmp_path, {"ASSISTANT_HOME": str(tmp_path / "home"), **environ})
        open_page(_open(replace(settings, login=True)))
        app = FastAPI()
        app.include_router(app_models.router)
        app.include_router(app_model_pull.router)
        app.add_exception_handler(EngineError, knowledge_failed)
        app.dependency_overrides[get_current_user] = lambda: User(identifier=name)
        headers = {"Accept-Language": language}
        return Client(transport=httpx.ASGITransport(app), base_url="http://test/models/api/", headers=headers)

    yield ask_as
    await app_model_pull.stop_pulling()
    await page().assistant.close()
    await page().store.close()


async def state(client: Client, model: str = SMALL) -> dict[str, Any]:
    return dict((await client.get("pull", params={"id": model})).json())


async def until(client: Client, *states: str, above: float = 0.0) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (found := await state(client))["state"] not in states or (found["fraction"] or 0.0) < above:
            await asyncio.sleep(0.02)
    return found


async def test_a_model_is_brought_with_its_size_told_and_then_counts_as_here(
    clients: Any, hub: HubServer, tmp_path: Path
) -> None:
    client = clients("ada", "fr")
    assert (await client.get("card", params={"id": SMALL})).json()["pull"]
    assert (await state(client))["state"] == "none"
    hub.pause_s = 0.02
    assert (await client.post("pull", json={"id": SMALL})).json()["state"] in ("waiting", "running")
    going = await until(client, "running", above=0.05)
    assert going["said"] == "Téléchargement de Systran/faster-whisper-small : 10.2 Mo"
    await until(client, "done")
    assert (tmp_path / "home/models/hub/Systran--faster-whisper-small/model.bin").read_bytes() == WEIGHTS
    assert not (await client.get("card", params={"id": SMALL})).json()["pull"]
    again = await client.post("pull", json={"id": SMALL})
    assert again.status_code == 400 and "sont déjà ici" in again.json()["detail"]


async def test_one_that_is_stopped_goes_on_from_what_has_come(clients: Any, hub: HubServer, tmp_path: Path) -> None:
    client = clients("ada")
    hub.pause_s = 0.05
    await client.post("pull", json={"id": SMALL})
    await until(client, "running", above=0.2)
    await client.post("pull/stop", json={"id": SMALL})
    await until(client, "stopped")
    assert not (tmp_path / "home/models/hub/Systran--faster-whisper-small").exists()
    hub.pause_s = 0.0
    await client.post("pull", json={"id": SMALL})
    await until(client, "done")
    (resumed,) = [asked for name, asked in hub.asked if name == "model.bin"][1:]
    assert int(resumed.removeprefix("bytes=").removesuffix("-")) > len(WEIGHTS) * 0.1
    assert (tmp_path / "home/models/hub/Systran--faster-whisper-small/model.bin").read_bytes() == WEIGHTS


async def test_why_it_failed_is_told_and_it_can_be_tried_again(clients: Any, hub: HubServer) -> None:
    client = clients("ada", ASSISTANT_OFFLINE="true")
    await client.post("pull", json={"id": SMALL})
    failed = await until(client, "failed")
    assert "it is set to stay offline" in failed["said"] and hub.asked == []
    client = clients("ada")
    await client.post("pull", json={"id": SMALL})
    await until(client, "done")


async def test_only_who_may_choose_models_downloads_them(clients: Any, hub: HubServer) -> None:
    client = clients("bob")
    assert not (await client.get("card", params={"id": SMALL})).json()["pull"]
    for path in ("pull", "pull/stop"):
        assert (await client.post(path, json={"id": SMALL})).status_code == 403
    assert hub.asked == []


@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "faster-whisper:base", "starter:drawings"])
async def test_what_is_hosted_or_comes_along_is_not_downloaded(clients: Any, model: str) -> None:
    refused = await clients("ada").post("pull", json={"id": model})
    assert refused.status_code == 400 and "cannot be fetched beforehand" in refused.json()["detail"]
    unknown = await clients("ada").post("pull", json={"id": "faster-whisper:somebody/else"})
    assert unknown.status_code == 400
