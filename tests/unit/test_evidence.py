"""Quotes, figures and mentions are checked by code alone."""

from __future__ import annotations

import pytest

from knowledge.answerable import is_kind_asked
from knowledge.central import central_sentences
from knowledge.contradictions import differing
from knowledge.documents import Passage, Source
from knowledge.evidence import find_support
from knowledge.mentions import find_mentions


def passage(text: str, source: str = "a.pdf", page: int = 1) -> Passage:
    return Passage(text, source, source, page, None, 1.0, 0.5, "shared", f"{source}{page}{text[:9]}")


def test_a_quotation_that_does_not_stand_in_the_passage_is_not_borne_out() -> None:
    passages = [passage("The tenant may keep\none guide dog in the office.")]
    assert find_support('It says: "the tenant may keep one guide dog".', "", passages)
    assert find_support('It says: "the tenant may keep one office dog".', "", passages) is None
    assert find_support("On y lit « the tenant may keep two guide dogs ».", "", passages) is None


@pytest.mark.parametrize(
    ("question", "sentence", "fits"),
    [
        ("How many drivers are there?", "Quill and partners.", False),
        ("How many drivers are there?", "There are four.", True),
        ("How often is it cleaned?", "Every week.", True),
        ("What is the telephone number?", "Priya Ramanathan, head of sales.", False),
        ("Combien coûte l'entrée ?", "Elle est gratuite.", True),
        ("À quelle heure ferme la caisse ?", "Le soir.", False),
        ("Who signed it?", "The treasurer.", True),
    ],
)
def test_a_question_for_a_figure_wants_one(question: str, sentence: str, fits: bool) -> None:
    assert is_kind_asked(question, sentence) is fits


def test_documents_that_give_different_figures_for_the_same_thing_are_both_told() -> None:
    first = passage("The notice period is 30 days.", "a.pdf")
    second = passage(
        "Either party may leave with a notice period of ninety days. The notice period is 90 days.", "b.pdf"
    )
    found = differing("What is the notice period?", [first, second])
    assert [(s.passage.source, s.quote) for s in found] == [
        ("a.pdf", first.text),
        ("b.pdf", "The notice period is 90 days."),
    ]


@pytest.mark.parametrize(
    "other", ["The notice period is thirty or 30 days.", "The notice period is 3 months.", "A notice hangs in room 12."]
)
def test_figures_that_agree_or_measure_something_else_are_no_contradiction(other: str) -> None:
    passages = [passage("The notice period is 30 days.", "a.pdf"), passage(other, "b.pdf")]
    assert differing("What is the notice period?", passages) == []


def test_mentions_are_counted_exactly_and_once_where_passages_overlap() -> None:
    source = Source("a.pdf", "a.pdf", "indexed", 3, 3, "", "", "shared")
    shared = "The Notice\nPeriod is short."
    passages = [
        passage(f"Begin. {shared}", page=2),
        passage(f"{shared} End.", page=2),
        passage("No period of notice. Préavis: a notice-period.", page=3),
        passage("The notice periods differ.", page=4),
    ]
    found = find_mentions("notice period", source, passages)
    assert found is not None
    assert (found.count, found.pages, found.first) == (2, [2, 3], passages[0])
    assert find_mentions("preavis", source, passages) is not None
    assert find_mentions("deposit", source, passages) is None


def test_central_sentences_are_about_what_the_text_is_about_in_its_order() -> None:
    text = (
        "Prices\n\nThe bakery sells bread to the harbour every day. It rained on the first of May in Leeds. "
        "Bread from the bakery costs the harbour two euros. Somebody once left an umbrella in the hall."
    )
    found = [sentence for _, sentence in central_sentences([passage(text)], 2)]
    assert found == [
        "The bakery sells bread to the harbour every day.",
        "Bread from the bakery costs the harbour two euros.",
    ]
