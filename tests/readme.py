"""The tables of the README, made from the code: `python -m tests.readme` writes them, a test compares them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from assistant.settings import settings_rows
from tools.engines.catalogue import cards

README = Path(__file__).parents[1] / "README.md"
ROOMS = (
    "assistant",
    "assistant/evaluation",
    "tools",
    "tools/engines",
    "tools/engines/starter_picture",
    "tools/training",
    "knowledge",
    "knowledge/parsing",
)


def settings_table() -> str:
    rows = [f"| `{name}` | `{env}` | {_code(default)} | {text} |" for name, env, default, text in settings_rows()]
    return "\n".join(
        ["| in `assistant.toml` | environment or `.env` | default | what it does |", "|---|---|---|---|", *rows]
    )


def models_table() -> str:
    rows = [f"| `{c.id}` | {c.task} | {_size(c.size_bytes)} | {c.licence} | {c.limits} |" for c in cards() if c.starter]
    return "\n".join(["| starter model | for | size | licence | limits |", "|---|---|---|---|---|", *rows])


def file_tree() -> str:
    """Every module with the first line of its docstring."""
    lines = []
    for room in ROOMS:
        lines.append(f"{room}/")
        for path in sorted((README.parent / room).glob("[!_]*.py")):
            first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]
            lines.append(f"  {path.name:22} {first}")
    return "\n".join(["```", *lines, "```"])


def with_tables(text: str) -> str:
    for name, table in (("settings", settings_table()), ("models", models_table()), ("tree", file_tree())):
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda m, table=table: m[1] + table + "\n" + m[2],
            text,
            flags=re.DOTALL,
        )
    return text


def _code(text: str) -> str:
    return f"`{text}`" if text else "unset"


def _size(size_bytes: int | None) -> str:
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes else ""


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text("utf-8")), "utf-8")
