"""What changed between two versions of a prompt, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from assistant.prompts import Input, Prompt

AROUND = 2
"""Lines that did not change, shown before and after those that did."""
SKIPPED = "…"


def changes(before: Prompt, after: Prompt, say: Mapping[str, str]) -> list[tuple[str, str]]:
    """(sign, line): "-" where only `before` has it, "+" where only `after`, "" where both, "…" where some are left out.

    `say` has a word for each part of a prompt. Nothing at all where the two are the same.
    """
    lines = difflib.unified_diff(list(_lines(before, say)), list(_lines(after, say)), n=AROUND, lineterm="")
    shown = [(line[0].strip(), line[1:]) for line in list(lines)[2:]]
    return [(SKIPPED, "") if sign == "@" else (sign, text) for sign, text in shown][1:]


def _lines(prompt: Prompt, say: Mapping[str, str]) -> Iterator[str]:
    for part, label in (("title", "title_field"), ("description", "description"), ("language", "language")):
        if value := getattr(prompt, part):
            yield f"{say[label]}: {value}"
    yield from _block(say["system"], prompt.system or "")
    yield from _block(say["message"], prompt.message)
    for one in prompt.inputs:
        yield f"{say['input']}: {_input(one, say)}"
    for question, answer in prompt.examples:
        yield from _block(say["question"], question)
        yield from _block(say["answer"], answer)
    if prompt.tool:
        yield f"{say['tool']}: {say[f'tool_{prompt.tool}']}"
    if prompt.profile:
        yield say["kind_profile"]


def _block(label: str, text: str) -> Iterator[str]:
    if text:
        first, *rest = text.splitlines()
        yield f"{label}: {first}"
        yield from rest


def _input(one: Input, say: Mapping[str, str]) -> str:
    told = [one.name, say[f"type_{one.type}"], one.label, " | ".join(one.choices)]
    default = say["must"] if one.default is None else f"{say['default']}: {one.default}"
    return " · ".join(part for part in [*told, default] if part)
