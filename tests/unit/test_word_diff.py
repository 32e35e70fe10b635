"""The word-level diff: case and punctuation count nothing, accents do, empty texts are no crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.picture_grid import write_grid
from assistant.word_diff import word_diff
from tests.openai_server import png


@pytest.mark.parametrize(
    ("reference", "text", "rate"),
    [
        ("Hello, world!", "hello world", 0.0),
        ("L'été est là", "l'ete est là", 1 / 3),
        ("well-known", "well known", 2.0),
        ("one two", "", 1.0),
        ("", "one two", None),
        ("— …", "", None),
        ("a", "a b c", 2.0),
    ],
)
def test_the_word_error_rate(reference: str, text: str, rate: float | None) -> None:
    assert word_diff(reference, text).error_rate == (None if rate is None else pytest.approx(rate, abs=1e-4))


def test_words_are_shown_as_they_were_written() -> None:
    pieces = word_diff("Dr. Smith arrived", "doctor Smith arrived late").pieces
    assert [(p.kind, p.reference, p.text) for p in pieces] == [
        ("substitute", "Dr.", "doctor"),
        ("equal", "Smith arrived", "Smith arrived"),
        ("insert", "", "late"),
    ]


def test_a_grid_holds_every_picture_and_leaves_the_place_of_a_failure(tmp_path: Path) -> None:
    from PIL import Image

    red, blue = tmp_path / "A.png", tmp_path / "C.png"
    red.write_bytes(png(64, 64, (255, 0, 0)))
    blue.write_bytes(png(64, 32, (0, 0, 255)))
    write_grid([("A", red), ("B", None), ("C " + "long " * 40, blue)], tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as grid:
        half = grid.width // 2
        seen = [grid.getpixel(place) for place in ((270, 270), (half + 270, 270), (270, grid.height // 2 + 270))]
    assert seen == [(255, 0, 0), (255, 255, 255), (0, 0, 255)]
