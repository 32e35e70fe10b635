"""Who wins most: Bradley–Terry strengths of candidates from the votes of one person, with 95 % intervals.

Bradley and Terry, Biometrika 39 (1952): the odds that i beats j are exp(strength_i − strength_j), which is a logistic regression
without an intercept. A weak normal prior (PRIOR_SD) keeps the strength of one that always won or always lost finite. Ties, and
votes that all were bad, are half a win to either side. A vote counts once, however many were compared: the one that was chosen
beat each of the others, these pairs sharing the weight of one. Who failed is left out of the pairs and counted apart.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from assistant.votes import BAD, NONE, Comparison, key_of

PRIOR_SD = 2.0
"""Of a strength, in log-odds: two of them drawn from it are further apart than 17 to 1 every third time."""
MIDDLE, POINTS = 1000.0, 400 / math.log(10)
"""Ratings as in chess: 400 points more win ten times out of eleven; the average is 1000."""
TWO_SIDED_95 = 1.959964


@dataclass
class _Count:
    candidate: Mapping[str, Any]
    wins: int = 0
    losses: int = 0
    ties: int = 0
    bad: int = 0
    failures: int = 0


@dataclass(frozen=True)
class Standing:
    """One row. `rank` is one more than the number of those that are better beyond doubt, so that several may share it; `low` and
    `high` bound the rating with 95 %. `bad` counts votes that all were bad, `failures` comparisons without an answer."""

    rank: int
    name: str
    rating: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    bad: int
    failures: int
    key: str
    candidate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """`share` of a win of `first` over `second`: 1, 0, or 0.5 for a tie; `weight` is at most 1."""

    first: str
    second: str
    share: float
    weight: float = 1.0


def leaderboard(comparisons: Sequence[Comparison]) -> list[Standing]:
    """Of comparisons of one task, the best first. Those without a vote count nothing but failures."""
    counts: dict[str, _Count] = {}
    pairs: list[Pair] = []
    for comparison in comparisons:
        _count(comparison, counts)
        pairs += pairs_of(comparison)
    keys = sorted({key for pair in pairs for key in (pair.first, pair.second)})
    if not keys:
        return []
    strengths, errors = bradley_terry(pairs, keys)
    middle = {key: float(MIDDLE + POINTS * s) for key, s in zip(keys, strengths, strict=True)}
    half = {key: float(POINTS * TWO_SIDED_95 * e) for key, e in zip(keys, errors, strict=True)}
    rows = [_standing(key, counts[key], middle, half) for key in keys]
    return sorted(rows, key=lambda row: (-row.rating, row.name))


def pairs_of(comparison: Comparison) -> list[Pair]:
    """What one vote says of each two that answered; nothing without a vote."""
    answered, choice = comparison.answered, comparison.choice
    if choice in (None, NONE) or len(answered) < 2:
        return []
    keys = {
        letter: key_of(candidate) for letter, candidate in zip(comparison.letters, comparison.candidates, strict=True)
    }
    if choice in answered:
        others = [letter for letter in answered if letter != choice]
        return [Pair(keys[choice], keys[other], 1.0, 1 / len(others)) for other in others]
    every = list(itertools.combinations(answered, 2))
    return [Pair(keys[a], keys[b], 0.5, 1 / len(every)) for a, b in every]


def bradley_terry(pairs: Sequence[Pair], keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(strengths, standard errors) in the order of `keys`, both of shape (len(keys),), in log-odds against the average.

    The errors are those of the normal approximation at the maximum of the posterior.
    """
    from sklearn.linear_model import LogisticRegression

    column = {key: n for n, key in enumerate(keys)}
    design = np.zeros((len(pairs), len(keys)))
    for row, pair in enumerate(pairs):
        design[row, column[pair.first]], design[row, column[pair.second]] = 1.0, -1.0
    share = np.array([pair.share for pair in pairs])
    weight = np.array([pair.weight for pair in pairs])
    outcomes = np.repeat([1, 0], len(pairs))
    model = LogisticRegression(C=PRIOR_SD**2, fit_intercept=False, tol=1e-8, max_iter=1000)
    # Each pair stands there from both sides, so that there are two classes even where one side always won.
    sides = np.vstack([design, design, -design, -design])
    half = np.concatenate([weight * share, weight * (1 - share)]) / 2
    model.fit(sides, np.concatenate([outcomes, 1 - outcomes]), np.concatenate([half, half]))
    strengths = model.coef_[0] - model.coef_[0].mean()
    chance = 1 / (1 + np.exp(-design @ strengths))
    information = design.T @ (design * (weight * chance * (1 - chance))[:, None]) + np.eye(len(keys)) / PRIOR_SD**2
    centred = np.eye(len(keys)) - 1 / len(keys)
    covariance = centred @ np.linalg.inv(information) @ centred
    return strengths, np.sqrt(np.diag(covariance))


def rows_of(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """One plain row a comparison, for files: what was asked, who took part, the vote, and what each took."""
    return [
        {
            "id": c.id,
            "task": c.task,
            "created": datetime.fromtimestamp(c.created, UTC).isoformat(timespec="seconds"),
            "asked": c.asked,
            "blind": c.blind,
            "choice": c.choice,
            "winner": _winner(c),
            "candidates": list(c.candidates),
            "outcomes": dict(c.outcomes),
        }
        for c in comparisons
        if not c.hides_names
    ]


def _winner(found: Comparison) -> str | None:
    if found.choice is None or found.choice not in found.letters:
        return None
    return str(found.candidates[found.letters.index(found.choice)].get("name"))


def as_json_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """What is nested goes in as JSON. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(rows[0]) if rows else []
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in names])
    return out.getvalue()


def board_rows(standings: Sequence[Standing], task: str) -> Iterator[dict[str, Any]]:
    for standing in standings:
        yield {"task": task, **asdict(standing)}


def _cell(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@\t\r" and text else text


def _count(comparison: Comparison, counts: dict[str, _Count]) -> None:
    choice, answered = comparison.choice, comparison.answered
    for letter, candidate in zip(comparison.letters, comparison.candidates, strict=True):
        count = counts.setdefault(key_of(candidate), _Count(candidate))
        if comparison.outcomes.get(letter, {}).get("event") == "failed":
            count.failures += 1
        if letter not in answered or choice in (None, NONE) or len(answered) < 2:
            continue
        if choice == letter:
            count.wins += 1
        elif choice in answered:
            count.losses += 1
        else:
            count.ties += 1
            count.bad += choice == BAD


def _standing(key: str, count: _Count, middle: Mapping[str, float], half: Mapping[str, float]) -> Standing:
    above = sum(bool(middle[other] - half[other] > middle[key] + half[key]) for other in middle)
    low, high = middle[key] - half[key], middle[key] + half[key]
    name = str(count.candidate.get("name") or count.candidate.get("model"))
    counted = (count.wins, count.losses, count.ties, count.bad, count.failures)
    return Standing(
        1 + above, name, round(middle[key], 1), round(low, 1), round(high, 1), *counted, key, count.candidate
    )
