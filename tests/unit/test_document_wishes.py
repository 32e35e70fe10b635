"""What a request about documents wants is told by its words, in English and French."""

from __future__ import annotations

import pytest

from knowledge.documents import Source
from tools.document_wishes import (
    asked_phrase,
    asks_comparison,
    asks_list,
    asks_overview,
    named_documents,
    without_names,
)

SOURCES = [
    Source(title, title, "indexed", 3, 3, "", "", "shared")
    for title in (
        "supply-agreement.pdf",
        "transport_contract.pdf",
        "bail-atelier.pdf",
        "minutes-march.pdf",
        "minutes-june.pdf",
    )
]


@pytest.mark.parametrize(
    ("request_", "phrase"),
    [
        ("Which documents mention the notice period?", "notice period"),
        ("which of my documents mention Rotterdam", "Rotterdam"),
        ('What files contain the word "sesame"?', "sesame"),
        ("How many documents mention insurance?", "insurance"),
        ("In which documents is Maria Lindqvist mentioned?", "Maria Lindqvist"),
        ("Quels documents mentionnent le préavis ?", "préavis"),
        ("Quels documents parlent de la piscine ?", "piscine"),
        ("Dans quels documents est-il question du loyer ?", "loyer"),
        ("Combien de fichiers contiennent le mot « cuve » ?", "cuve"),
        ("What documents do I need for a passport?", ""),
        ("What does the document mention about rent?", ""),
    ],
)
def test_which_documents_mention_something_names_what(request_: str, phrase: str) -> None:
    assert asked_phrase(request_) == phrase


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("How many documents do you have?", True),
        ("What documents are there?", True),
        ("list my documents", True),
        ("Quels documents as-tu ?", True),
        ("Liste mes documents", True),
        ("What documents do I need to rent a car?", False),
        ("Which documents mention rent?", False),
    ],
)
def test_a_list_of_documents_is_asked_for(request_: str, wanted: bool) -> None:
    assert asks_list(request_) is wanted


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("Summarise this document.", True),
        ("summarise this 300-page file", True),
        ("Résume le document", True),
        ("Fais un résumé de ce fichier en cinq phrases", True),
        ("Give me a short summary of the supply agreement", True),
        ("What are the key points of this PDF?", True),
        ("Summarise what the contract says about termination", False),
        ("What is the notice period?", False),
    ],
)
def test_a_summary_of_the_whole_is_told_from_one_of_a_subject(request_: str, wanted: bool) -> None:
    assert asks_overview(request_, [s.title for s in SOURCES]) is wanted


def test_documents_are_named_by_the_words_of_their_titles_in_the_order_of_the_request() -> None:
    request = "Is the regatta later in the minutes of June than in the minutes of March?"
    assert [s.title for s in named_documents(request, SOURCES)] == ["minutes-june.pdf", "minutes-march.pdf"]
    assert named_documents("What is the notice period of the contract?", SOURCES) == []
    assert [s.title for s in named_documents("And in the contract?", SOURCES, loosely=True)] == [
        "transport_contract.pdf"
    ]
    assert named_documents("And the minutes?", SOURCES, loosely=True) == []


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ("Compare the notice periods of the supply agreement and the transport contract.", "the notice periods"),
        ("On which day is the regatta according to the minutes of March and of June?", "On which day is the regatta"),
        ("Comparez le préavis du bail atelier et celui du transport contract.", "le préavis"),
        ("Compare the supply agreement and the transport contract.", ""),
    ],
)
def test_the_question_alone_is_left_without_the_names_of_documents(request_: str, left: str) -> None:
    assert without_names(request_, named_documents(request_, SOURCES)).removesuffix("?").strip() == left


def test_a_comparison_is_told_by_its_words() -> None:
    assert all(map(asks_comparison, ["Compare A and B", "the difference between A and B", "Quelle différence ?"]))
    assert not asks_comparison("What is the rent?")
