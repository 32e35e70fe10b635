"""Text on its way into the page's Markdown, which takes `:word` for a directive and drops it."""

from __future__ import annotations

import re

FENCE = 3
PARTS = re.compile(r"(?P<ticks>`+)|(?P<paragraph>\n\s*\n)|(?P<colon>:(?=[^\W\d_]))|.", re.DOTALL)


class MarkdownStream:
    """Escapes, outside code, every colon before a letter. The pieces of a stream may end anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._code = 0
        """How many backticks opened the code that we are in; 0 outside."""

    def feed(self, text: str) -> str:
        """What can be shown of the text so far; an ending that depends on what follows is held back."""
        text = self._held + text
        shown = text.rstrip("`:")
        self._held = text[len(shown) :]
        return self._escaped(shown)

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return self._escaped(held)

    def _escaped(self, text: str) -> str:
        return "".join(self._part(found) for found in PARTS.finditer(text))

    def _part(self, found: re.Match[str]) -> str:
        part = found[0]
        match found.lastgroup:
            case "ticks" if self._code in (0, len(part)):
                self._code = 0 if self._code else len(part)
            case "paragraph" if self._code < FENCE:
                self._code = 0
            case "colon" if not self._code:
                return r"\:"
        return part


def escape_colons(text: str) -> str:
    """The same for a whole text."""
    stream = MarkdownStream()
    return stream.feed(text) + stream.end()
