"""The best candidates made into passages: what says the same is dropped, what stands side by side becomes one passage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from knowledge.database import StoredChunk
from knowledge.ranking import fuse, near_duplicates

MOST_JOINED = 3
LEAST_OVERLAP = 3
"""Characters; what two chunks share by chance is shorter."""
_SENTENCE_ENDS = re.compile(r"[.!?…:。！？]\W*$")


@dataclass(frozen=True)
class Candidate:
    """A chunk that a search found. `position` counts the chunks of its document; `similarity` is the cosine to the question, `wording`
    its share of the best BM25 score, `dense_weight` how much the first counts against the second."""

    row: int
    source_id: int
    position: int
    chunk: StoredChunk
    similarity: float
    wording: float
    dense_weight: float

    @property
    def score(self) -> float:
        return fuse(self.similarity, self.wording, self.dense_weight)

    def precedes(self, other: Candidate) -> bool:
        """Whether `other` goes on where this one ends: in the same document and on the same page."""
        return (self.source_id, self.position + 1, self.chunk.page, self.chunk.place) == (
            other.source_id,
            other.position,
            other.chunk.page,
            other.chunk.place,
        )


def best_groups(ranked: Iterable[Candidate], k: int) -> list[list[Candidate]]:
    """The `k` best, best first, each with the neighbours of it that are among the best too, in the order of the document."""
    groups: list[list[Candidate]] = []
    for candidate in ranked:
        if _join(groups, candidate):
            continue
        if len(groups) == k:
            break
        if not any(near_duplicates(candidate.chunk.text, one.chunk.text) for group in groups for one in group):
            groups.append([candidate])
    return groups


def _join(groups: list[list[Candidate]], candidate: Candidate) -> bool:
    for group in groups:
        if len(group) < MOST_JOINED and group[-1].precedes(candidate):
            group.append(candidate)
            return True
        if len(group) < MOST_JOINED and candidate.precedes(group[0]):
            group.insert(0, candidate)
            return True
    return False


def joined_text(group: Iterable[Candidate]) -> str:
    """The text of neighbours, with what two of them share between them once, and their common heading at the top only."""
    text = ""
    for candidate in group:
        text = join_texts(text, candidate.chunk.text) if text else candidate.chunk.text
    return text


def join_texts(one: str, other: str) -> str:
    """`other` goes on where `one` ends, or repeats its heading and its last sentence first."""
    heading, newline, rest = other.partition("\n")
    if newline and one.startswith(heading + "\n"):
        other = rest
    for shared in range(min(len(one), len(other)), LEAST_OVERLAP - 1, -1):
        opening = other[:shared].rstrip()
        if len(opening) >= LEAST_OVERLAP and one.endswith(opening):
            return one + other[len(opening) :]
    return one + ("\n" if _SENTENCE_ENDS.search(one) else " ") + other
