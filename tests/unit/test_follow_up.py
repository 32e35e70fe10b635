"""A follow-up is asked so that it stands alone, and searched for in both forms."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.documents import Source
from tests.unit.test_transcribe_audio import FakeSpeech, context
from tools.engines.base import Message, SpeechInfo
from tools.follow_up import Asked, as_asked

SOURCES = [Source(t, t, "indexed", 3, 3, "", "", "shared") for t in ("supply-agreement.pdf", "transport-contract.pdf")]
NOTICE = "What is the notice period of the supply agreement?"


def asked(request: str, *earlier: str) -> Asked:
    with tempfile.TemporaryDirectory() as folder:
        turn = context(Path(folder), FakeSpeech(SpeechInfo("en", 0.9, 1.0)), request)
    history = [m for q in earlier for m in (Message("user", q), Message("assistant", "90 days. [1]"))]
    return as_asked(replace(turn, history=history), SOURCES)


@pytest.mark.parametrize(
    ("earlier", "request_", "alone"),
    [
        (NOTICE, "And in the transport contract?", "What is the notice period in the transport contract?"),
        (NOTICE, "and in the other contract?", "What is the notice period?"),
        (NOTICE, "What about the deposit?", "What about the deposit?"),
        (NOTICE, "And how is it paid?", f"{NOTICE} how is it paid?"),
        (NOTICE, "Why?", f"{NOTICE} Why?"),
        ("Quel est le loyer de l'atelier ?", "Et le préavis ?", "Qu'en est-il de ceci : le préavis ?"),
        ("Quel est le loyer ?", "Et pour la réserve ?", "Quel est le loyer pour la réserve?"),
    ],
)
def test_a_follow_up_stands_alone(earlier: str, request_: str, alone: str) -> None:
    found = asked(request_, earlier)
    assert found.alone == alone
    assert found.searches == [alone, f"{earlier}\n{request_}"]
    assert found.other is ("other" in request_)


def test_a_question_of_its_own_is_left_as_it_is() -> None:
    assert asked("Who signed the contract of March?", NOTICE).alone == "Who signed the contract of March?"
    assert asked("And in the transport contract?") == Asked(
        "And in the transport contract?", ["And in the transport contract?"]
    )


def test_a_follow_up_of_a_follow_up_leans_on_the_last_whole_question() -> None:
    found = asked("And in the transport contract?", NOTICE, "And the price?")
    assert found.alone == "What is the notice period in the transport contract?"
