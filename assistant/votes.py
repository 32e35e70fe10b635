"""What was compared, how each candidate did and how its person voted: kept per user beside the history.

A comparison is written when it begins; an answer is added as soon as it is whole, the vote whenever it comes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from assistant.history import Database, new_id
from assistant.settings import SettingsError

Task = Literal["text", "speech", "image"]
TASKS: tuple[Task, ...] = get_args(Task)
LETTERS = "ABCD"
TIE, BAD, NONE = "tie", "bad", "none"
"""All the same; all bad; the names were looked at without a vote."""

_metadata = sa.MetaData()
_comparisons = sa.Table(
    "assistant_comparisons",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("user", sa.String, nullable=False, index=True),
    sa.Column("task", sa.String, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("blind", sa.Boolean, nullable=False),
    sa.Column("candidates", sa.JSON, nullable=False),
    sa.Column("outcomes", sa.JSON, nullable=False),
    sa.Column("choice", sa.String),
    sa.Column("voted", sa.Float),
)


class VoteError(SettingsError):
    """One line that says why a vote cannot be counted, and the remedy."""


@dataclass(frozen=True)
class Comparison:
    """`candidates` are their settings in the order A, B …; `outcomes` by letter what became of those that have ended, "event"
    being "done" or "failed"; `choice` is a letter, "tie", "bad", "none", or None where there was no vote yet. Times are Unix times."""

    id: str
    user: str
    task: Task
    created: float
    asked: str
    blind: bool
    candidates: Sequence[Mapping[str, Any]]
    outcomes: Mapping[str, Mapping[str, Any]]
    choice: str | None = None
    voted: float | None = None

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.candidates)]

    @property
    def answered(self) -> str:
        """The letters of those that gave an answer."""
        return "".join(x for x in self.letters if self.outcomes.get(x, {}).get("event") == "done")

    @property
    def hides_names(self) -> bool:
        return self.blind and self.choice is None


class Votes:
    """Safe to use from one event loop; several processes may share the database.

    Every method raises HistoryError where the database cannot be reached or written.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    async def begin(
        self, user: str, task: Task, asked: str, candidates: Sequence[Mapping[str, Any]], *, blind: bool = False
    ) -> Comparison:
        made = Comparison(new_id(), user, task, time.time(), asked, blind, [dict(c) for c in candidates], {})
        async with (await self._database.open()).begin() as connection:
            await connection.execute(sa.insert(_comparisons).values(**vars(made)))
        return made

    async def save(self, comparison: str, outcomes: Mapping[str, Mapping[str, Any]]) -> None:
        values = {letter: dict(outcome) for letter, outcome in outcomes.items()}
        statement = sa.update(_comparisons).where(_comparisons.c.id == comparison).values(outcomes=values)
        async with (await self._database.open()).begin() as connection:
            await connection.execute(statement)

    async def find(self, comparison: str, user: str) -> Comparison:
        """Raises: VoteError where this person made no such comparison."""
        query = sa.select(_comparisons).where(_comparisons.c.id == comparison, _comparisons.c.user == user)
        async with (await self._database.open()).connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise VoteError(f"There is no comparison {comparison}. `assistant leaderboard --export -` lists them.")
        return Comparison(**row)

    async def vote(self, comparison: str, user: str, choice: str) -> Comparison:
        """Count a vote, or put it in place of an earlier one. Raises: VoteError."""
        found = await self.find(comparison, user)
        choice = choice.upper() if choice.upper() in LETTERS else choice.lower()
        _check(found, choice)
        values = {"choice": choice, "voted": time.time()}
        async with (await self._database.open()).begin() as connection:
            await connection.execute(sa.update(_comparisons).where(_comparisons.c.id == found.id).values(values))
        return Comparison(**{**vars(found), **values})

    async def of(self, user: str, task: str | None = None) -> list[Comparison]:
        """Every comparison of one person, the oldest first."""
        query = sa.select(_comparisons).where(_comparisons.c.user == user).order_by(_comparisons.c.created)
        if task:
            query = query.where(_comparisons.c.task == task)
        async with (await self._database.open()).connect() as connection:
            return [Comparison(**row) for row in (await connection.execute(query)).mappings()]

    async def forget(self, user: str) -> list[Comparison]:
        """Take out every comparison of one person, with its answers and votes; returns what went."""
        gone = await self.of(user)
        async with (await self._database.open()).begin() as connection:
            await connection.execute(sa.delete(_comparisons).where(_comparisons.c.user == user))
        return gone

    async def close(self) -> None:
        await self._database.close()


def key_of(candidate: Mapping[str, Any]) -> str:
    """The same for the same settings, whatever the candidate is called."""
    settings = {name: value for name, value in candidate.items() if name != "name"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _check(found: Comparison, choice: str) -> None:
    if choice not in (*found.letters, TIE, BAD, NONE):
        raise VoteError(f"{choice!r} is no vote here. Use one of: {', '.join(found.letters)}, {TIE}, {BAD}, {NONE}.")
    if choice in found.letters and choice not in found.answered:
        raise VoteError(f"{choice} gave no answer. Vote for one that did, or for {NONE}.")
    if choice == TIE and len(found.answered) < 2:
        raise VoteError(f"Fewer than two gave an answer. Vote for {NONE}, or compare again.")
