"""A prompt filter that the operator sets: off, warn or block. A list of words of this project, English and French.

It knows words, not pictures and not intentions: it stops the obvious and leaves the rest to the operator.
"""

from __future__ import annotations

import re
from typing import Literal

from tools.engines.errors import BadInput

Filter = Literal["off", "warn", "block"]

_SEXUAL = (
    r"nud[ei]s?|nudity|naked|porn\w*|nsfw|hentai|explicit sex|sexual|erotic\w*|nue?s?|nudité|sexuelles?|érotiques?"
)
_CHILD = r"child(?:ren)?|kids?|minors?|toddlers?|bab(?:y|ies)|schoolgirls?|schoolboys?|teen(?:ager)?s?|enfants?|mineures?|bébés?|fillettes?"
_GORE = r"gore|beheaded|decapitat\w+|dismember\w+|mutilat\w+|décapité\w*|démembré\w*|mutilé\w*"
WORDS: dict[str, re.Pattern[str]] = {
    "a child in a sexual way": re.compile(rf"(?=.*\b(?:{_CHILD})\b)(?=.*\b(?:{_SEXUAL})\b)", re.I | re.S),
    "nudity or sex": re.compile(rf"\b(?:{_SEXUAL})\b", re.I),
    "gore": re.compile(rf"\b(?:{_GORE})\b", re.I),
}


def check_prompt(prompt: str, setting: Filter) -> str:
    """A line for the person where the prompt seems to ask for what the operator may not want; empty otherwise.

    Raises: BadInput where the setting is "block".
    """
    if setting == "off":
        return ""
    found = next((name for name, words in WORDS.items() if words.search(prompt)), None)
    if found is None:
        return ""
    if setting == "block":
        raise BadInput(f"This prompt seems to ask for {found}, which is not drawn here.", "Put it in other words.")
    return f"This prompt seems to ask for {found}. Whoever runs this assistant may not want that."
