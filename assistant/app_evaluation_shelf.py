"""What evaluations in the page share: a person's data sets, the documents that they may search, and reasons in their language."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends

from assistant.app_errors import in_language
from assistant.app_routes import CurrentUser
from assistant.app_state import page
from assistant.evaluation.own import own_folder
from assistant.evaluation.sets import DataSets
from assistant.shelf import SHARED, Shelf

HIDDEN = ("thread-", "user-", "handbook")
"""Collections that are no choice: of single conversations, of other people, and the manual."""


def sets_of(user: CurrentUser) -> DataSets:
    return DataSets(own_folder(page().settings.home, user.identifier))


OwnSets = Annotated[DataSets, Depends(sets_of)]


def shelf_for(owner: str) -> Shelf:
    """On the event loop: two threads would open the documents twice. Raises: KnowledgeError, EngineError."""
    here = page()
    return Shelf(here.assistant.knowledge(), here.owners, owner, not here.settings.login)


def readable(shelf: Shelf) -> tuple[str, ...]:
    """Collections with documents that a person may read: their own and the shared one, and where login is off those of the command line."""
    known = {source.collection for source in shelf.knowledge.sources()}
    others = sorted(c for c in known if c not in shelf.collections and not c.startswith(HIDDEN))
    return tuple(c for c in (*shelf.collections, *(others if shelf.owns_all else ())) if c in known)


async def collection_choices(owner: str) -> list[dict[str, str]]:
    """{"id", "kind"}: `shared` stands for all of them; none where there is no document yet."""
    if not (page().settings.home / "knowledge").exists():
        return []
    shelf = shelf_for(owner)
    found = await asyncio.to_thread(readable, shelf)
    if not found:
        return []
    named = [{"id": c, "kind": "own" if c == shelf.own else "named"} for c in found if c != SHARED]
    return [{"id": SHARED, "kind": "all"}, *(named if len(found) > 1 else [])]


def meant(collection: str, every: Sequence[str]) -> list[str]:
    """The collections that a choice stands for; none where it is not theirs to read."""
    return list(every) if collection == SHARED else [c for c in every if c == collection]


def wrong(problems: Sequence[str], language: str) -> list[str]:
    """What is wrong with a row, in the language of the page."""
    return [in_language(problem, language) for problem in problems]


def plain_row(values: Any, name: str) -> str:
    value = values.get(name)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
