"""Web pages, and HTML wherever else it stands (books, e-mails): Markdown that keeps headings, tables and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.parsing.encoding import decode_markup
from knowledge.parsing.lines import Line, page, skipped, start, table

_LEFT_OUT = "script style noscript template head nav svg iframe object select button form canvas"
_BLOCKS = (
    "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer header hr html "
    "legend main p section summary td th tr tbody thead tfoot"
)
LEFT_OUT = frozenset(_LEFT_OUT.split())
BLOCKS = frozenset(_BLOCKS.split())
HEADINGS = {f"h{level}": level for level in range(1, 7)}
ARTICLE_SHARE = 0.5
"""An article that holds less of a page than this was not recognised, and the whole page is taken."""
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*>")


def read_web(path: Path, name: str) -> Iterator[Line]:
    """A web page without what stands around its main part; all of its text where it has none."""
    source = decode_markup(path.read_bytes())
    tree = parsed(source)
    title = "" if tree is None else " ".join((tree.findtext(".//title") or "").split())
    yield start(title or name)
    if tree is None:
        return
    main = _main(tree)
    text = to_markdown(tree if main is None else main)
    yield page(text if main is not None else _article(source, text))
    if not re.search(r"</(html|body)\s*>\s*", source[-5000:], re.IGNORECASE) and "<html" in source[:5000].lower():
        yield skipped("the end of the page is missing")


def _main(tree: Any) -> Any | None:
    """The part of a page that says itself that it is the main one, where most of the words are in it."""
    parts = [*tree.iter("main"), *tree.iter("article")]
    words = len(tree.text_content())
    return next((part for part in parts if len(part.text_content()) >= ARTICLE_SHARE * words), None)


def _article(source: str, whole: str) -> str:
    """What trafilatura takes for the article, or the whole page where that leaves out too much."""
    import trafilatura

    article = trafilatura.extract(
        source, output_format="markdown", include_tables=True, include_comments=False, favor_recall=True, fast=False
    )
    return article if article and _keeps(article, whole) else whole


def _keeps(article: str, whole: str) -> bool:
    """Whether an article holds most of a page, also of its headings and of the rows of its tables."""
    pairs = [(len(article), len(whole))]
    pairs += [
        (len(re.findall(mark, article, re.M)), len(re.findall(mark, whole, re.M))) for mark in (r"^#", r"^\|", r"^ *- ")
    ]
    return all(kept >= ARTICLE_SHARE * all_of_it for kept, all_of_it in pairs)


def parsed(source: str) -> Any | None:
    """The tree of an HTML text; None where there is nothing in it. External entities and addresses are never followed."""
    from lxml import etree, html

    parser = html.HTMLParser(no_network=True, huge_tree=False)
    try:
        return html.document_fromstring(_DECLARATION.sub("", source).replace("\0", ""), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def to_markdown(tree: Any) -> str:
    blocks = _Blocks()
    blocks.walk(tree)
    blocks.end()
    return "\n\n".join(blocks.done)


class _Blocks:
    """Paragraphs, headings, lists and tables of a tree, in its order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._inline: list[str] = []

    def walk(self, element: Any) -> None:
        tag = element.tag if isinstance(element.tag, str) else ""
        if not tag or tag in LEFT_OUT or _is_hidden(element):
            return
        block = tag in BLOCKS or tag in HEADINGS or tag in ("table", "ul", "ol", "pre")
        if block:
            self.end()
        if tag in HEADINGS:
            self._add(f"{'#' * HEADINGS[tag]} ", " ".join(_text(element).split()))
        elif tag == "table" and (rows := _rows(element)):
            self._add("", table(rows))
        elif tag in ("ul", "ol"):
            self._add("", "\n".join(_items(element, tag == "ol")))
        elif tag == "pre":
            self._add("", f"```\n{element.text_content().strip()}\n```")
        else:
            self._children(element)
        if block:
            self.end()

    def end(self) -> None:
        """End the paragraph that is being written."""
        lines = [" ".join(line.split()) for line in "".join(self._inline).split("\v")]
        self._inline.clear()
        self._add("", "\n".join(line for line in lines if line))

    def _children(self, element: Any) -> None:
        if element.tag == "br":
            self._inline.append("\v")
        self._inline.append(element.text or "")
        for child in element:
            self.walk(child)
            self._inline.append(child.tail or "")

    def _add(self, prefix: str, text: str) -> None:
        if text.strip():
            self.done.append(prefix + text)


def _is_hidden(element: Any) -> bool:
    style = element.get("style", "").replace(" ", "").lower()
    return element.get("hidden") is not None or "display:none" in style or "visibility:hidden" in style


def _text(element: Any) -> str:
    blocks = _Blocks()
    blocks._children(element)
    blocks.end()
    return "\n".join(blocks.done)


def _items(listing: Any, numbered: bool) -> Iterator[str]:
    for number, item in enumerate(listing.iterchildren("li"), 1):
        mark = f"{number}." if numbered else "-"
        first, *more = _text(item).split("\n") or [""]
        yield f"{mark} {first}"
        yield from (f"  {line}" for line in more if line)


def _rows(element: Any) -> list[list[str]]:
    """The cells of a table; none where it only arranges other things."""
    if element.find(".//table") is not None:
        return []
    rows = [[_text(cell) for cell in row.iterchildren("td", "th")] for row in element.iter("tr")]
    return rows if max(map(len, rows), default=0) > 1 else []
