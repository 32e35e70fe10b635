"""Web pages and databases as sources of documents, for the command line and the page: opened with the values of the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from assistant.recordings import drop_heard
from assistant.settings import Settings, with_variables
from knowledge import kept_files
from knowledge.addresses import FetchPolicy
from knowledge.fetching import Fetcher
from knowledge.knowledge_base import KnowledgeBase
from knowledge.origins import Origins
from knowledge.sql import Database
from knowledge.table_sources import TableSources
from knowledge.web_sources import IndexFile, WebSources


@dataclass(frozen=True)
class Sources:
    origins: Origins
    web: WebSources
    tables: TableSources


@contextlib.asynccontextmanager
async def open_sources(settings: Settings, base: KnowledgeBase, index: IndexFile) -> AsyncIterator[Sources]:
    """`index` makes a document of a fetched file. Raises: KnowledgeError."""
    async with Fetcher(fetch_policy(settings)) as fetcher:
        with contextlib.closing(Origins(settings.home / "knowledge")) as origins:
            tidy_origins(origins, base)
            tables = TableSources(base, origins, open_database, offline=settings.offline)
            yield Sources(origins, WebSources(base, origins, fetcher, index), tables)


def fetch_policy(settings: Settings) -> FetchPolicy:
    return FetchPolicy(
        private_hosts=settings.fetch_private_hosts,
        max_bytes=settings.max_upload_mb * 1_000_000,
        proxies=settings.proxies,
        offline=settings.offline,
    )


def open_database(address: str) -> Database:
    """`address` may name variables of the environment: postgresql://${DB_USER}:${DB_PASSWORD}@host/name.

    Raises: KnowledgeError, SettingsError.
    """
    return Database(address, with_variables(address))


def tidy_origins(origins: Origins, base: KnowledgeBase) -> None:
    """Whatever was taken out of the knowledge base, wherever that was done, is not read again."""
    origins.tidy({(source.collection, source.source) for source in base.sources() if source.state == "indexed"})


def drop_kept(settings: Settings, base: KnowledgeBase, sha256s: Iterable[str]) -> None:
    """To be called after documents were taken out, with their contents: what was kept of them goes with the last document of
    a content, also their transcripts and the pages that they were found on. Raises: KnowledgeError, OSError."""
    kept_files.drop(settings.home / "kept", sha256s, {source.sha256 for source in base.sources()})
    drop_heard(settings, base)
    _forget_origins(settings, base)


def _forget_origins(settings: Settings, base: KnowledgeBase) -> None:
    with contextlib.closing(Origins(settings.home / "knowledge")) as origins:
        tidy_origins(origins, base)
