"""What the engines and the tool say of pictures has French, also several lines together."""

from __future__ import annotations

import pytest

from assistant.app_errors import in_language
from tools.engines.diffusers import IN_FULL, IN_TILES, NO_NEGATIVE, ON_CPU
from tools.engines.errors import BadInput
from tools.engines.picture_input import check_size, rounded_size
from tools.enlarging import STRETCHED, WITHOUT_WORDS
from tools.generate_image import ANEW
from tools.picture_filter import check_prompt


@pytest.mark.parametrize(
    "line", [ON_CPU, IN_FULL, IN_TILES, NO_NEGATIVE, ANEW, STRETCHED, WITHOUT_WORDS, rounded_size((70, 70))[1][0]]
)
def test_what_was_done_instead_is_told_in_french(line):
    assert in_language(line.format(model="tiny"), "fr-FR") not in {line, line.format(model="tiny")}


def test_several_lines_are_told_one_by_one():
    french = in_language(f"{ON_CPU} {IN_TILES}", "fr")
    assert french.startswith("La mémoire de la carte graphique est pleine") and french.endswith("petits carreaux.")


def test_a_size_and_a_prompt_that_are_refused_are_told_in_french():
    for wrong in (lambda: check_size((0, 7)), lambda: check_prompt("a naked man", "block")):
        with pytest.raises(BadInput) as refused:
            wrong()
        assert in_language(refused.value.message, "fr").startswith(("Une image ne peut pas", "Cette description"))
        assert in_language(refused.value.remedy, "fr") != refused.value.remedy
