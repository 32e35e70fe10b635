"""In which language the documents are, told from a sample of their text."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence

from knowledge.filters import scope_of
from knowledge.ranking import STOP_WORDS, language_of, plain_words

SAMPLED = 60
DRAWN = 1000
MOST = 0.5
SCRIPTS = {
    "Japanese": "\u3040-\u30ff",
    "Chinese": "\u4e00-\u9fff",
    "Korean": "\uac00-\ud7af",
    "Thai": "\u0e00-\u0e7f",
    "Russian or another language in Cyrillic": "\u0400-\u04ff",
    "Greek": "\u0370-\u03ff",
    "Arabic or another language in its script": "\u0600-\u06ff",
    "Hebrew": "\u0590-\u05ff",
    "Hindi or another language in Devanagari": "\u0900-\u097f",
}
A_SCRIPT = 0.2
"""Share of the letters; Japanese mixes its own with Chinese ones, so it comes first."""
_LETTER = re.compile(r"[^\W\d_]")


def main_language(db: sqlite3.Connection, collections: Sequence[str]) -> str | None:
    """A code such as "fr", or the name of a language with a script of its own; None where there is no text or no majority."""
    scope = scope_of(db, collections)
    newest = db.execute("SELECT max(rowid) FROM chunks").fetchone()[0] or 0
    drawn = scope.rows or scope.keep(db, range(1, newest + 1, max(1, newest // DRAWN)))
    sample = list(drawn)[:: max(1, len(drawn) // SAMPLED)]
    query = "SELECT text FROM chunks WHERE rowid IN (SELECT value FROM json_each(?))"
    rows = db.execute(query, [json.dumps(sample)]).fetchall()
    counts = Counter(language for (text,) in rows if (language := language_of_text(text)))
    if not counts:
        return None
    language, count = counts.most_common(1)[0]
    return language if count > MOST * len(rows) else None


def language_of_text(text: str) -> str | None:
    """Of a passage; None where it holds too little running text to tell."""
    letters = len(_LETTER.findall(text))
    for name, letters_of_it in SCRIPTS.items():
        if letters and len(re.findall(f"[{letters_of_it}]", text)) > A_SCRIPT * letters:
            return name
    return language_of(text) if any(word in STOP_WORDS for word in plain_words(text)) else None
