"""What became of a web page, a site or a table that was read, in a line of the page's language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from assistant.app_config import knowledge_texts
from assistant.app_errors import in_language
from knowledge.knowledge_base import Result

CHANGES = ("new", "changed", "gone")
NAMED = 5
"""So many of those that were not read are named."""


def what_became(results: Sequence[Result], language: str) -> str:
    """ "2 new, 1 changed." Pages are counted, of a table its rows; "" where nothing is known."""
    if not results:
        return ""
    words = knowledge_texts(language)
    if len(results) == 1 and not results[0].rows and results[0].outcome in ("new", "changed"):
        return words[f"became_one_{results[0].outcome}"]
    counts = _counts(results)
    parts = [words[f"became_{change}"].format(n=f"{counts[change]:,}") for change in CHANGES if counts.get(change)]
    failed = [in_language(result.why, language) for result in results if result.outcome == "failed"]
    said = [f"{', '.join(parts)}." if parts else words["became_same"]] if parts or len(failed) < len(results) else []
    said += [in_language(result.why, language) for result in results if result.outcome == "more"]
    if failed:
        said.append(words["became_failed"].format(n=len(failed)) + " " + " ".join(failed[:NAMED]))
    return " ".join(said)


def leaves_out(results: Sequence[Result]) -> bool:
    """Whether pages were not read, which somebody should see."""
    return any(result.outcome in ("failed", "more") for result in results)


def _counts(results: Sequence[Result]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.rows or {result.outcome: 1})
    return counts
