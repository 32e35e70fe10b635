"""How an answer is scored against its reference, by counting alone. Every score is from 0 to 1; of all but word error more is better."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from assistant.evaluation.dataset import Row
from knowledge.documents import Passage
from knowledge.evidence import find_support
from knowledge.ranking import UNSPACED, plain_words
from knowledge.splitting import split_sentences
from tools.grounded import MODEL_CITATION, Cited, refuses

Score = Literal[
    "exact", "contains", "token_f1", "similarity", "word_error", "schema", "citations", "groundedness", "judge"
]
SCORES: tuple[Score, ...] = get_args(Score)
LESS_IS_BETTER = ("word_error",)
SHORT_WORDS = 5
_FENCE = re.compile(r"^\s*```\w*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_ARTICLES = {"a", "an", "the"}


def counted(row: Row, answer: str, passages: Sequence[Passage]) -> dict[Score, float]:
    """The scores that this row allows, without those that need a model."""
    found: dict[Score, float] = {}
    if row.reference:
        found["exact"] = float(words_of(answer) == words_of(row.reference))
        found["contains"] = float(contains(answer, row.reference))
        found["token_f1"] = token_f1(answer, row.reference)
    if row.audio is not None and not row.question:
        found["word_error"] = word_error(answer, row.reference)
    if row.schema is not None:
        found["schema"] = float(fits_schema(answer, row.schema))
    if passages:
        found |= grounding(row, answer, passages)
    return found


def main_score(rows: Sequence[Row], scores: Sequence[str]) -> tuple[Score, str]:
    """The score that candidates are compared by where nobody chose one, and why it."""
    references = [row.reference for row in rows if row.reference]
    lengths = sorted(len(words_of(reference)) for reference in references)
    if "judge" in scores:
        return "judge", "a judge was asked"
    if "word_error" in scores:
        return "word_error", "the rows are recordings"
    if not references:
        return "schema", "the rows carry schemas and no references"
    if len(set(references)) <= max(2, len(references) // 5):
        return "exact", "the references are a few labels"
    if lengths[len(lengths) // 2] <= SHORT_WORDS:
        return "contains", "most references are short"
    return "similarity", "most references are sentences"


def words_of(text: str) -> list[str]:
    """Words in lower case, without accents, punctuation and articles; each letter of a script without spaces is one."""
    parted = re.sub(f"([{UNSPACED}])", r" \1 ", text)
    return [word for word in plain_words(parted) if word not in _ARTICLES]


def contains(answer: str, reference: str) -> bool:
    wanted = words_of(reference)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words_of(answer))} "


def token_f1(answer: str, reference: str) -> float:
    """As SQuAD counts it (Rajpurkar et al. 2016, arXiv:1606.05250)."""
    said, wanted = Counter(words_of(answer)), Counter(words_of(reference))
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total()) if shared else float(said == wanted)


def word_error(answer: str, reference: str) -> float:
    """Words wrong, left out or put in, a word of the reference; 1 at most, so that one runaway transcript decides nothing."""
    import jiwer

    said, wanted = " ".join(plain_words(answer)), " ".join(plain_words(reference))
    return min(1.0, float(jiwer.wer(wanted, said))) if wanted else float(bool(said))


def json_of(answer: str) -> Any:
    """What an answer holds as JSON, a fence of Markdown around it aside. Raises: ValueError."""
    fenced = _FENCE.match(answer)
    return json.loads(fenced[1] if fenced else answer)


def fits_schema(answer: str, schema: Mapping[str, Any]) -> bool:
    from jsonschema import Draft202012Validator

    try:
        return bool(Draft202012Validator(schema).is_valid(json_of(answer)))
    except (ValueError, RecursionError):
        return False


def grounding(row: Row, answer: str, passages: Sequence[Passage]) -> dict[Score, float]:
    """`groundedness`: of the answer's sentences, the share that a passage it was shown bears out. `citations`: of the citations that
    code puts behind these, the share whose passage bears out the reference too. An answer that says the passages do not tell has
    no sentences to bear out, and neither score."""
    sentences = [s for s in split_sentences(MODEL_CITATION.sub("", answer)) if s.strip()]
    if not sentences or refuses(answer):
        return {}
    cited = Cited(row.question, passages)
    for sentence in sentences:
        cited.checked(sentence)
    borne_out = [find_support(sentence, row.question, passages) is not None for sentence in sentences]
    found: dict[Score, float] = {"groundedness": sum(borne_out) / len(borne_out)}
    citations = list(cited.citations())
    if citations and row.reference:
        right = [
            c.supported and c.passage is not None and find_support(row.reference, row.question, [c.passage]) is not None
            for c in citations
        ]
        found["citations"] = sum(right) / len(right)
    return found
