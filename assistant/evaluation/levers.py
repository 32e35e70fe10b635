"""The ways to better answers from the same model: examples, context, retrieval; and the rows that examples come from, never scored."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from assistant.answers import worded
from assistant.candidates import Candidate
from assistant.evaluation.dataset import Dataset, DatasetError, Row
from assistant.settings import SettingsError
from knowledge.documents import Passage
from knowledge.ranking import plain_words

Lever = Literal["zero-shot", "one-shot", "few-shot", "context", "retrieval"]
LEVERS: tuple[Lever, ...] = get_args(Lever)
WITH_EXAMPLES = ("one-shot", "few-shot")
EXAMPLES = 4
SHARE = 0.2
"""Of the rows that examples are taken from."""
FEWEST_SCORED = 2
TELLING_WORDS = 5
"""A reference of so many words gives the answer away where an example shows it; shorter ones are labels, numbers and names."""
LABEL_ROWS = 3


@dataclass(frozen=True)
class Setup:
    """One candidate by one lever: a column of the report."""

    name: str
    candidate: Candidate
    lever: Lever


@dataclass(frozen=True)
class Split:
    """`scored` are the questions of the evaluation, `pool` the rows that examples are chosen from."""

    scored: tuple[Row, ...]
    pool: tuple[Row, ...]


def setups_of(candidates: Sequence[Candidate], levers: Sequence[Lever], collection: str = "") -> list[Setup]:
    """Every candidate by every lever, the candidates in their order. A candidate with a retrieval of its own reads its documents
    whatever the lever."""
    every = []
    for candidate in candidates:
        for lever in levers:
            changed = replace(candidate, retrieval=collection) if lever == "retrieval" else candidate
            name = candidate.name if len(levers) == 1 else f"{candidate.name} · {lever}"
            every.append(Setup(name, changed, lever))
    return every


def possible_levers(dataset: Dataset, collection: str, pool: bool) -> list[Lever]:
    """What the data allows, where nobody chose: examples if there are rows to spare, context where rows carry it."""
    spare = pool or len(dataset.rows) >= 10
    asked = {
        "zero-shot": True,
        "one-shot": spare,
        "few-shot": spare,
        "context": any(row.context for row in dataset.rows),
        "retrieval": bool(collection),
    }
    return [lever for lever in LEVERS if asked[lever]]


def split(dataset: Dataset, levers: Sequence[Lever], pool: Dataset | None, seed: int, share: float = SHARE) -> Split:
    """All rows are scored where no lever shows examples or `pool` brings them; else a seeded share of them is set aside.

    Raises: DatasetError where too few rows are left, or an example gives away what is scored.
    """
    if not set(levers) & set(WITH_EXAMPLES):
        return Split(dataset.rows, ())
    if pool is not None:
        found = Split(dataset.rows, pool.rows)
    else:
        rows = list(dataset.rows)
        random.Random(seed).shuffle(rows)
        aside = {row.id for row in rows[: max(1, round(share * len(rows)))]}
        scored = tuple(row for row in dataset.rows if row.id not in aside)
        found = Split(scored, tuple(row for row in dataset.rows if row.id in aside))
    if len(found.scored) < FEWEST_SCORED:
        raise DatasetError(dataset.name, ["too few rows are left to score. Add rows, or leave out few-shot."])
    if leaks := leaking([(row.question, row.reference) for row in found.pool], found.scored):
        told = [
            f"line {row.line}: an example gives its answer away ({why}). Take one of the two out." for row, why in leaks
        ]
        raise DatasetError(dataset.name, told[:20], len(told))
    return found


def leaking(examples: Sequence[tuple[str, str]], scored: Sequence[Row]) -> list[tuple[Row, str]]:
    """Scored rows whose question or telling reference stands in an example, and why."""
    questions = {_plain(question) for question, _ in examples}
    shown = [f" {_plain(question)} \n {_plain(reference)} " for question, reference in examples]
    often = Counter(_plain(row.reference) for row in scored)
    found = []
    for row in scored:
        reference = _plain(row.reference)
        telling = len(reference.split()) >= TELLING_WORDS and often[reference] < LABEL_ROWS
        if row.question.strip() and _plain(row.question) in questions:
            found.append((row, "the same question"))
        elif telling and any(f" {reference} " in text for text in shown):
            found.append((row, "the same reference"))
    return found


def check_examples(candidates: Sequence[Candidate], scored: Sequence[Row]) -> None:
    """Raises: SettingsError where a candidate's own examples give away what is scored."""
    for candidate in candidates:
        if leaks := leaking(candidate.examples, scored):
            row, why = leaks[0]
            raise SettingsError(
                f"The examples of {candidate.name} give away line {row.line} of the data set ({why}). Take one of the two out."
            )


def with_examples(
    setup: Setup, row: Row, split_: Split, likeness: Mapping[str, np.ndarray], k: int = EXAMPLES
) -> Candidate:
    """The candidate as it answers `row`: for few-shot with the `k` most similar rows of the pool, the most similar one last, for
    one-shot with the one most similar. `likeness` are the similarities of a row's id to every row of the pool."""
    if setup.lever not in WITH_EXAMPLES:
        return setup.candidate
    count = 1 if setup.lever == "one-shot" else k
    nearest = np.argsort(-likeness[row.id], kind="stable")[:count][::-1]
    chosen = tuple((worded(setup.candidate, split_.pool[i].question), split_.pool[i].reference) for i in nearest)
    return replace(setup.candidate, examples=(*setup.candidate.examples, *chosen))


def context_of(row: Row) -> list[Passage]:
    """The row's context, as the passages it would be if it had been found."""
    return [
        Passage(text, f"context {n}", f"Context {n}", None, None, 1.0, 1.0, "context", f"{row.id}:{n}")
        for n, text in enumerate(row.context, 1)
    ]


def _plain(text: str) -> str:
    return " ".join(plain_words(text))
