"""The knowledge page: files dropped by the dozen, read in turn, found, opened, shared, deleted; nobody sees what is not theirs."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from assistant.accounts import Accounts
from tests.e2e.conftest import ANSWER, Server, ask, leave, open_page, picture_of
from tests.e2e.test_login import PASSWORD
from tests.e2e.test_security import request

DROP = """(place, files) => {
    const transfer = new DataTransfer();
    for (const { name, content } of files) {
        const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    for (const type of ["dragenter", "dragover", "drop"]) {
        place.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
    }
}"""
RULES = """# Harbour rules

The harbour office opens at seven in the morning and closes at nine in the evening.

# Mooring fees

A boat of up to ten metres pays forty-two euros a night between June and September.
"""


@pytest.fixture(scope="module")
def library(new_server: Callable[..., Server]) -> Iterator[Server]:
    server = new_server(ASSISTANT_CHAT_MAX_TOKENS="60", ASSISTANT_FETCH_PRIVATE_HOSTS="127.0.0.1").start()
    yield server
    server.stop()


@pytest.fixture
def tab(new_context: Callable[..., BrowserContext], library: Server) -> Page:
    """The knowledge page, with login off."""
    return knowledge_page(new_context(), library)


def knowledge_page(context: BrowserContext, server: Server) -> Page:
    """As who came from the chat, which gave them their cookie."""
    context.request.post(f"{server.url}/auth/header", data={}, timeout=60_000)
    page = context.new_page()
    page.goto(f"{server.url}/knowledge")
    return page


def drop(page: Page, files: dict[str, bytes]) -> None:
    given = [{"name": name, "content": base64.b64encode(content).decode()} for name, content in files.items()]
    last = quote(list(files)[-1])
    with page.expect_response(lambda r: "/knowledge/api/files?" in r.url and last in r.url.replace("+", "%20")):
        page.locator("#drop").evaluate(DROP, given)


def row_of(page: Page, name: str) -> Locator:
    return page.locator("#sources tr").filter(has_text=name)


def settled(page: Page, timeout: float = 90_000) -> None:
    """Everything is read, whether it worked or not."""
    expect(page.locator("#jobs .job:not(.failed)")).to_have_count(0, timeout=timeout)


def test_thirty_files_at_once_are_all_read_and_the_broken_one_says_why(tab: Page, library: Server) -> None:
    files = {f"note {n:02d}.md": f"# Note {n}\n\nThe boat number {n} lies at quay {n}.".encode() for n in range(1, 30)}
    chat = open_page(tab.context, library)
    drop(tab, {"broken.pdf": b"%PDF-1.7\nthis was cut off"} | files)
    ask(chat, "Name a planet.")
    expect(tab.locator("#queue")).to_be_visible()
    picture_of(tab, "knowledge-queue")
    expect(chat.locator("#again")).to_be_visible(timeout=120_000)
    assert chat.locator(ANSWER).last.inner_text()
    settled(tab)
    broken = tab.locator("#jobs .job.failed")
    expect(broken).to_have_count(1)
    expect(broken).to_contain_text(re.compile(r"broken\.pdf.*(damaged|cannot be read)", re.DOTALL))
    expect(broken.get_by_role("button", name="Try again: broken.pdf")).to_be_visible()
    for name in files:
        expect(row_of(tab, name)).to_contain_text("Ready")
    tab.set_viewport_size({"width": 1280, "height": 1400})
    picture_of(tab, "knowledge")
    broken.get_by_role("button", name="Remove from this list: broken.pdf").click()
    expect(tab.locator("#queue")).to_be_hidden()
    for _ in range(100):
        if not (waiting := [path for path in (library.home / "kept" / "incoming").rglob("*") if path.is_file()]):
            break
        tab.wait_for_timeout(50)
    assert waiting == []


def test_a_search_marks_the_words_and_opens_the_passage(tab: Page) -> None:
    drop(tab, {"harbour.md": RULES.encode()})
    settled(tab)
    tab.fill("#query", "How much does a boat pay a night?")
    tab.press("#query", "Enter")
    first = tab.locator("#passages li").first
    expect(first).to_contain_text("harbour.md")
    expect(first.locator("mark").first).to_have_text("boat")
    expect(first.locator(".shares")).to_have_attribute("aria-label", re.compile(r"Score 0\.\d\d, \d+ % by meaning"))
    expect(first).to_contain_text("Matched words: boat")
    picture_of(tab, "knowledge-search")
    first.get_by_role("button").click()
    reader = tab.get_by_role("dialog", name="Harbour rules")
    expect(reader.locator(".hit")).to_contain_text("forty-two euros")
    expect(reader.locator(".hit mark").first).to_be_visible()
    expect(reader.get_by_role("heading", name="Mooring fees")).to_be_visible()
    picture_of(tab, "knowledge-document")
    tab.keyboard.press("Escape")
    expect(reader).to_be_hidden()
    tab.fill("#query", "xyzzy")
    tab.reload()
    expect(tab.locator("#query")).to_have_value("How much does a boat pay a night?")
    expect(tab.locator("#passages li").first).to_contain_text("harbour.md")
    tab.emulate_media(color_scheme="dark")
    picture_of(tab, "knowledge-dark")
    tab.set_viewport_size({"width": 390, "height": 844})
    picture_of(tab, "knowledge-phone")
    tab.locator("#documents").scroll_into_view_if_needed()
    tab.locator("#documents").evaluate("element => element.scrollIntoView()")
    picture_of(tab, "knowledge-phone-list")
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_keyboard_alone_adds_reads_filters_and_deletes(tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    path.write_text("Typed, not clicked.")
    with tab.expect_file_chooser() as chooser:
        tab.locator("#choose-files").press("Enter")
    chooser.value.set_files(path)
    settled(tab)
    tab.locator("#filter").press_sequentially("keys")
    expect(tab.locator("#sources tr")).to_have_count(1)
    tab.keyboard.press("Tab")
    expect(tab.locator("#collection")).to_be_focused()
    tab.get_by_role("button", name="keys.txt", exact=True).press("Enter")
    expect(tab.get_by_role("dialog", name="keys.txt")).to_contain_text("Typed, not clicked.")
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="keys.txt", exact=True)).to_be_focused()
    tab.get_by_role("button", name="Delete: keys.txt").press("Enter")
    expect(tab.get_by_role("button", name="Keep it")).to_be_focused()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.locator("#none")).to_have_text("No document has this name.")
    expect(tab.locator("#said")).to_have_text("keys.txt is deleted.")


def test_a_folder_keeps_its_names_and_an_archive_gives_its_files(tab: Page, tmp_path: Path) -> None:
    (tmp_path / "papers" / "deep").mkdir(parents=True)
    (tmp_path / "papers" / "one.txt").write_text("The first paper.")
    (tmp_path / "papers" / "deep" / "two.txt").write_text("The second paper.")
    (tmp_path / "papers" / ".hidden").write_text("Not meant to be read.")
    with tab.expect_file_chooser() as chooser:
        tab.click("#choose-folder")
    chooser.value.set_files(tmp_path / "papers")
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("inside.txt", "From inside the archive.")
    drop(tab, {"pack.zip": pack.getvalue()})
    settled(tab)
    for title, source in (("one.txt", "papers/one.txt"), ("two.txt", "papers/deep/two.txt")):
        expect(row_of(tab, source).get_by_role("button", name=title, exact=True)).to_be_visible()
    expect(row_of(tab, "pack.zip/inside.txt")).to_contain_text("Ready")
    expect(tab.locator("#sources")).not_to_contain_text("hidden")


def test_a_page_and_a_database_from_elsewhere_become_documents(tab: Page, tmp_path: Path) -> None:
    (tmp_path / "quay.html").write_text(
        "<html><head><title>The quay</title></head><body><p>It is long.</p></body></html>"
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as db, db:
        db.execute("CREATE TABLE boats (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("INSERT INTO boats VALUES (1, 'Wanda')")
    tab.get_by_text("From the web or a database").click()
    with served(tmp_path) as address:
        tab.get_by_label("Address", exact=True).fill(f"{address}/quay.html")
        tab.locator("#web button").click()
        quay = row_of(tab, f"{address}/quay.html")
        expect(quay).to_contain_text("Ready")
        expect(quay).to_contain_text(re.compile(r"Compared with its origin today \d\d:\d\d · Read\."))
        quay.get_by_role("button", name="Refresh: The quay").click()
        expect(quay).to_contain_text("Nothing has changed.")
        (tmp_path / "quay.html").unlink()
        quay.get_by_role("button", name="Refresh: The quay").click()
        expect(quay).to_contain_text("the server answered 404). What was read before is kept. Check the address.")
        expect(quay).to_contain_text("Ready")
    tab.get_by_label("Its address").fill(f"sqlite:///{tmp_path / 'shop.db'}")
    tab.get_by_label("Table, or a name").fill("boats")
    tab.locator("#database button").click()
    boats = row_of(tab, "boats (shop)")
    expect(boats).to_contain_text("Ready")
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as db, db:
        db.execute("INSERT INTO boats VALUES (2, 'Erna')")
    boats.get_by_role("button", name="Refresh: boats (shop)").click()
    expect(boats).to_contain_text("1 new.")
    expect(boats.locator("td.chunks")).to_have_text("2")
    tab.get_by_label("Its address").fill("postgresql://ada:s3cr3t@db/shop")
    tab.get_by_label("Table, or a name").fill("boats")
    tab.locator("#database button").click()
    expect(tab.locator("#trouble")).to_contain_text("A password stands in the address of postgresql://db/shop")
    tab.locator("#elsewhere").scroll_into_view_if_needed()
    picture_of(tab, "knowledge-elsewhere")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder that this machine serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_page_speaks_french(new_context: Callable[..., BrowserContext], library: Server) -> None:
    chat = open_page(new_context(locale="fr-FR"), library)
    chat.get_by_role("button", name="Vos documents").click()
    expect(chat.get_by_role("heading", name="Base de documents")).to_be_visible()
    assert chat.locator("html").get_attribute("lang") == "fr"
    drop(chat, {"vide.txt": b"", "port.txt": "Le port ouvre à sept heures.".encode()})
    settled(chat)
    expect(chat.locator("#jobs .job.failed").filter(has_text="vide.txt est vide")).to_have_count(1)
    chat.fill("#query", "À quelle heure ouvre le port ?")
    chat.get_by_role("button", name="Chercher").click()
    expect(chat.locator("#passages li").first).to_contain_text("Mots trouvés")
    chat.get_by_text("Depuis le web ou une base de données").click()
    picture_of(chat, "knowledge-french")


def test_a_kill_in_the_middle_loses_nothing(
    new_context: Callable[..., BrowserContext], new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = new_server(ASSISTANT_FETCH_PRIVATE_HOSTS="127.0.0.1").start()
    page = knowledge_page(new_context(), server)
    files = {f"{n}.txt": "\n\n".join(f"Line {i} of paper {n}." for i in range(400)).encode() for n in range(8)}
    drop(page, files)
    expect(page.locator("#sources tr").first).to_be_visible()
    (tmp_path / "quay.html").write_text("<title>The quay</title><p>It is long.</p>")
    with served(tmp_path) as address:
        page.request.post(f"{server.url}/knowledge/api/web", data={"address": f"{address}/quay.html", "site": True})
        server.kill()
        expect(page.locator("#trouble")).to_contain_text("does not answer")
        server.start()
        page.reload(timeout=60_000)
        settled(page)
        expect(row_of(page, "The quay")).to_contain_text("Ready")
    for name in files:
        expect(row_of(page, name)).to_contain_text("Ready")
    leave(page)
    server.stop()


# Whose


@pytest.fixture(scope="module")
def team(new_server: Callable[..., Server]) -> Iterator[Server]:
    server = new_server(ASSISTANT_LOGIN="true")
    for name in ("ada", "bob"):
        Accounts(server.home).add(name, PASSWORD)
    yield server.start()
    server.stop()


def knowledge_of(context: BrowserContext, server: Server, name: str) -> Page:
    context.request.post(f"{server.url}/login", form={"username": name, "password": PASSWORD})
    page = context.new_page()
    page.goto(f"{server.url}/knowledge")
    return page


def test_others_see_only_what_is_shared_and_cannot_touch_it(
    new_context: Callable[..., BrowserContext], team: Server
) -> None:
    ada, bob = knowledge_of(new_context(), team, "ada"), knowledge_of(new_context(), team, "bob")
    drop(ada, {"plan.txt": b"The lighthouse is painted green."})
    settled(ada)
    expect(row_of(ada, "plan.txt")).to_contain_text("Only me")
    bob.reload()
    expect(bob.locator("#none")).to_contain_text("There are no documents yet")
    for path in ("document", "file"):
        address = f"{team.url}/knowledge/api/{path}?collection=user-ada&source=plan.txt"
        assert bob.request.get(address).status == 404
    assert bob.request.get(f"{team.url}/knowledge/api/search?q=lighthouse").json() == {"passages": []}
    named = {"collection": "user-ada", "source": "plan.txt"}
    for act in ("forget", "share", "unshare"):
        assert bob.request.post(f"{team.url}/knowledge/api/sources/{act}", data=named).status == 404
    ada.get_by_role("button", name="Share with everyone: plan.txt").click()
    expect(row_of(ada, "plan.txt")).to_contain_text("Everyone, shared by you")
    bob.reload()
    expect(row_of(bob, "plan.txt")).to_contain_text("Everyone")
    expect(bob.get_by_role("button", name="Delete: plan.txt")).to_be_hidden()
    shared = {"collection": "shared", "source": "plan.txt"}
    for act in ("forget", "unshare"):
        assert bob.request.post(f"{team.url}/knowledge/api/sources/{act}", data=shared).status == 404
    ada.get_by_role("button", name="Keep for me alone: plan.txt").click()
    expect(row_of(ada, "plan.txt")).to_contain_text("Only me")
    bob.reload()
    expect(bob.locator("#none")).to_be_visible()


def test_a_person_takes_everything_away_and_has_it_forgotten(
    new_context: Callable[..., BrowserContext], team: Server
) -> None:
    bob = knowledge_of(new_context(), team, "bob")
    drop(bob, {"mine.txt": b"Bob keeps bees."})
    settled(bob)
    expect(row_of(bob, "mine.txt")).to_be_visible()
    with bob.expect_download() as download:
        bob.get_by_role("link", name="Export everything").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        listed = json.loads(archive.read("documents.json"))
        assert [entry["source"] for entry in listed] == ["mine.txt"]
        assert b"Bob keeps bees." in archive.read(listed[0]["text"])
        assert archive.read(listed[0]["file"]) == b"Bob keeps bees."
    bob.get_by_role("button", name="Forget everything").click()
    yes = bob.get_by_role("dialog").get_by_role("button", name="Forget everything")
    expect(yes).to_be_disabled()
    bob.get_by_label("Type FORGET to confirm").fill("forget")
    yes.click()
    expect(bob.locator("#none")).to_contain_text("There are no documents yet")
    assert not [path for path in (team.home / "kept").glob("*.*") if b"bees" in path.read_bytes()]


def test_nothing_is_told_or_taken_without_signing_in_or_from_another_site(team: Server) -> None:
    body = {"Content-Type": "application/octet-stream"}
    for path in ("/knowledge", "/knowledge/api/sources", "/knowledge/api/jobs", "/knowledge/api/export"):
        assert request(team, "GET", path)[0] == 401
    assert request(team, "POST", "/knowledge/api/files?name=a.txt", body, "text")[0] == 401
    foreign = body | {"Origin": "https://evil.example"}
    for path in ("files?name=a.txt", "sources/forget", "forget-everything", "jobs/cancel"):
        assert request(team, "POST", f"/knowledge/api/{path}", foreign, "{}")[0] == 403
    assert request(team, "POST", "/knowledge/api/files?name=a", {"Content-Length": "90000000"})[0] == 413
    assert "unsafe-inline" not in request(team, "GET", "/knowledge")[1]["content-security-policy"].split("style-src")[0]
