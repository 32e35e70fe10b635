"""Data sets that are made: questions on documents, and what people marked in the chat."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation.dataset import DatasetError, read_dataset
from assistant.evaluation.making import from_documents, from_rows, marked_answers, write_rows
from assistant.history import History, sqlite_url
from assistant.settings import SettingsError
from knowledge.documents import Passage
from tests.fakes import FakeText

TEXT = "The lighthouse of Arwick stands on the northern cliff, is 31 metres high and was lit for the first time in 1884 by Edith Holm."
PASSAGE = Passage(TEXT, "a.pdf", "a.pdf", 3, None, 1, 1, "shared", "1")


def said(question: str, answer: str) -> str:
    return json.dumps({"question": question, "answer": answer})


async def test_questions_carry_their_passage_and_wait_for_a_person(tmp_path: Path) -> None:
    made = await from_documents([PASSAGE], FakeText(said("How high is the lighthouse?", "31 metres")), 5, 0)
    (row,) = made.rows
    assert (row["reference"], row["context"], row["page"], row["reviewed"]) == ("31 metres", TEXT, 3, False)
    write_rows(made.rows, tmp_path / "d.jsonl")
    with pytest.raises(DatasetError, match="nobody has looked"):
        read_dataset(tmp_path / "d.jsonl")
    (tmp_path / "d.jsonl").write_text(json.dumps({**row, "reviewed": True}), "utf-8")
    assert read_dataset(tmp_path / "d.jsonl").rows[0].context == (TEXT,)


@pytest.mark.parametrize(
    "text", [said("How high?", "94 metres"), "no JSON", '{"question": "q"}', said("", "31 metres")]
)
async def test_what_the_passage_does_not_say_is_thrown_away(text: str) -> None:
    made = await from_documents([PASSAGE], FakeText(text), 5, 0)
    assert (list(made.rows), made.thrown) == ([], 1)


async def test_short_passages_are_not_asked_about() -> None:
    short = Passage("Page 3", "a.pdf", "a.pdf", 3, None, 1, 1, "shared", "1")
    assert (await from_documents([short], FakeText(), 5, 0)).rows == []


def test_reviewed_work_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("mine", "utf-8")
    with pytest.raises(SettingsError, match="there already"):
        write_rows([], tmp_path / "d.jsonl")


async def test_thumbs_become_rows_with_marks(tmp_path: Path) -> None:
    history = History(sqlite_url(tmp_path))
    turns = [
        await history.begin("t1", user, question, []) for user, question in (("ann", "How high?"), ("ann", "How old?"))
    ]
    for turn in turns:
        await history.save(turn, state="done", tool="write_text", answer="31 metres")
    await history.close()
    with sqlite3.connect(tmp_path / "history.db") as db:
        db.execute("CREATE TABLE page_steps (number INTEGER PRIMARY KEY, id TEXT, thread TEXT, data TEXT)")
        db.execute("CREATE TABLE page_feedback (id TEXT, for_id TEXT, value INTEGER, comment TEXT)")
        for n, turn in enumerate(turns):
            # As the page keeps them: the thumb is on the run, the turn is told by the message below it.
            steps = (f"s{n}", {"metadata": {}}), (f"m{n}", {"parentId": f"s{n}", "metadata": {"turn": turn}})
            for name, data in steps:
                db.execute("INSERT INTO page_steps (id, thread, data) VALUES (?, ?, ?)", [name, "t1", json.dumps(data)])
            db.execute(
                "INSERT INTO page_feedback VALUES (?, ?, ?, ?)", [f"f{n}", f"s{n}", 1 - n, "140 years" if n else None]
            )
    rows: list[dict[str, Any]] = from_rows(await marked_answers(sqlite_url(tmp_path), "ann"))
    assert [(r["question"], r["reference"], r["mark"]) for r in rows] == [
        ("How high?", "31 metres", 1),
        ("How old?", "140 years", 0),
    ]
    assert await marked_answers(sqlite_url(tmp_path), "bob") == []


async def test_without_any_conversation_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No conversation has been kept"):
        await marked_answers(sqlite_url(tmp_path), None)
