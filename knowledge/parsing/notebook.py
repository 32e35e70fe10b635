"""Jupyter notebooks: each cell with what it printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.parsing.encoding import decode
from knowledge.parsing.lines import Line, damaged, page, skipped, start
from knowledge.parsing.web import parsed, to_markdown


def read_notebook(path: Path, name: str) -> Iterator[Line]:
    """Raises: Unreadable."""
    try:
        notebook = json.loads(decode(path.read_bytes()))
        cells = list(notebook["cells"])
        language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(name) from error
    yield start(name)
    for number, cell in enumerate(cells, 1):
        try:
            text = _cell(cell, str(language))
        except (LookupError, TypeError, AttributeError):
            yield skipped(f"cell {number} is damaged")
            continue
        if text.strip():
            yield page(text, place=f"cell {number}")


def _cell(cell: dict[str, Any], language: str) -> str:
    source = _joined(cell["source"])
    if cell["cell_type"] != "code":
        return source
    code = f"```{language}\n{source}\n```" if source.strip() else ""
    outputs = [_output(output).strip() for output in cell.get("outputs", ())]
    return "\n\n".join(filter(None, [code, *outputs]))


def _output(output: dict[str, Any]) -> str:
    """What a cell printed, returned or failed with; pictures are left out."""
    if output.get("output_type") == "stream":
        return _joined(output["text"])
    if output.get("output_type") == "error":
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    data = output.get("data", {})
    tree = parsed(_joined(data["text/html"])) if "text/html" in data else None
    if tree is not None and tree.find(".//table") is not None:
        return to_markdown(tree)
    return _joined(data.get("text/markdown") or data.get("text/plain") or "")


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
