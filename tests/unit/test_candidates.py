"""Candidates of a comparison: how they are written, what is refused, and how one answers."""

import json
from pathlib import Path

import pytest

from assistant.answers import Answered, AnswerFailed, answer, prompt_of
from assistant.candidates import Candidate, CandidateError, parse_candidate, read_candidates
from assistant.prices import Cost
from assistant.settings import Settings
from knowledge.documents import Passage
from tests.fakes import FakeEngines, FakeText
from tools.context import TextDelta
from tools.engines.base import Message
from tools.engines.errors import Unreachable

ASK = [Message("user", "How high is it?")]
PASSAGE = Passage("The tower is 31 metres high.", "tower.txt", "tower.txt", None, None, 1.0, 0.9, "shared", "1")


def test_an_argument_holds_a_model_and_what_differs() -> None:
    found = parse_candidate('ollama:llama3.2:1b temperature=0 system="Be brief." retrieval=true max_tokens=20')
    assert found.model == "ollama:llama3.2:1b" and found.system == "Be brief."
    assert (found.temperature, found.retrieval, found.max_tokens) == (0.0, "shared", 20)


def test_a_candidate_reads_again_what_it_writes() -> None:
    examples = [{"question": "1+1?", "answer": "2"}]
    found = parse_candidate({"model": "openai:m", "examples": examples, "temperature": 0.5, "name": "a"})
    assert parse_candidate(json.loads(json.dumps(found.as_json()))) == found


def test_a_file_holds_several_and_equal_names_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "shots.jsonl").write_text('{"question": "q", "reference": "a"}\n', "utf-8")
    file = tmp_path / "c.toml"
    file.write_text(
        '[[candidate]]\nmodel="openai:m"\nmax_tokens=5\n[[candidate]]\nmodel="openai:m"\n'
        '[[candidate]]\nmodel="openai:m"\nexamples="shots.jsonl"\n',
        "utf-8",
    )
    names = [c.name for c in read_candidates([str(file), "openai:n"])]
    assert names == ["openai:m", "openai:m #2", "openai:m, 1 example", "openai:n"]


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("", "names no model"),
        ("nowhere:m", "There is no provider 'nowhere'"),
        ("piper:m", "not for text"),
        ("openai:m temperature=3", "a number from 0 to 2"),
        ("openai:m temperature=nan", "a number from 0 to 2"),
        ("openai:m max_tokens=1.5", "a whole number"),
        ("openai:m temprature=1", "'temprature'"),
        ("openai:m brief", "no key=value"),
        ('openai:m system="Be', "quote that is not closed"),
        ("openai:m temperature=1 temperature=2", "temperature twice"),
        ("openai:m examples=none.jsonl", "cannot be read as JSON Lines"),
        ({"model": "openai:m", "examples": [{"question": "q"}]}, "example 1 needs"),
        ({"model": "openai:m", "system": 3}, "It takes text"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(spec: object, part: str) -> None:
    with pytest.raises(CandidateError, match=part):
        parse_candidate(spec)  # type: ignore[arg-type]


def test_the_same_candidate_twice_is_refused() -> None:
    with pytest.raises(CandidateError, match="twice"):
        read_candidates(["openai:m", "openai:m"])


async def test_an_answer_streams_and_ends_with_what_it_took(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    engines = FakeEngines(settings, FakeText("31 metres."))
    pieces = [
        p async for p in answer(Candidate(settings.chat.model), ASK, engines, price=lambda _m, _u: Cost(0.25, "EUR"))
    ]
    *deltas, end = pieces
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)).strip() == "31 metres."
    assert isinstance(end, Answered)
    assert (end.usage.completion_tokens, end.usage.cost, end.usage.currency, end.counted) == (2, 0.25, "EUR", False)
    assert 0 <= end.usage.first_token_s <= end.usage.total_s  # type: ignore[operator]


async def test_a_failure_is_a_value(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    engines = FakeEngines(settings, FakeText(Unreachable("It is down.", "Start it.")))
    (end,) = [p async for p in answer(Candidate(settings.chat.model), ASK, engines)]
    assert isinstance(end, AnswerFailed) and (end.error, end.remedy) == ("Unreachable", "Start it.")


async def test_retrieval_shows_passages_and_hands_them_back(tmp_path: Path) -> None:
    settings, asked = Settings(home=tmp_path), []

    async def retrieve(collection: str, question: str) -> list[Passage]:
        asked.append((collection, question))
        return [PASSAGE]

    text = FakeText("31 metres.")
    candidate = Candidate(settings.chat.model, retrieval="shared")
    end = [p async for p in answer(candidate, ASK, FakeEngines(settings, text), retrieve=retrieve)][-1]
    assert asked == [("shared", "How high is it?")]
    assert isinstance(end, Answered) and end.passages == (PASSAGE,)
    assert PASSAGE.text in text.seen[0][-1].content


async def test_an_unknown_price_stays_unknown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    engines = FakeEngines(settings, FakeText("31 metres."))
    end = [p async for p in answer(Candidate(settings.chat.model), ASK, engines)][-1]
    assert isinstance(end, Answered) and end.usage.cost is None


def test_the_prompt_is_system_then_examples_then_the_question() -> None:
    candidate = Candidate("openai:m", system="Be brief.", examples=(("1+1?", "2"),))
    assert [m.content for m in prompt_of(candidate, ASK)] == ["Be brief.", "1+1?", "2", "How high is it?"]
