"""Every setup asked every scored row, side by side as far as providers tolerate it; then the judge. Nothing here knows of reports."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from assistant.answers import Retrieve
from assistant.candidates import Candidate
from assistant.evaluation import judge as judging
from assistant.evaluation.calls import Calls, Outcome, is_local
from assistant.evaluation.dataset import Row
from assistant.evaluation.levers import EXAMPLES, WITH_EXAMPLES, Setup, Split, context_of, with_examples
from assistant.settings import SettingsError
from knowledge.documents import KnowledgeError, Passage
from tools.engines.base import Embedder, Message
from tools.engines.catalogue import split_id
from tools.engines.errors import EngineError

PARALLEL = 4
"""Calls under way at one provider; one at a time on this machine."""
OnProgress = Callable[[str, float], None]
Special = Callable[[Row], Awaitable[str]]
"""Answers a row without a model of words: how this product itself would."""


@dataclass(frozen=True)
class Plan:
    """What is to be run. `constrained` holds models to the schema of a row; `special` answers for setups of such a model id."""

    setups: Sequence[Setup]
    split: Split
    judge: Candidate | None = None
    k: int = EXAMPLES
    parallel: int = PARALLEL
    constrained: bool = False
    special: Mapping[str, Special] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """`verdicts` by (setup, row) are 0 to 1, None where the judge talked nonsense; `marked` are (mark, verdict) of answers that a person
    marked; `nonsense` and `failed` count."""

    verdicts: Mapping[tuple[str, str], float | None]
    marked: Sequence[tuple[float, float]]
    asked: int
    nonsense: int
    failed: int
    said: Sequence[str] = ()
    """What nonsense it was, and why it failed: a few of them."""


@dataclass(frozen=True)
class Results:
    """`outcomes` by (setup, row); `judged` is None where nobody judged."""

    outcomes: Mapping[tuple[str, str], Outcome]
    judged: Judged | None


class Run:
    def __init__(
        self,
        plan: Plan,
        calls: Calls,
        embedder: Callable[[], Embedder],
        retrieve: Retrieve | None,
        progress: OnProgress,
    ) -> None:
        self.plan = plan
        self._calls = calls
        self._embedder = embedder
        self._retrieve = retrieve
        self._progress = progress
        self._done = 0
        self._all = len(plan.setups) * len(plan.split.scored) * (2 if plan.judge else 1)

    async def work(self) -> Results:
        """Raises: EngineError (the embedding, for examples), SettingsError (the cache)."""
        likeness = await self._likeness()
        outcomes: dict[tuple[str, str], Outcome] = {}

        async def one(setup: Setup, row: Row) -> None:
            outcomes[setup.name, row.id] = await self._one(setup, row, likeness)
            self._step(setup.name)
            await asyncio.sleep(0)  # What is known from before comes without waiting; others have their turn.

        await self._all_of(
            [(s.candidate.model, one(s, row)) for s in self.plan.setups for row in self.plan.split.scored]
        )
        judged = await self._judge(outcomes) if self.plan.judge else None
        return Results(outcomes, judged)

    async def _one(self, setup: Setup, row: Row, likeness: Mapping[str, np.ndarray]) -> Outcome:
        if special := self.plan.special.get(setup.candidate.model):
            started = time.monotonic()
            return Outcome(await special(row), total_s=time.monotonic() - started, cost=0.0)
        if row.audio is not None and not row.question:
            return await self._calls.hear(setup.candidate, row.audio)
        try:
            started = time.monotonic()
            passages = await self._passages(setup, row)
            looked_s = time.monotonic() - started if setup.candidate.retrieval else 0.0
        except (EngineError, KnowledgeError, SettingsError) as error:
            return Outcome(error=type(error).__name__, message=str(error))
        candidate = with_examples(setup, row, self.plan.split, likeness, self.plan.k)
        schema = row.schema if self.plan.constrained else None
        outcome = await self._calls.ask(candidate, [Message("user", row.question)], passages, schema)
        return replace(outcome, total_s=outcome.total_s + looked_s) if outcome.total_s is not None else outcome

    async def _passages(self, setup: Setup, row: Row) -> list[Passage]:
        """What is shown before the question. What is said in a recording always is."""
        passages = context_of(row) if setup.lever == "context" else []
        if row.audio is not None:
            heard = await self._calls.hear(Candidate(self._calls.engines.settings.speech.model), row.audio)
            if heard.error:
                raise KnowledgeError(f"{row.audio.name} could not be heard: {heard.message}")
            name = row.audio.name
            passages.append(Passage(heard.text, name, name, None, 0.0, 1.0, 1.0, "context", f"{row.id}:heard"))
        if setup.candidate.retrieval and self._retrieve:
            passages += await self._retrieve(setup.candidate.retrieval, row.question)
        return passages

    async def _likeness(self) -> dict[str, np.ndarray]:
        """By a row's id, how similar its question is to that of each row of the pool."""
        if not any(setup.lever in WITH_EXAMPLES for setup in self.plan.setups):
            return {}
        embedder = self._embedder()
        pool = await embedder.embed([row.question for row in self.plan.split.pool])
        questions = await embedder.embed([row.question for row in self.plan.split.scored])
        return dict(zip((row.id for row in self.plan.split.scored), questions @ pool.T, strict=True))

    async def _judge(self, outcomes: Mapping[tuple[str, str], Outcome]) -> Judged:
        """Each answer that there is, and each that a person marked; the same answer to the same row is judged once."""
        assert self.plan.judge is not None
        judge = judging.judge_of(self.plan.judge)
        rows = {row.id: row for row in self.plan.split.scored}
        wanted = {(row_id, o.text) for (_, row_id), o in outcomes.items() if not o.error and rows[row_id].reference}
        wanted |= {(row.id, row.answer) for row in rows.values() if row.mark is not None and row.reference}
        said: dict[tuple[str, str], Outcome] = {}

        async def one(row_id: str, text: str) -> None:
            said[row_id, text] = await self._calls.ask(
                judge, judging.messages_for(rows[row_id], text), (), judging.SCHEMA
            )
            self._step(f"judge {judge.model}", len(outcomes) / max(1, len(wanted)))

        await self._all_of([(judge.model, one(*each)) for each in sorted(wanted)])
        verdicts = {each: None if o.error else judging.verdict_of(o.text) for each, o in said.items()}
        nonsense = [o.text for each, o in said.items() if not o.error and verdicts[each] is None]
        failed = [o.message for o in said.values() if o.error]
        marked = [
            (row.mark, verdict)
            for row in rows.values()
            if row.mark is not None and (verdict := verdicts.get((row.id, row.answer))) is not None
        ]
        by_setup = {
            (name, row_id): verdicts.get((row_id, o.text)) for (name, row_id), o in outcomes.items() if not o.error
        }
        shown = [*nonsense[:3], *dict.fromkeys(failed)][:5]
        return Judged(by_setup, marked, len(said), len(nonsense), len(failed), shown)

    async def _all_of(self, jobs: Sequence[tuple[str, Any]]) -> None:
        """All of (model, what to await), a few at a time at each provider, fewer where it says that it has too many requests."""
        lanes: dict[str, deque[Any]] = defaultdict(deque)
        for model, job in jobs:
            lanes[self._lane(model)].append(job)

        async def worker(lane: str, number: int) -> None:
            while lanes[lane] and (number == 0 or number < self.plan.parallel - self._calls.slow_down[lane]):
                await lanes[lane].popleft()

        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    for number in range(1 if lane == "" else self.plan.parallel):
                        group.create_task(worker(lane, number))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            for waiting in lanes.values():
                for job in waiting:
                    job.close()

    def _lane(self, model: str) -> str:
        """The provider; "" for all that runs in this process, where one model works at a time."""
        return "" if is_local(model) else split_id(model)[0]

    def _step(self, text: str, steps: float = 1) -> None:
        self._done += steps  # type: ignore[assignment]
        self._progress(text, min(1.0, self._done / self._all))
