"""The commands that tune a search: fit, tag, and the filters of `search`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from assistant.bootstrap import build_assistant
from assistant.cli_documents import kept_for_good
from assistant.cli_output import DONE, CallerError, note, print_json, print_text
from assistant.settings import Settings
from knowledge.fitting import GRID, Fit
from knowledge.knowledge_base import Filter, KnowledgeBase, Source
from knowledge.ranking import DENSE_WEIGHT


async def fit(settings: Settings, collection: str, questions: Path | None, json_lines: bool) -> int:
    """Raises: CallerError when there is no such collection."""
    assistant = build_assistant(settings)
    try:
        knowledge = assistant.knowledge()
        known = sorted({source.collection for source in knowledge.sources()})
        if collection not in known:
            raise CallerError(f"There is no collection {collection}. There are: {', '.join(known) or 'none yet'}.")
        fitted = await knowledge.fit(collection, questions)
    finally:
        await assistant.close()
    if fitted is None:
        note(f"{collection} holds too few documents to tell; meaning keeps its weight of {DENSE_WEIGHT}.")
    elif json_lines:
        print_json({"collection": collection, **asdict(fitted)})
    else:
        print_text(_fitted(collection, fitted))
    return DONE


def _fitted(collection: str, fitted: Fit) -> str:
    measured = "  ".join(f"{dense:.1f} {gain:.3f}" for dense, gain in zip(GRID, fitted.gains, strict=True))
    return (
        f"{collection}: meaning counts {fitted.dense:.1f}, words {1 - fitted.dense:.1f}.\n"
        f"nDCG@10 on {fitted.questions} questions, by the weight of meaning: {measured}\n"
    )


async def tag(settings: Settings, source: str, tags: Sequence[str], json_lines: bool) -> int:
    """Raises: CallerError when there is no such source."""
    assistant = build_assistant(settings)
    try:
        knowledge = assistant.knowledge()
        found = _named(knowledge, source)
        kept = [await knowledge.tag(one.source, tags, collection=one.collection) for one in found]
    finally:
        await assistant.close()
    for one, its in zip(found, kept, strict=True):
        if json_lines:
            print_json({"source": one.source, "collection": one.collection, "tags": its})
        else:
            print_text(f"{one.source}: {', '.join(its) or 'no tags'}\n")
    return DONE


def _named(knowledge: KnowledgeBase, source: str) -> list[Source]:
    names = {source, str(Path(source).expanduser().absolute())}
    found = [known for known in kept_for_good(knowledge) if known.source in names]
    if not found:
        raise CallerError(f"There is no source {source}. `assistant sources` lists what there is.")
    return found


def filter_of(
    sources: Sequence[str], kinds: Sequence[str], tags: Sequence[str], since: str, until: str, pages: str
) -> Filter:
    """Raises: CallerError where a day or the pages cannot be read."""
    for day in filter(None, (since, until)):
        try:
            date.fromisoformat(day)
        except ValueError as error:
            raise CallerError(f"{day} is not a day. Write it like 2026-11-24.") from error
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", pages.strip())
    if pages and not match:
        raise CallerError(f"{pages} are no pages. Write 3 or 3-7.")
    between = (int(match[1]), int(match[2] or match[1])) if match else None
    named = [name for source in sources for name in (source, str(Path(source).expanduser().absolute()))]
    return Filter(tuple(named), tuple(kinds), tuple(tags), since, until, between)
