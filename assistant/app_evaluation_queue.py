"""The page's queue of evaluations and of data sets being made, and how each is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from assistant.app_compare_wishes import candidates_of
from assistant.app_evaluation_shelf import meant, readable, shelf_for
from assistant.app_evaluation_wishes import Asked
from assistant.app_state import page
from assistant.calls import Bill, billed_to
from assistant.comparing_text import retriever
from assistant.evaluation.budget import Budget
from assistant.evaluation.carry_out import carry_out, only_some, task_of, with_levers
from assistant.evaluation.dataset import Dataset
from assistant.evaluation.dataset_lines import Line
from assistant.evaluation.evaluate import Wish
from assistant.evaluation.making import from_documents, passages_of
from assistant.evaluation.own import own_folder, reports_folder
from assistant.evaluation.run_queue import Progress, Queue, Run
from assistant.evaluation.sets import DataSets, SetError

SNAPSHOT = "data.jsonl"
"""The rows as they were when the run was asked for: what is changed later belongs to the next one."""
_queues: list[Queue] = []


def queue() -> Queue:
    """That of this process."""
    home = page().settings.home
    if not _queues or _queues[0].home != home:
        _queues[:] = [Queue(home, _carry)]
    return _queues[0]


async def stop_evaluating() -> None:
    """What is under way is interrupted, and can be continued after the next start."""
    for one in _queues:
        await one.stop()
    _queues.clear()


def wish_of(owner: str, asked: Asked, dataset: Dataset) -> Wish:
    """Raises: SettingsError where it cannot be met."""
    dataset = only_some(dataset, asked.rows, 0)
    task = task_of(dataset)
    candidates = candidates_of(asked.candidates, page().settings, "speech" if task == "speech" else "text")
    return with_levers(Wish(dataset, candidates, asked.levers, collection=asked.searched(), cap=asked.cap))


async def _carry(run: Run, folder: Path, progress: Progress, tell: Callable[[float], None]) -> str:
    return await (_evaluate if run.kind == "evaluate" else _make)(run, folder, progress, tell)


async def _evaluate(run: Run, folder: Path, progress: Progress, tell: Callable[[float], None]) -> str:
    here, asked = page(), Asked(**run.asked)
    sets = DataSets(own_folder(here.settings.home, run.owner))
    dataset = await asyncio.to_thread(sets.accepted, asked.set, folder / SNAPSHOT, run.title)
    wish = wish_of(run.owner, asked, dataset)
    retrieve = None
    if wish.collection or any(candidate.retrieval for candidate in wish.candidates):
        shelf = shelf_for(run.owner)
        retrieve = retriever(shelf.knowledge, await asyncio.to_thread(readable, shelf))
    written = await carry_out(
        here.assistant,
        wish,
        run.owner,
        reports_folder(here.settings.home, run.owner),
        retrieve=retrieve,
        progress=progress.show,
        open_budget=partial(Budget, before=run.spent, tell=tell),
    )
    return written.report.id


async def _make(run: Run, _folder: Path, progress: Progress, _tell: Callable[[float], None]) -> str:
    here, shelf = page(), shelf_for(run.owner)
    wanted = meant(str(run.asked["collection"]), await asyncio.to_thread(readable, shelf))
    passages = await passages_of(shelf.knowledge, wanted) if wanted else []
    if not passages:
        raise SetError("There is no document to ask about. Add one on the page of documents first.")
    with billed_to(Bill(run.owner)):
        made = await from_documents(passages, here.assistant.engines.text(), int(run.asked["count"]), 0, progress.show)
    if not made.rows:
        raise SetError(
            f"No question could be made: of {made.thrown} none had an answer that stands in its passage. Choose a larger model, or other documents."
        )
    sets = DataSets(own_folder(here.settings.home, run.owner))
    lines = [Line(number, row) for number, row in enumerate(made.rows, 1)]
    return (await asyncio.to_thread(sets.create, run.title, lines, "documents")).id
