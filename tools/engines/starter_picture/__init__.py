"""The starter picture model: icons and simple drawings from English and French words, small enough to come with the project.

Its weights, card and measured report lie in the folder `weights`; `tools/training` makes them.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

WEIGHTS = Path(__file__).with_name("weights")
MODEL_ID = "starter:drawings"
GOOD_ENOUGH = 0.6
"""How much of the real drawings' own retrieval its drawings must reach before it is what an unset `image` runs."""


def is_present(folder: Path = WEIGHTS) -> bool:
    return (folder / "model_index.json").exists()


@cache
def draws_recognisably(folder: Path = WEIGHTS) -> bool:
    """Whether the report beside the weights shows drawings of held-out names that are told apart well enough."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    drawn, real = report["drawn_top_1_and_5"][1], report["real_top_1_and_5"][1]
    return is_present(folder) and bool(drawn >= GOOD_ENOUGH * real)
