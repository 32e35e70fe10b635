"""Side by side: a failure and a slow candidate hold nobody back, blind hides names, what is known at the end is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.candidates import Candidate, CandidateError
from assistant.comparing import Event, Wish, compare, revealed
from assistant.comparing_media import check_models_alone, words_compared
from assistant.comparing_text import asking, tokens_per_s
from assistant.engines import Engines
from assistant.history import sqlite_url
from assistant.settings import Settings
from assistant.votes import Votes
from tests.fakes import FakeText
from tools.engines.base import Usage
from tools.engines.errors import Unreachable


class FourEngines(Engines):
    """Text engines by model id."""

    def __init__(self, settings: Settings, **texts: FakeText) -> None:
        super().__init__(settings)
        for name, text in texts.items():
            self._open["chat", model_of(name)] = text


def model_of(name: str) -> str:
    """Those that begin with an h are hosted."""
    return f"openai:{name}" if name.startswith("h") else f"llama-cpp:{name}"


class Hanging(FakeText):
    async def stream(self, messages: Any, **_options: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield  # pragma: no cover


@pytest.fixture
async def votes(tmp_path: Path) -> AsyncIterator[Votes]:
    store = Votes(sqlite_url(tmp_path))
    yield store
    await store.close()


def wish(names: Sequence[str], **more: Any) -> Wish:
    return Wish("text", "Why?", [Candidate(model_of(name)) for name in names], "ada", **more)


async def events_of(home: Path, votes: Votes, wish: Wish, **texts: FakeText) -> list[Event]:
    engines = FourEngines(Settings(home=home), **texts)
    return [event async for event in compare(wish, asking(wish.asked, engines), engines, votes)]


def last_of(events: Sequence[Event], letter: str) -> Event:
    return next(e for e in events if e.get("letter") == letter and e["event"] in ("done", "failed"))


async def test_a_failure_and_a_hanging_one_leave_the_others_alone(tmp_path: Path, votes: Votes) -> None:
    texts = {"h1": FakeText("It is blue."), "h2": FakeText(Unreachable("It is down.", "Start it.")), "h3": Hanging()}
    events = await events_of(tmp_path, votes, wish(list(texts), time_limit_s=0.2), **texts)
    good, down, slow = (last_of(events, letter) for letter in "ABC")
    assert (good["text"], good["completion_tokens"]) == ("It is blue. ", 3)
    assert (down["error"], down["remedy"]) == ("Unreachable", "Start it.")
    assert slow["error"] == "TimeLimit" and "0.2 s" in slow["message"]
    assert events[-1]["event"] == "finished"
    (kept,) = await votes.of("ada")
    assert kept.answered == "A" and kept.outcomes["B"]["event"] == "failed"


async def test_hosted_ones_answer_at_once_and_local_ones_in_turn(tmp_path: Path, votes: Votes) -> None:
    texts = {name: FakeText("one two three", pause_s=0.01) for name in ("h1", "h2", "l1", "l2")}
    events = await events_of(tmp_path, votes, wish(list(texts)), **texts)
    assert events[0]["in_turn"] == ["C", "D"]
    order = [(e["letter"], e["event"]) for e in events if "letter" in e]
    assert order.index(("B", "started")) < order.index(("A", "done"))
    assert order.index(("C", "done")) < order.index(("D", "started"))


async def test_leaving_stops_all_of_them(tmp_path: Path, votes: Votes) -> None:
    texts = {name: FakeText("word " * 500, pause_s=0.01) for name in ("h1", "h2")}
    engines = FourEngines(Settings(home=tmp_path), **texts)
    events = compare(wish(["h1", "h2"]), asking("Why?", engines), engines, votes)
    async for event in events:
        if event["event"] == "delta":
            break
    await events.aclose()
    assert all(text.closed_early or not text.seen for text in texts.values())
    assert any(text.closed_early for text in texts.values())


async def test_a_blind_comparison_tells_no_names_before_the_vote(tmp_path: Path, votes: Votes) -> None:
    texts = {"h1": FakeText("Blue."), "h2": FakeText(Unreachable("openai:h2 is down."))}
    events = await events_of(tmp_path, votes, wish(["h1", "h2"], blind=True), **texts)
    assert "openai" not in repr(events) and "tokens" not in repr(events)
    (kept,) = await votes.of("ada")
    voted = revealed(await votes.vote(kept.id, "ada", kept.answered))
    assert {row["name"] for row in voted["candidates"]} == {"openai:h1", "openai:h2"}
    assert [o["completion_tokens"] for o in voted["outcomes"] if o["event"] == "done"] == [1]


async def test_a_local_answer_costs_nothing_and_a_price_that_nobody_knows_is_none(tmp_path: Path, votes: Votes) -> None:
    from dataclasses import replace

    from tests.fakes import CARD

    priced, local = FakeText("Yes."), FakeText("Yes.")
    settings = Settings(home=tmp_path)
    engines = Engines(settings)
    for model, text in (("openai:nobody-knows", priced), ("llama-cpp:here", local)):
        text.card = replace(CARD, id=model)
        engines._open["chat", model] = metered(engines, model, text)
    asked = Wish("text", "Why?", [Candidate("openai:nobody-knows"), Candidate("llama-cpp:here")], "ada")
    events = [e async for e in compare(asked, asking("Why?", engines), engines, votes)]
    assert last_of(events, "A")["cost"] is None and last_of(events, "A")["hosts"] == ["api.openai.com"]
    assert last_of(events, "B")["cost"] == 0 and last_of(events, "B")["hosts"] == []


def metered(engines: Engines, model: str, text: FakeText) -> Any:
    from assistant.meter import Meter
    from assistant.metered import MeteredText

    return MeteredText(text, Meter(engines.settings, text.card, lambda: engines.tariff("chat", {"chat": model})))


@pytest.mark.parametrize(("count", "limit", "part"), [(1, None, "two to four"), (5, None, "two to four"), (2, 0, "time limit")])  # fmt: skip
def test_too_few_too_many_or_no_time_is_refused(count: int, limit: float | None, part: str) -> None:
    with pytest.raises(CandidateError, match=part):
        wish([f"h{n}" for n in range(count)], time_limit_s=limit)


def test_transcribers_are_compared_as_they_are() -> None:
    with pytest.raises(CandidateError, match="temperature, which goes with questions"):
        check_models_alone([Candidate("faster-whisper:base", temperature=0.5)])


def test_tokens_a_second_are_those_after_the_first() -> None:
    assert tokens_per_s(Usage(5, 11, 1.0, 3.0)) == 5.0
    assert tokens_per_s(Usage(5, 1, 1.0, 3.0)) is None and tokens_per_s(Usage(5, None, 1.0, 3.0)) is None


def test_words_against_a_reference_have_an_error_rate_and_those_against_each_other_none() -> None:
    outcomes = {
        "A": {"event": "done", "text": "The cat sat, down."},
        "B": {"event": "done", "text": "the bat sat"},
        "C": {"event": "failed"},
    }
    against = words_compared("The cat sat down")(outcomes)
    assert (against["A"]["error_rate"], against["B"]["error_rate"]) == (0.0, 0.5)
    kinds = [(p["kind"], p["reference"], p["text"]) for p in against["B"]["diff"]]
    assert kinds == [
        ("equal", "The", "the"),
        ("substitute", "cat", "bat"),
        ("equal", "sat", "sat"),
        ("delete", "down", ""),
    ]
    among = words_compared(None)(outcomes)
    assert list(among) == ["B"] and among["B"]["against"] == "A" and among["B"]["error_rate"] is None
