"""How a turn meets the library of prompts: a prompt typed as `/name …` or chosen in the page, and the profile of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.candidates import Candidate, CandidateError
from assistant.prompt_library import PromptLibrary
from assistant.prompts import Filled, Prompt, as_profile, command_of, fill, typed
from tools.context import ToolName
from tools.engines.base import Message, TextGenerator
from tools.engines.errors import BadInput
from tools.prompts import SYSTEM

BLANK_TEXT = "{{text}}"
BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Wanted:
    """What a turn says of prompts: `name` and `inputs` of the one that was chosen, `profile` the name of its conversation's."""

    text: str
    user: str
    name: str | None = None
    inputs: Mapping[str, str] | None = None
    profile: str | None = None


async def filled_prompt(library: PromptLibrary, wanted: Wanted, *, files: bool = False) -> tuple[Filled | None, str]:
    """(the prompt as this turn uses it, what was typed without the command). A command goes before a profile; a word behind a slash
    that names no prompt is text like any other, and a profile that is gone leaves no prompt.

    Raises: BadInput (no such prompt, an input that is missing or wrong, no text where the prompt needs one), HistoryError.
    """
    name, rest = command_of(wanted.text)
    if wanted.name is not None:
        prompt: Prompt | None = await library.find(wanted.name, wanted.user)
        rest = rest if name == wanted.name.lower() else wanted.text
    else:
        prompt = await library.get(name, wanted.user) if name else None
    if prompt is not None:
        return _filled(prompt, wanted.inputs or {}, rest, files)
    profile = await library.get(wanted.profile, wanted.user) if wanted.profile else None
    return as_profile(profile, wanted.text) if profile else None, wanted.text


def _filled(prompt: Prompt, chosen: Mapping[str, str], rest: str, files: bool) -> tuple[Filled, str]:
    given, text = typed(prompt, rest)
    if prompt.takes_text and not text and not files:
        raise BadInput(f"/{prompt.name} needs a text.", f"Write it after /{prompt.name}, or attach a file.")
    return fill(prompt, {**chosen, **given}, text), text


def tool_of(prompt: Filled, files: bool) -> ToolName | None:
    """The tool that a prompt forces: its own; otherwise it is answered in words, unless files say what they are for."""
    if prompt.profile:
        return None
    return prompt.tool or (None if files else "write_text")


def prompt_json(prompt: Filled) -> dict[str, Any]:
    """For the receipt: enough to ask again without the library."""
    return {**vars(prompt), "examples": [list(pair) for pair in prompt.examples], "inputs": dict(prompt.inputs)}


def prompt_of_json(values: Mapping[str, Any]) -> Filled:
    return Filled(**{**values, "examples": tuple((q, a) for q, a in values.get("examples") or ())})


# Of candidates that are compared


async def with_prompts(candidates: Sequence[Candidate], library: PromptLibrary, user: str) -> list[Candidate]:
    """The candidates with what their prompts say. Raises: CandidateError, BadInput, HistoryError."""
    return [await with_prompt(candidate, library, user) for candidate in candidates]


async def with_prompt(candidate: Candidate, library: PromptLibrary, user: str) -> Candidate:
    """The candidate with what its prompt says, and the version that this was.

    Raises: CandidateError (it has words of its own besides), BadInput, HistoryError.
    """
    if candidate.prompt is None:
        return candidate
    if candidate.system is not None or candidate.message is not None or candidate.examples:
        raise CandidateError(
            f"The candidate {candidate.name} has a prompt, and a system, message or examples besides. Keep one of the two."
        )
    name, at, rest = _named(candidate.prompt)
    prompt = await library.find(name, user, at)
    given, over = typed(prompt, rest)
    if over:
        raise CandidateError(
            f"The candidate {candidate.name} has {over!r} in its prompt. Only inputs go there: name=value."
        )
    filled = fill(prompt, given, BLANK_TEXT)
    written = " ".join([f"/{prompt.name}@{prompt.version}", *(f'{k}="{v}"' for k, v in given.items())])
    return replace(candidate, prompt=written, system=filled.system, message=filled.message, examples=filled.examples)


def _named(written: str) -> tuple[str, int | None, str]:
    """(name, version, the rest) of `/translate@2 language=French`; the slash and the version may be left out."""
    first, *rest = written.strip().removeprefix("/").split(maxsplit=1) or [""]
    name, _, version = first.partition("@")
    if version and not version.isdigit():
        raise CandidateError(f"The prompt {first!r} names no version. Write it like translate@2.")
    return name, int(version) if version else None, "".join(rest)


# What a prompt adds


def added_messages(prompt: Prompt) -> tuple[Sequence[Message], Sequence[Message]]:
    """(what goes to the model with the prompt and no text, what goes without it): their difference is what the prompt adds."""
    inputs = {one.name: one.default or (one.choices[0] if one.choices else "1") for one in prompt.inputs}
    plain = replace(prompt, inputs=tuple(replace(one, type="text", choices=()) for one in prompt.inputs))
    filled = fill(plain, inputs, "")
    with_it = [Message("system", filled.system or SYSTEM), *filled.shown(), Message("user", filled.message)]
    return with_it, [Message("system", SYSTEM), Message("user", "")]


async def tokens_added(prompt: Prompt, text: TextGenerator) -> int:
    """By the model's own tokenizer where it has one; fewer than none where the prompt is shorter than what it stands in for.

    Raises: EngineError.
    """
    with_it, without = added_messages(prompt)
    return await text.count_tokens(with_it) - await text.count_tokens(without)


def about_tokens(prompt: Prompt) -> int:
    """As `tokens_added`, estimated: four bytes a token."""
    with_it, without = (sum(len(m.content.encode()) for m in messages) for messages in added_messages(prompt))
    return round((with_it - without) / BYTES_A_TOKEN)
