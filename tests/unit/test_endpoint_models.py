"""Servers are asked for their models side by side; whoever is down, slow or hostile is told and holds nobody back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assistant.endpoints import ask_endpoints, configured_endpoints
from assistant.settings import Chat, NamedEndpoint, Settings
from tools.engines import endpoint_models
from tools.engines.endpoint_models import MOST_NAMES, Served, is_name, task_of_name

HOSTILE = '<img src=x onerror="alert(1)">'


@contextmanager
def listing(answer: object, status: int = 200, wait: threading.Event | None = None) -> Iterator[str]:
    """A server whose list of models is `answer`: bytes as they are, anything else as JSON."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if wait:
                wait.wait(30)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        if wait:
            wait.set()
        server.shutdown()
        server.server_close()


def models(*names: object) -> dict[str, object]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def ask(tmp_path: Path, urls: dict[str, str], **changes: object) -> dict[str, Served]:
    endpoints = {name: NamedEndpoint(url) for name, url in urls.items()}
    settings = Settings(home=tmp_path, endpoints=endpoints, **changes)  # type: ignore[arg-type]
    return {served.provider: served for served in asyncio.run(ask_endpoints(settings))}


def test_a_server_tells_its_models_and_known_ones_keep_their_cards(tmp_path: Path) -> None:
    with listing(models("gpt-4.1-mini", "nomic-embed-text:latest", "my-own-model", "bge-reranker")) as url:
        served = ask(tmp_path, {"work": url})["work"]
    assert served.trouble == ""
    cards = {card.id: card for card in served.cards}
    assert cards["work:gpt-4.1-mini"].sees_images and cards["work:gpt-4.1-mini"].context_tokens == 1_047_576
    assert cards["work:nomic-embed-text:latest"].task == "embedding"
    assert (cards["work:my-own-model"].task, cards["work:my-own-model"].licence) == ("text", "unknown")
    assert cards["work:bge-reranker"].task == "reranking"


def test_one_that_is_down_and_one_with_a_wrong_list_hold_nobody_back(tmp_path: Path) -> None:
    with (
        listing(models("fine")) as good,
        listing({"data": "no list"}) as wrong,
        listing(b"<html>a page</html>") as page,
        listing({"error": {"message": "no"}}, 401) as locked,
    ):
        urls = {"down": "http://127.0.0.1:9/v1", "good": good, "wrong": wrong, "page": page, "locked": locked}
        found = ask(tmp_path, urls)
    assert [card.id for card in found["good"].cards] == ["good:fine"]
    assert "cannot be reached" in found["down"].trouble
    assert "not the OpenAI format" in found["wrong"].trouble
    assert "not the OpenAI format" in found["page"].trouble
    assert "does not accept the key" in found["locked"].trouble


def test_a_server_that_says_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_models, "ANSWER_WITHIN_S", 0.3)
    with listing(models("late"), wait=threading.Event()) as slow, listing(models("fine")) as good:
        found = ask(tmp_path, {"slow": slow, "good": good})
    assert found["slow"].cards == () and "did not answer" in found["slow"].trouble
    assert found["good"].cards


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    names = [HOSTILE, "\x1b[31mred", "two\nlines", "", 7, None, "x" * 5000, "fine", "fine", " padded"]
    with listing({"data": [*models(*names)["data"], "no object", None]}) as url:  # type: ignore[misc]
        served = ask(tmp_path, {"work": url})["work"]
    assert [card.id for card in served.cards] == [f"work:{HOSTILE}", "work:fine"]
    assert served.trouble.startswith("10 entries in the list of work were left out")


def test_a_list_without_end_is_cut(tmp_path: Path) -> None:
    with listing(models(*(f"m{n}" for n in range(MOST_NAMES + 20)))) as url:
        served = ask(tmp_path, {"work": url})["work"]
    assert len(served.cards) == MOST_NAMES and "20 entries" in served.trouble


def test_offline_only_servers_of_this_machine_are_asked(tmp_path: Path) -> None:
    with listing(models("fine")) as url:
        found = ask(tmp_path, {"here": url, "away": "https://models.example/v1"}, offline=True)
    assert found["here"].cards
    assert "Offline mode" in found["away"].trouble


def test_named_used_and_keyed_servers_are_asked_and_no_others(tmp_path: Path) -> None:
    assert configured_endpoints(Settings(home=tmp_path)) == {}
    settings = Settings(
        home=tmp_path,
        chat=Chat("openai-compatible:m", base_url="http://127.0.0.1:1/v1"),
        endpoints={"work": NamedEndpoint("http://127.0.0.1:2/v1")},
        keys={"OPENAI_API_KEY": "k", "OLLAMA_HOST": "127.0.0.1:3"},
    )
    assert list(configured_endpoints(settings)) == ["work", "openai-compatible", "openai", "ollama"]


@pytest.mark.parametrize(
    ("name", "task"),
    [("whisper-1", "speech"), ("gpt-4o-mini-tts", "voice"), ("flux-dev", "image"), ("llama3.2", "text")],
)
def test_a_task_is_guessed_from_the_name(name: str, task: str) -> None:
    assert is_name(name) and task_of_name(name) == task
