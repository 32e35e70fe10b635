"""A follow-up such as "and in the other contract?" made to stand alone, by code: what is asked, and what is searched for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.documents import Source
from knowledge.ranking import content_words, language_of
from tools.context import ToolContext
from tools.document_wishes import named_documents, without_names
from tools.grounded import EARLIER_CHARACTERS, FOLLOW_UP, FOLLOW_UP_WORDS

_LEAD = re.compile(
    r"^\s*(?:(?:and|or|also|but|so|then|what about|how about|et|ou|aussi|mais|alors|qu['’]en est-il de|und|oder|y|o|e)\b[\s,:]*)+",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"^(?:in|on|at|for|from|by|with|after|before|under|during|dans|sur|pour|chez|avec|après|avant|selon|à|au|aux|en|d['’]après"
    r"|for|bei|für|nach|im|auf|mit)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:the other|another|other one|l['’]autre|un autre|une autre|les autres|der andere|dem anderen)\b",
    re.IGNORECASE,
)
ASKS = re.compile(
    r"^(?:who|what|when|where|which|why|how|is|are|do|does|did|can|may|must|qui|que|quoi|quand|où|quel|quelle|quels|quelles|"
    r"comment|combien|pourquoi|est-ce|peut|faut|doit)\b",
    re.IGNORECASE,
)
_LEANS = re.compile(r"\b(?:it|they|them|that|this|he|she|il|ils|elle|elles|cela|ça|ce|y|en)\b", re.IGNORECASE)
"""Words that stand for something said before."""


@dataclass(frozen=True)
class Asked:
    """`alone` is the question as the model reads it; `searches` are the forms to search for, the likeliest first; `earlier` is
    the question it follows, "" where it follows none; `other` tells that another document is meant than before."""

    alone: str
    searches: Sequence[str]
    earlier: str = ""
    other: bool = False


def as_asked(context: ToolContext, sources: Sequence[Source]) -> Asked:
    """What the request asks, given what was asked before."""
    request = context.request.strip()
    questions = [m.content[:EARLIER_CHARACTERS].strip() for m in context.history if m.role == "user"]
    follows = bool(FOLLOW_UP.match(request)) or len(content_words(request)) <= FOLLOW_UP_WORDS
    if not questions or not follows:
        return Asked(request, [request])
    earlier, rest = _first_whole(questions), _LEAD.sub("", request).strip() or request
    other = bool(_OTHER.search(rest))
    alone = _alone(earlier, rest, other, sources)
    return Asked(alone, [alone, f"{earlier}\n{request}"], earlier, other)


def _first_whole(questions: Sequence[str]) -> str:
    """The last question that is no follow-up itself."""
    return next((q for q in reversed(questions) if not FOLLOW_UP.match(q)), questions[-1])


def _alone(earlier: str, rest: str, other: bool, sources: Sequence[Source]) -> str:
    """The earlier question asked of another document or case, or the new thing asked about."""
    named = named_documents(rest, sources, loosely=True)
    if other or _WHERE.match(rest) or (named and not without_names(rest, named)):
        plain = (without_names(earlier, named_documents(earlier, sources)) or earlier).rstrip(" ?.!")
        return plain + "?" if other else f"{plain} {rest.rstrip(' ?.!')}?"
    if ASKS.match(rest):
        leans = _LEANS.search(rest) or len(content_words(rest)) <= FOLLOW_UP_WORDS
        return f"{earlier} {rest}" if leans else rest
    about = "Qu'en est-il de ceci :" if language_of(f"{earlier} {rest}") == "fr" else "What about"
    return f"{about} {rest.rstrip(' ?.!')}{' ?' if about[0] == 'Q' else '?'}"
