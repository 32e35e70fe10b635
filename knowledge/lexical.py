"""The lexical half of a search, by BM25 in SQLite (FTS5): stemmed words, and trigrams for scripts that put no spaces between them.

Trigrams are kept of those chunks alone that hold such a script. English stems serve the other languages too: on XQuAD they
find more than plain words in German as well (`tests/bench/knowledge.py`).
"""

# ruff: noqa: S608 — only constants and placeholders are put into the SQL below.
from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from knowledge.filters import Scope
from knowledge.ranking import UNSPACED, search_words, unspaced_runs
from knowledge.scripts import run_script

VERSION = "1"
_MARKED = re.compile("\x02([^\x03]+)\x03")
_HOLDS_UNSPACED = f"GLOB '*[{UNSPACED}]*'"
SCHEMA = f"""
DROP TRIGGER IF EXISTS words_in;
DROP TRIGGER IF EXISTS words_out;
DROP TABLE IF EXISTS words;
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'chunks', content_rowid = 'rowid', tokenize = "porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER words_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER words_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
INSERT INTO words (words) VALUES ('rebuild');
CREATE VIEW unspaced AS SELECT rowid AS rowid, text FROM chunks WHERE text {_HOLDS_UNSPACED};
CREATE VIRTUAL TABLE trigrams USING fts5 (text, content = 'unspaced', content_rowid = 'rowid', tokenize = 'trigram');
CREATE VIRTUAL TABLE trigram_terms USING fts5vocab ('trigrams', 'row');
CREATE TRIGGER trigrams_in AFTER INSERT ON chunks WHEN new.text {_HOLDS_UNSPACED} BEGIN
    INSERT INTO trigrams (rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER trigrams_out AFTER DELETE ON chunks WHEN old.text {_HOLDS_UNSPACED} BEGIN
    INSERT INTO trigrams (trigrams, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
INSERT INTO trigrams (trigrams) VALUES ('rebuild');
"""
TABLES: tuple[Literal["words", "trigrams"], ...] = ("words", "trigrams")

MOST_TERMS = 48
SCORED_ROWS = 4000
"""How many chunks a search gives a BM25 score at most, about 2 microseconds each."""
PAIRED = 6
LONGER_TERMS = 30
"""How many trigrams a word of one or two characters may stand for."""


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Make the index where it is missing or of an older make, from the chunks that are there; in one transaction."""
    if _version(db) == VERSION:
        return
    with db:
        db.execute("BEGIN IMMEDIATE")
        if _version(db) != VERSION:
            run_script(db, SCHEMA)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('lexical', ?)", [VERSION])


def _version(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE key = 'lexical'").fetchone()
    return str(row[0]) if row else None


def merge_deleted(db: sqlite3.Connection) -> None:
    """Deleted words stay in the index's segments until these are merged."""
    for table in TABLES:
        db.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")


def match(db: sqlite3.Connection, query: str, scope: Scope, limit: int) -> dict[int, float]:
    """Rows of chunks in `scope` that hold words of the query, each with its share of the best one's BM25 score, 0 to 1."""
    runs = unspaced_runs(query)
    by_words = _shares(_match(db, "words", _words(query), scope, limit))
    by_trigrams = _shares(_match(db, "trigrams", _trigrams(db, runs), scope, limit)) if runs else {}
    return {row: max(by_words.get(row, 0.0), by_trigrams.get(row, 0.0)) for row in {**by_words, **by_trigrams}}


def words_held(db: sqlite3.Connection, query: str, rows: Sequence[int]) -> dict[int, list[str]]:
    """The words of the query that each of a few rows holds, as they are written there, in lower case."""
    runs = unspaced_runs(query)
    held: dict[int, list[str]] = {row: [] for row in rows}
    for table, terms in (("words", _words(query)), ("trigrams", _trigrams(db, runs) if runs else [])):
        if not terms:
            continue
        marked = f"highlight({table}, 0, char(2), char(3))"
        found = f"SELECT {marked} FROM {table} WHERE {table} MATCH ? AND rowid = ?"
        for row in rows:
            for (text,) in db.execute(found, [_any_of(terms[:MOST_TERMS]), row]).fetchall():
                held[row] += dict.fromkeys(_MARKED.findall(text.lower()))
    return held


