"""The leaderboard: a planted order is found, nothing diverges, ties and failures count as they should."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.history import sqlite_url
from assistant.leaderboard import MIDDLE, Pair, as_csv, as_json_lines, bradley_terry, leaderboard, pairs_of, rows_of
from assistant.votes import Comparison, VoteError, Votes

DONE, FAILED = {"event": "done"}, {"event": "failed"}


def made(names: str, choice: str | None, failed: str = "", blind: bool = False) -> Comparison:
    """A comparison of models with these names, one letter each, in the order A, B …"""
    letters = "ABCD"[: len(names)]
    outcomes = {letter: FAILED if letter in failed else DONE for letter in letters}
    candidates = [{"model": f"openai:{name}", "name": name} for name in names]
    return Comparison("1", "ada", "text", 0.0, "?", blind, candidates, outcomes, choice)


def test_a_planted_order_of_four_is_recovered() -> None:
    strengths = {"w": 1.5, "x": 0.5, "y": -0.5, "z": -1.5}
    chance, votes = random.Random(7), []
    for _ in range(240):
        first, second = chance.sample(sorted(strengths), 2)
        wins = chance.random() < 1 / (1 + np.exp(strengths[second] - strengths[first]))
        votes.append(made(first + second, "A" if wins else "B"))
    board = leaderboard(votes)
    assert [row.name for row in board] == ["w", "x", "y", "z"]
    assert [row.rank for row in board] == [1, 2, 3, 4]
    for row in board:
        assert row.low < MIDDLE + strengths[row.name] * 400 / np.log(10) < row.high


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    keys, truth, chance, held = ["a", "b", "c"], np.array([0.8, 0.0, -0.8]), random.Random(1), 0
    for _ in range(60):
        pairs = []
        for _ in range(60):
            i, j = chance.sample(range(3), 2)
            pairs.append(Pair(keys[i], keys[j], float(chance.random() < 1 / (1 + np.exp(truth[j] - truth[i])))))
        found, error = bradley_terry(pairs, keys)
        held += int((np.abs(found - truth) < 1.96 * error).sum())
    assert 0.9 < held / 180 <= 1.0


def test_one_that_always_won_and_one_that_always_lost_stay_finite() -> None:
    best, worst = leaderboard([made("wz", "A")] * 50)
    assert (best.name, best.wins, worst.losses) == ("w", 50, 50)
    assert 1000 < best.rating < 2500 and worst.rating == pytest.approx(2000 - best.rating, abs=0.2)


def test_a_single_vote_says_little() -> None:
    best, worst = leaderboard([made("ab", "B")])
    assert best.name == "b" and best.low < worst.rating and (best.rank, worst.rank) == (1, 1)


@pytest.mark.parametrize("choice", ["tie", "bad"])
def test_ties_count_half_to_either_side(choice: str) -> None:
    rows = leaderboard([made("ab", choice)] * 9)
    assert [row.rating for row in rows] == pytest.approx([1000, 1000])
    assert [(row.ties, row.bad) for row in rows] == [(9, 9 * (choice == "bad"))] * 2


def test_of_four_the_chosen_beats_each_and_the_vote_counts_once() -> None:
    pairs = pairs_of(made("abcd", "C"))
    assert len(pairs) == 3 and len({pair.first for pair in pairs}) == 1
    assert sum(pair.weight for pair in pairs) == pytest.approx(1)


def test_who_failed_is_counted_apart_and_not_as_beaten() -> None:
    rows = leaderboard([made("abc", "A", failed="C"), made("bc", "A")])
    by_name = {row.name: row for row in rows}
    assert (by_name["c"].failures, by_name["c"].losses) == (1, 1)
    assert by_name["a"].wins == 1


def test_a_vote_on_a_single_answer_or_none_ranks_nobody() -> None:
    assert leaderboard([made("ab", "A", failed="B"), made("ab", None), made("ab", "none")]) == []


def test_other_settings_are_another_candidate_and_another_name_is_not() -> None:
    votes = [
        Comparison("1", "ada", "text", 0, "?", False, [{"model": "openai:m", "name": name}, brief], both, "A")
        for name in ("m", "renamed")
        for brief in [{"model": "openai:m", "system": "Be brief.", "name": "m"}]
        for both in [{"A": DONE, "B": DONE}]
    ]
    assert [(row.wins, row.losses) for row in leaderboard(votes)] == [(2, 0), (0, 2)]


@pytest.fixture
async def votes(tmp_path: Path) -> AsyncIterator[Votes]:
    store = Votes(sqlite_url(tmp_path))
    yield store
    await store.close()


CANDIDATES: list[dict[str, Any]] = [{"model": "openai:a", "name": "a"}, {"model": "openai:b", "name": "b"}]


async def test_a_vote_is_kept_and_may_be_changed(votes: Votes, tmp_path: Path) -> None:
    begun = await votes.begin("ada", "text", "Why?", CANDIDATES)
    await votes.save(begun.id, {"A": DONE, "B": DONE})
    await votes.vote(begun.id, "ada", "a")
    await votes.vote(begun.id, "ada", "tie")
    other = Votes(sqlite_url(tmp_path))
    assert [(c.asked, c.choice, c.answered) for c in await other.of("ada", "text")] == [("Why?", "tie", "AB")]
    assert await other.of("ada", "speech") == [] and await other.of("bob") == []
    await other.close()


@pytest.mark.parametrize(("choice", "part"), [("C", "is no vote"), ("better", "is no vote"), ("B", "gave no answer"), ("tie", "Fewer than two")])  # fmt: skip
async def test_what_cannot_be_voted_for_is_told(votes: Votes, choice: str, part: str) -> None:
    begun = await votes.begin("ada", "text", "Why?", CANDIDATES)
    await votes.save(begun.id, {"A": DONE, "B": FAILED})
    with pytest.raises(VoteError, match=part):
        await votes.vote(begun.id, "ada", choice)


async def test_one_person_forgets_and_the_others_keep_theirs(votes: Votes) -> None:
    for user in ("ada", "ada", "bob"):
        await votes.begin(user, "text", "Why?", CANDIDATES)
    assert len(await votes.forget("ada")) == 2
    assert await votes.of("ada") == [] and len(await votes.of("bob")) == 1


async def test_nobody_votes_on_what_somebody_else_compared(votes: Votes) -> None:
    begun = await votes.begin("ada", "text", "Why?", CANDIDATES)
    with pytest.raises(VoteError, match="There is no comparison"):
        await votes.vote(begun.id, "bob", "A")


def test_exports_read_back_and_hide_what_is_still_blind() -> None:
    rows = rows_of([made("ab", "B"), made("ab", None, blind=True)])
    (row,) = [json.loads(line) for line in as_json_lines(rows).splitlines()]
    assert (row["winner"], row["choice"]) == ("b", "B")
    risky = [{**rows[0], "asked": '=HYPERLINK("x")'}]
    (read,) = csv.DictReader(io.StringIO(as_csv(risky)))
    assert read["asked"] == '\'=HYPERLINK("x")' and json.loads(read["candidates"])[0]["name"] == "a"
