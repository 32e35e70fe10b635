"""An ordinary question answered from the passages that fit it: found, shown to the model, and its sentences checked by code.

The model sees only what was found. What it says is kept only where a passage bears it out; a question that no passage fits gets
"not found" without asking the model at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import takewhile

from knowledge.answerable import is_kind_asked
from knowledge.contradictions import differing
from knowledge.documents import Passage, Source
from knowledge.evidence import Support, coverage, find_support, in_context
from knowledge.knowledge_base import KnowledgeBase
from knowledge.ranking import content_words, plain_words
from knowledge.splitting import split_sentences
from tools.context import Citation, Cost, Notice, TextDelta, ToolContext, ToolOutput
from tools.document_words import Words
from tools.engines.base import Message
from tools.find_passages import find, in_another_language
from tools.follow_up import Asked
from tools.grounded import Cited, refuses, sentences
from tools.plain_text import flat, inert, inert_but_numbers
from tools.prompts import ANSWER_FROM_PASSAGES, IS_ANSWER, IS_ANSWER_EXAMPLES, PASSAGES_EXAMPLES
from tools.transcript import short_stamp

ANSWER_TOKENS = 400
QUOTE_CHARACTERS = 200

# Fitted on the development half of `tests/bench/answers.py`.
LEAST_QUOTE_COVERAGE = 0.5
"""Of the answer's words by the sentence that bears it out best and those beside it."""
LONGEST_OF_ONE_SENTENCE = 12
"""Content words; a longer answer may gather what stands in several places."""
SENTENCES_BELOW = 4
SURE_LIKENESS = 0.42
LEAST_LIKENESS = 0.25
"""Of the question and the sentence that answers it; for the least, also that sentence with its neighbours."""


async def answer_from_passages(
    context: ToolContext, base: KnowledgeBase, asked: Asked, sources: Sequence[Source], not_found: str, words: Words
) -> AsyncIterator[ToolOutput]:
    """Sentences as they are complete; nothing is shown before one of them is borne out."""
    found = await find(base, asked, sources, context.collections)
    if not found.passages:
        yield TextDelta(not_found)
        return
    if len(found.passages) < found.fitting:
        yield Notice(words.left_out.format(read=len(found.passages), all=found.fitting))
    elif found.is_cut:
        yield Notice(words.cut.format(name=inert(found.passages[0].title)))
    cited = Cited(asked.alone, found.passages)
    held: list[str] = []
    async for output in _sentences(context, base, cited, held):
        yield output
    if cited.borne_out:
        async for output in _ending(cited, asked, found.passages, words):
            yield output
    elif (said := "".join(held).rstrip()) and in_another_language(said, found.passages[0].text):
        yield TextDelta(f"{inert(said)} [1]")
        yield unverified(1, found.passages[0])
        yield Notice(words.unmatched)
    elif told := told_below(asked.alone, found.passages[0]):
        yield TextDelta(f"{inert(told)} [{cited.number(Support(found.passages[0], split_sentences(told)[0]))}]")
        for citation in cited.citations():
            yield citation
    else:
        yield TextDelta(not_found)


def told_below(question: str, passage: Passage) -> str:
    """What stands below the question where a passage holds it as a line of its own, as manuals do: a small model may not see that
    this answers it. "" where none does."""
    lines = passage.text.splitlines()
    asked = plain_words(question)
    at = next((i for i, line in enumerate(lines) if asked and plain_words(line) == asked), None)
    if at is None:
        return ""
    below = takewhile(lambda line: not line.rstrip().endswith("?"), lines[at + 1 :])
    return " ".join(split_sentences("\n".join(below))[:SENTENCES_BELOW])


async def _sentences(
    context: ToolContext, base: KnowledgeBase, cited: Cited, held: list[str]
) -> AsyncIterator[ToolOutput]:
    """What the model says, from the first sentence on that a passage bears out. `held` is left with what nothing bears out, and
    empty where the passages do not tell."""
    async for piece in sentences(context, prompt(cited.question, cited.passages), longest(context)):
        if not isinstance(piece, str):
            yield piece
            continue
        held.append(piece)
        if not cited.borne_out:
            spent: list[Cost] = []
            refused = refuses(piece) or not await _may_answer(context, base, cited, piece, spent)
            for cost in spent:
                yield cost
            if refused:
                held.clear()
                return
            if find_support(piece, cited.question, cited.passages) is None:
                continue
        for sentence in held:
            yield TextDelta(inert_but_numbers(sentence, cited.checked(sentence)))
        held.clear()


