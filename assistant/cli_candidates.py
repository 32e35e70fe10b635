"""What `assistant compare` and `assistant evaluate` share: several candidates behind one option, and a command that needs no name."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

CANDIDATES = ("--candidates", "-c")
DATA_SETS = (".jsonl", ".csv")


class WithDefault(TyperGroup):
    """What is no command's name goes to the command `default`. All that follows --candidates up to the next option or a data set is a
    candidate."""

    default = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, _one_by_one(args))


def _one_by_one(args: list[str]) -> list[str]:
    """`--candidates A B` as `--candidates A --candidates B`."""
    spread: list[str] = []
    follows = False
    for word in args:
        if word in CANDIDATES:
            follows = True
        elif word.startswith("-") or word.lower().endswith(DATA_SETS):
            follows = False
            spread.append(word)
        else:
            spread += [CANDIDATES[0], word] if follows else [word]
    return spread
