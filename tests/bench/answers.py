"""How often an answer from documents cites the right page, and how often it admits that they do not tell.

120 questions over ten documents of several pages (`answers-documents.jsonl`, made into PDF), worded unlike the passages: a
development half, on which the tool's thresholds were fitted, and a test half. Per half: 30 that one page answers, 15 that
nothing answers, 15 that need two documents. The model's replies are kept by prompt in the work folder, so that a run goes on
where it was broken off, and a changed threshold costs no model time:
`python -m tests.bench.answers MODELS_FOLDER WORK_FOLDER [--half dev|test] [--kind one|none|two] [--first N] [--retrieval] [--verbose]`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from knowledge.handbook import install_handbook
from knowledge.knowledge_base import HANDBOOK, KnowledgeBase
from tools.context import Citation, TextDelta, ToolContext
from tools.engines.base import EngineOptions, Message, TextChunk, TextGenerator, Usage
from tools.engines.device import DeviceArbiter
from tools.engines.llama_cpp import load_text
from tools.engines.onnx import load_embedding
from tools.search_knowledge import search_knowledge

HERE = Path(__file__).parent
MODEL = "qwen2.5-coder-1.5b-instruct"
PROMPT_TOKENS = 700


@dataclass(frozen=True)
class Question:
    """`kind` is one, none or two: how many documents answer it. `pages` are [document, page]."""

    id: str
    kind: str
    question: str
    pages: Sequence[Sequence[Any]]
    expected: Sequence[str]


@dataclass
class Outcome:
    question: Question
    answer: str
    citations: list[Citation]
    seconds: float

    @property
    def answered(self) -> bool:
        return bool(self.citations)

    @property
    def cited(self) -> set[tuple[str, int | None]]:
        return {(c.source, c.page) for c in self.citations}

    @property
    def known(self) -> set[tuple[str, int | None]]:
        return {(document, page) for document, page in self.question.pages}

    @property
    def page_right(self) -> bool:
        """The known page is the first one cited; where two documents are needed, both of their pages are cited."""
        first = {(c.source, c.page) for c in self.citations[:1]}
        return self.known <= (first if self.question.kind == "one" else self.cited)

    @property
    def content_right(self) -> bool:
        said = [w.lower() in self.answer.lower() for w in self.question.expected]
        return all(said) if self.question.kind == "two" else any(said)


@dataclass
class CachedText:
    """A text engine whose replies are kept in a file by the hash of model and prompt."""

    engine: TextGenerator
    path: Path
    longest_prompt: int = 0
    replies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.card, self.context_tokens = self.engine.card, self.engine.context_tokens
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        self.replies = {row["key"]: row["reply"] for row in map(json.loads, lines)}

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[TextChunk]:
        self.longest_prompt = max(self.longest_prompt, await self.engine.count_tokens(messages))
        asked = [self.card.id, [asdict(m) for m in messages], max_tokens, temperature, json_schema]
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        if key not in self.replies:
            chunks = self.engine.stream(
                messages, max_tokens=max_tokens, temperature=temperature, json_schema=json_schema
            )
            self._keep(key, "".join([chunk.text async for chunk in chunks]))
        yield TextChunk(self.replies[key])
        yield TextChunk(usage=Usage())

    def _keep(self, key: str, reply: str) -> None:
        self.replies[key] = reply
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "reply": reply}, ensure_ascii=False) + "\n")

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return await self.engine.count_tokens(messages)


def questions(half: str, kind: str = "") -> list[Question]:
    rows = map(json.loads, (HERE / f"answers-{half}.jsonl").read_text("utf-8").splitlines())
    return [question for row in rows if (question := Question(**row)).kind.startswith(kind)]


def write_documents(folder: Path) -> list[Path]:
    """The ten documents as PDF, a page of text a page."""
    pages: dict[str, list[str]] = {}
    for row in map(json.loads, (HERE / "answers-documents.jsonl").read_text("utf-8").splitlines()):
        pages.setdefault(row["document"], []).append(row["text"])
    return [_write_pdf(folder / name, texts) for name, texts in pages.items()]


def _write_pdf(path: Path, pages: Sequence[str]) -> Path:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    for page in pages:
        text = canvas.beginText(60, 780)
        for paragraph in page.splitlines():
            for line in textwrap.wrap(paragraph, 85):
                text.textLine(line)
            text.textLine("")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return path


async def open_base(work: Path, embed: Any, name: str) -> KnowledgeBase:
    """The documents and the manual, indexed; what is indexed already costs nothing."""
    base = KnowledgeBase(work / "knowledge", embed, name)
    await install_handbook(base)
    for path in write_documents(work):
        await base.add(path, source=path.name, title=path.name)
    return base


async def ask(base: KnowledgeBase, text: Any, question: Question) -> Outcome:
    context = ToolContext(
        request=question.question,
        history=[],
        attachments=[],
        thread_attachments=[],
        collections=["thread-bench", "shared", HANDBOOK],
        artifacts=Path(),
        stop=threading.Event(),
        text=lambda: text,
        speech=None,  # type: ignore[arg-type]
        image=None,  # type: ignore[arg-type]
        knowledge=lambda: base,
    )
    began = time.monotonic()
    outputs = [output async for output in search_knowledge(context)]
    answer = "".join(o.text for o in outputs if isinstance(o, TextDelta)).strip()
    return Outcome(question, answer, [o for o in outputs if isinstance(o, Citation)], time.monotonic() - began)


def report(outcomes: Sequence[Outcome]) -> str:
    one, none, two = ([o for o in outcomes if o.question.kind == kind] for kind in ("one", "none", "two"))
    answered = [o for o in (*one, *two) if o.answered]
    lines = [
        _share("citation page right, of answered", sum(o.page_right for o in answered), len(answered), "≥ 90 %"),
        _share("  of those one page answers", sum(o.page_right for o in one), sum(o.answered for o in one)),
        _share("  of those two documents answer", sum(o.page_right for o in two), sum(o.answered for o in two)),
        _share("unanswerable refused", sum(not o.answered for o in none), len(none), "≥ 90 %"),
        _share("answerable refused", len(one) + len(two) - len(answered), len(one) + len(two), "≤ 15 %"),
        _share("answer holds what was expected", sum(o.content_right for o in answered), len(answered)),
    ]
    return "\n".join(lines)


def _share(name: str, count: int, of: int, target: str = "") -> str:
    return f"{name:34} {count:3} of {of:3}  {100 * count / of if of else 0:5.1f} %  {target}"


async def print_retrieval(base: KnowledgeBase, asked: Sequence[Question]) -> None:
    """How often the known pages are among the passages found, without any model."""
    for k in (1, 2, 3, 4, 8):
        hits = total = 0
        for question in asked:
            found = await base.search(question.question, k=k, collections=["shared", HANDBOOK])
            pages = {(p.source, p.page) for p in found}
            hits += sum((document, page) in pages for document, page in question.pages)
            total += len(question.pages)
        print(_share(f"known pages among the best {k}", hits, total))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--half", default="dev", choices=["dev", "test"])
    parser.add_argument("--kind", default="", choices=["one", "none", "two"])
    parser.add_argument("--first", type=int, help="only so many questions")
    parser.add_argument("--retrieval", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    engines = EngineOptions(options.models, DeviceArbiter())
    embedder = load_embedding("all-MiniLM-L6-v2", engines)
    base = await open_base(options.work, embedder.embed, embedder.name)
    asked = questions(options.half, options.kind)[: options.first]
    try:
        if options.retrieval:
            await print_retrieval(base, asked)
            return
        text = CachedText(load_text(MODEL, engines), options.work / "replies.jsonl")
        outcomes: list[Outcome] = []
        for question in asked:
            outcomes.append(await ask(base, text, question))
            if options.verbose:
                _print(outcomes[-1])
        print(report(outcomes))
        print(f"longest prompt: {text.longest_prompt} tokens (≤ {PROMPT_TOKENS})")
    finally:
        await base.close()


def _print(outcome: Outcome) -> None:
    question = outcome.question
    good = outcome.page_right if question.pages else not outcome.answered
    verdict = ("ok" if good else "WRONG") if outcome.answered or not question.pages else "refused"
    print(f"{verdict:8}{question.id:8}{outcome.seconds:5.1f}s {question.question}  {list(map(tuple, question.pages))}")
    print(f"        {outcome.answer!r}")
    for c in outcome.citations:
        print(f"        [{c.n}] {c.source} p{c.page}: {c.quote[:120]!r}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
