"""What of a conversation is told again."""

from collections.abc import Sequence

import pytest

from assistant.history import TurnRecord
from assistant.memory import recall
from tools.engines.base import Message


def turn(words: int, n: int = 0) -> TurnRecord:
    return TurnRecord(f"{n}", "t", 0.0, "done", "q", "write_text", " ".join(["w"] * (words - 1)))


async def count(messages: Sequence[Message]) -> int:
    return sum(len(m.content.split()) for m in messages)


@pytest.mark.parametrize(
    ("sizes", "budget", "kept"),
    [
        ([10, 10], 100, 2),
        ([60, 60], 100, 1),
        ([40, 40, 40], 100, 1),
        ([200], 100, 0),
        ([10] * 20, 100, 8),
        ([], 100, 0),
    ],
)
async def test_the_newest_turns_that_fit_are_kept(sizes: list[int], budget: int, kept: int) -> None:
    memory = await recall([turn(size, n) for n, size in enumerate(sizes)], count, budget)
    assert (len(memory.messages) // 2, memory.dropped) == (kept, len(sizes) - kept)


async def test_the_beginning_stays_the_same_while_the_conversation_grows() -> None:
    turns = [turn(10, n) for n in range(30)]
    firsts = [(await recall(turns[:n], count, 100)).dropped for n in range(1, 30)]
    assert len(set(firsts)) < 7, "it moves in leaps, not with every turn"


async def test_a_file_without_words_is_told_by_its_name() -> None:
    record = TurnRecord("1", "t", 0.0, "done", "", "transcribe_audio", "hello", [{"name": "memo.wav"}])
    assert (await recall([record], count, 100)).messages[0].content == "(memo.wav)"


async def test_citations_are_not_told_again_for_the_model_would_make_up_its_own() -> None:
    record = TurnRecord("1", "t", 0.0, "done", "What is the rent?", "search_knowledge", "It is 850 euros. [1] [2]")
    assert (await recall([record], count, 100)).messages[1].content == "It is 850 euros."