async def _may_answer(
    context: ToolContext, base: KnowledgeBase, cited: Cited, sentence: str, spent: list[Cost]
) -> bool:
    """Whether one place of a passage bears most of it out, is about the question, and it is the kind of answer asked for. Where
    neither all of the question's words nor meaning tell surely, the model is asked for a second opinion, whose cost is added to `spent`."""
    question = cited.question
    if not is_kind_asked(question, sentence):
        return False
    support = find_support(sentence, question, cited.passages)
    if support is None:
        return True
    told = content_words(sentence)
    if len(told) <= LONGEST_OF_ONE_SENTENCE and coverage(told, in_context(support)) < LEAST_QUOTE_COVERAGE:
        return False
    asked = content_words(question)
    if coverage(asked, support.passage.text) == 1.0 or await base.likeness(question, support.quote) >= SURE_LIKENESS:
        return True
    if (
        not coverage(asked, support.quote)
        and await base.likeness(question, support.quote, in_context(support)) < LEAST_LIKENESS
    ):
        return False
    return await _second_opinion(context, question, sentence, flat(support.quote), spent)


async def _second_opinion(context: ToolContext, question: str, sentence: str, source: str, spent: list[Cost]) -> bool:
    """The model judges question, answer and source alone, in a word."""
    asked = Message("user", f"Source: {source}\nQuestion: {question}\nAnswer: {sentence.strip()}")
    examples = [Message(role, text) for role, text in IS_ANSWER_EXAMPLES]
    verdict = ""
    async for chunk in context.text().stream(
        [Message("system", IS_ANSWER), *examples, asked], max_tokens=2, temperature=0.0
    ):
        verdict += chunk.text
        if chunk.usage:
            spent.append(Cost(chunk.usage))
    return verdict.strip().lower().startswith("y")


async def _ending(cited: Cited, asked: Asked, passages: Sequence[Passage], words: Words) -> AsyncIterator[ToolOutput]:
    """What other passages say against it, and the citations."""
    conflict = sorted(differing(asked.alone, passages), key=lambda s: s.passage.id not in cited.numbers)
    if len(conflict) > 1 and any(support.passage.id in cited.numbers for support in conflict):
        said = [words.says.format(title=inert(_where(s.passage, words)), quote=inert(flat(s.quote))) for s in conflict]
        numbered = [f"{line} [{cited.number(s)}]" for line, s in zip(said, conflict, strict=True)]
        yield TextDelta(f"\n\n{words.differ} {'; '.join(numbered)}.")
    for citation in cited.citations():
        yield citation


def prompt(question: str, passages: Sequence[Passage]) -> list[Message]:
    shown = "\n\n".join(f"{p.title}{_place(p)}:\n{p.text}" for p in passages)
    return [
        Message("system", ANSWER_FROM_PASSAGES),
        *(Message(role, text) for role, text in PASSAGES_EXAMPLES),
        Message("user", f"Passages:\n{shown}\n\nQuestion: {question}"),
    ]


def longest(context: ToolContext) -> int:
    return min(ANSWER_TOKENS, int(context.options.get("max_tokens", ANSWER_TOKENS)))


def unverified(n: int, passage: Passage) -> Citation:
    """The passage that the answer was written from, without a word for word match."""
    p = passage
    quote = p.text[:QUOTE_CHARACTERS]
    return Citation(n, p.source, p.title, p.page, p.start_s, quote, supported=False, passage=p)


def _place(passage: Passage) -> str:
    """Where in its document a passage stands: a page, a time of a recording, or its place in words."""
    if passage.page:
        return f", page {passage.page}"
    if passage.start_s is not None:
        return f", {short_stamp(passage.start_s)}"
    return f", {passage.place}" if passage.place else ""


def _where(passage: Passage, words: Words) -> str:
    return (
        f"{passage.title}, {words.page.format(n=passage.page)}" if passage.page else f"{passage.title}{_place(passage)}"
    )
