"""What a citation opens, without a browser: the drawn page, the text around the passage, and nothing for anybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assistant.settings import load_settings
from knowledge.knowledge_base import KnowledgeBase
from knowledge.origins import KeptPage, Origins
from tests.documents import PAGES, write_pdf
from tests.unit.test_page_picture import highlighted
from tools.engines.base import Segment
from tools.transcript import Transcript, to_json

ADA = SimpleNamespace(identifier="ada")
EVE = SimpleNamespace(identifier="eve")
ENGLISH: Any = SimpleNamespace(headers={"accept-language": "en-US"})


@pytest.fixture
async def opened(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    """A page with Ada's thread in it."""
    from chainlit.context import init_http_context
    from chainlit.user import User

    from assistant.app_server import _open
    from assistant.app_state import open_page

    page = _open(replace(load_settings(tmp_path, {}), home=tmp_path))
    open_page(page)
    user = await page.store.create_user(User(identifier="ada"))
    init_http_context(thread_id="t1", user=user)
    await page.store.update_thread("t1", user_id=user.id)
    (tmp_path / "files" / "t1").mkdir(parents=True)
    yield page
    await page.assistant.close()
    await page.store.close()


async def keep(opened: Any, **data: Any) -> str:
    values = {
        "title": "contract.pdf",
        "where": "contract.pdf, page 2",
        "quote": "",
        "text": "",
        "source": "contract.pdf",
    }
    values |= {"page": None, "start_s": None, "collection": "", "transcript": None, "file": None, "mime": None}
    passage_id = str(data.pop("id", "p1"))
    await opened.store.keep_passage(passage_id, "t1", values | data)
    return passage_id


async def test_a_pdf_opens_as_the_picture_of_its_page_with_the_words_highlighted(opened: Any, tmp_path: Path) -> None:
    from assistant.app_passages import beside, passage, passage_picture, passage_text

    pdf = write_pdf(tmp_path / "files" / "t1" / "contract.pdf")
    mine = await keep(opened, quote=PAGES[1], text=PAGES[1], page=2, file=str(pdf), mime="application/pdf")
    element = await beside(mine, (await opened.store.passage(mine))[1])
    assert element is not None and (element["type"], element["url"]) == ("image", f"/passages/{mine}/page.png")
    left, top, _, bottom = highlighted(bytes((await passage_picture(mine, ADA)).body))
    assert left == pytest.approx(40, abs=3)
    assert 842 - 700 - 14 < top < bottom < 842 - 700 + 8
    alone = bytes((await passage(ENGLISH, mine, ADA)).body).decode()
    assert f'<img src="/passages/{mine}/page.png" alt="contract.pdf, page 2">' in alone
    assert f"<mark>{PAGES[1]}</mark>" in alone
    assert f"(/passages/{mine}/file)" in bytes((await passage_text(ENGLISH, mine, ADA)).body).decode()


async def test_nobody_else_sees_a_passage_its_page_or_its_file(opened: Any, tmp_path: Path) -> None:
    from fastapi import HTTPException

    from assistant.app_passages import passage, passage_file, passage_picture, passage_text

    mine = await keep(opened, quote=PAGES[1], page=2, file=str(write_pdf(tmp_path / "files" / "t1" / "contract.pdf")))
    for refused in (
        passage(ENGLISH, mine, EVE),
        passage_text(ENGLISH, mine, EVE),
        passage_picture(mine, EVE),
        passage_file(mine, EVE),
        passage_picture("unknown", ADA),
    ):
        with pytest.raises(HTTPException) as error:
            await refused
        assert error.value.status_code == 404


