"""What the page was asked to evaluate or to make: kept on the disk, carried out one after the other, to be cancelled and continued.

A run that this process does not know of as waiting or under way, though its file says so, was interrupted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from assistant.evaluation.own import is_id, own_folder
from assistant.history import new_id
from assistant.settings import SettingsError
from knowledge.documents import KnowledgeError
from tools.engines.errors import EngineError

Kind = Literal["evaluate", "make"]
State = Literal["waiting", "running", "interrupted", "cancelled", "failed", "done"]
SHOWN_S = 24 * 3600
"""How long a run that is done stays in the list."""
PACE_S = 30.0
"""Of the last so many seconds the time left is told: what is known from before goes by at once."""
CANCEL_AGAIN_S = 0.5
MOST_WAITING = 20
"""Of one person."""
log = logging.getLogger(__name__)


class RunError(SettingsError):
    """One line that says why a run cannot be begun or changed, and the remedy."""


@dataclass(frozen=True)
class Run:
    """`asked` is what the page was asked for; `result` the report or data set that came of it; `message` why it failed; `spent`
    what its calls have cost at most, in the currency of the prices, so that a spend cap holds over interruptions. Times are Unix times."""

    id: str
    owner: str
    kind: Kind
    title: str
    created: float
    asked: Mapping[str, Any]
    state: State = "waiting"
    message: str = ""
    result: str = ""
    spent: float = 0.0
    ended: float | None = None


@dataclass
class Progress:
    """Of the run that is under way. `marks` are (when, fraction)."""

    text: str = ""
    fraction: float = 0.0
    marks: deque[tuple[float, float]] = field(default_factory=deque)

    def show(self, text: str, fraction: float) -> None:
        now = time.monotonic()
        self.text, self.fraction = text, fraction
        self.marks.append((now, fraction))
        while len(self.marks) > 2 and self.marks[1][0] < now - PACE_S:
            self.marks.popleft()

    def left_s(self) -> float | None:
        """None where too little has happened to tell."""
        if len(self.marks) < 2:
            return None
        (first_s, first), (last_s, last) = self.marks[0], self.marks[-1]
        if last <= first or last_s <= first_s:
            return None
        return max(0.0, (1 - last) * (last_s - first_s) / (last - first) - (time.monotonic() - last_s))


Carry = Callable[[Run, Path, Progress, Callable[[float], None]], Awaitable[str]]
"""(run, its folder, what is told of it, what hears of money spent) to its result."""


class Queue:
    """For one event loop."""

    def __init__(self, home: Path, carry: Carry) -> None:
        self.home = home
        self._carry = carry
        self._waiting: deque[Run] = deque()
        self._now: Run | None = None
        self._task: asyncio.Task[str] | None = None
        self._worker: asyncio.Task[None] | None = None
        self.progress = Progress()

    def folder(self, owner: str, run_id: str) -> Path:
        return own_folder(self.home, owner) / "runs" / run_id

    def prepared(
        self,
        owner: str,
        kind: Kind,
        title: str,
        asked: Mapping[str, Any],
        prepare: Callable[[Path], None] = lambda _folder: None,
    ) -> Run:
        """A run with what it needs on the disk, not yet in line. `prepare` fills its folder; what it raises leaves nothing behind.

        Raises: RunError where this person has too many in line.
        """
        self._check_room(owner)
        run = Run(new_id(), owner, kind, title, time.time(), asked)
        folder = self.folder(owner, run.id)
        folder.mkdir(parents=True)
        try:
            prepare(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return run

    def enqueue(self, run: Run) -> Run:
        self._write(run)
        self._waiting.append(run)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return run

    def all(self, owner: str) -> list[Run]:
        """The oldest first. What was done long ago is taken away."""
        found = []
        for path in sorted((own_folder(self.home, owner) / "runs").glob("*/run.json")):
            run = self._read(path)
            if run is None:
                continue
            if run.state == "done" and time.time() - (run.ended or 0) > SHOWN_S:
                shutil.rmtree(path.parent, ignore_errors=True)
            else:
                found.append(run)
        return found

    def find(self, owner: str, run_id: str) -> Run:
        """Raises: RunError where this person has no such run."""
        run = self._read(self.folder(owner, run_id) / "run.json") if is_id(run_id) else None
        if run is None:
            raise RunError("There is no such run. Load the page again.")
        return run

    def place(self, run: Run) -> int:
        """In line: 0 for the one under way."""
        return next((n for n, one in enumerate(self._waiting, 1) if one.id == run.id), 0)

    async def cancel(self, owner: str, run_id: str) -> Run:
        """What an evaluation was answered is kept: it can be continued. Raises: RunError."""
        run = self.find(owner, run_id)
        while self._now is not None and self._now.id == run_id:
            await self._give_up()
            await asyncio.sleep(0)
            run = self.find(owner, run_id)
        self._waiting = deque(one for one in self._waiting if one.id != run_id)
        return run if run.state in ("done", "failed", "cancelled") else self._write(replace(run, state="cancelled"))

    def resume(self, owner: str, run_id: str) -> Run:
        """Raises: RunError where it waits, runs or is done."""
        run = self.find(owner, run_id)
        if run.state not in ("interrupted", "cancelled", "failed"):
            raise RunError("This run goes on already or is done. Load the page again.")
        self._check_room(owner)
        return self.enqueue(replace(run, state="waiting", message="", ended=None))

    def remove(self, owner: str, run_id: str) -> None:
        """Raises: RunError where it is under way."""
        if self.find(owner, run_id).state in ("waiting", "running"):
            raise RunError("This run is under way. Cancel it first.")
        shutil.rmtree(self.folder(owner, run_id), ignore_errors=True)

    def uses(self, owner: str, set_id: str) -> bool:
        """Whether a run that has not ended needs a data set."""
        going = ("waiting", "running")
        return any(run.asked.get("set") == set_id and run.state in going for run in self.all(owner))

    async def stop(self) -> None:
        """What is under way is interrupted."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    def _check_room(self, owner: str) -> None:
        if sum(run.owner == owner for run in tuple(self._waiting)) >= MOST_WAITING:
            raise RunError(f"{MOST_WAITING} of your runs are waiting already. Cancel one, or wait until one is done.")

    async def _work(self) -> None:
        while self._waiting:
            self._now = replace(self._waiting[0], state="running")
            self._waiting.popleft()
            self.progress = Progress()
            try:
                self._write(self._now)
                self._task = asyncio.create_task(self._one(self._now))
                await asyncio.wait([self._task])
                self._end(self._now, self._task)
            except OSError:
                log.exception("a run could not be written down")
            except asyncio.CancelledError:
                await self._give_up()
                raise
            finally:
                self._now = self._task = None

    async def _give_up(self) -> None:
        while self._task is not None and not self._task.done():
            # A cancellation that comes together with what is waited for may be lost.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_AGAIN_S)

    async def _one(self, run: Run) -> str:
        return await self._carry(
            run, self.folder(run.owner, run.id), self.progress, lambda spent: self._spend(run, spent)
        )

    def _end(self, run: Run, task: asyncio.Task[str]) -> None:
        known = self._read_file(self.folder(run.owner, run.id) / "run.json") or run
        if task.cancelled():
            self._write(replace(known, state="cancelled"))
            return
        error = task.exception()
        if error is None:
            self._write(replace(known, state="done", result=task.result(), ended=time.time()))
            return
        if not isinstance(error, SettingsError | EngineError | KnowledgeError | OSError):
            log.error("a run failed", exc_info=error)
        self._write(replace(known, state="failed", message=str(error) or type(error).__name__, ended=time.time()))

    def _spend(self, run: Run, spent: float) -> None:
        """On the disk before a call is made: no interruption forgets it."""
        known = self._read_file(self.folder(run.owner, run.id) / "run.json") or run
        self._write(replace(known, spent=spent))

    def _write(self, run: Run) -> Run:
        path = self.folder(run.owner, run.id) / "run.json"
        aside = path.with_suffix(".part")
        aside.write_text(json.dumps(asdict(run)), "utf-8")
        aside.replace(path)
        return run

    def _read(self, path: Path) -> Run | None:
        run = self._read_file(path)
        if run is None or run.state not in ("waiting", "running"):
            return run
        going = {one.id for one in (*tuple(self._waiting), self._now) if one is not None}
        if run.id in going:
            return run
        again = self._read_file(path)  # It may have ended meanwhile.
        return replace(again, state="interrupted") if again and again.state in ("waiting", "running") else again

    @staticmethod
    def _read_file(path: Path) -> Run | None:
        try:
            return Run(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
