"""What reading documents in costs, and whoever chats meanwhile: `python -m tests.bench.ingest [--pages 400] [--files 10000]`.

Seconds until the first pages of a long PDF answer; embedding beside the runtime's own throughput; time to the first token of an
answer of the default model, each to a new question, and of a search, idle and while documents are read in, measured in turns;
how long putting many files in the queue takes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.events import TextDelta
from assistant.settings import Chat, Settings
from knowledge.knowledge_base import KnowledgeBase
from tests.conftest import MODELS
from tests.documents import write_pdf
from tests.quick_words import working

CHAT = "llama-cpp:qwen2.5-coder-1.5b-instruct"
ASKED = "Write a sentence about the {}."
ROUNDS = 9
LIMIT_RATIO = 1.3
WORDS = (
    "harbour",
    "bread",
    "delivery",
    "contract",
    "engine",
    "winter",
    "ledger",
    "garden",
    "signal",
    "window",
    "river",
)


def page_text(number: int) -> str:
    return " ".join(f"{WORDS[(number * 7 + i) % len(WORDS)]}{(number + i) % 9}" for i in range(14))


async def first_token_s(assistant: Assistant, question: str) -> float:
    began = time.perf_counter()
    turn = Turn(question, tool="write_text", options={"max_tokens": 8, "temperature": 0.0})
    first = 0.0
    async with aclosing(assistant.reply(turn)) as events:
        async for event in events:
            if isinstance(event, TextDelta) and not first:
                first = time.perf_counter() - began
    return first


async def search_s(base: KnowledgeBase) -> float:
    began = time.perf_counter()
    await base.search("When does the bread arrive at the harbour?")
    return time.perf_counter() - began


@asynccontextmanager
async def ingesting(base: KnowledgeBase, path: Path):
    """A long document is being embedded meanwhile."""
    async with working(base):
        [job] = base.enqueue([path])
        while next(j for j in base.jobs() if j.id == job.id).state != "indexing":
            await asyncio.sleep(0.05)
        yield
        await base.cancel(job.id)
        await base.ended([job.id])


async def beside_chat(assistant: Assistant, base: KnowledgeBase, long: Path) -> None:
    await first_token_s(assistant, "Why is the sky blue?")
    await search_s(base)
    subjects = iter(f"{a} and the {b}" for a, b in itertools.combinations(WORDS, 2))
    tokens: dict[str, list[float]] = {"idle": [], "reading": []}
    searches: dict[str, list[float]] = {"idle": [], "reading": []}
    for _ in range(ROUNDS):
        tokens["idle"].append(await first_token_s(assistant, ASKED.format(next(subjects))))
        searches["idle"].append(await search_s(base))
        async with ingesting(base, long):
            tokens["reading"].append(await first_token_s(assistant, ASKED.format(next(subjects))))
            searches["reading"].append(await search_s(base))
    for name, times in (("first token", tokens), ("search", searches)):
        idle, reading = (statistics.median(times[when]) for when in ("idle", "reading"))
        print(f"{name}: {idle * 1e3:.0f} ms idle, {reading * 1e3:.0f} ms while reading, ratio {reading / idle:.2f}")
    print(f"  goal for the first token: at most {LIMIT_RATIO}")


async def first_pages(base: KnowledgeBase, folder: Path, pages: int) -> None:
    path = write_pdf(folder / "long.pdf", [page_text(n) for n in range(pages)])
    async with working(base):
        began = time.perf_counter()
        [job] = base.enqueue([path])
        returned = time.perf_counter() - began
        while not await base.search(page_text(0), k=1):
            await asyncio.sleep(0.05)
        answers = time.perf_counter() - began
        await base.ended([job.id])
        whole = time.perf_counter() - began
    print(f"{pages} pages: enqueue {returned * 1e3:.0f} ms, first answer {answers:.1f} s, whole {whole:.1f} s")


async def throughput(assistant: Assistant, base: KnowledgeBase, folder: Path) -> None:
    texts = [" ".join(f"{WORDS[(n + i) % len(WORDS)]} {n}" for i in range(70)) for n in range(160)]
    embedder = assistant.engines.embedding()
    await embedder.embed(texts[:8])
    began = time.process_time()
    await embedder.embed(texts)
    bare = len(texts) / (time.process_time() - began)
    began = time.process_time()
    await base.embedders.anew(texts)
    ours = len(texts) / (time.process_time() - began)
    print(f"embedding: {bare:.1f} texts per CPU second bare, {ours:.1f} as documents are, ratio {ours / bare:.2f}")


async def many_files(base: KnowledgeBase, folder: Path, files: int) -> None:
    many = folder / "many"
    many.mkdir()
    for number in range(files):
        (many / f"{number}.txt").write_text(f"Locker {number} belongs to keeper {number * 7}.", "utf-8")
    began = time.perf_counter()
    base.enqueue(sorted(many.iterdir()))
    print(f"{files} files: in the queue after {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    async with working(base):
        await asyncio.sleep(20)
    done = sum(job.state == "done" for job in base.jobs())
    print(f"  {done / (time.perf_counter() - began):.1f} files a second")


async def main(pages: int, files: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "models").symlink_to(MODELS)
        assistant = build_assistant(Settings(home=home, chat=Chat(model=CHAT)))
        base = assistant.knowledge()
        long = home / "long.txt"
        long.write_text("\n\n".join(f"{page_text(n)}. " * 9 for n in range(5000)), "utf-8")
        await throughput(assistant, base, home)
        await first_pages(base, home, pages)
        await beside_chat(assistant, base, long)
        await many_files(base, home, files)
        await assistant.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=400)
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    asyncio.run(main(options.pages, options.files))
