"""What of a streamed answer is spoken, and in which pieces."""

from __future__ import annotations

import pytest

from assistant.speakable import LONGEST, Sentences


def spoken(text: str, piece: int = 3) -> list[str]:
    """The sentences of a text that comes a few letters at a time."""
    sentences = Sentences()
    found = [s for start in range(0, len(text), piece) for s in sentences.feed(text[start : start + piece])]
    return found + sentences.end()


@pytest.mark.parametrize("piece", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
        ("Dr. Smith paid 3.50 euros, e.g. in cash. Good.", ["Dr. Smith paid 3.50 euros, e.g. in cash.", "Good."]),
        (
            "M. Dupont habite ici. Il paie 3,50 €, p.ex. en liquide.",
            ["M. Dupont habite ici.", "Il paie 3,50 €, p.ex. en liquide."],
        ),
        ("Vraiment ? Oui… « Bien sûr. » Voilà.", ["Vraiment?", "Oui…", "« Bien sûr.", "» Voilà."]),
        ("Three things:\n1. Bread\n2. Milk\n- Tea\n", ["Three things:", "1. Bread", "2. Milk", "Tea"]),
        ("Run it:\n```python\nprint('no. never')\n```\nThen stop.", ["Run it:", "Then stop."]),
        ("See [the manual](https://a.b/c) or https://x.y/z?q=1 now.", ["See the manual or now."]),
        ("It ends in May [1]. It costs 5 euros [2][3].", ["It ends in May.", "It costs 5 euros."]),
        ("Prices:\n| a | b |\n|---|---|\n| 1 | 2 |\nThat is all.", ["Prices:", "That is all."]),
        ("## Title\n**Bold** and *soft* `code` 🎉.", ["Title", "Bold and soft code."]),
        ("Use snake_case here. ", ["Use snake_case here."]),
        ("***\n\n🎉🎉\n", []),
    ],
)
def test_only_words_are_spoken_a_sentence_at_a_time(text: str, sentences: list[str], piece: int) -> None:
    assert spoken(text, piece) == sentences


def test_a_sentence_is_spoken_before_the_text_ends() -> None:
    sentences = Sentences()
    assert sentences.feed("The first sentence. The sec") == ["The first sentence."]


def test_a_sentence_without_end_is_cut_at_a_comma() -> None:
    pieces = spoken("and so on, " * 60)
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= LONGEST
    assert " ".join(pieces) == ("and so on, " * 60).strip()