def _match(db: sqlite3.Connection, table: str, terms: Sequence[str], scope: Scope, limit: int) -> dict[int, float]:
    counts = {term: _count(db, table, term) for term in terms[:MOST_TERMS]}
    known = _telling(db, counts)
    if not known:
        return {}
    if scope.rows is not None:
        inside = "+rowid IN (SELECT value FROM json_each(?))"
        return _scored(db, table, known, inside, [json.dumps(scope.rows)], limit)
    inside, values = "1", list[str | int]()
    if sum(counts[term] for term in known) > SCORED_ROWS:
        inside = f"+rowid IN (SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY rowid DESC LIMIT {SCORED_ROWS})"
        values = [_telling_rows(known, counts)]
    # The best of all collections usually hold enough of the wanted ones.
    for depth in (4 * limit, -1):
        best = _scored(db, table, known, inside, values, depth)
        kept = scope.keep(db, best)
        if len(kept) >= limit or len(best) < depth:
            break
    return {row: best[row] for row in list(kept)[:limit]}


def _scored(
    db: sqlite3.Connection, table: str, terms: Sequence[str], inside: str, values: Sequence[str | int], limit: int
) -> dict[int, float]:
    """Best first. The unary plus keeps FTS5 from looking up every allowed row anew."""
    rows = db.execute(
        f"SELECT rowid, -bm25({table}) AS score FROM {table} WHERE {table} MATCH ? AND {inside}"
        " ORDER BY score DESC LIMIT ?",
        [_any_of(terms), *values, limit],
    ).fetchall()
    return {row: score for row, score in rows if score > 0}


def _telling(db: sqlite3.Connection, counts: dict[str, int]) -> list[str]:
    """The terms that occur, rarest first, without those that every fourth chunk holds where there are rarer ones: they tell next to
    nothing (nDCG@10 on Cranfield .409 with and without) and cost most."""
    known = sorted((term for term, count in counts.items() if count), key=counts.__getitem__)
    newest = db.execute("SELECT max(rowid) FROM chunks").fetchone()[0] or 0
    return [term for term in known if counts[term] <= newest / 4] or known


def _telling_rows(known: Sequence[str], counts: dict[str, int]) -> str:
    """An expression for the chunks that can be among the best: those with the rarest of the words, or with two of the rarer ones."""
    rarest: list[str] = []
    rows = 0
    for term in known:
        rows += counts[term]
        if rows > SCORED_ROWS:
            break
        rarest.append(term)
    others = [term for term in known if term not in rarest][:PAIRED]
    pairs = [f"({one} AND {other})" for one, other in combinations(others, 2)]
    return _any_of([*rarest, *pairs] or known[:1])


def _words(query: str) -> list[str]:
    return [f'"{word}"' for word in search_words(query) if not unspaced_runs(word)]


def _trigrams(db: sqlite3.Connection, runs: Sequence[str]) -> list[str]:
    """The trigrams of each run; for a run too short to have one, those in the index that begin with it."""
    terms: dict[str, None] = {}
    for run in runs:
        if len(run) >= 3:
            terms |= {f'"{run[i : i + 3]}"': None for i in range(len(run) - 2)}
            continue
        rows = db.execute(
            "SELECT term FROM trigram_terms WHERE term >= ? AND term < ? LIMIT ?",
            [run, run + "\U0010ffff", LONGER_TERMS],
        ).fetchall()
        terms |= {f'"{term.replace(chr(34), chr(34) * 2)}"': None for (term,) in rows}
    return list(terms)


def _count(db: sqlite3.Connection, table: str, term: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table} WHERE {table} MATCH ?", [term]).fetchone()[0])


def _any_of(terms: Sequence[str]) -> str:
    return " OR ".join(terms)


def _shares(scores: dict[int, float]) -> dict[int, float]:
    best = max(scores.values(), default=0.0)
    return {row: score / best for row, score in scores.items()} if best else {}
