"""What the page refuses and how it sends things: origins, headers, limits, uploads that must never run."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import socketio
from playwright.sync_api import BrowserContext, Page, expect
from socketio.exceptions import ConnectionError as SocketError

from tests.e2e.conftest import Server, answer, open_page

HTML = "<!doctype html><html><body><script>window.name='ran'</script><p>A note about the quay.</p></body></html>"
NOT_RUN = ("application/octet-stream", "text/plain; charset=utf-8")
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>window.name='ran'</script><text>A note about the quay.</text></svg>"


def request(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None, body: str = ""
) -> tuple[int, dict[str, str], str]:
    """(status, headers, body) without a browser's manners."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body or None, headers or {})
    response = connection.getresponse()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode("utf-8", "replace")


def test_the_page_loads_nothing_from_outside_and_runs_offline(page: Page, server: Server) -> None:
    page.context.set_offline(False)
    _, headers, text = request(server, "GET", "/")
    assert "//fonts." not in text
    assert "jsdelivr" not in text
    policy = headers["content-security-policy"]
    for rule in (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert rule in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_every_answer_carries_the_headers(server: Server) -> None:
    for path in ("/", "/health", "/nothing", "/project/settings", "/public/page.js"):
        _, headers, _ = request(server, "GET", path)
        assert headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" in headers
        assert headers["x-frame-options"] == "DENY"


def test_a_remote_picture_in_an_answer_is_not_fetched(page: Page) -> None:
    page.evaluate(
        "() => { const i = new Image(); i.src = 'http://192.0.2.1/steal.png?secret'; document.body.append(i); }"
    )
    refused = page.evaluate(
        """() => new Promise((done) => { document.addEventListener("securitypolicyviolation", (e) => done(e.effectiveDirective));
             const i = new Image(); i.src = "http://192.0.2.1/steal.png"; })"""
    )
    assert refused == "img-src"


@pytest.mark.parametrize(
    "path",
    [
        "/openapi.json",
        "/docs",
        "/redoc",
        "/mcp",
        "/auth/jwt",
        "/auth/oauth/github",
        "/copilot/index.js",
        "/project/share/x",
        "/project/element",
    ],
)
def test_what_the_page_does_not_need_is_shut(server: Server, path: str) -> None:
    assert request(server, "GET", path)[0] == 404


def test_another_site_can_neither_write_nor_open_a_socket(server: Server) -> None:
    foreign = {"Origin": "https://evil.example", "Content-Type": "application/json"}
    assert request(server, "POST", "/auth/header", foreign, "{}")[0] == 403
    assert request(server, "GET", "/ws/socket.io/?EIO=4&transport=polling", foreign)[0] == 403
    upgrade = foreign | {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert request(server, "GET", "/ws/socket.io/?EIO=4&transport=websocket", upgrade)[0] == 403
    own = {"Origin": server.url, "Content-Type": "application/json"}
    status, headers, _ = request(server, "POST", "/auth/header", own, "{}")
    assert status == 200
    assert "access-control-allow-origin" not in headers


def test_another_name_for_this_machine_is_refused(server: Server) -> None:
    assert request(server, "GET", "/", {"Host": f"rebound.example:{server.port}"})[0] == 421


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(server: Server) -> None:
    _, headers, _ = request(server, "POST", "/auth/header", {"Content-Type": "application/json"}, "{}")
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_request_too_large_is_refused_before_it_is_read(server: Server) -> None:
    status, _, text = request(server, "POST", "/project/file?session_id=x", {"Content-Length": "2000000000"})
    assert status == 413
    assert "larger than 20 MB" in text
    assert request(server, "PUT", "/feedback", {"Content-Length": "90000000"})[0] == 413
    assert (
        request(server, "POST", "/project/file?session_id=x", {"Transfer-Encoding": "chunked"}, "0\r\n\r\n")[0] == 411
    )


@pytest.mark.parametrize(("name", "content"), [("page.html", HTML), ("drawing.svg", SVG)])
def test_an_uploaded_page_does_not_run(page: Page, server: Server, tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with page.expect_response("**/project/file?*") as uploaded:
        page.set_input_files("#upload-button-input", str(path))
    file_id = uploaded.value.json()["id"]
    session = uploaded.value.url.split("session_id=")[1].strip("&")
    got = page.context.request.get(f"{server.url}/project/file/{file_id}?session_id={session}")
    assert got.headers["content-type"] in NOT_RUN
    assert got.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in got.headers["content-security-policy"]
    answer(page, "What is the note about?", timeout=60_000)
    page.reload()
    link = page.locator("a[href*='/files/']").first
    kept = page.context.request.get(str(link.evaluate("a => a.href")))
    assert kept.headers["content-type"] in NOT_RUN
    assert kept.headers["x-content-type-options"] == "nosniff"


def test_without_a_cookie_nothing_of_a_conversation_is_given(page: Page, server: Server) -> None:
    answer(page, "Name a stone.")
    thread = page.url.rsplit("/", 1)[1]
    for path in (f"/project/thread/{thread}", "/history", "/export?format=json", "/files/x", "/passages/x"):
        assert request(server, "GET", path)[0] == 401
    body = json.dumps({"feedback": {"forId": "x", "value": 1}, "sessionId": "x"})
    assert request(server, "PUT", "/feedback", {"Content-Type": "application/json"}, body)[0] == 401


def test_the_page_opens_with_no_network_at_all(new_context: Callable[..., BrowserContext], server: Server) -> None:
    context = new_context()
    context.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())
    page = open_page(context, server)
    expect(page.locator(".greeting")).to_be_visible()


@contextlib.contextmanager
def connected(server: Server, **auth: Any) -> Iterator[socketio.SimpleClient]:
    """The page's socket as a script opens it, with ids of its own choice."""
    _, headers, _ = request(server, "POST", "/auth/header", {"Content-Type": "application/json"}, "{}")
    cookie = {"Cookie": headers["set-cookie"].split(";")[0]}
    given = {"sessionId": str(uuid.uuid4()), "clientType": "webapp", **auth}
    with socketio.SimpleClient() as client:
        client.connect(server.url, headers=cookie, auth=given, transports=["websocket"], socketio_path="/ws/socket.io")
        yield client


@pytest.mark.parametrize("name", ["../../out", "..", "/tmp/out", "{" + str(uuid.uuid4()) + "}", 7, ["a"]])
@pytest.mark.parametrize("key", ["sessionId", "threadId"])
def test_ids_that_could_be_paths_are_refused_at_the_socket(server: Server, key: str, name: Any) -> None:
    with pytest.raises(SocketError), connected(server, **{key: name}):
        pass


def test_ids_that_the_page_makes_are_let_in(server: Server) -> None:
    with connected(server, threadId=str(uuid.uuid4())) as client:
        assert client.connected


def say(client: socketio.SimpleClient, text: str, turn: str = "", command: str | None = None) -> dict[str, Any]:
    """Send a message, with metadata of one's own choice, and wait for the answer's last state."""
    message = {"id": str(uuid.uuid4()), "type": "user_message", "name": "me", "output": text, "createdAt": ""}
    message |= {"command": command, "metadata": {"turn": turn} if turn else {}}
    client.emit("client_message", {"message": message, "fileReferences": []})
    return answered(client)


def answered(client: socketio.SimpleClient) -> dict[str, Any]:
    while True:
        name, *given = client.receive(timeout=40)
        if name in ("new_message", "update_message") and (given[0].get("metadata") or {}).get("question"):
            return dict(given[0])


def turns_of(server: Server, thread: str) -> list[tuple[str, str]]:
    """(request, state) of a conversation, from the database."""
    with contextlib.closing(sqlite3.connect(server.home / "history.db")) as db:
        return db.execute("SELECT request, state FROM assistant_turns WHERE thread = ?", (thread,)).fetchall()


def test_a_turn_of_another_conversation_cannot_be_replaced(server: Server) -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    with connected(server, threadId=first) as client:
        turn = say(client, "/write Name a flower.")["metadata"]["turn"]
    with connected(server, threadId=second) as client:
        say(client, "/write Name a tree.", turn=turn)
    assert turns_of(server, first) == [("Name a flower.", "done")]
    assert turns_of(server, second) == [("Name a tree.", "done")]


def test_an_edited_question_that_failed_before_it_was_stored_replaces_no_other(server: Server) -> None:
    thread = str(uuid.uuid4())
    with connected(server, threadId=thread) as client:
        first = say(client, "/write Name a flower.")["metadata"]
        failed = say(client, " ", command="search")
        assert failed["isError"]
        assert failed["metadata"]["turn"] not in ("", first["turn"])
        edited = {"id": failed["metadata"]["question"], "output": "Name a tree."}
        client.emit("edit_message", {"message": edited})
        answered(client)
    assert turns_of(server, thread) == [("Name a flower.", "done"), ("Name a tree.", "done")]


def test_a_message_too_long_keeps_its_files(server: Server) -> None:
    session = str(uuid.uuid4())
    with connected(server, sessionId=session) as client:
        cookie = client.client.connection_headers["Cookie"]
        body = '--x\r\nContent-Disposition: form-data; name="file"; filename="note.txt"\r\n\r\nA note.\r\n--x--\r\n'
        headers = {"Cookie": cookie, "Content-Type": "multipart/form-data; boundary=x"}
        _, _, uploaded = request(server, "POST", f"/project/file?session_id={session}", headers, body)
        message = {"id": str(uuid.uuid4()), "type": "user_message", "output": "word " * 13_000, "createdAt": ""}
        client.emit("client_message", {"message": message, "fileReferences": [json.loads(uploaded)]})
        shown = []
        while len(shown) < 2:
            name, *given = client.receive(timeout=20)
            if name == "element" and given[0]["forId"] != message["id"]:
                shown.append(given[0])
    assert [element["name"] for element in shown] == ["pasted text.txt", "note.txt"]
    status, _, text = request(server, "GET", shown[1]["url"], {"Cookie": cookie})
    assert (status, text) == (200, "A note.")


def test_the_history_links_only_what_the_page_can_open(server: Server) -> None:
    _, headers, _ = request(server, "POST", "/auth/header", {"Content-Type": "application/json"}, "{}")
    with contextlib.closing(sqlite3.connect(server.home / "history.db")) as db, db:
        db.execute("INSERT INTO assistant_threads VALUES ('TYPED', 'local', 'Name a wombat.', 0)")
        db.execute(
            "INSERT INTO assistant_turns (id, number, thread, created, state, request, answer, attachments, receipt) "
            "VALUES ('T1', 1, 'TYPED', 0, 'done', 'Name a wombat.', 'Wanda.', '[]', '{}')"
        )
    _, _, text = request(server, "GET", "/history?q=wombat", {"Cookie": headers["set-cookie"].split(";")[0]})
    assert "Name a wombat." in text
    assert "/thread/TYPED" not in text
