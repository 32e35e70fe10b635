"""Data sets made here: questions on passages of documents, and answers of the chat that people marked. No row counts before a person
has looked at it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assistant.settings import SettingsError
from knowledge.documents import Passage
from knowledge.evidence import find_support
from knowledge.knowledge_base import KnowledgeBase
from knowledge.ranking import content_words
from tools.engines.base import Message, TextGenerator

FEWEST_WORDS = 12
PASSAGE_CHARACTERS = 1_500
TOKENS = 300
PROMPT = (
    "Write one question that a person could ask and that the text answers, in the language of the text, and its answer. The question must "
    "make sense to somebody who does not have the text before them; the answer is short and uses the text's own words and numbers."
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "minLength": 8, "maxLength": 200},
        "answer": {"type": "string", "minLength": 1, "maxLength": 200},
    },
    "required": ["question", "answer"],
    "additionalProperties": False,
}
MARKED = "SELECT f.value, f.comment, s.id, s.thread, s.data FROM page_feedback f JOIN page_steps s ON s.id = f.for_id ORDER BY s.number"
STEPS = "SELECT data FROM page_steps WHERE thread = :thread ORDER BY number"
TURN = (
    'SELECT t.request, t.answer, t.tool, h."user" FROM assistant_turns t JOIN assistant_threads h ON h.id = t.thread '
    "WHERE t.id = :turn"
)


@dataclass(frozen=True)
class Made:
    """`rows` as JSON, and how many were thrown away because their answer does not stand in the text, or were no question."""

    rows: Sequence[Mapping[str, Any]]
    thrown: int


async def from_documents(
    passages: Sequence[Passage],
    text: TextGenerator,
    count: int,
    seed: int,
    progress: Callable[[str, float], None] = lambda _text, _fraction: None,
) -> Made:
    """Up to `count` questions on a seeded choice of `passages`, each with its passage as context. Raises: EngineError."""
    telling = [p for p in passages if len(content_words(p.text)) >= FEWEST_WORDS]
    random.Random(seed).shuffle(telling)
    rows: list[dict[str, Any]] = []
    asked: set[str] = set()
    thrown = 0
    for passage in telling:
        if len(rows) == count:
            break
        progress("writing questions", len(rows) / count)
        made = await _question(passage, text)
        if made is None or made["question"] in asked:
            thrown += 1
            continue
        asked.add(made["question"])
        rows.append({"id": f"made-{len(rows) + 1}", **made, **_whence(passage), "reviewed": False})
    return Made(rows, thrown)


async def passages_of(base: KnowledgeBase, collections: Sequence[str]) -> list[Passage]:
    """All that is in some collections; none where they hold nothing."""
    sources = await asyncio.to_thread(base.sources, collections)
    return [p for s in sources for p in await base.passages(s.source, collection=s.collection)]


async def _question(passage: Passage, text: TextGenerator) -> dict[str, Any] | None:
    """A question and its reference; None where what came is none, or its answer does not stand in the passage."""
    shown = passage.text[:PASSAGE_CHARACTERS]
    messages = [Message("system", PROMPT), Message("user", f"Text:\n{shown}")]
    said = [c.text async for c in text.stream(messages, max_tokens=TOKENS, temperature=0.0, json_schema=SCHEMA)]
    try:
        made = json.loads("".join(said))
        question, reference = str(made["question"]).strip(), str(made["answer"]).strip()
    except (ValueError, TypeError, KeyError):
        return None
    if not question or not reference or find_support(reference, "", [passage]) is None:
        return None
    return {"question": question, "reference": reference}


def _whence(passage: Passage) -> dict[str, Any]:
    page = {"page": passage.page} if passage.page else {}
    return {"context": passage.text, "source": passage.source, **page, "tags": ["made"]}


def from_rows(marked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of answers with a thumb: {"request", "answer", "value", "comment", "tool"}. A praised answer is the reference; for one that
    was not, the reference is what the person wrote beside the thumb, and is left empty for the reviewer where they wrote nothing."""
    rows = []
    for number, one in enumerate(marked, 1):
        praised = int(one["value"]) > 0
        comment = (one["comment"] or "").strip()
        rows.append(
            {
                "id": f"chat-{number}",
                "question": one["request"],
                "reference": one["answer"] if praised else comment,
                "answer": one["answer"],
                "mark": 1 if praised else 0,
                "tags": ["chat", *([one["tool"]] if one["tool"] else [])],
                **({"comment": comment} if comment else {}),
                "reviewed": False,
            }
        )
    return rows


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Raises: SettingsError where the file is there already: somebody may have reviewed its rows."""
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except FileExistsError as error:
        raise SettingsError(f"{path} is there already, perhaps with reviewed rows. Choose another name.") from error


async def marked_answers(database: str, user: str | None) -> list[dict[str, Any]]:
    """What got a thumb in the page, of one person or of all, oldest first. Raises: SettingsError where nothing has been kept."""
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(database)
    found = []
    try:
        async with engine.connect() as connection:
            for marked in (await connection.execute(sa.text(MARKED))).mappings().all():
                turn = _turn(_step(marked["data"]))
                if turn is None:
                    steps = (await connection.execute(sa.text(STEPS), {"thread": marked["thread"]})).scalars().all()
                    turn = _turn_below(marked["id"], [_step(data) for data in steps])
                row = (await connection.execute(sa.text(TURN), {"turn": turn})).mappings().first()
                if row is not None and user in (None, row["user"]):
                    found.append({**row, "value": marked["value"], "comment": marked["comment"]})
    except sa.exc.DBAPIError as error:
        raise SettingsError("No conversation has been kept yet. Use the page, and mark answers there.") from error
    finally:
        await engine.dispose()
    return found


def _step(data: Any) -> dict[str, Any]:
    return dict(json.loads(data) if isinstance(data, str) else data)


def _turn(step: Mapping[str, Any]) -> str | None:
    return (step.get("metadata") or {}).get("turn")


def _turn_below(step_id: str, steps: Sequence[Mapping[str, Any]]) -> str | None:
    """The page puts a thumb on the step that the answer's message belongs to; the last such message counts."""
    return next((t for step in reversed(steps) if step.get("parentId") == step_id and (t := _turn(step))), None)
