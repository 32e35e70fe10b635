"""Nothing that looks like `:word` is lost on its way into the page."""

import pytest

from assistant.app_markdown import MarkdownStream, escape_colons


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("use openai:gpt-4", r"use openai\:gpt-4"),
        ("key:value and x:y", r"key\:value and x\:y"),
        ("at 10:30, ratio 3:1", "at 10:30, ratio 3:1"),
        ("see https://a.b: yes", "see https://a.b: yes"),
        ("`a:b` and a:b", r"`a:b` and a\:b"),
        ("```\na:b\n\nc:d\n```\ne:f", "```\na:b\n\nc:d\n```\n" + r"e\:f"),
        ("a lone ` tick\n\nx:y", "a lone ` tick\n\n" + r"x\:y"),
        ("ends with:", "ends with:"),
        ("é:à", r"é\:à"),
    ],
)
def test_a_colon_before_a_letter_is_escaped_outside_code(text: str, shown: str) -> None:
    assert escape_colons(text) == shown


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_may_end_anywhere(size: int) -> None:
    text = "use openai:gpt `a:b` and ```py\nx:y\n``` then z:w"
    stream = MarkdownStream()
    pieces = [stream.feed(text[n : n + size]) for n in range(0, len(text), size)]
    assert "".join(pieces) + stream.end() == escape_colons(text)
