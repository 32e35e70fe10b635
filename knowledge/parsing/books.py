"""Books (EPUB): the chapters in the order of the spine."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from knowledge.parsing.encoding import decode_markup
from knowledge.parsing.lines import Line, Unreadable, damaged, page, skipped, start
from knowledge.parsing.packed import Broken, open_zip
from knowledge.parsing.web import parsed, to_markdown

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"


def read_book(path: Path, name: str) -> Iterator[Line]:
    """Raises: Unreadable, also for a book that is locked to its buyer."""
    with open_zip(path, name) as archive:
        try:
            package = _first(_xml(archive, CONTAINER), "rootfile").get("full-path")
            content = _xml(archive, package)
            title = _first(content, "title")
            chapters = _spine(content, posixpath.dirname(package))
        except (*Broken, KeyError, LookupError, AttributeError, TypeError, SyntaxError) as error:
            raise damaged(name) from error
        if _is_locked(archive, chapters):
            raise Unreadable(f"{name} is encrypted by its shop.", "Add a copy without copy protection.")
        yield start(" ".join((title.text or "").split()) if title is not None else name)
        for number, chapter in enumerate(chapters, 1):
            yield _chapter(archive, chapter, number)


def _chapter(archive: zipfile.ZipFile, chapter: str, number: int) -> Line:
    try:
        tree = parsed(decode_markup(archive.read(chapter)))
    except (*Broken, KeyError):
        return skipped(f"chapter {number} is damaged or missing")
    text = "" if tree is None else to_markdown(tree)
    if not text:
        return skipped(f"chapter {number} has no text")
    heading = text.split("\n", 1)[0]
    named = heading.startswith("#")
    return page(text, place=heading.lstrip("# ").strip()[:100] if named else f"chapter {number}")


def _xml(archive: zipfile.ZipFile, member: str) -> Any:
    from lxml import etree

    return etree.fromstring(archive.read(member), etree.XMLParser(resolve_entities=False, no_network=True))


def _first(root: Any, tag: str) -> Any:
    return next(root.iter(f"{{*}}{tag}"), None)


def _spine(content: Any, folder: str) -> list[str]:
    manifest = {item.get("id"): item.get("href", "") for item in content.iter("{*}item")}
    hrefs = [unquote(manifest[ref.get("idref")]) for ref in content.iter("{*}itemref") if ref.get("idref") in manifest]
    return [posixpath.normpath(posixpath.join(folder, href)) for href in hrefs]


def _is_locked(archive: zipfile.ZipFile, chapters: list[str]) -> bool:
    """Also fonts may be encrypted; only the chapters count."""
    if ENCRYPTION not in archive.namelist():
        return False
    locked = {unquote(found.get("URI", "")) for found in _xml(archive, ENCRYPTION).iter("{*}CipherReference")}
    return bool(locked & set(chapters))
