"""Answers that stand on passages: sentences as the model says them, and the citations that code puts behind those borne out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from knowledge.documents import Passage
from knowledge.evidence import Support, find_support, nearest
from knowledge.ranking import content_words, plain_words
from tools.context import Citation, Cost, Progress, ToolContext, ToolOutput
from tools.engines.base import Message
from tools.prompts import NOT_IN_PASSAGES

FOLLOW_UP_WORDS = 1
EARLIER_CHARACTERS = 300
FOLLOW_UP = re.compile(r"^\s*(and|or|also|why|what about|et|ou|aussi|pourquoi|und|oder|warum|y|o|e)\b", re.IGNORECASE)
REFUSAL = re.compile(
    r"\b(?:not|n't|no)\b.{0,40}\b(?:mention|contain|provide|specif|state|includ|information|found)"
    r"|\bne\b.{0,30}\b(?:pas|aucune)\b.{0,40}\b(?:mention|conten|contien|fourn|précis|indiqu|information)"
    r"|\baucune information\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<=[.!?…。！？؟।])[\"»”')\]]*\s+|\n+")
MODEL_CITATION = re.compile(r"\s*\[\d+(?:,\s*\d+)*\]")


def refuses(sentence: str) -> bool:
    """Whether the model says that the passages do not tell."""
    return NOT_IN_PASSAGES in sentence or bool(REFUSAL.search(sentence))


def with_earlier_question(context: ToolContext) -> str:
    """The request; before a follow-up such as "and on which page?" the question it follows."""
    request = context.request
    earlier = [m.content for m in context.history if m.role == "user"]
    short = len(content_words(request)) <= FOLLOW_UP_WORDS
    if earlier and (short or FOLLOW_UP.match(request)):
        return f"{earlier[-1][:EARLIER_CHARACTERS]}\n{request}"
    return request


@dataclass
class Cited:
    """The answer as it grows: sentences with their numbers, and the passages that the numbers stand for."""

    question: str
    passages: Sequence[Passage]
    numbers: dict[str, int] = field(default_factory=dict)
    supports: list[Support] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)
    """The keys of `numbers` that stand behind sentences no passage bears out."""

    def sentence(self, text: str) -> str:
        """The sentence with its citation, if a passage bears it out; the space after it stays behind the number."""
        bare = text.rstrip()
        support = find_support(bare, self.question, self.passages)
        return text if support is None else _numbered(text, self.number(support))

    def checked(self, text: str) -> str:
        """As `sentence`; what no passage bears out gets the number of the passage to check it in, marked as unsupported."""
        cited = self.sentence(text)
        if cited != text or not _says_something(text, self.question):
            return cited
        return _numbered(text, self.doubt(nearest(text, self.passages)))

    def doubt(self, support: Support) -> int:
        """The number of a passage to check something in that it does not bear out word for word."""
        key = f"{support.passage.id}?"
        if key not in self.numbers:
            self.doubtful.add(key)
            self.numbers[key] = len(self.numbers) + 1
            self.supports.append(support)
        return self.numbers[key]

    @property
    def borne_out(self) -> bool:
        """Whether a passage bears out anything said so far."""
        return len(self.numbers) > len(self.doubtful)

    def number(self, support: Support) -> int:
        """The number of a passage: those of its first citation for all later ones."""
        if support.passage.id not in self.numbers:
            self.numbers[support.passage.id] = len(self.numbers) + 1
            self.supports.append(support)
        return self.numbers[support.passage.id]

    def citations(self) -> Iterator[Citation]:
        for (key, n), support in zip(self.numbers.items(), self.supports, strict=True):
            p, supported = support.passage, key not in self.doubtful
            yield Citation(n, p.source, p.title, p.page, p.start_s, support.quote, supported=supported, passage=p)


def _numbered(text: str, n: int) -> str:
    bare = text.rstrip()
    return f"{bare} [{n}]{text[len(bare) :]}"


def _says_something(sentence: str, question: str) -> bool:
    """Whether it says more than the question did; an introduction such as "Here it is:" needs no passage."""
    asked = set(plain_words(question))
    return not sentence.rstrip().endswith(":") and any(word not in asked for word in content_words(sentence))


async def sentences(
    context: ToolContext, messages: Sequence[Message], max_tokens: int
) -> AsyncIterator[str | ToolOutput]:
    """What the model says, a sentence at a time with the space that follows it; progress and cost in between."""
    text = ""
    async for chunk in context.text().stream(messages, max_tokens=max_tokens, temperature=0.0):
        if chunk.fraction is not None:
            yield Progress(chunk.fraction)
        if chunk.usage:
            yield Cost(chunk.usage)
        text += chunk.text
        while (end := SENTENCE_END.search(text)) and end.end() < len(text):
            yield MODEL_CITATION.sub("", text[: end.end()])
            text = text[end.end() :]
    if text.strip():
        yield MODEL_CITATION.sub("", text)
