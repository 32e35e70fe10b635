"""The passages that a question is answered from: of all documents, of those it names, or of one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from knowledge.documents import Passage, Source
from knowledge.evidence import coverage
from knowledge.knowledge_base import HANDBOOK, KnowledgeBase
from knowledge.ranking import content_words, language_of, plain_words
from knowledge.splitting import estimate_tokens, split_sentences
from tools.document_wishes import named_documents
from tools.follow_up import Asked

PASSAGES = 4
CANDIDATES = 12
CANDIDATES_OF_ONE = 48
PASSAGE_TOKENS = 375
DEARER_IN_OTHER_LANGUAGES = 1.27
CUT = "[…]"
"""Behind a passage of which only the beginning is shown."""

# Fitted on the development half of `tests/bench/answers.py`. A passage is shown to the model where it is near by words, by meaning,
# or somewhat by both.
SURE_COVERAGE = 0.5
LEAST_COVERAGE = 0.25
LEAST_SIMILARITY = 0.25
SURE_SIMILARITY = {"en": 0.35}
SURE_IN_OTHER_LANGUAGES = 0.45
"""The starter embedding tells meaning in English only."""


@dataclass(frozen=True)
class Found:
    """The passages to answer from, none where nothing fits, and how many fitted."""

    passages: Sequence[Passage]
    fitting: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether not all that fits could be shown."""
        return len(self.passages) < self.fitting or any(is_beginning(passage) for passage in self.passages)


async def find(
    base: KnowledgeBase, asked: Asked, sources: Sequence[Source], collections: Sequence[str], limit: int = PASSAGES
) -> Found:
    """The best passages of all documents; those of a document that the question names come first."""
    question, *also = asked.searches
    found = await base.search(question, k=CANDIDATES, collections=collections, also=also)
    found = _of_language(asked.alone, found)
    own = [source for source in sources if source.collection != HANDBOOK]
    if asked.other:
        before = await _before(base, asked.earlier, own, collections)
        found = [p for p in found if p.source not in before] or found
    if named := {source.source for source in named_documents(asked.alone, own)}:
        found = [*(p for p in found if p.source in named), *(p for p in found if p.source not in named)]
        if found and found[0].source in named:
            found = [p for p in found if p.source in named]
    best = _word_for_word(asked.alone, found) or _both_ways(found)[:limit]
    fitting = [p for p in best if is_near(asked.alone, p)]
    if not fitting:
        own_thread = collections[0]
        fitting = [p for p in best if p.collection == own_thread and in_another_language(asked.alone, p.text)]
    return Found(fit(fitting), len(fitting))


def _word_for_word(question: str, found: Sequence[Passage]) -> list[Passage]:
    """The passages that hold the whole question, as a list of questions and answers does."""
    words = " ".join(plain_words(question))
    return [p for p in found if f" {words} " in f" {' '.join(plain_words(p.text))} "]


def _both_ways(found: Sequence[Passage]) -> list[Passage]:
    """By score and by meaning alone, taking turns: where the question has other words than the answer, a passage that shares a
    common word with it scores too high."""
    by_meaning = sorted(found, key=lambda p: -p.similarity)
    turns = [passage for pair in zip(found, by_meaning, strict=True) for passage in pair]
    return list({passage.id: passage for passage in turns}.values())


async def _before(base: KnowledgeBase, earlier: str, own: Sequence[Source], collections: Sequence[str]) -> set[str]:
    """The documents that the earlier question was about: those it names, else the one that fitted it best."""
    named = {source.source for source in named_documents(earlier, own, loosely=True)}
    return named or {p.source for p in await base.search(earlier, k=1, collections=collections)}


async def find_in(base: KnowledgeBase, question: str, source: Source, limit: int = 2) -> list[Passage]:
    """The best passages of one document, whatever else there is."""
    found = await base.search(question, k=CANDIDATES_OF_ONE, collections=[source.collection])
    found = [p for p in found if p.source == source.source]
    if not found:
        words = content_words(question)
        every = await base.passages(source.source, collection=source.collection)
        found = sorted(every, key=lambda p: coverage(words, p.text), reverse=True)
    return fit(found[:limit])


def _of_language(question: str, found: Sequence[Passage]) -> list[Passage]:
    """The manual comes in two languages; the one of the question is enough."""
    ending = ".fr.md" if language_of(question) == "fr" else ".en.md"
    return [p for p in found if p.collection != HANDBOOK or p.source.endswith(ending)]


def is_near(question: str, passage: Passage) -> bool:
    """Whether a passage may answer the question: by the words it shares, by its meaning, or by some of both."""
    share = coverage(content_words(question), passage.text)
    sure = SURE_SIMILARITY.get(language_of(question), SURE_IN_OTHER_LANGUAGES)
    near = share >= LEAST_COVERAGE and passage.similarity >= LEAST_SIMILARITY
    return share >= SURE_COVERAGE or passage.similarity >= sure or near


def fit(passages: Sequence[Passage], room: int = PASSAGE_TOKENS) -> list[Passage]:
    """As many as the prompt has room for, the first in any case; where it is too long alone, its beginning."""
    kept: list[Passage] = []
    for passage in passages:
        cost = _tokens(passage.text)
        if cost > room:
            break
        kept.append(passage)
        room -= cost
    if passages and not kept:
        kept = [replace(passages[0], text=_beginning(passages[0].text, room))]
    return kept


def is_beginning(passage: Passage) -> bool:
    return passage.text.endswith(CUT)


def _beginning(text: str, room: int) -> str:
    """Whole sentences, and a mark that more follows; of a sentence that is too long itself, its beginning."""
    said = ""
    for sentence in split_sentences(text):
        if said and _tokens(f"{said} {sentence}") > room:
            break
        said = f"{said} {sentence}".strip()
    return f"{said[: 4 * room]} {CUT}"


def _tokens(text: str) -> int:
    """Models are taught in English: of other languages a word is more tokens, by 27 % in what was counted."""
    return round(estimate_tokens(text) * (1 if language_of(text) == "en" else DEARER_IN_OTHER_LANGUAGES))


def in_another_language(text: str, passage: str) -> bool:
    """Then the words of one are not found in the other, although it may say the same."""
    return language_of(text) != language_of(passage)