async def test_a_pdf_that_cannot_be_drawn_is_left_to_the_browser(opened: Any, tmp_path: Path) -> None:
    from fastapi import HTTPException

    from assistant.app_passages import beside, passage_picture

    broken = tmp_path / "files" / "t1" / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing")
    mine = await keep(opened, id="p2", quote="x", page=2, file=str(broken), mime="application/pdf")
    element = await beside(mine, (await opened.store.passage(mine))[1])
    assert element == {"type": "pdf", "url": f"/passages/{mine}/file", "page": 2}
    with pytest.raises(HTTPException):
        await passage_picture(mine, ADA)


async def test_other_documents_show_the_text_around_the_passage_with_no_live_link(opened: Any, tmp_path: Path) -> None:
    from assistant.app_passages import passage_text

    opened.assistant._knowledge = base = KnowledgeBase(tmp_path / "knowledge", _embed, "fake")
    parts = [f"## Part {n}\n\n" + " ".join(f"Fact {n}.{i} stands here." for i in range(60)) for n in range(3)]
    memo = tmp_path / "memo.md"
    memo.write_text("\n\n".join([*parts, "See https://evil.example/ or ![x](http://evil.example/) now."]), "utf-8")
    await base.add(memo, source="memo.md")
    last = (await base.passages("memo.md", collection="shared"))[-1]
    quote = "Fact 2.59 stands here."
    mine = await keep(opened, source="memo.md", collection="shared", text=last.text, quote=quote)
    shown = bytes((await passage_text(ENGLISH, mine, ADA)).body).decode()
    assert f"**{quote}**" in shown and shown.count("Fact 2.59") == 1
    assert len(shown) > len(last.text) + 100
    assert "`https://evil.example/`" in shown and r"\!\[x\](`http://evil.example/`" in shown


async def answered(ask: Any) -> int:
    """The status of an answer."""
    from fastapi import HTTPException

    try:
        return int((await ask).status_code)
    except HTTPException as error:
        return error.status_code


@pytest.mark.parametrize("collection", ["shared", None])
async def test_a_document_that_was_taken_back_takes_its_file_along(
    opened: Any, tmp_path: Path, collection: str | None
) -> None:
    from assistant.app_passages import passage_file, passage_picture, passage_text

    opened.assistant._knowledge = base = KnowledgeBase(tmp_path / "knowledge", _embed, "fake")
    source = await base.add(write_pdf(tmp_path / "contract.pdf"), source="contract.pdf")
    kept = tmp_path / "kept" / f"{source.sha256}.pdf"
    kept.parent.mkdir()
    (tmp_path / "contract.pdf").rename(kept)
    data = {"quote": PAGES[1], "text": PAGES[1], "page": 2, "file": str(kept), "mime": "application/pdf"}
    cited = await keep(opened, **data, collection=collection)
    assert await answered(passage_file(cited, ADA)) == await answered(passage_picture(cited, ADA)) == 200
    await base.copy("contract.pdf", from_collection="shared", to_collection="user-bob")
    await base.forget("contract.pdf", collection="shared")
    other = tmp_path / "other.txt"
    other.write_text("Another document of that name.")
    await base.add(other, source="contract.pdf")
    assert await answered(passage_file(cited, ADA)) == await answered(passage_picture(cited, ADA)) == 404
    assert PAGES[1] in bytes((await passage_text(ENGLISH, cited, ADA)).body).decode()
    await base.copy("contract.pdf", from_collection="user-bob", to_collection="user-ada", name="mine.pdf")
    assert await answered(passage_file(cited, ADA)) == 200


async def test_a_recording_that_was_taken_back_is_neither_heard_nor_read(opened: Any, tmp_path: Path) -> None:
    from assistant.app_transcript_page import download, media, read

    opened.assistant._knowledge = base = KnowledgeBase(tmp_path / "knowledge", _embed, "fake")
    memo = tmp_path / "talk.txt"
    memo.write_text("Good morning.")
    source = await base.add(memo, source="talk.wav")
    lines = tmp_path / "kept" / "transcripts" / f"{source.sha256}.json"
    lines.parent.mkdir(parents=True)
    lines.write_text(to_json(Transcript("en", 2.0, [Segment(0, 2, "Good morning.")])), "utf-8")
    sound = tmp_path / "kept" / f"{source.sha256}.wav"
    sound.write_bytes(b"RIFF")
    cited = await keep(
        opened, source="talk.wav", collection="shared", file=str(sound), transcript=str(lines), mime="audio/wav"
    )
    routes = (media, read, download)
    assert [await answered(ask(ENGLISH, cited, ADA)) for ask in routes] == [200, 200, 200]
    await base.forget("talk.wav", collection="shared")
    assert [await answered(ask(ENGLISH, cited, ADA)) for ask in routes] == [404, 404, 404]


