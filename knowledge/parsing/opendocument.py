"""OpenDocument texts and presentations (.odt, .odp): headings, paragraphs, lists and tables; a slide is a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.parsing.lines import Line, Unreadable, damaged, page, skipped, start, table
from knowledge.parsing.packed import Broken, open_zip

LEFT_OUT = frozenset(("tracked-changes", "annotation-end", "sequence-decls", "forms", "event-listeners", "bookmark"))
SPACES = {"s": " ", "tab": "\t", "line-break": "\n"}
MAX_REPEATS = 1000


def read_opendocument(path: Path, name: str) -> Iterator[Line]:
    """Raises: Unreadable."""
    from lxml import etree

    with open_zip(path, name) as archive:
        try:
            manifest = archive.read("META-INF/manifest.xml")
            if b"encryption-data" in manifest:
                raise Unreadable(f"{name} is encrypted.", "Open it, remove its password and save it.")
            root = etree.fromstring(
                archive.read("content.xml"), etree.XMLParser(resolve_entities=False, no_network=True)
            )
        except (*Broken, KeyError, SyntaxError) as error:
            raise damaged(name) from error
    slides = list(root.iter("{*}page"))
    yield start(name, len(slides) or None)
    for number, slide in enumerate(slides, 1):
        text = _text_of(slide)
        yield page(text, number) if text else skipped("no text: the slide is empty or holds only pictures", number)
    if not slides:
        yield page(_text_of(root))


def _text_of(element: Any) -> str:
    return "\n\n".join(block for block in _blocks(element) if block.strip())


def _blocks(element: Any) -> Iterator[str]:
    for child in element:
        tag = _tag(child)
        if tag in LEFT_OUT:
            continue
        if tag == "h":
            level = int(next((v for k, v in child.attrib.items() if k.endswith("outline-level")), 1))
            yield f"{'#' * min(6, max(1, level))} {' '.join(_inline(child).split())}"
        elif tag == "p":
            yield _inline(child)
        elif tag == "list":
            yield "\n".join(_items(child, 0))
        elif tag == "table":
            yield table([_cells(row) for row in child.iter("{*}table-row")])
        elif tag == "notes":
            notes = _text_of(child)
            yield f"Notes: {notes}" if notes else ""
        else:
            yield from _blocks(child)


def _items(listing: Any, depth: int) -> Iterator[str]:
    for part in listing.iter("{*}list-item", "{*}list-header"):
        if _nearest_list(part) is not listing:
            continue
        for child in part:
            if _tag(child) == "list":
                yield from _items(child, depth + 1)
            else:
                yield f"{'  ' * depth}- {' '.join(_inline(child).split())}"


def _nearest_list(element: Any) -> Any:
    return next(element.iterancestors("{*}list"))


def _cells(row: Any) -> list[str]:
    cells: list[str] = []
    for cell in row.iterchildren("{*}table-cell", "{*}covered-table-cell"):
        repeats = int(next((v for k, v in cell.attrib.items() if k.endswith("columns-repeated")), 1))
        text = " ".join(_inline(part) for part in cell.iter("{*}p", "{*}h"))
        cells += [text] * (min(repeats, MAX_REPEATS) if text else 1)
    return cells


def _inline(element: Any) -> str:
    """The words of a paragraph; a note or a comment stands in brackets where it belongs."""
    parts = [element.text or ""]
    for child in element:
        tag = _tag(child)
        if tag in SPACES:
            count = int(next((v for k, v in child.attrib.items() if k.endswith("}c")), 1))
            parts.append(SPACES[tag] * min(count, MAX_REPEATS))
        elif tag in ("note", "annotation"):
            parts.append(f" ({' '.join(_inline(p) for p in child.iter('{*}p'))}) ")
        elif tag not in LEFT_OUT:
            parts.append(_inline(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _tag(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else "bookmark"
