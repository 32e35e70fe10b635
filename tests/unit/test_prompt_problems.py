"""All that is wrong with a prompt is told at once, each with its place, so that a page can show it beside what was typed."""

from __future__ import annotations

from assistant.prompt_reading import look_over, read_prompt

WRONG = {
    "name": "two words",
    "title": "x" * 300,
    "system": "{{nobody}}",
    "message": "In {{language}}, as {{tone}}: {{text}}",
    "inputs": [{"name": "language"}, {"name": "tone", "type": "choice"}, {"name": "language"}],
    "examples": [{"question": "q", "answer": "a"}, {"question": "q"}],
    "profile": True,
    "tool": "browse",
}


def test_everything_that_is_wrong_is_told_with_its_place() -> None:
    _, problems = look_over(WRONG)
    assert [p.place for p in problems] == [
        "name",
        "tool",
        "title",
        "inputs.1",
        "inputs.2",
        "examples.1",
        "system",
        "profile",
    ]


def test_a_wrong_input_is_not_told_again_where_it_is_named() -> None:
    _, problems = look_over({**WRONG, "name": "x", "system": "{{language}}"})
    assert "message" not in [p.place for p in problems]


def test_where_nothing_is_wrong_the_prompt_is_whole() -> None:
    table = {"name": "x", "message": "Sing of {{text}}"}
    assert look_over(table) == (read_prompt(table), [])