async def test_a_file_elsewhere_on_the_machine_opens_while_its_document_can_be_read(
    opened: Any, tmp_path: Path
) -> None:
    from assistant.app_passages import passage_file

    opened.assistant._knowledge = base = KnowledgeBase(tmp_path / "knowledge", _embed, "fake")
    paper = write_pdf(tmp_path / "paper.pdf")
    await base.add(paper, source=str(paper))
    cited = await keep(opened, source=str(paper), collection="shared", file=str(paper), mime="application/pdf")
    assert await answered(passage_file(cited, ADA)) == 200
    await base.forget(str(paper), collection="shared")
    assert await answered(passage_file(cited, ADA)) == 404


async def test_a_web_page_opens_as_it_was_fetched_and_can_do_nothing(opened: Any, tmp_path: Path) -> None:
    from assistant.app_passages import beside, passage, passage_file, passage_text
    from assistant.document_origins import fetched_page

    html = tmp_path / "fetched"
    html.write_bytes(
        "<h1>Öffnungszeiten</h1><script>alert(1)</script><img src='https://elsewhere.example/x.png'>".encode()
    )
    source = "https://docs.example/hours"
    with closing(Origins(tmp_path / "knowledge")) as origins:
        origin = origins.put("page", source, "shared", {})
        kept = KeptPage(source, source, sha256="a" * 64, content_type="text/html; charset=utf-8", charset="utf-8")
        origins.keep_page(origin, kept, html)
    opened.assistant._knowledge = base = KnowledgeBase(tmp_path / "knowledge", _embed, "fake")
    await base.add(html.rename(tmp_path / "hours.html"), source=source)
    there = fetched_page(tmp_path, source, "shared")
    cited = await keep(opened, source=source, collection="shared", quote="Öffnungszeiten", **there)
    answer = await passage_file(cited, ADA)
    assert answer.media_type == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert "content-disposition" not in answer.headers
    day = str(there["fetched"])[:10]
    text = bytes((await passage_text(ENGLISH, cited, ADA)).body).decode()
    assert f"[The page as it was fetched on {day}](/passages/{cited}/file)" in text
    alone = bytes((await passage(ENGLISH, cited, ADA)).body).decode()
    assert f'<a href="/passages/{cited}/file" target="_blank">' in alone
    assert await beside(cited, (await opened.store.passage(cited))[1]) is None
    assert fetched_page(tmp_path, source, "user-eve")["file"] is None
    await base.forget(source, collection="shared")
    assert await answered(passage_file(cited, ADA)) == 404


async def test_a_row_of_a_table_is_told_with_its_place_and_its_columns(opened: Any) -> None:
    from assistant.app_passages import passage

    row = "Prices, row 12\nItem: Kingpin\nPrice: 12.50"
    cited = await keep(opened, title="shop.xlsx", where="shop.xlsx, Prices, row 12", quote="Price: 12.50", text=row)
    shown = bytes((await passage(ENGLISH, cited, ADA)).body).decode()
    assert '<p dir="auto">shop.xlsx, Prices, row 12</p>' in shown and "<mark>Price: 12.50</mark>" in shown


async def _embed(texts: Sequence[str]) -> np.ndarray:
    return np.tile(np.eye(1, 8, dtype=np.float32), (len(texts), 1))
