"""What the page tells of a picture, and what its button asks for."""

import pytest

from assistant.app_config import texts
from assistant.app_pictures import LONGEST_NEGATIVE, cards, picture_choices
from assistant.replay import exactly
from tools.context import Artifact

META = {
    "model": "diffusers:tiny",
    "licence": "MIT",
    "seed": 0,
    "steps": 2,
    "width": 64,
    "height": 32,
    "seconds": 3.14,
    "prompt": "a fox",
    "negative_prompt": "grass",
}


def test_a_card_tells_how_the_picture_was_made(tmp_path) -> None:
    picture = Artifact("image", tmp_path / "a.png", "image/png", META)
    line = "`diffusers:tiny` · MIT · seed 0 · 2 steps · 64×32 · 3.1 s · without grass"
    assert cards([picture], texts("en-US")) == line
    assert cards([picture, picture], texts("en-US")) == f"1. {line}\n2. {line}"
    stopped = Artifact("image", tmp_path / "a.jpg", "image/jpeg", {"model": "m", "stopped_at_step": 3})
    assert "l'étape 3" in cards([stopped], texts("fr-FR"))


def test_the_button_asks_for_the_very_same_picture() -> None:
    assert exactly(META) == {
        "prompt": "a fox",
        "negative_prompt": "grass",
        "seed": 0,
        "steps": 2,
        "size": "64x32",
        "count": 1,
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"picture_count": 1, "picture_size": "default", "negative_prompt": " "}, {}),
        ({"picture_count": 3.0, "picture_size": "768x512"}, {"count": 3, "size": "768x512"}),
        ({"picture_count": 1000, "picture_size": "99999x1", "negative_prompt": 7}, {}),
        ({"picture_count": 2.5, "negative_prompt": "x" * 9999}, {"negative_prompt": "x" * LONGEST_NEGATIVE}),
    ],
)
def test_choices_from_the_browser_are_taken_only_as_offered(given, kept) -> None:
    assert picture_choices(given) == kept
