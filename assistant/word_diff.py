"""Two transcripts word by word: what is the same, put in another's place, left out or added, and the word error rate.

Words are compared without case, accents kept, and without punctuation at their ends; they are shown as they were written.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """`kind` is "equal", "substitute", "delete" (only in the reference) or "insert" (only in the other text)."""

    kind: str
    reference: str
    text: str


@dataclass(frozen=True)
class WordDiff:
    """`error_rate` is substituted, left out and added words for each word of the reference; None where the reference has none.
    It may be above 1."""

    error_rate: float | None
    words: int
    pieces: tuple[Piece, ...]


def word_diff(reference: str, text: str) -> WordDiff:
    """How `text` differs from `reference` (Levenshtein over words, by jiwer)."""
    import jiwer

    wanted, heard = _words(reference), _words(text)
    if not wanted or not heard:
        pieces = (
            [Piece("delete", _shown(wanted), "")] if wanted else [Piece("insert", "", _shown(heard))] if heard else []
        )
        return WordDiff(1.0 if wanted else None, len(wanted), tuple(pieces))
    found = jiwer.process_words(" ".join(key for key, _ in wanted), " ".join(key for key, _ in heard))
    pieces = [
        Piece(
            chunk.type,
            _shown(wanted[chunk.ref_start_idx : chunk.ref_end_idx]),
            _shown(heard[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in found.alignments[0]
    ]
    return WordDiff(round(found.wer, 4), len(wanted), tuple(pieces))


def _words(text: str) -> list[tuple[str, str]]:
    """(as compared, as written). What is punctuation alone is no word."""
    written = text.split()
    keys = [_bare(unicodedata.normalize("NFC", word).casefold()) for word in written]
    return [(key, word) for key, word in zip(keys, written, strict=True) if key]


def _bare(word: str) -> str:
    """Without what is no letter, digit or mark at either end."""
    kept = [n for n, character in enumerate(word) if unicodedata.category(character)[0] in "LNM"]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def _shown(words: list[tuple[str, str]]) -> str:
    return " ".join(written for _, written in words)
