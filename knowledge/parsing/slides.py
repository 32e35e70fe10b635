"""PowerPoint files (.pptx): a slide is a page, with its title, texts, tables, charts' numbers and notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.parsing import ocr
from knowledge.parsing.lines import Line, damaged, page, skipped, start, table

DRAWING_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"


def read_slides(path: Path, name: str) -> Iterator[Line]:
    import pptx

    try:
        slides = list(pptx.Presentation(str(path)).slides)
    except MemoryError:
        raise
    except Exception as error:
        raise damaged(name) from error
    yield start(name, len(slides))
    for number, slide in enumerate(slides, 1):
        yield _slide(slide, number)


def _slide(slide: Any, number: int) -> Line:
    try:
        title = slide.shapes.title
        blocks = [f"# {' '.join(title.text_frame.text.split())}"] if title is not None and title.has_text_frame else []
        skip = title.shape_id if title is not None else None
        shapes = [shape for shape in _flat(slide.shapes) if shape.shape_id != skip]
        blocks += [block for shape in shapes for block in _shape(shape)]
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.strip()
            blocks += [f"Notes: {notes}"] if notes else []
        text = "\n\n".join(block for block in blocks if block.strip(" #"))
        return page(text, number) if text else _pictured(shapes, number)
    except (AttributeError, LookupError, TypeError, ValueError, SyntaxError, OSError) as error:
        return skipped(f"the slide is damaged ({type(error).__name__})", number)


def _flat(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _shape(shape: Any) -> Iterator[str]:
    if shape.has_text_frame:
        paragraphs = [p for p in shape.text_frame.paragraphs if p.text.strip()]
        listed = len(paragraphs) > 1
        yield "\n".join(f"{'  ' * p.level}- {p.text.strip()}" if listed else p.text.strip() for p in paragraphs)
    elif shape.has_table:
        yield table([[cell.text for cell in row.cells] for row in shape.table.rows])
    elif shape.has_chart:
        yield _chart(shape.chart)
    else:
        yield _diagram(shape)


def _chart(chart: Any) -> str:
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    plot = chart.plots[0]
    header = ["", *(series.name for series in plot.series)]
    columns = [list(series.values) for series in plot.series]
    rows = [
        [str(category), *(str(column[at]) if at < len(column) else "" for column in columns)]
        for at, category in enumerate(plot.categories)
    ]
    return "\n\n".join(filter(None, [title, table([header, *rows])]))


def _diagram(shape: Any) -> str:
    """The words of a SmartArt diagram, which stand in a part of their own."""
    from lxml import etree

    ids = shape._element.xpath(".//@r:dm")
    if not ids:
        return ""
    root = etree.fromstring(
        shape.part.related_part(ids[0]).blob, etree.XMLParser(resolve_entities=False, no_network=True)
    )
    return "\n".join(node.text for node in root.iter(DRAWING_TEXT) if node.text)


def _pictured(shapes: list[Any], number: int) -> Line:
    """A slide that is only a picture."""
    pictures = [shape.image.blob for shape in shapes if hasattr(shape, "image")]
    if not pictures:
        return skipped("no text: the slide is empty", number)
    try:
        text = ocr.read_files(pictures)
    except ocr.NotRead as error:
        return skipped(f"no text: the slide is a picture; {error}", number)
    return page(text, number) if text else skipped("no text: the slide holds only pictures", number)
