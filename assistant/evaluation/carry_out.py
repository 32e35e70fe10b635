"""From what a person asks for to a report on the disk: the way that the command line and the page go alike."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.agent import Assistant
from assistant.answers import Price, Retrieve
from assistant.calls import Bill, Call, billed_to
from assistant.engines import Engines
from assistant.evaluation.budget import Budget
from assistant.evaluation.dataset import Dataset, Row
from assistant.evaluation.evaluate import Wish, evaluate, write_report
from assistant.evaluation.levers import possible_levers
from assistant.evaluation.results import Report
from assistant.evaluation.run import OnProgress, Special
from assistant.prompted import with_prompts
from assistant.settings import SettingsError
from tools.engines.base import Message, Task


@dataclass(frozen=True)
class Written:
    """A report, and where it lies."""

    report: Report
    html: Path
    file: Path


class _NotKept(Bill):
    """For whom calls are made; what they cost stands in the report."""

    def add(self, call: Call) -> None:
        pass

    def prompt(self, messages: Sequence[Message]) -> Any:
        return f"{len(messages)} messages"


def task_of(dataset: Dataset) -> Task:
    """`speech` where the rows are recordings to be transcribed. Raises: SettingsError where some are and some are not."""
    bare = [row for row in dataset.rows if row.audio is not None and not row.question]
    if bare and len(bare) != len(dataset.rows):
        raise SettingsError(
            f"Line {bare[0].line} is a recording without a question, others have one. Put recordings to be transcribed into "
            "a data set of their own."
        )
    return "speech" if bare else "text"


def with_levers(wish: Wish) -> Wish:
    """With the levers that the data allows where none was chosen. Raises: SettingsError where one does not go with the data."""
    levers = list(wish.levers) or possible_levers(wish.dataset, wish.collection, wish.pool is not None)
    if task_of(wish.dataset) == "speech":
        if set(wish.levers) - {"zero-shot"}:
            raise SettingsError("Recordings without a question are transcribed; no lever but zero-shot goes with that.")
        levers = ["zero-shot"]
    if "retrieval" in levers and not wish.collection:
        raise SettingsError("The lever retrieval needs --collection NAME: the documents to search.")
    if "context" in levers and not any(row.context for row in wish.dataset.rows):
        raise SettingsError("The lever context needs rows with a context.")
    return replace(wish, levers=levers)


def only_some(dataset: Dataset, rows: int | None, seed: int) -> Dataset:
    """A seeded choice of so many rows, in their order; all of them with None."""
    if rows is None or rows >= len(dataset.rows):
        return dataset
    chosen: set[Row] = set(random.Random(seed).sample(dataset.rows, rows))
    return replace(dataset, rows=tuple(row for row in dataset.rows if row in chosen))


async def carry_out(
    assistant: Assistant,
    wish: Wish,
    user: str,
    folder: Path,
    *,
    retrieve: Retrieve | None = None,
    specials: Callable[[Engines], dict[str, Special]] | None = None,
    progress: OnProgress = lambda _text, _fraction: None,
    open_budget: Callable[[float | None, Price], Budget] = Budget,
) -> Written:
    """Evaluate for `user`, whose prompts and spending caps count, and write the report into `folder`.

    Raises: SettingsError, EngineError, OSError.
    """
    wish = replace(wish, candidates=await with_prompts(wish.candidates, assistant.prompts, user))
    if specials:
        wish = replace(wish, special=specials(assistant.engines))
    with billed_to(_NotKept(user)):
        report = await evaluate(
            assistant.engines.settings,
            assistant.engines,
            wish,
            retrieve=retrieve,
            progress=progress,
            open_budget=open_budget,
        )
    return Written(report, *await asyncio.to_thread(write_report, report, folder))
