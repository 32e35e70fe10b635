"""Two to four candidates are asked the same thing side by side; what comes of each is told as it comes, as plain events.

Hosted candidates answer at the same time. Those of this machine answer one after another: they share its memory and its processor, and
the times of one that has to share would tell nothing. A failure, or one that takes too long, ends that candidate alone.

    {"event": "comparison", "id", "task", "asked", "blind", "candidates": [{"letter", "name", …}], "in_turn": ["A", "C"]}
    {"event": "started" | "loading" | "delta" | "progress" | "done" | "failed" | "concluded", "letter", …}
    {"event": "finished", "id"}
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from assistant.calls import Bill, billed_to
from assistant.candidates import Candidate, CandidateError
from assistant.engines import Engines
from assistant.settings import SettingsError
from assistant.votes import LETTERS, Comparison, Task, Votes
from knowledge.documents import KnowledgeError
from tools.engines.catalogue import PROVIDERS
from tools.engines.errors import EngineError

FEWEST, MOST = 2, len(LETTERS)
LONGEST_S = 3600.0
FOLDER = "compared"
"""In ASSISTANT_HOME: what the page drew for comparisons."""
CAPABILITY: dict[Task, str] = {"text": "chat", "speech": "speech", "image": "image"}
Event = dict[str, Any]
Ask = Callable[[str, Candidate], AsyncIterator[Event]]
"""(letter, candidate) to its events, without the letter; the last of them is "done" or "failed"."""
Outcomes = dict[str, Event]
Conclude = Callable[[Outcomes], Mapping[str, Event]]
"""What is known only once all have ended: by letter, what is added to its outcome."""


@dataclass(frozen=True)
class Wish:
    """What is compared. `asked` is the question, the prompt or the name of the recording; `time_limit_s` is what each may take,
    from when its turn comes, with the loading of its weights."""

    task: Task
    asked: str
    candidates: Sequence[Candidate]
    user: str
    blind: bool = False
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        if not FEWEST <= len(self.candidates) <= MOST:
            raise CandidateError(f"{len(self.candidates)} candidates are given. Compare two to four.")
        if self.time_limit_s is not None and not 0 < self.time_limit_s <= LONGEST_S:
            raise CandidateError(f"The time limit is {self.time_limit_s:g} s. It takes 1 to {LONGEST_S:g}.")


@dataclass
class _Lane:
    """Candidates that answer one after another. `now` is the letter of the one whose turn it is."""

    letters: Sequence[str]
    now: str = ""


@dataclass
class _Race:
    asked: Mapping[str, Candidate]
    ask: Ask
    limit_s: float | None
    user: str
    queue: asyncio.Queue[Event | Exception | None] = field(default_factory=asyncio.Queue)

    async def run(self, lane: _Lane) -> None:
        for letter in lane.letters:
            lane.now = letter
            self.queue.put_nowait({"event": "started", "letter": letter})
            try:
                self.queue.put_nowait({**await self._one(letter), "letter": letter})
            except Exception as error:  # noqa: BLE001  (raised where the events are read)
                self.queue.put_nowait(error)
        self.queue.put_nowait(None)

    async def _one(self, letter: str) -> Event:
        """The last event of one candidate, with what it cost and where it went; those before it are passed on."""
        with billed_to(Bill(self.user)) as bill:
            last = await self._answer(letter)
        cost = bill.cost() if bill.calls else None
        paid = {"cost": cost and cost.amount, "currency": cost.currency if cost else None, "hosts": bill.hosts()}
        return {**last, **paid}

    async def _answer(self, letter: str) -> Event:
        started, text = time.monotonic(), ""
        last: Event = {}
        try:
            async with asyncio.timeout(self.limit_s) as limit:
                async with aclosing(cast(Any, self.ask(letter, self.asked[letter]))) as events:
                    async for event in events:
                        if event["event"] in ("done", "failed"):
                            last = event
                            continue
                        text += event.get("text", "") if event["event"] == "delta" else ""
                        self.queue.put_nowait({**event, "letter": letter})
        except TimeoutError:
            if not limit.expired():
                raise
            last = _too_long(cast(float, self.limit_s))
        except (EngineError, KnowledgeError) as error:
            last = failed(type(error).__name__, error.message, error.remedy)
        except SettingsError as error:
            last = failed("SettingsError", str(error))
        if last["event"] == "failed":
            last = {**last, "text": last.get("text") or text, "total_s": round(time.monotonic() - started, 3)}
        return last


async def compare(
    wish: Wish, ask: Ask, engines: Engines, votes: Votes, conclude: Conclude | None = None
) -> AsyncIterator[Event]:
    """Every event; leaving the iteration stops all candidates. Blind, the order is shuffled, and until the vote nothing is told that
    gives a name away.

    Raises: HistoryError.
    """
    candidates = list(wish.candidates)
    if wish.blind:
        random.shuffle(candidates)
    begun = await votes.begin(wish.user, wish.task, wish.asked, [c.as_json() for c in candidates], blind=wish.blind)
    asked = dict(zip(begun.letters, candidates, strict=True))
    here = [letter for letter, candidate in asked.items() if runs_here(candidate.model)]
    yield told({**comparison_event(begun), "in_turn": here if len(here) > 1 else []}, begun)
    await asyncio.to_thread(_open_all, wish, engines)
    outcomes: Outcomes = {}
    async with aclosing(
        cast(Any, _side_by_side(_Race(asked, ask, wish.time_limit_s, wish.user), here, engines))
    ) as events:
        async for event in events:
            if event["event"] in ("done", "failed"):
                outcomes[event["letter"]] = {name: value for name, value in event.items() if name != "letter"}
                await votes.save(begun.id, outcomes)
            yield told(event, begun)
    for letter, more in (conclude(outcomes) if conclude else {}).items():
        outcomes[letter] = {**outcomes[letter], **more}
        yield {"event": "concluded", "letter": letter, **more}
    await votes.save(begun.id, outcomes)
    yield {"event": "finished", "id": begun.id}


def _open_all(wish: Wish, engines: Engines) -> None:
    """Before anybody is asked: what engines import would otherwise lengthen the time of the first. Who cannot be opened says why
    when its turn comes."""
    capability = CAPABILITY[wish.task]
    opening = {"chat": engines.text, "speech": engines.speech, "image": engines.image}[capability]
    for candidate in wish.candidates:
        with contextlib.suppress(EngineError, SettingsError):
            opening({capability: candidate.model})


async def _side_by_side(race: _Race, here: Sequence[str], engines: Engines) -> AsyncIterator[Event]:
    loop = asyncio.get_running_loop()
    lanes = [_Lane([letter]) for letter in race.asked if letter not in here]
    local = _Lane(here)

    def on_load(text: str, fraction: float | None) -> None:
        event = {"event": "loading", "text": text, "fraction": fraction, "letter": local.now}
        loop.call_soon_threadsafe(race.queue.put_nowait, event)

    with engines.listening(on_load):
        tasks = [asyncio.create_task(race.run(lane)) for lane in ([*lanes, local] if here else lanes)]
        try:
            running = len(tasks)
            while running:
                item = await race.queue.get()
                if item is None:
                    running -= 1
                elif isinstance(item, Exception):
                    raise item
                elif item["letter"]:
                    yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def comparison_event(found: Comparison) -> Event:
    """What is compared, with every candidate's settings."""
    rows = [{"letter": x, **c} for x, c in zip(found.letters, found.candidates, strict=True)]
    asked = {"id": found.id, "task": found.task, "asked": found.asked, "blind": found.blind}
    return {"event": "comparison", **asked, "candidates": rows}


