"""Where documents of the list came from, when they were last compared with it, and what was found then."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.app_errors import told
from assistant.app_results import what_became
from assistant.settings import Settings
from assistant.shelf import Shelf
from knowledge.documents import KnowledgeError
from knowledge.elsewhere import Ended
from knowledge.origins import Origin, Origins

log = logging.getLogger(__name__)


def synced_documents(settings: Settings, shelf: Shelf, language: str) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """By collection and source: what can be read anew, with `kind`, `address`, `refreshed` (ISO 8601 in UTC) and in words how the
    last try ended; nothing where that cannot be read, so that the list is there all the same. Blocks."""
    if not (settings.home / "knowledge" / "origins.sqlite3").exists():
        return {}
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    try:
        ended = shelf.knowledge.last_ended(shelf.collections)
        with contextlib.closing(Origins(settings.home / "knowledge")) as origins:
            for collection in shelf.collections:
                for source, origin in origins.by_document(collection).items():
                    last = ended.get((collection, origin.address))
                    found[collection, source] = _plain(origin, source, last, shelf.owns_all, language)
    except KnowledgeError as error:
        log.warning("where documents came from cannot be told: %s", error)
    return found


def fetched_page(home: Path, source: str, collection: str) -> dict[str, str | None]:
    """What lies here of a web page: {"file", "mime", "charset", "fetched" (ISO 8601 in UTC)}, all None where nothing does. Blocks."""
    found = None
    if (home / "knowledge" / "origins.sqlite3").exists():
        try:
            with contextlib.closing(Origins(home / "knowledge")) as origins:
                found = origins.original(source, collection)
        except KnowledgeError as error:
            log.warning("what was fetched cannot be told: %s", error)
    if found is None:
        return {"file": None, "mime": None, "charset": None, "fetched": None}
    kept, file = found
    return {
        "file": str(file),
        "mime": kept.content_type.partition(";")[0].strip().lower() or "text/html",
        "charset": kept.charset or "utf-8",
        "fetched": kept.fetched,
    }


def _plain(origin: Origin, source: str, last: Ended | None, databases: bool, language: str) -> dict[str, Any]:
    failed = last is not None and last.state == "failed"
    return {
        "kind": origin.kind,
        "address": origin.address,
        "refreshed": origin.refreshed,
        "refreshes": origin.kind != "database" or databases,
        "failed": failed,
        "said": _said(last, origin, source, language) if last else "",
    }


def _said(last: Ended, origin: Origin, source: str, language: str) -> str:
    """Of a site only what became of this page, where it began all."""
    if last.state == "failed":
        return told(last.message, last.remedy, language)
    return what_became([result for result in last.results if source in (origin.address, result.source)], language)
