"""Nothing that a document says can load a picture or become a link in the page."""

from __future__ import annotations

import re

import pytest

from tools.plain_text import InertStream, inert

EVIL = "http://evil.example/a?q=secret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"![a chart]({EVIL}) hi", f"a chart `{EVIL}` hi"),
        (f"[click]({EVIL})", f"click `{EVIL}`"),
        (
            f"See {EVIL}. Or www.evil.example, me@evil.example",
            f"See `{EVIL}`. Or `www.evil.example`, `me@evil.example`",
        ),
        (f"[1]: {EVIL}", rf"\[1\]: `{EVIL}`"),
        ("<img src=x>", r"\<img src=x>"),
        ("**Bold** and `assistant ingest FILE`", "**Bold** and `assistant ingest FILE`"),
        ("a 10:30 meeting, 3 * 4, snake_case", "a 10:30 meeting, 3 * 4, snake_case"),
    ],
)
def test_pictures_and_links_become_words(text: str, shown: str) -> None:
    assert inert(text) == shown


@pytest.mark.parametrize(
    "pieces",
    [
        ["Look: ![a. ", f"b]({EVIL})"],
        ["one ` tick. ", f"two `![x]({EVIL})` three."],
        [rf"\![x\]({EVIL}) and \[y\]({EVIL})"],
        [r"a \` b ", f"`![x]({EVIL})`"],
        ["```\n", f"```![x]({EVIL})"],
    ],
)
def test_no_cut_backslash_or_backtick_brings_a_picture_back(pieces: list[str]) -> None:
    shown = "".join(map(inert, pieces))
    outside_code = re.sub(r"`[^`]*`", "", shown)
    assert not re.search(r"(?<!\\)(?:\\\\)*\]\(", outside_code)
    assert EVIL not in outside_code


@pytest.mark.parametrize("size", [1, 3, 9, 200])
def test_a_stream_of_any_pieces_is_harmless_and_keeps_its_citations(size: int) -> None:
    text = f"Fees are 42 euros [1]. See ![x]({EVIL})\nand [y]({EVIL}) [2]."
    stream = InertStream()
    shown = "".join(stream.feed(text[n : n + size]) for n in range(0, len(text), size)) + stream.end()
    assert shown == f"Fees are 42 euros [1]. See x `{EVIL}`\nand y `{EVIL}` [2]."
