"""Reads a prompt from a table of TOML, JSON or the page, and says all that is wrong with it."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from assistant.prompts import BLANK, INPUT_TYPES, LONGEST_TEXT, NAME, TEXT, Input, Prompt, takes, value_of
from tools.context import TOOL_NAMES, ToolName
from tools.engines.errors import BadInput

T = TypeVar("T")
RESERVED = ("image", "search", "transcribe", "write")
KEYS = ("name", "title", "description", "language", "system", "message", "inputs", "examples", "profile", "tool")
INPUT_KEYS = ("name", "type", "label", "choices", "default")
LONGEST_TITLE = 200
MOST_INPUTS = 12
MOST_EXAMPLES = 50
MOST_CHOICES = 50
MOST_PROMPTS = 200
HOW = "Give it like name = 'translate' and message = 'Translate into {{language}}: {{text}}'."


def read_prompts(text: str, name: str) -> list[Prompt]:
    """The prompts of a file's text: `[[prompt]]` in TOML, or in JSON one, a list, or {"prompt": […]}. `name` is the file's.

    Raises: BadInput with the first thing that is wrong.
    """
    path = Path(name)
    try:
        data = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path.name} cannot be read: {error}.", "Correct that line.") from error
    rows = data.get("prompt", [data]) if isinstance(data, Mapping) else data
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise BadInput(f"{path.name} holds no prompts.", "Write [[prompt]] and name = '…' below it.")
    if len(rows) > MOST_PROMPTS:
        raise BadInput(f"{path.name} holds {len(rows)} prompts.", f"At most {MOST_PROMPTS} go at once.")
    return [read_prompt(row, name=path.stem) for row in rows]


def read_prompt(table: Mapping[str, Any], *, name: str = "") -> Prompt:
    """A prompt of a table, as TOML, JSON or the page have it. `name` counts where the table has none.

    Raises: BadInput with the first thing that is wrong.
    """
    prompt, problems = look_over(table, name=name)
    if problems:
        raise problems[0].error
    return prompt


@dataclass(frozen=True)
class Problem:
    """What is wrong, and with what: `name`, `message`, `inputs.0` (the first of them), `examples` (the list itself) …"""

    place: str
    error: BadInput


class _Look:
    """Reads part after part, and goes on where one is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def at(self, place: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except BadInput as error:
            self.problems.append(Problem(place, error))
            return otherwise


def look_over(table: Mapping[str, Any], *, name: str = "") -> tuple[Prompt, list[Problem]]:
    """(the prompt, all that is wrong with it). What is wrong is left out of the prompt: it is for use only where nothing is."""
    name = str(table.get("name") or name).strip().lstrip("/").lower()
    look, where = _Look(), f"The prompt {name}"
    look.at("name", lambda: _check_name(name), None)
    look.at("", lambda: _check_keys(table, KEYS, where), None)
    tool = look.at("tool", lambda: _tool(table, where), None)

    def text(key: str, longest: int = LONGEST_TEXT) -> str:
        return look.at(key, lambda: _text(table, key, where, longest), "")

    prompt = Prompt(
        name,
        text("title", LONGEST_TITLE) or name,
        text("description", LONGEST_TITLE),
        text("language", 10),
        text("system") or None,
        text("message") or "{{text}}",
        _inputs(table.get("inputs") or (), where, look),
        _examples(table.get("examples") or (), where, look),
        look.at("profile", lambda: _yes(table, "profile", where), False),
        tool,
    )
    _check_blanks(prompt, table, where, look)
    return prompt, look.problems


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadInput(f"{name[:60]!r} cannot name a prompt.", "Use letters, digits and -, at most 40.")
    if name in RESERVED:
        raise BadInput(f"/{name} is a command of the assistant.", "Give the prompt another name.")


def _tool(table: Mapping[str, Any], where: str) -> ToolName | None:
    tool = table.get("tool") or None
    if tool is not None and tool not in TOOL_NAMES:
        raise BadInput(f"{where} has the tool {tool!r}.", f"Use one of {', '.join(TOOL_NAMES)}, or leave it out.")
    return tool


def _check_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    if unknown := [key for key in table if key not in known]:
        raise BadInput(f"{where} has {unknown[0]!r}.", f"It takes {', '.join(known)}.")


def _check_blanks(prompt: Prompt, table: Mapping[str, Any], where: str, look: _Look) -> None:
    rows = table.get("inputs") or ()
    known = {TEXT, *(str(row.get("name")).strip() for row in rows if isinstance(row, Mapping))}
    look.at("system", lambda: _check_known(prompt.system or "", known, where), None)
    look.at("message", lambda: _check_known(prompt.message, known, where), None)
    if not look.problems and prompt.system is None and not prompt.examples and prompt.message.strip() == "{{text}}":
        look.problems.append(Problem("message", BadInput(f"{where} says nothing.", HOW)))
    look.at("profile", lambda: _check_profile(prompt, where), None)


def _check_known(part: str, known: Collection[str], where: str) -> None:
    if unknown := [blank for blank in BLANK.findall(part) if blank not in known]:
        raise BadInput(
            f"{where} names {{{{{unknown[0]}}}}}, which is none of its inputs.", "Add that input, or write {{text}}."
        )


def _check_profile(prompt: Prompt, where: str) -> None:
    if prompt.profile and (open_ := [one.name for one in prompt.inputs if one.default is None]):
        raise BadInput(
            f"{where} cannot be a profile: its input {open_[0]} has no default.", "Give it one, or take it out."
        )


def _text(table: Mapping[str, Any], key: str, where: str, longest: int = LONGEST_TEXT) -> str:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{where} has a {key} that is no text.", "Put it in quotes.")
    if len(value or "") > longest:
        raise BadInput(f"{where} has a {key} of {len(value or '')} characters.", f"It takes at most {longest}.")
    return (value or "").strip()


def _yes(table: Mapping[str, Any], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise BadInput(f"{where} has {key} {value!r}.", "It takes true or false.")
    return value


def _inputs(rows: Any, where: str, look: _Look) -> tuple[Input, ...]:
    tables: Sequence[Mapping[str, Any]] = look.at("inputs", lambda: _tables(rows, "inputs", MOST_INPUTS, where), ())
    found: list[Input] = []
    for number, table in enumerate(tables):
        one = look.at(f"inputs.{number}", functools.partial(_input, table, where, found), None)
        found += [one] if one else []
    return tuple(found)


def _input(table: Mapping[str, Any], where: str, before: Sequence[Input]) -> Input:
    _check_keys(table, INPUT_KEYS, f"An input of {where[0].lower()}{where[1:]}")
    name, kind = str(table.get("name") or "").strip(), table.get("type") or "text"
    if not BLANK.fullmatch(f"{{{{{name}}}}}") or name == TEXT:
        raise BadInput(f"{where} has an input called {name[:60]!r}.", "Use letters, digits and _, and not “text”.")
    if name in {one.name for one in before}:
        raise BadInput(f"{where} has the input {name} twice.", "Take one of them out.")
    if kind not in INPUT_TYPES:
        raise BadInput(f"{where} has the input {name} of type {kind!r}.", f"Use one of {', '.join(INPUT_TYPES)}.")
    choices = table.get("choices") or ()
    if not isinstance(choices, list | tuple) or not all(isinstance(c, str) and c.strip() for c in choices):
        raise BadInput(f"{where} has choices for {name} that are no list of texts.", "Put each in quotes.")
    if (kind == "choice") != bool(choices) or len(choices) > MOST_CHOICES:
        raise BadInput(f"{where} needs choices for {name}.", f"A choice has 1 to {MOST_CHOICES} of them, others none.")
    default = table.get("default")
    one = Input(name, kind, _text(table, "label", where, LONGEST_TITLE), tuple(c.strip() for c in choices))
    if default is None or not str(default).strip():
        return one
    value = value_of(one, str(default).strip() if not isinstance(default, bool) else "yes" if default else "no")
    if value is None:
        raise BadInput(f"{where} has the default {default!r} for {name}.", f"It takes {takes(one)}.")
    return Input(one.name, one.type, one.label, one.choices, value)


def _examples(rows: Any, where: str, look: _Look) -> tuple[tuple[str, str], ...]:
    tables: Sequence[Mapping[str, Any]] = look.at(
        "examples", lambda: _tables(rows, "examples", MOST_EXAMPLES, where), ()
    )
    pairs = []
    for number, table in enumerate(tables):
        pair = look.at(f"examples.{number}", functools.partial(_example, table, where, number), None)
        pairs += [pair] if pair else []
    return tuple(pairs)


def _example(table: Mapping[str, Any], where: str, number: int) -> tuple[str, str]:
    question, answer = table.get("question"), table.get("answer", table.get("reference"))
    if not all(isinstance(part, str) and 0 < len(part.strip()) <= LONGEST_TEXT for part in (question, answer)):
        raise BadInput(f"{where}: example {number + 1} needs a question and an answer.", "Both of them are text.")
    return str(question).strip(), str(answer).strip()


def _tables(rows: Any, what: str, most: int, where: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows) or len(rows) > most:
        raise BadInput(f"{where} has {what} that are no list of at most {most}.", f"Write each as [[prompt.{what}]].")
    return rows
