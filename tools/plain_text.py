"""Text from documents, made harmless for a page that shows Markdown: no picture loads, no link is live, no HTML stands in it.

What a document or a model that read one says may hold all of these, on purpose. Pieces may be put one behind the other: each
leaves the Markdown as it found it.
"""

from __future__ import annotations

import re

_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]*)\]\(\s*<?([^()\s<>]*)>?[^()]*\)")
ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\bmailto:)[^\s<>`\"]*[^\s<>`\".,;:!?)\]]", re.IGNORECASE)
"""What Markdown makes a link of by itself."""
_SENTENCE_END = re.compile(r"[.!?…:;]\s+|\n+")
_CITATION = re.compile(r"(\[\d{1,3}\](?=[\s.,;]|$))")
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS_OR_MAIL = re.compile(f"{ADDRESS.pattern}|{MAIL.pattern}", re.IGNORECASE)


def inert(text: str) -> str:
    """Markdown that shows `text`: emphasis, lists and code stay; pictures become their description, links their words, and
    an address stands as code."""
    text = re.sub(r"\\+`", "`", text)
    text = re.sub(r"``+", "", text)
    if text.count("`") % 2:
        text = text.replace("`", "")
    return "".join(part if n % 2 else _outside_code(part) for n, part in enumerate(re.split(r"(`[^`]*`)", text)))


def inert_but_numbers(said: str, cited: str) -> str:
    """The sentence made harmless, with the number that code put behind it."""
    bare = said.rstrip()
    return inert(bare) + cited[len(bare) :]


def flat(text: str) -> str:
    return " ".join(text.split())


class InertStream:
    """The same for text that comes in pieces, sentence by sentence; numbers such as [1] stay citations."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """What can be shown of the text so far."""
        self._held += text
        cut = max((found.end() for found in _SENTENCE_END.finditer(self._held)), default=0)
        whole, self._held = self._held[:cut], self._held[cut:]
        return _cited(whole)

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return _cited(held)


def _cited(text: str) -> str:
    parts = _CITATION.split(text)
    return "".join(part if n % 2 else inert(part) for n, part in enumerate(parts))


def _outside_code(text: str) -> str:
    text = _IMAGE_OR_LINK.sub(lambda found: f"{found[1]} {found[2]}".strip(), text)
    shown, last = "", 0
    for found in _ADDRESS_OR_MAIL.finditer(text):
        shown += f"{_escaped(text[last : found.start()])}`{found[0]}`"
        last = found.end()
    return shown + _escaped(text[last:])


def _escaped(text: str) -> str:
    return re.sub(r"([\\\[\]<])", r"\\\1", text)
