"""What the page shows of a turn: the name of its step, its buttons, and none where they could not work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.events import Decision
from assistant.settings import Settings, load_settings
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError, Passage
from tools.context import Citation


@pytest.fixture
async def settings(chainlit: None, tmp_path: Path) -> AsyncIterator[Settings]:
    """Of a page that is open with them."""
    from chainlit.context import init_http_context

    from assistant.app_server import _open
    from assistant.app_state import open_page

    settings = replace(load_settings(tmp_path, {}), home=tmp_path)
    page = _open(settings)
    open_page(page)
    init_http_context()
    yield settings
    await page.assistant.close()


def offered(decision: Decision | None) -> list[Any]:
    from assistant.app_turn import tool_actions

    return [action.payload["tool"] for action in tool_actions(decision, {}, with_files=True)]


def test_a_tool_that_the_model_chose_is_not_called_sure(settings: Settings) -> None:
    from assistant.app_turn import _step_name

    assert _step_name(Decision("write_text", 1.0, None, False, "the model's choice")) == "Chat · the model's choice"
    assert _step_name(Decision("write_text", 0.934, None, False, "classifier")) == "Chat · 93 % sure"


def test_pictures_are_offered_only_where_they_are_switched_on(settings: Settings) -> None:
    from assistant.app_state import Page, open_page, page

    assert "generate_image" in offered(None)
    off = replace(settings, image=replace(settings.image, enabled=False))
    open_page(Page(off, page().assistant, page().store, page().accounts, page().owners))
    assert offered(None) == ["write_text", "search_knowledge", "transcribe_audio"]


async def test_where_the_documents_cannot_be_opened_there_is_no_button_to_keep_one(settings: Settings) -> None:
    from assistant.app_state import page
    from assistant.app_turn import keep_actions

    (settings.home / "knowledge").write_text("no folder")

    with pytest.raises(KnowledgeError):
        page().assistant.knowledge()
    assert await keep_actions("t1") == []


async def test_a_citation_opens_the_document_it_comes_from_and_not_another_of_its_name(settings: Settings) -> None:
    from assistant.app_state import page
    from assistant.app_turn import _source_file, kept_file
    from knowledge.kept_files import link

    knowledge = KnowledgeBase(settings.home / "knowledge", _embed, "fake")
    page().assistant._knowledge = knowledge
    for name, words in (("report.pdf", "The first report."), ("report (2).pdf", "The second report.")):
        path = settings.home / "report.txt"
        path.write_text(words)
        own = f"thread-{words.split()[1]}"
        await knowledge.add(path, collection=own, source="report.pdf", title="report.pdf")
        kept = await knowledge.copy("report.pdf", from_collection=own, to_collection="shared", name=name)
        pdf = settings.home / "original.pdf"
        pdf.write_bytes(b"%PDF-" + words.encode())
        link(pdf, kept_file(kept.sha256))
        pdf.unlink()
        assert kept.title == name
    assert {s.source for s in knowledge.sources(["shared"])} == {"report.pdf", "report (2).pdf"}
    for passage in await knowledge.search("report", collections=["shared"]):
        citation = Citation(1, passage.source, passage.title, None, None, "", True, passage)
        file = (await _source_file(citation, "other"))["file"]
        assert file is not None
        assert Path(file).read_bytes().removeprefix(b"%PDF-").decode() in passage.text
    await page().store.close()


async def _embed(texts: Sequence[str]) -> np.ndarray:
    """Each text a direction of its own."""
    vectors = np.stack([np.random.default_rng(len(t)).standard_normal(16) for t in texts]).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


async def test_a_citation_names_the_place_where_there_is_no_page(settings: Settings) -> None:
    from assistant.app_turn import _where

    for page, where in ((None, "prices.xlsx, Sheet1, row 12"), (3, "prices.xlsx, page 3")):
        passage = Passage("Rope", "prices.xlsx", "prices.xlsx", page, None, 1.0, 1.0, "shared", "1", "Sheet1, row 12")
        assert _where(Citation(1, "prices.xlsx", "prices.xlsx", page, None, "Rope", True, passage)) == where
