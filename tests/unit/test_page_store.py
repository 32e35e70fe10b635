"""What the page remembers, without a page: Chainlit's values bind, writes keep their order, the deleted stays deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
async def store(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    from chainlit.context import init_http_context
    from chainlit.user import User

    from assistant.app_storage import PageStore

    store = PageStore(f"sqlite+aiosqlite:///{tmp_path / 'page.db'}", tmp_path / "files")
    user = await store.create_user(User(identifier="ada"))
    init_http_context(thread_id="t1", user=user).session.has_first_interaction = True
    yield store
    await store.close()


def step(step_id: str = "s1", **values: Any) -> dict[str, Any]:
    return {
        "id": step_id,
        "threadId": "t1",
        "type": "user_message",
        "createdAt": f"2026-01-01T00:00:0{step_id[1]}Z",
        **values,
    }


async def test_lists_and_dicts_of_a_step_come_back_as_they_were(store: Any) -> None:
    await store.create_step(step(tags=["a", "b"], modes={"llm": "x"}, metadata={"n": 1}, defaultOpen=True))
    thread = await store.get_thread("t1")
    assert thread["steps"][0]["tags"] == ["a", "b"]
    assert thread["steps"][0]["modes"] == {"llm": "x"}
    assert thread["userIdentifier"] == "ada"


async def test_the_last_of_many_writes_at_once_is_the_one_that_stays(store: Any) -> None:
    await asyncio.gather(*(store.update_step(step(output=str(n))) for n in range(50)))
    assert (await store.step("s1"))["output"] == "49"


async def test_a_deleted_thread_does_not_come_back(store: Any) -> None:
    gone: list[str] = []

    async def told(thread: str) -> None:
        gone.append(thread)

    store.on_delete = told
    await store.create_step(step())
    await store.delete_thread("t1")
    await store.update_thread("t1", metadata={"chat_settings": {}})
    await store.update_step(step(output="late"))
    assert await store.get_thread("t1") is None
    assert gone == ["t1"]


async def test_without_an_owner_no_thread_is_made(store: Any) -> None:
    await store.update_thread("t2", metadata={"chat_settings": {}})
    assert await store.get_thread("t2") is None


async def test_what_followed_an_edited_message_goes_with_its_files_and_feedback(store: Any, tmp_path: Path) -> None:
    from chainlit.types import Feedback

    result = tmp_path / "result.png"
    result.write_bytes(b"x")
    for name in ("s1", "s2"):
        await store.create_step(step(name))
    kept = await store.keep(result, {"id": "e1", "forId": "s2", "name": "result.png"}, "t1")
    await store.upsert_feedback(Feedback(forId="s2", value=1))
    await store.delete_after("t1", "s1")
    thread = await store.get_thread("t1")
    assert [s["id"] for s in thread["steps"]] == ["s1"]
    assert thread["elements"] == []
    assert not kept.exists()
    assert result.exists()


async def test_feedback_is_one_opinion_an_answer_and_needs_the_answer(store: Any) -> None:
    from chainlit.types import Feedback

    await store.create_step(step())
    first = await store.upsert_feedback(Feedback(forId="s1", value=1, comment="good"))
    assert await store.upsert_feedback(Feedback(forId="s1", value=0)) == first
    assert (await store.get_thread("t1"))["steps"][0]["feedback"]["value"] == 0
    with pytest.raises(LookupError):
        await store.upsert_feedback(Feedback(forId="nothing", value=1))


async def test_threads_are_found_by_their_words_and_listed_page_by_page(store: Any) -> None:
    from chainlit.types import Pagination, ThreadFilter

    owner = (await store.get_user("ada")).id
    for n in range(3):
        await store.update_thread(f"n{n}", name=f"100% talk {n}", user_id=owner)
    first = await store.list_threads(Pagination(first=2), ThreadFilter(userId=owner))
    rest = await store.list_threads(Pagination(first=2, cursor=first.pageInfo.endCursor), ThreadFilter(userId=owner))
    assert len(first.data) == 2
    assert first.pageInfo.hasNextPage
    assert len(rest.data) == 1
    assert (await store.list_threads(Pagination(first=9), ThreadFilter(userId=owner, search="100%"))).data
    assert not (await store.list_threads(Pagination(first=9), ThreadFilter(userId=owner, search="10_%"))).data


@pytest.mark.parametrize("thread", ["../../out", "..", "", "a/b", "t1\n", "/etc"])
async def test_a_thread_name_that_leads_elsewhere_neither_writes_nor_deletes(
    store: Any, tmp_path: Path, thread: str
) -> None:
    file = tmp_path / "note.txt"
    file.write_text("x")
    with pytest.raises(ValueError, match="cannot name"):
        await store.keep(file, {"id": "e1"}, thread)
    with pytest.raises(ValueError, match="cannot name"):
        await store.delete_thread(thread)
    assert await store.get_thread_author(thread) == ""
    assert file.exists()


async def test_an_element_name_that_leads_elsewhere_is_refused(store: Any, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("x")
    with pytest.raises(ValueError, match="cannot name a file"):
        await store.keep(file, {"id": "../../out"}, "t1")
    assert [p.name for p in tmp_path.rglob("*.txt")] == ["note.txt"]


async def test_steps_and_files_of_another_thread_are_neither_changed_nor_deleted(store: Any, tmp_path: Path) -> None:
    from sqlalchemy.exc import IntegrityError

    file = tmp_path / "note.txt"
    file.write_text("x")
    await store.create_step(step("s1", threadId="t2", output="mine"))
    kept = await store.keep(file, {"id": "e1", "forId": "s1"}, "t2")
    with pytest.raises(IntegrityError):
        await store.update_step(step("s1", output="overwritten"))
    with pytest.raises(IntegrityError):
        await store.keep(file, {"id": "e1", "forId": "s9"}, "t1")
    await store.create_element(SimpleNamespace(id="e1", thread_id="t1", for_id="s9", path=None))
    await store.delete_element("e1", "t1")
    await store.delete_step("s1")
    await store.delete_after("t1", "s1")
    assert (await store.step("s1"))["output"] == "mine"
    assert (await store.get_element("t2", "e1"))["forId"] == "s1"
    assert kept.exists()
