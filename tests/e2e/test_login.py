"""With login on: required everywhere, others' things out of reach, guessing slowed down, old cookies dead."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from assistant.accounts import Accounts
from tests.e2e.conftest import ANSWER, Server, answer, free_port, picture_of
from tests.e2e.test_security import request

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def guarded(new_server: Callable[..., Server]) -> Any:
    server = new_server(ASSISTANT_LOGIN="true")
    accounts = Accounts(server.home)
    for name in ("ada", "bob", "eve"):
        accounts.add(name, PASSWORD)
    yield server.start()
    server.stop()


def sign_in(context: BrowserContext, server: Server, name: str, password: str = PASSWORD) -> Page:
    page = context.new_page()
    page.goto(server.url)
    page.fill("#email", name)
    page.fill("#password", password)
    page.click("button[type=submit]")
    return page


def test_who_is_not_signed_in_sees_only_the_login(new_context: Callable[..., BrowserContext], guarded: Server) -> None:
    page = new_context().new_page()
    page.goto(guarded.url)
    expect(page.locator("#email")).to_be_visible()
    picture_of(page, "login")
    for path in ("/project/thread/x", "/history", "/export", "/files/x", "/user"):
        assert request(guarded, "GET", path)[0] == 401
    assert request(guarded, "POST", "/project/threads", {"Content-Type": "application/json"}, THREADS)[0] == 401


def test_a_conversation_belongs_to_its_owner(new_context: Callable[..., BrowserContext], guarded: Server) -> None:
    ada, bob = new_context(), new_context()
    page = sign_in(ada, guarded, "ada")
    page.wait_for_selector("#chat-settings-open-modal")
    answer(page, "Name a planet.")
    thread = page.url.rsplit("/", 1)[1]
    step = page.locator(f"{ANSWER} [id^=step-]").first.get_attribute("id").removeprefix("step-")
    other = sign_in(bob, guarded, "bob")
    other.wait_for_selector("#chat-settings-open-modal")
    assert other.request.get(f"{guarded.url}/project/thread/{thread}").status == 401
    given = {"feedback": {"forId": step, "threadId": thread, "value": 0}, "sessionId": "x"}
    assert other.request.put(f"{guarded.url}/feedback", data=given).status == 404
    assert page.request.put(f"{guarded.url}/feedback", data=given).status == 200
    assert other.request.delete(f"{guarded.url}/project/thread", data={"threadId": thread}).status == 401
    other.goto(f"{guarded.url}/thread/{thread}")
    other.wait_for_timeout(1500)
    expect(other.locator(ANSWER)).to_have_count(0)
    assert json.loads(other.request.get(f"{guarded.url}/export?format=json").text()) == []


def test_a_transcript_is_for_its_owner_alone(
    new_context: Callable[..., BrowserContext], guarded: Server, spoken: Path
) -> None:
    page = sign_in(new_context(), guarded, "ada")
    page.wait_for_selector("#chat-settings-open-modal")
    page.set_input_files("#upload-button-input", str(spoken))
    answer(page, "/transcribe", timeout=60_000)
    address = page.locator(f"{ANSWER} a[download='heard.srt']").get_attribute("href")
    transcript = f"{guarded.url}{str(address).partition('/file')[0]}"
    other = sign_in(new_context(), guarded, "bob")
    other.wait_for_selector("#chat-settings-open-modal")
    for path in ("", "/media", "/file?format=srt", "/speakers"):
        assert other.request.get(transcript + path).status == 404
        assert page.request.get(transcript + path).status == 200
    assert other.request.post(f"{transcript}/speakers").status == 404
    assert other.request.put(f"{transcript}/speakers", data={"Speaker 1": "Bob"}).status == 404


def test_guessing_a_password_is_slowed_down(new_context: Callable[..., BrowserContext], guarded: Server) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(5):
        assert request(guarded, "POST", "/login", form, "username=eve&password=wrong")[0] == 401
    status, headers, _ = request(guarded, "POST", "/login", form, f"username=eve&password={PASSWORD.replace(' ', '+')}")
    assert status == 429
    assert int(headers["retry-after"]) > 60
    page = sign_in(new_context(), guarded, "eve")
    expect(page.get_by_text("Too many attempts").first).to_be_visible()


def test_guesses_sent_at_once_are_all_counted(guarded: Server) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def guess(n: int) -> int:
        return request(guarded, "POST", "/login", form, f"username=mallory&password=wrong{n}")[0]

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(guess, range(12)))
    assert sorted(statuses) == [401] * 5 + [429] * 7


def test_a_reset_password_signs_everybody_out(new_context: Callable[..., BrowserContext], guarded: Server) -> None:
    context = new_context()
    page = sign_in(context, guarded, "bob")
    page.wait_for_selector("#chat-settings-open-modal")
    Accounts(guarded.home).reset("bob", "another long password")
    assert page.request.get(f"{guarded.url}/user").status == 401
    page.fill("#chat-input", "Am I still here?")
    page.click("#chat-submit")
    expect(page.locator("#email")).to_be_visible()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "Set login = true"),
        (["--cert", __file__, "--key", __file__], "Give a PEM certificate"),
    ],
)
def test_an_unsafe_or_broken_start_is_one_line(guarded: Server, arguments: list[str], says: str) -> None:
    ended = start(guarded, "--port", str(free_port()), *arguments)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_one_line(guarded: Server) -> None:
    ended = start(guarded, "--port", str(guarded.port))
    assert ended.returncode == 2
    assert "Choose another with --port" in ended.stderr


def start(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"ASSISTANT_HOME": str(server.home.parent / "other"), "PATH": "/usr/bin"}
    command = [sys.executable, "-m", "assistant.cli", "run", *arguments]
    return subprocess.run(
        command, check=False, env=environment, cwd=server.home.parent, capture_output=True, text=True, timeout=30
    )


def test_with_a_certificate_the_page_is_https_and_its_cookie_secure(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*new, "-out", cert, "-keyout", key], check=True, capture_output=True)
    server = new_server(ASSISTANT_CERT=str(cert), ASSISTANT_KEY=str(key)).start()
    trusted = ssl.create_default_context(cafile=str(cert))
    connection = HTTPSConnection("localhost", server.port, context=trusted, timeout=10)
    connection.request("POST", "/auth/header", "{}", {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200
    assert "secure" in str(response.getheader("set-cookie")).lower()
    server.stop()


THREADS = json.dumps({"pagination": {"first": 5}, "filter": {}})