def revealed(found: Comparison) -> Event:
    """After the vote: names, figures, and the vote."""
    outcomes = [{**outcome, "letter": letter} for letter, outcome in sorted(found.outcomes.items())]
    return {**comparison_event(found), "event": "voted", "choice": found.choice, "outcomes": outcomes}


def told(event: Event, found: Comparison) -> Event | dict[str, Any]:
    """The event as it may be told: of a blind comparison without a vote neither names nor figures nor reasons, which tell names."""
    if not found.hides_names:
        return event
    kind = event["event"]
    if kind == "comparison":
        return {**event, "candidates": [{"letter": row["letter"]} for row in event["candidates"]], "in_turn": []}
    kept = {
        "delta": ("text",),
        "done": ("text", "cut", "path"),
        "failed": ("text",),
        "progress": ("fraction",),
    }
    return {name: event[name] for name in ("event", "letter", *kept.get(kind, ())) if name in event}


def failed(error: str, message: str, remedy: str = "") -> Event:
    return {"event": "failed", "error": error, "message": message, "remedy": remedy}


def runs_here(model: str) -> bool:
    provider = PROVIDERS.get(model.partition(":")[0])
    return provider is not None and provider.runs == "local"


class Figures:
    """Times of one candidate without the loading of its weights, and what they take. Read it before and after."""

    def __init__(self, model: str, engines: Engines) -> None:
        self._here, self._engines = runs_here(model), engines
        self._loaded_s = engines.arbiter.loading_s
        self.started = time.monotonic()
        self.first_s: float | None = None

    @property
    def loading_s(self) -> float | None:
        """None where the weights are elsewhere."""
        return self._engines.arbiter.loading_s - self._loaded_s if self._here else None

    def seconds(self) -> float:
        return time.monotonic() - self.started - (self.loading_s or 0.0)

    def first(self) -> None:
        if self.first_s is None:
            self.first_s = self.seconds()

    def memory(self, name: str) -> Event:
        """`memory_bytes` is what the machine reckons with for the resident weights and what they work in; None where they are
        elsewhere."""
        arbiter = self._engines.arbiter
        return {
            "memory_bytes": arbiter.size_of(name) if self._here else None,
            "device": arbiter.device_of(name) if self._here else None,
            "loading_s": rounded(self.loading_s),
        }


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _too_long(limit_s: float) -> Event:
    return failed("TimeLimit", f"It took longer than {limit_s:g} s.", "Allow it more time, or choose a quicker one.")


@contextlib.asynccontextmanager
async def open_votes(url: str) -> AsyncIterator[Votes]:
    votes = Votes(url)
    try:
        yield votes
    finally:
        await votes.close()
