"""Prompts that people keep: a system prompt, the wording of a message with typed inputs, and examples. Filled in here.

They are read in `prompt_reading.py` and kept in `prompt_library.py`; the product's own are in `tools/prompts.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

from tools.context import ToolName
from tools.engines.base import Message
from tools.engines.errors import BadInput

InputType = Literal["text", "long", "number", "choice", "yes-no", "date"]
INPUT_TYPES: tuple[InputType, ...] = get_args(InputType)
TEXT = "text"
"""The input that every prompt has: what is typed after its command."""
NAME = re.compile(r"[^\W_][\w-]{0,39}")
BLANK = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
GIVEN = re.compile(r"([^\W\d]\w*)=(\"[^\"]*\"|[^\s\"]\S*)(?:\s+|$)")
LONGEST_TEXT = 20_000
YES_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no", "oui": "yes", "non": "no"}


@dataclass(frozen=True)
class Input:
    """`default` is None where a value must be given; `choices` are those of the type choice."""

    name: str
    type: InputType = "text"
    label: str = ""
    choices: tuple[str, ...] = ()
    default: str | None = None

    def as_json(self) -> dict[str, Any]:
        values = {"name": self.name, "type": self.type, "label": self.label, "choices": list(self.choices)}
        return {**{k: v for k, v in values.items() if v}, **({} if self.default is None else {"default": self.default})}


@dataclass(frozen=True)
class Prompt:
    """`{{name}}` in `system` and `message` stands for an input, `{{text}}` for what is typed after the command. `examples` are
    (question, answer) as the model is shown them. A `profile` is offered for whole conversations: there only `system` and `examples`
    count. `tool` is the one that answers; without one it is write_text, or what attached files ask for. `owner` is "" for prompts
    that ship, whose version is 0."""

    name: str
    title: str = ""
    description: str = ""
    language: str = ""
    system: str | None = None
    message: str = "{{text}}"
    inputs: tuple[Input, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    profile: bool = False
    tool: ToolName | None = None
    owner: str = ""
    version: int = 0
    shared: bool = False

    def as_json(self) -> dict[str, Any]:
        """As `read_prompt` reads it; what is not set is left out."""
        values: dict[str, Any] = {
            key: getattr(self, key) for key in ("name", "title", "description", "language", "system", "message", "tool")
        }
        values["inputs"] = [one.as_json() for one in self.inputs]
        values["examples"] = [{"question": q, "answer": a} for q, a in self.examples]
        values["profile"] = self.profile
        return {key: value for key, value in values.items() if value}

    @property
    def takes_text(self) -> bool:
        return any(TEXT in BLANK.findall(part) for part in (self.system or "", self.message))


@dataclass(frozen=True)
class Filled:
    """A prompt as one turn uses it: `message` is what the model reads in place of what was typed. `profile` says that it belongs to
    the whole conversation."""

    name: str
    version: int
    message: str
    system: str | None = None
    examples: tuple[tuple[str, str], ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    tool: ToolName | None = None
    profile: bool = False

    def shown(self) -> list[Message]:
        """The examples as messages."""
        return [m for q, a in self.examples for m in (Message("user", q), Message("assistant", a))]


def fill(prompt: Prompt, inputs: Mapping[str, str], text: str) -> Filled:
    """Inputs that are not given take their default. What was typed is never lost: where no `{{text}}` stands, it is set below.

    Raises: BadInput for a value that is missing or not of its type.
    """
    if unknown := [name for name in inputs if name not in {one.name for one in prompt.inputs}]:
        takes = ", ".join(one.name for one in prompt.inputs) or "only text"
        raise BadInput(f"/{prompt.name} has no input {unknown[0]!r}.", f"It takes {takes}.")
    values = {one.name: _value(prompt, one, inputs.get(one.name)) for one in prompt.inputs}
    message = put_in(prompt.message, {**values, TEXT: text})
    if text.strip() and not prompt.takes_text:
        message = f"{message}\n\n{text}".strip()
    system = None if prompt.system is None else put_in(prompt.system, {**values, TEXT: text})
    return Filled(prompt.name, prompt.version, message, system, prompt.examples, values, prompt.tool)


def as_profile(prompt: Prompt, text: str) -> Filled:
    """What a conversation under this profile says to the model beside `text`. Raises: BadInput where an input has no default."""
    values = {one.name: _value(prompt, one, None) for one in prompt.inputs}
    system = None if prompt.system is None else put_in(prompt.system, values)
    return Filled(prompt.name, prompt.version, text, system, prompt.examples, values, profile=True)


def put_in(template: str, values: Mapping[str, str]) -> str:
    """In one pass, so that a value which holds `{{…}}` itself is left as it is."""
    return BLANK.sub(lambda blank: values.get(blank[1], blank[0]), template)


def typed(prompt: Prompt, text: str) -> tuple[dict[str, str], str]:
    """(inputs, the rest) of what stands behind a command: `language=French tone="very polite" Good morning`."""
    known = {one.name for one in prompt.inputs}
    given: dict[str, str] = {}
    rest = text.strip()
    while (found := GIVEN.match(rest)) and found[1] in known and found[1] not in given:
        given[found[1]] = found[2].strip('"')
        rest = rest[found.end() :]
    return given, rest


def command_of(text: str) -> tuple[str, str]:
    """(name, the rest) of `/name …`; ("", text) where it begins with no command."""
    first, *rest = text.split(maxsplit=1) or [""]
    named = first.startswith("/") and NAME.fullmatch(first[1:])
    return (first[1:].lower(), "".join(rest)) if named else ("", text)


def _value(prompt: Prompt, one: Input, given: str | None) -> str:
    """Raises: BadInput."""
    given = one.default if given is None or not given.strip() else given
    if given is None:
        raise BadInput(f"/{prompt.name} needs {one.name}.", f"Write /{prompt.name} {one.name}=… before the text.")
    if (value := value_of(one, given.strip())) is None:
        raise BadInput(f"/{prompt.name} cannot take {given[:80]!r} for {one.name}.", f"It takes {takes(one)}.")
    return value


def value_of(one: Input, given: str) -> str | None:
    """What was given as it goes into the prompt; None where it is not of its type."""
    match one.type:
        case "number":
            try:
                return given if math.isfinite(float(given)) else None
            except ValueError:
                return None
        case "choice":
            return next((choice for choice in one.choices if choice.casefold() == given.casefold()), None)
        case "yes-no":
            return YES_NO.get(given.casefold())
        case "date":
            try:
                return date.fromisoformat(given).isoformat()
            except ValueError:
                return None
    return given if len(given) <= LONGEST_TEXT else None


def takes(one: Input) -> str:
    match one.type:
        case "number":
            return "a number"
        case "choice":
            return " or ".join(one.choices)
        case "yes-no":
            return "yes or no"
        case "date":
            return "a date such as 2026-05-31"
    return f"text of at most {LONGEST_TEXT} characters"
