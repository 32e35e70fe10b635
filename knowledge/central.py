"""The sentences that say most of what a text is about: counted by words, without any model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from knowledge.documents import Passage
from knowledge.ranking import content_words, near_duplicates
from knowledge.splitting import split_sentences

SHORTEST_WORDS = 6
LONGEST_WORDS = 45


def central_sentences(
    passages: Sequence[Passage], count: int, *, besides: Sequence[str] = ()
) -> list[tuple[Passage, str]]:
    """At most `count` sentences with their passages, in the order of the text: those whose words are the commonest in it (the
    frequency method of Luhn, 1958). None repeats another or one of `besides`."""
    sentences = [(p, s) for p in passages for s in split_sentences(p.text) if _whole(s)]
    frequency = Counter(word for _, s in sentences for word in content_words(s) if len(word) > 2)

    def weight(sentence: str) -> float:
        words = content_words(sentence)
        return sum(frequency[word] for word in words) / len(words) if words else 0.0

    kept: list[int] = []
    for i in sorted(range(len(sentences)), key=lambda i: -weight(sentences[i][1])):
        others = [*besides, *(sentences[k][1] for k in kept)]
        if len(kept) < count and not any(near_duplicates(sentences[i][1], other) for other in others):
            kept.append(i)
    return [sentences[i] for i in sorted(kept)]


def _whole(sentence: str) -> bool:
    """Neither a heading nor a table row nor half a page."""
    return SHORTEST_WORDS <= len(sentence.split()) <= LONGEST_WORDS and sentence.rstrip()[-1] in ".!?…"
