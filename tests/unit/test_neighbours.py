"""Chunks that stand side by side become one passage, with what they share between them once."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge.database import StoredChunk
from knowledge.documents import Page
from knowledge.neighbours import Candidate, best_groups, join_texts, joined_text
from knowledge.ranking import content_words, fuse, plain_words, search_words, unspaced_runs
from knowledge.splitting import split_pages

BODY = (
    "Bread comes at six in the morning. The baker rings twice at the door. Nobody may open it before the second ring. "
    * 24
)


def candidate(position: int, text: str, similarity: float = 0.5, page: int | None = 1, source_id: int = 1) -> Candidate:
    chunk = StoredChunk(str(position), text, page, None, "a", "a", "shared", np.zeros(2), "", None, "indexed")
    return Candidate(position, source_id, position, chunk, similarity, 0.0, 0.7)


def texts(*candidates: Candidate, k: int = 5) -> list[str]:
    return [joined_text(group) for group in best_groups(candidates, k)]


def test_neighbours_become_one_passage_in_the_order_of_the_document() -> None:
    assert texts(candidate(4, "Then comes the end."), candidate(3, "First the beginning.")) == [
        "First the beginning.\nThen comes the end."
    ]


def test_what_stands_on_another_page_or_in_another_document_stays_apart() -> None:
    assert len(texts(candidate(3, "One thing."), candidate(4, "Another matter.", page=2))) == 2
    assert len(texts(candidate(3, "One thing."), candidate(4, "Another matter.", source_id=2))) == 2


def test_no_passage_grows_beyond_three_chunks() -> None:
    assert len(texts(*(candidate(n, f"Number {n} is told here.") for n in range(4)))) == 2


def test_a_chunk_that_joins_a_passage_takes_no_place_from_the_others() -> None:
    found = texts(candidate(1, "Alpha."), candidate(2, "Beta."), candidate(9, "Gamma."), k=2)
    assert found == ["Alpha.\nBeta.", "Gamma."]


def test_the_sentence_that_two_chunks_share_stands_there_once() -> None:
    assert join_texts("One. Two is shared.", "Two is shared. Three.") == "One. Two is shared. Three."


def test_the_heading_that_two_chunks_share_stands_at_the_top_only() -> None:
    assert (
        join_texts("Prices\nRye is 4 euros.", "Prices\nWheat is 3 euros.")
        == "Prices\nRye is 4 euros.\nWheat is 3 euros."
    )


def test_the_chunks_of_a_page_joined_give_the_page_again() -> None:
    numbered = " ".join(f"{n}. {sentence}." for n, sentence in enumerate(BODY.split(". ")))
    chunks = [chunk.text for chunk in split_pages([Page(1, numbered)])]
    joined = chunks[0]
    for chunk in chunks[1:]:
        joined = join_texts(joined, chunk)
    assert len(chunks) > 3
    assert joined.split() == numbered.split()


def test_korean_and_russian_words_stay_whole() -> None:
    assert content_words("계약 해지") == ["계약", "해지"]
    assert search_words("Какой российский договор") == ["какой", "российский", "договор"]
    assert plain_words("Élan") == ["elan"]


def test_scripts_without_spaces_are_told_apart() -> None:
    assert unspaced_runs("GPU 显存 and 合同") == ["显存", "合同"]


def test_a_chunk_without_a_matching_word_gets_nothing_for_words() -> None:
    assert fuse(0.5, 0.0, 0.7) == pytest.approx(0.35)
    assert fuse(-0.2, 1.0, 0.7) == pytest.approx(0.3)
