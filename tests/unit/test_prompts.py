"""A prompt is read with everything that is wrong told in a line, and filled in with typed values."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.prompt_library import shipped_prompts
from assistant.prompt_reading import read_prompt, read_prompts
from assistant.prompts import as_profile, command_of, fill, typed
from tools.engines.errors import BadInput

LETTER = {
    "name": "letter",
    "system": "You write for {{who}}.",
    "message": "A {{tone}} letter, signed {{signed}}, {{words}} words, by {{day}}:\n{{text}}",
    "inputs": [
        {"name": "who", "default": "the shop"},
        {"name": "tone", "type": "choice", "choices": ["kind", "stern"], "default": "kind"},
        {"name": "signed", "type": "yes-no", "default": True},
        {"name": "words", "type": "number"},
        {"name": "day", "type": "date", "default": "2026-05-01"},
    ],
    "examples": [{"question": "late parcel", "answer": "Dear customer …"}],
}


def test_every_shipped_prompt_is_filled_by_its_defaults() -> None:
    for prompt in shipped_prompts():
        filled = fill(prompt, {}, "Hello there")
        assert "Hello there" in filled.message and "{{" not in filled.message


def test_each_language_ships_the_same_prompts() -> None:
    counts = {lang: sum(p.language == lang for p in shipped_prompts()) for lang in ("en", "fr")}
    assert counts["en"] == counts["fr"] == len(shipped_prompts()) / 2


def test_typed_inputs_are_put_in_and_the_rest_is_the_text() -> None:
    letter = read_prompt(LETTER)
    given, text = typed(letter, 'tone=STERN who="the Old Mill" words=80 Late = never, who=me')
    filled = fill(letter, given, text)
    assert filled.system == "You write for the Old Mill."
    assert filled.message == "A stern letter, signed yes, 80 words, by 2026-05-01:\nLate = never, who=me"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "needs words"),
        ({"words": "many"}, "'many' for words. It takes a number"),
        ({"words": "inf"}, "'inf' for words"),
        ({"words": "1", "tone": "rude"}, "kind or stern"),
        ({"words": "1", "signed": "maybe"}, "yes or no"),
        ({"words": "1", "day": "tomorrow"}, "a date such as"),
        ({"words": "1", "colour": "red"}, "no input 'colour'. It takes who, tone"),
    ],
)
def test_a_wrong_value_is_told_with_what_it_takes(given: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        fill(read_prompt(LETTER), given, "x")


def test_a_value_that_looks_like_a_blank_is_not_filled_in_again() -> None:
    filled = fill(read_prompt(LETTER), {"words": "1", "who": "{{text}}"}, "secret")
    assert filled.system == "You write for {{text}}."


def test_what_was_typed_is_kept_where_the_message_has_no_place_for_it() -> None:
    assert (
        fill(read_prompt({"name": "joke", "message": "Tell a joke."}), {}, "on cats").message
        == "Tell a joke.\n\non cats"
    )


def test_a_profile_leaves_the_message_as_it_was_typed() -> None:
    profile = read_prompt({"name": "sage", "system": "You are wise.", "message": "Ponder: {{text}}", "profile": True})
    filled = as_profile(profile, "Why?")
    assert (filled.message, filled.system, filled.profile) == ("Why?", "You are wise.", True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "image"}, "a command of the assistant"),
        ({"name": "two words"}, "cannot name a prompt"),
        ({"name": "../x"}, "cannot name a prompt"),
        ({"sytem": "x"}, "It takes name, title"),
        ({"message": "{{txt}}"}, "names {{txt}}, which is none of its inputs"),
        ({"tool": "browse"}, "Use one of write_text"),
        ({"profile": "yes"}, "true or false"),
        ({"profile": True}, "its input words has no default"),
        ({"examples": [{"question": "q"}]}, "example 1 needs a question and an answer"),
        ({"inputs": "tone"}, "no list"),
        ({"inputs": [{"name": "text"}]}, "not “text”"),
        ({"inputs": [{"name": "a"}, {"name": "a"}]}, "the input a twice"),
        ({"inputs": [{"name": "a", "type": "colour"}]}, "of type 'colour'"),
        ({"inputs": [{"name": "a", "type": "choice"}]}, "needs choices"),
        ({"inputs": [{"name": "a", "type": "number", "default": "x"}]}, "the default 'x'"),
        ({"system": "x" * 20_001}, "at most 20000"),
        ({"system": 7}, "no text"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told.replace("{{", r"\{\{")):
        read_prompt({**LETTER, **changes})


def test_a_prompt_that_says_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="says nothing"):
        read_prompt({"name": "empty"})


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("[[prompt]]\nname = ", "a.toml", "cannot be read"),
        ("{", "a.json", "cannot be read"),
        ("[" * 100_000, "a.json", "cannot be read"),
        ("[]", "a.json", "holds no prompts"),
        ("7", "a.json", "holds no prompts"),
        ('["x"]', "a.json", "holds no prompts"),
        ("", "a b.toml", "cannot name a prompt"),
    ],
)
def test_a_file_that_holds_no_prompts_says_so(text: str, name: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_prompts(text, name)


def test_a_file_of_one_prompt_gives_it_its_name() -> None:
    (prompt,) = read_prompts('message = "Sing of {{text}}"', "ballad.toml")
    assert (prompt.name, prompt.title) == ("ballad", "ballad")


def test_a_prompt_reads_as_it_was_written() -> None:
    letter = read_prompt(LETTER)
    assert read_prompt(letter.as_json()) == letter


def test_only_a_whole_word_behind_a_slash_is_a_command() -> None:
    assert command_of("/Résumer le texte") == ("résumer", "le texte")
    assert command_of("/usr/bin is a folder")[0] == command_of("and /x")[0] == command_of("/ x")[0] == ""
