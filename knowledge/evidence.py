"""How well passages bear out a question or a sentence: shared words and numbers, counted without any model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.documents import Passage
from knowledge.ranking import content_words, plain_words
from knowledge.splitting import split_sentences

STEM_LETTERS = 5
SUPPORTING_SHARE = 0.6
SUPPORTING_NEW_SHARE = 0.6
NEAR_S = 60
"""How far from its passage a time in a sentence may lie."""

_CODE = re.compile(r"`([^`]+)`")
_TIME = re.compile(r"\d+(?::\d\d){1,2}")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_QUOTED = re.compile(r"[\"“„«]\s*([^\"“”„«»]{8,}?)\s*[\"”“»]")


@dataclass(frozen=True)
class Support:
    """The passage that bears a sentence out, and its best sentence, verbatim."""

    passage: Passage
    quote: str


def coverage(words: Sequence[str], text: str) -> float:
    """The share of `words` that occur in `text`, endings aside; 0 for no words."""
    stems = {_stem(word) for word in plain_words(text)}
    return sum(_stem(word) in stems for word in words) / len(words) if words else 0.0


def find_support(sentence: str, question: str, passages: Sequence[Passage]) -> Support | None:
    """The passage that best bears out `sentence`, or None: all its numbers, code and quotes, and most of its words, also of
    those that do not just repeat the question, must stand in the passage."""
    words = content_words(sentence)
    asked = {_stem(word) for word in plain_words(question)}
    new = [word for word in words if _stem(word) not in asked]
    numbers = set(_NUMBER.findall(sentence))
    best: Passage | None = None
    best_share = SUPPORTING_SHARE
    for passage in passages:
        share = coverage(words, passage.text)
        known = set(_NUMBER.findall(f"{passage.text} {question}")) | _places(sentence, passage)
        borne_out = numbers <= known and all(code in passage.text for code in _CODE.findall(sentence))
        borne_out &= not new or coverage(new, passage.text) >= SUPPORTING_NEW_SHARE
        borne_out = borne_out and quotes_stand(sentence, passage.text)
        if borne_out and (share > best_share or (best is None and share == best_share)):
            best, best_share = passage, share
    return Support(best, best_quote(sentence, best.text)) if best and words else None


def quotes_stand(sentence: str, text: str) -> bool:
    """Whether everything that `sentence` puts between quotation marks stands in `text`, spacing, case and accents aside."""
    quotes = _QUOTED.findall(sentence)
    return not quotes or all(" ".join(plain_words(quote)) in " ".join(plain_words(text)) for quote in quotes)


def nearest(sentence: str, passages: Sequence[Passage]) -> Support:
    """Where a reader would look for `sentence` first, although nothing there bears it out."""
    words = content_words(sentence)
    passage = max(passages, key=lambda p: coverage(words, p.text))
    return Support(passage, best_quote(sentence, passage.text))


def in_context(support: Support) -> str:
    """The quote with the sentence before and the one after it."""
    sentences = split_sentences(support.passage.text)
    at = sentences.index(support.quote) if support.quote in sentences else 0
    return " ".join(sentences[max(0, at - 1) : at + 2]) or support.quote


def best_quote(sentence: str, text: str) -> str:
    """The sentence of `text` that shares most with `sentence`; of equals the shortest."""
    words = content_words(sentence)
    numbers = set(_NUMBER.findall(sentence))

    def merit(candidate: str) -> tuple[float, int]:
        return coverage(words, candidate) + len(numbers & set(_NUMBER.findall(candidate))), -len(candidate)

    return max(split_sentences(text) or [text], key=merit)


def _places(sentence: str, passage: Passage) -> set[str]:
    """The passage's own page, where the sentence speaks of pages; the times in the sentence that lie near the passage's."""
    places = {str(passage.page)} if re.search(r"\bp[aá]g|\bseite", sentence, re.IGNORECASE) else set()
    if passage.start_s is not None:
        places |= {t for t in _TIME.findall(sentence) if abs(_seconds(t) - passage.start_s) <= NEAR_S}
    return places


def _seconds(time: str) -> int:
    """Of "1:15" or "1:02:03"."""
    total = 0
    for part in time.split(":"):
        total = 60 * total + int(part)
    return total


def _stem(word: str) -> str:
    """Longer words are compared by their beginning, which serves most European languages."""
    return word if word.isdigit() else word[: max(STEM_LETTERS, len(word) - 3)]
