"""Documents side by side: the same question asked of each, every answer with the page that bears it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from knowledge.documents import Passage, Source
from knowledge.evidence import nearest
from knowledge.knowledge_base import KnowledgeBase
from knowledge.ranking import language_of
from tools.answer_from_passages import longest, prompt
from tools.context import Cost, Notice, Progress, TextDelta, ToolContext, ToolOutput
from tools.document_wishes import without_names
from tools.document_words import Words
from tools.find_passages import find_in, in_another_language, is_beginning
from tools.follow_up import ASKS
from tools.grounded import Cited, refuses, sentences
from tools.plain_text import inert, inert_but_numbers
from tools.translated import translated

MOST_DOCUMENTS = 4
PASSAGES_EACH = 3


async def compare_documents(
    context: ToolContext, base: KnowledgeBase, request: str, sources: Sequence[Source], words: Words
) -> AsyncIterator[ToolOutput]:
    """Raises: EngineError."""
    question = as_question(request, sources)
    cited = Cited(question, ())
    for done, source in enumerate(sources):
        yield Progress(done / len(sources), text=source.title)
        answer = ""
        async for output in _told(context, base, question, source, cited, words):
            if isinstance(output, str):
                answer += output
            else:
                yield output
        yield TextDelta(f"- **{inert(source.title)}**: {answer.strip() or words.not_in_it}\n")
    for citation in cited.citations():
        yield citation
    if cited.doubtful:
        yield Notice(words.unmatched)


def as_question(request: str, sources: Sequence[Source]) -> str:
    """What is asked of each document by itself: "Compare the rent in A and B" asks what each says about the rent."""
    left = without_names(request, sources)
    if not left:
        return request
    if ASKS.match(left):
        return f"{left.rstrip('?. ')}?"
    french = language_of(request) == "fr"
    return f"Que dit ce document de ceci : {left} ?" if french else f"What does it say about {left}?"


async def _told(
    context: ToolContext, base: KnowledgeBase, question: str, source: Source, cited: Cited, words: Words
) -> AsyncIterator[ToolOutput | str]:
    """What one document says. One in another language is also searched in that, and asked in it where it seemed to say nothing."""
    cited.passages = await find_in(base, question, source, PASSAGES_EACH)
    wordings = [question]
    if cited.passages and in_another_language(question, cited.passages[0].text):
        spent: list[Cost] = []
        other = await translated(context, question, language_of(cited.passages[0].text), spent)
        for cost in spent:
            yield cost
        if other and other != question:
            wordings.append(other)
            cited.passages = await find_in(base, other, source, PASSAGES_EACH) or cited.passages
    if any(is_beginning(passage) for passage in cited.passages):
        yield Notice(words.cut.format(name=inert(source.title)))
    said = False
    for wording in wordings:
        async for output in _answer(context, wording, cited):
            said |= isinstance(output, str)
            yield output
        if said:
            return


async def _answer(context: ToolContext, question: str, cited: Cited) -> AsyncIterator[ToolOutput | str]:
    """The sentences that the passages of one document bear out; of another language also those that cannot be matched."""
    passages: Sequence[Passage] = cited.passages
    if not passages:
        return
    doubted = ""
    said = False
    async for sentence in sentences(context, prompt(question, passages), longest(context)):
        if not isinstance(sentence, str):
            yield sentence
        elif not said and refuses(sentence):
            return
        elif (numbered := cited.sentence(sentence)) != sentence:
            said = True
            yield inert_but_numbers(sentence, numbered)
        elif in_another_language(sentence, passages[0].text):
            doubted += sentence
    if doubted.strip() and not said:
        yield f"{inert(doubted.strip())} [{cited.doubt(nearest(doubted, passages))}]"
