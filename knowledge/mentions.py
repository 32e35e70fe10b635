"""Where a phrase stands word for word: counted exactly, document by document, without any model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.documents import Passage, Source
from knowledge.evidence import best_quote
from knowledge.ranking import plain_words
from knowledge.splitting import split_sentences

_LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")


@dataclass(frozen=True)
class Mentions:
    """`pages` are those that hold the phrase, in order; empty where a document has none. `first` is the first passage with it
    and `quote` its sentence, verbatim."""

    source: Source
    count: int
    pages: Sequence[int]
    first: Passage
    quote: str


def find_mentions(phrase: str, source: Source, passages: Sequence[Passage]) -> Mentions | None:
    """How often the passages of a document hold `phrase`; case, accents, line breaks and punctuation aside. A sentence that two
    overlapping passages share counts once."""
    wanted = _plain(phrase)
    pattern = re.compile(rf"(?<!\S){re.escape(wanted)}(?!\S)")
    counted: dict[int | None, dict[str, int]] = {}
    first: Passage | None = None
    for passage in passages if wanted else ():
        on_page = counted.setdefault(passage.page, {})
        for sentence in map(_plain, split_sentences(_LINE_BREAK.sub(" ", passage.text))):
            hits = len(pattern.findall(sentence))
            if hits and not any(known.endswith(sentence) or sentence.endswith(known) for known in on_page):
                on_page[sentence] = hits
                first = first or passage
    if first is None:
        return None
    pages = sorted({page for page, sentences in counted.items() if sentences and page is not None})
    return Mentions(
        source, sum(sum(c.values()) for c in counted.values()), pages, first, best_quote(phrase, first.text)
    )


def _plain(text: str) -> str:
    return " ".join(plain_words(text))
