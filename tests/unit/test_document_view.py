"""What the knowledge page shows of a document: its passages put together again, and the words that a question found."""

from __future__ import annotations

from assistant.document_view import document_window, marked
from knowledge.documents import Page, Passage
from knowledge.splitting import split_pages

SENTENCES = [f"Sentence number {n} tells of the boats in the harbour." for n in range(60)]


def passages(*pages: str) -> list[Passage]:
    """As they are stored of a document with these pages."""
    chunks = split_pages([Page(n, text) for n, text in enumerate(pages, 1)])
    return [
        Passage(c.text, "a.md", "a.md", c.page, None, 1.0, 1.0, "shared", f"p{n}", c.place, c.offset)
        for n, c in enumerate(chunks)
    ]


def test_the_passages_of_a_document_give_its_text_again_with_each_heading_once() -> None:
    found = passages(
        f"# The harbour\n\n{' '.join(SENTENCES)}", "# Fees\n\nForty euros a night.\n\nChildren pay nothing."
    )
    window = document_window(found)
    assert [b.heading for b in window.blocks if b.heading] == ["The harbour", "Fees"]
    shown = " ".join(" ".join(b.text.split()) for b in window.blocks if b.page == 1)
    assert shown == " ".join(SENTENCES)
    assert window.blocks[-1].page == 2
    assert window.blocks[-1].text == "Forty euros a night.\n\nChildren pay nothing."


def test_a_long_document_comes_in_parts_and_opens_at_a_passage() -> None:
    found = passages(*(f"Page {n} speaks of ships." for n in range(200)))
    window = document_window(found, around="p150")
    assert window.count == 200
    assert "p150" in [block.id for block in window.blocks]
    assert len(window.blocks) == 60
    assert document_window(found, 190).blocks[-1].id == "p199"
    assert document_window(found, 5000).blocks[0].id == "p199"
    assert document_window([]).blocks == []


def test_the_words_of_a_question_are_marked_whatever_their_case_and_accents() -> None:
    text = "Les PÂTES coûtent 4 € ; la pâte 😀 aussi. pates"
    pieces = marked(text, ["pâtes", "coûtent", "pates"])
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, matches in pieces if matches] == ["PÂTES", "coûtent", "pates"]


def test_where_no_word_matches_nothing_is_marked() -> None:
    assert marked("The boats.", ["boat"]) == [("The boats.", False)]
    assert marked("The boat.", []) == [("The boat.", False)]
    assert marked("", ["ship"]) == []


def test_words_of_a_script_without_spaces_are_marked_inside_a_sentence() -> None:
    assert marked("港の料金は四十二円", ["料金"]) == [("港の", False), ("料金", True), ("は四十二円", False)]
