"""Word files (.docx): paragraphs, headings, lists and tables in their order; then comments, notes, boxes, headers and footers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.parsing import ocr
from knowledge.parsing.lines import Line, damaged, page, skipped, start, table

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
WRAPPERS = [f"{WORD}{tag}" for tag in ("ins", "moveTo", "sdt", "sdtContent", "smartTag", "customXml")]
"""Text inside these is passed over by python-docx: what was added under tracked changes, and form fields."""


def read_word(path: Path, name: str) -> Iterator[Line]:
    import docx

    try:
        document = docx.Document(str(path))
        _unwrap(document.element.body)
        blocks = [*_blocks(document), *_comments(document), *_notes(document), *_margins(document)]
    except MemoryError:
        raise
    except Exception as error:
        raise damaged(name) from error
    yield start(name)
    text = "\n\n".join(_joined(blocks))
    yield page(text) if text else _pictured(document)


def _pictured(document: Any) -> Line:
    """A file that holds nothing but pictures, as some scanners make."""
    pictures = [link.target_part.blob for link in document.part.rels.values() if link.reltype.endswith("/image")]
    try:
        return page(ocr.read_files(pictures))
    except ocr.NotRead as error:
        return skipped(f"no text: the file holds only pictures; {error}")


def _unwrap(body: Any) -> None:
    for element in list(body.iter(*WRAPPERS)):
        parent = element.getparent()
        at = parent.index(element)
        inner = [
            child for child in element if not child.tag.endswith(("sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr"))
        ]
        parent[at : at + 1] = inner


def _joined(blocks: list[str]) -> Iterator[str]:
    """The blocks, the items of a list held together."""
    items: list[str] = []
    for block in filter(str.strip, blocks):
        if re.match(r" *- ", block):
            items.append(block)
            continue
        if items:
            yield "\n".join(items)
            items = []
        yield block
    if items:
        yield "\n".join(items)


def _blocks(part: Any) -> Iterator[str]:
    for block in part.iter_inner_content():
        if hasattr(block, "rows"):
            yield table([list(_cells(row)) for row in block.rows])
        elif block.text.strip():
            yield _paragraph(block)


def _paragraph(paragraph: Any) -> str:
    style = (paragraph.style and paragraph.style.name) or ""
    level = re.fullmatch(r"(?:Heading|Titre|Überschrift) (\d)", style)
    if level or style == "Title":
        return f"{'#' * int(level.group(1) if level else 1)} {' '.join(paragraph.text.split())}"
    depth = _list_depth(paragraph, style)
    return paragraph.text if depth is None else f"{'  ' * depth}- {' '.join(paragraph.text.split())}"


def _list_depth(paragraph: Any, style: str) -> int | None:
    """How deep a list item stands; None for a paragraph that is none."""
    properties = paragraph._p.pPr
    numbering = properties.numPr if properties is not None else None
    if numbering is not None and numbering.numId is not None and numbering.numId.val:
        return int(numbering.ilvl.val) if numbering.ilvl is not None else 0
    listed = re.fullmatch(r"List (?:Bullet|Number)(?: (\d))?", style)
    return int(listed.group(1) or 1) - 1 if listed else None


def _cells(row: Any) -> Iterator[str]:
    previous = None
    for cell in row.cells:
        if cell._tc is not previous:
            yield cell.text
        previous = cell._tc


def _comments(document: Any) -> Iterator[str]:
    for comment in document.comments:
        yield f"Comment by {comment.author or 'somebody'}: {comment.text}"


def _notes(document: Any) -> Iterator[str]:
    """Footnotes, endnotes and text boxes, which python-docx does not list."""
    from lxml import etree

    roots = [
        etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False, no_network=True))
        for part in document.part.package.iter_parts()
        if part.partname.endswith(("/footnotes.xml", "/endnotes.xml"))
    ]
    roots += document.element.body.iter(f"{WORD}txbxContent")
    seen = dict.fromkeys(
        "".join(node.text or "" for node in paragraph.iter(f"{WORD}t"))
        for root in roots
        for paragraph in root.iter(f"{WORD}p")
    )
    yield from seen


def _margins(document: Any) -> list[str]:
    """Headers and footers, each once."""
    margins = [part for section in document.sections for part in (section.header, section.footer)]
    return list(dict.fromkeys("\n".join(_blocks(part)) for part in margins if not part.is_linked_to_previous))
