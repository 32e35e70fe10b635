"""How much meaning counts against words in one collection, found out on questions: given ones, or made from its own documents.

A made question is a sentence, and what it must find are the chunks beside its own, which itself does not count (the inverse
cloze task, Lee et al. 2019, arXiv:1906.00300). Sentences that must find their own chunk, even with three quarters of their words
dropped, prove nothing: words alone win there always (`tests/bench/knowledge.py`).
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from knowledge.documents import KnowledgeError
from knowledge.neighbours import Candidate
from knowledge.ranking import DENSE_WEIGHT, content_words
from knowledge.splitting import split_sentences

GRID = tuple(round(0.1 * step, 1) for step in range(11))
MADE = 150
FEWEST = 30
"""Questions; fewer tell nothing, and the default stays."""
CERTAIN = 2.0
"""Standard errors by which a weight must do better than one nearer to the default."""
RANKED = 10
NEAR = 3
WORDS = (5, 30)
"""Content words of a sentence that may be a question."""


@dataclass(frozen=True)
class FitQuestion:
    """`rows` are the chunks that it should find; `own` is the one that it was made from, which does not count."""

    text: str
    rows: frozenset[int]
    own: int | None = None


@dataclass(frozen=True)
class Fit:
    """What came out. `gains` is the mean nDCG@10 of each weight in GRID."""

    dense: float
    questions: int
    gains: Sequence[float]

    def gain(self, dense: float) -> float:
        return self.gains[GRID.index(dense)]


def make_questions(db: sqlite3.Connection, collection: str, wanted: int = MADE) -> list[FitQuestion]:
    """Questions made from a collection's documents, the same ones each time; fewer where the documents are few or short."""
    found = db.execute(
        "SELECT c.rowid, c.source_id, c.position FROM chunks c JOIN sources s ON s.id = c.source_id"
        " WHERE s.collection = ? AND s.state = 'indexed' ORDER BY c.rowid",
        [collection],
    ).fetchall()
    rows = {(source_id, position): row for row, source_id, position in found}
    order = sorted(rows)
    chance = random.Random(0)
    chance.shuffle(order)
    made: list[FitQuestion] = []
    for source_id, position in order:
        beside = [rows.get((source_id, position + step)) for step in range(-NEAR, NEAR + 1) if step]
        near = frozenset(row for row in beside if row is not None)
        if near and (sentence := _sentence(db, rows[source_id, position], near, chance)):
            made.append(FitQuestion(sentence, near, rows[source_id, position]))
        if len(made) == wanted:
            break
    return made


def read_questions(db: sqlite3.Connection, collection: str, path: Path) -> list[FitQuestion]:
    """Given questions, JSON Lines: {"question", "source", "page" (not needed)}.

    Raises: KnowledgeError (unreadable line, unknown source, too few).
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path} cannot be read: {error}.", "Give a file of JSON Lines in UTF-8.") from error
    found = [_given(db, collection, f"{path.name}, line {n}", line) for n, line in enumerate(lines, 1) if line.strip()]
    if len(found) < FEWEST:
        raise KnowledgeError(f"{path.name} holds {len(found)} questions.", f"{FEWEST} are needed to tell anything.")
    return found


def fit(questions: Sequence[FitQuestion], found: Sequence[Sequence[Candidate]]) -> Fit:
    """The weight that ranks best; where others are no worse beyond chance, the one of them that is nearest to the default.

    `found` are the candidates of each question.
    """
    gains = np.array(
        [
            [_gain(question, candidates, dense) for dense in GRID]
            for question, candidates in zip(questions, found, strict=True)
        ]
    )
    means = gains.mean(axis=0)
    behind = gains[:, [int(means.argmax())]] - gains
    errors = behind.std(axis=0) / math.sqrt(len(questions))
    good = [dense for i, dense in enumerate(GRID) if behind[:, i].mean() <= CERTAIN * errors[i]]
    return Fit(min(good, key=lambda dense: abs(dense - DENSE_WEIGHT)), len(questions), tuple(means.tolist()))


def _gain(question: FitQuestion, candidates: Sequence[Candidate], dense: float) -> float:
    """nDCG@10 (Järvelin & Kekäläinen 2002), all relevant chunks counting as one: it is enough to find the place."""
    weighed = [replace(c, dense_weight=dense) for c in candidates if c.row != question.own]
    ranked = sorted(weighed, key=lambda c: c.score, reverse=True)[:RANKED]
    return next((1 / math.log2(i + 2) for i, c in enumerate(ranked) if c.row in question.rows), 0.0)


def _sentence(db: sqlite3.Connection, row: int, near: frozenset[int], chance: random.Random) -> str:
    """A sentence of the chunk that no neighbour repeats, "" where there is none of fitting length."""
    text, *others = [
        db.execute("SELECT text FROM chunks WHERE rowid = ?", [wanted]).fetchone()[0] for wanted in (row, *near)
    ]
    fewest, most = WORDS
    fitting = [
        sentence
        for sentence in split_sentences(text)
        if fewest <= len(content_words(sentence)) <= most and not any(sentence in other for other in others)
    ]
    return chance.choice(fitting) if fitting else ""


def _given(db: sqlite3.Connection, collection: str, place: str, line: str) -> FitQuestion:
    try:
        values = json.loads(line)
        question, source, page = str(values["question"]), str(values["source"]), values.get("page")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KnowledgeError(
            f"{place} is not a question.",
            'Write {"question": "…", "source": "…", "page": 3}; the page may be left out.',
        ) from error
    rows = db.execute(
        "SELECT c.rowid FROM chunks c JOIN sources s ON s.id = c.source_id WHERE s.collection = ? AND s.source = ?"
        " AND s.state = 'indexed' AND (? IS NULL OR c.page = ?)",
        [collection, source, page, page],
    ).fetchall()
    if not rows:
        where = f", page {page}" if page else ""
        raise KnowledgeError(
            f"{place}: {source}{where} is not in {collection}.", "`assistant sources` lists what is there."
        )
    return FitQuestion(question, frozenset(row for (row,) in rows))
