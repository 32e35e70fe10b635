"""Where passages of different documents answer a question with different figures: counted by code, without any model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge.documents import Passage
from knowledge.evidence import Support, coverage
from knowledge.ranking import STOP_WORDS, content_words, plain_words
from knowledge.splitting import split_sentences

SAME_MATTER = 0.75
"""The share of the question's content words that a sentence must hold to count as an answer to it."""

_FIGURE = re.compile(r"(\d+(?:[.,]\d+)*)\s*(%|[^\W\d_]+)")
_NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_NUMBERS |= {"deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "sept": 7, "huit": 8, "neuf": 9, "dix": 10}
_NUMBERS |= {"eleven": 11, "twelve": 12, "onze": 11, "douze": 12}


def differing(question: str, passages: Sequence[Passage]) -> list[Support]:
    """A sentence of each document that holds most of the question's words and gives a figure of the same unit as the others,
    but not the same figure; empty where they agree or only one document tells."""
    wanted = content_words(question)
    answers: dict[str, tuple[Support, dict[str, set[str]]]] = {}
    for passage in passages:
        for sentence in split_sentences(passage.text):
            figures = _figures(sentence)
            if figures and passage.source not in answers and coverage(wanted, sentence) >= SAME_MATTER:
                answers[passage.source] = (Support(passage, sentence), figures)
    units = [unit for _, figures in answers.values() for unit in figures]
    for unit in dict.fromkeys(units):
        told = [(support, figures[unit]) for support, figures in answers.values() if unit in figures]
        if len(told) > 1 and all(told[0][1].isdisjoint(values) for _, values in told[1:]):
            return [support for support, _ in told]
    return []


def _figures(sentence: str) -> dict[str, set[str]]:
    """The numbers of a sentence by their unit: "90 days" is {"day": {"90"}}."""
    text = " ".join(str(_NUMBERS.get(word, word)) for word in plain_words(sentence.replace("%", " percent ")))
    found: dict[str, set[str]] = {}
    for number, unit in _FIGURE.findall(text):
        if unit not in STOP_WORDS:
            found.setdefault(unit.rstrip("s"), set()).add(number)
    return found
