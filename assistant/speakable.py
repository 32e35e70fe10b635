"""Text that streams in, as sentences to be spoken: what only the eye can use (code, links, tables, citations, emoji) is left out."""

from __future__ import annotations

import re

LONGEST = 240
"""Letters after which a sentence is cut at its last comma or blank, so that the voice need not wait."""
ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "no",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "approx",
        "fig",
        "ca",
        "cf",
        "al",
        "jr",
        "sr",
        "inc",
        "ltd",
        "dept",
        "est",
        "vol",
        "p",
        "pp",
        "ed",
        "m",
        "mm",
        "mme",
        "mlle",
        "me",
        "p.ex",
        "env",
        "av",
        "apr",
        "éd",
        "chap",
    ]
)
END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s)|\n")
CODE = re.compile(r"^\s*(```|~~~)")
TABLE = re.compile(r"^\s*\|.*\|\s*$|^\s*:?-{3,}:?\s*(\|.*)?$")
MARKS = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[\\?\[\d{1,3}\\?\]\]\([^)]*\)|\\?\[\d{1,3}\\?\]"), ""),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(?:https?://|www\.)\S+"), ""),
    (re.compile(r"`([^`\n]*)`"), r"\1"),
    (re.compile(r"^\s*(?:#{1,6}|>|[-*+•])\s+"), ""),
    (re.compile(r"\*\*|__|~~|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)"), ""),
    (re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3]"), ""),
    (re.compile(r"<[^<>\n]{1,80}>"), ""),
    (re.compile(r"\s+([.,;:!?])"), r"\1"),
    (re.compile(r"\s+"), " "),
)


class Sentences:
    """Takes text as it streams and gives the sentences that are whole by then."""

    def __init__(self) -> None:
        self._text = ""
        self._in_code = False

    def feed(self, text: str) -> list[str]:
        self._text += text
        found = []
        while (end := self._end()) is not None:
            piece, self._text = self._text[:end], self._text[end:]
            found.append(self._speakable(piece))
        return [sentence for sentence in found if sentence]

    def end(self) -> list[str]:
        """What is left when no more text comes."""
        rest, self._text = self._text, ""
        found = [self._speakable(line) for line in rest.split("\n")]
        return [sentence for sentence in found if sentence]

    def _end(self) -> int | None:
        """Where the first whole sentence or line of the text ends. A line that may be code or a table is waited for."""
        line_end = self._text.find("\n")
        line = self._text if line_end < 0 else self._text[:line_end]
        if self._in_code or line.lstrip()[:1] in ("`", "~", "|"):
            return line_end + 1 if line_end >= 0 else None
        for found in END.finditer(self._text):
            if found[0] == "\n" or not _goes_on(self._text[: found.start()], found[0]):
                return found.end()
        if len(self._text) > LONGEST:
            cut = max(self._text.rfind(mark, 0, LONGEST) for mark in (", ", "; ", ": "))
            cut = cut if cut > 0 else self._text.rfind(" ", 0, LONGEST)
            return cut + 1 if cut > 0 else None
        return None

    def _speakable(self, piece: str) -> str:
        if CODE.match(piece):
            self._in_code = not self._in_code
            return ""
        if self._in_code or TABLE.match(piece.rstrip("\n")):
            return ""
        for pattern, words in MARKS:
            piece = pattern.sub(words, piece)
        piece = piece.strip()
        return piece if any(c.isalnum() for c in piece) else ""


def _goes_on(before: str, mark: str) -> bool:
    """Whether the point after `before` ends no sentence: an abbreviation, an initial, the number of a list item."""
    if not mark.startswith(".") or mark.startswith(".."):
        return False
    word = before.rsplit(maxsplit=1)[-1] if before.strip() else ""
    word = word.lstrip("(«“\"'*_")
    is_item = word.isdigit() and not before.rpartition("\n")[2].strip()[: -len(word)].strip()
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and word != "I"
    return word.lower() in ABBREVIATIONS or is_item or is_initial
