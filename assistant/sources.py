"""Web pages and databases as sources of documents, for the command line and the page: opened with the values of the settings.

Both put them in the queue (`put_in_queue`); whichever process works it off reads them (`read_elsewhere`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from assistant.recordings import drop_heard
from assistant.settings import Settings, SettingsError, with_variables
from knowledge import kept_files
from knowledge.addresses import FetchPolicy
from knowledge.archives import is_archive
from knowledge.elsewhere import Outcome
from knowledge.fetching import Fetcher, parse_url
from knowledge.ingest import Stopped
from knowledge.knowledge_base import Elsewhere, Ingest, Job, KnowledgeBase, KnowledgeError, Result, Source, Step
from knowledge.origins import Origin, Origins
from knowledge.page_facts import without_tracking
from knowledge.sql import Database, Selection
from knowledge.table_sources import TableSources
from knowledge.web import SiteLimits
from knowledge.web_sources import IndexFile, WebSources
from knowledge.worker import Tell
from tools.engines.errors import EngineError

Claims = Callable[[str, str, str], contextlib.AbstractAsyncContextManager[object]]
"""Given person, collection and source: the document becomes theirs while it is put in, unless it is somebody else's."""
SHARED = "shared"
KEPT = "What was read before is kept."


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


@contextlib.contextmanager
def open_origins(settings: Settings, base: KnowledgeBase) -> Iterator[Origins]:
    """Only the list of what can be read anew. Raises: KnowledgeError."""
    with contextlib.closing(Origins(settings.home / "knowledge")) as origins:
        tidy_origins(origins, base)
        yield origins


# Into the queue


def web_page(url: str, limits: SiteLimits | None = None) -> Elsewhere:
    """A page, or with `limits` the site around it. Raises: KnowledgeError for what is no address."""
    address = str(without_tracking(parse_url(url)))
    return Elsewhere("site", address, asdict(limits)) if limits else Elsewhere("page", address)


def table(address: str, selection: Selection) -> Elsewhere:
    """Raises: KnowledgeError (also where a password stands in the address), SettingsError."""
    template = open_database(address).to_keep()
    return Elsewhere("database", template, {"name": selection.name, "query": selection.query})


def of_origin(origin: Origin) -> Elsewhere:
    """What reads it anew. Raises: KnowledgeError where its address was not kept."""
    if origin.kind != "database":
        return Elsewhere(origin.kind, origin.address, origin.options)
    if not origin.options["url"]:
        raise KnowledgeError(
            f"The password for {origin.address} was in its address, and is not kept.",
            "Ingest it again, with ${DB_PASSWORD} in the address and the password in .env.",
        )
    return Elsewhere("database", origin.options["url"], {name: origin.options[name] for name in ("name", "query")})


def put_in_queue(base: KnowledgeBase, wanted: Elsewhere, source: str, collection: str) -> Job:
    """Raises: KnowledgeError."""
    return base.enqueue_elsewhere(wanted, source=source, title=source, collection=collection)


def name_of(wanted: Elsewhere) -> str:
    """What its document is called, or for a site where it begins. Raises: KnowledgeError, SettingsError."""
    if wanted.kind != "database":
        return wanted.address
    return f"{open_database(wanted.address).safe}#{wanted.options['name']}"


# Out of the queue


async def read_elsewhere(
    settings: Settings, base: KnowledgeBase, claims: Claims, ingest: Ingest, wanted: Elsewhere, tell: Tell
) -> None:
    """Read a page, site or table in, or what changed of it; what fails leaves what was read before.

    Raises: KnowledgeError, EngineError.
    """
    try:
        async with open_sources(settings, base, partial(_index, settings, base, claims, ingest, wanted)) as sources:
            await (_table if wanted.kind == "database" else _web)(sources, base, ingest, wanted, tell)
    except SettingsError as error:
        raise KnowledgeError(str(error)) from error
    except (KnowledgeError, EngineError) as error:
        if isinstance(error, Stopped) or base.source(ingest.source, collection=ingest.collection) is None:
            raise
        raise KnowledgeError(error.message, f"{KEPT} {error.remedy}".strip()) from error


async def _web(sources: Sources, _base: KnowledgeBase, ingest: Ingest, wanted: Elsewhere, tell: Tell) -> None:
    if wanted.kind == "page":
        synced = await sources.web.add_page(wanted.address, ingest.collection)
        await tell(Result(synced.source, synced.outcome, synced.why))
        return
    read = 0
    limits = SiteLimits(**wanted.options)
    async with contextlib.aclosing(sources.web.add_site(wanted.address, ingest.collection, limits)) as pages:
        async for synced in pages:
            await tell(Result(synced.source, synced.outcome, synced.why))
            read += synced.document is not None
            await asyncio.to_thread(ingest.tell, Step(0.0, f"Reading {ingest.name}", read))


async def _table(sources: Sources, base: KnowledgeBase, ingest: Ingest, wanted: Elsewhere, tell: Tell) -> None:
    former = base.source(ingest.source, collection=ingest.collection)
    selection = Selection(wanted.options["name"], wanted.options["query"])

    def step(fraction: float, stage: str) -> None:
        ingest.tell(Step(fraction, stage))

    source, changes = await sources.tables.add(wanted.address, selection, ingest.collection, step, ingest.stop)
    outcome: Outcome = "new" if former is None else "changed" if changes.any else "unchanged"
    await tell(Result(source.source, outcome, rows=asdict(changes)))


async def _index(
    settings: Settings, base: KnowledgeBase, claims: Claims, job: Ingest, wanted: Elsewhere,
    path: Path, source: str, collection: str,
) -> Source:  # fmt: skip
    """A fetched file becomes a document, and is kept. Raises: KnowledgeError, EngineError."""
    if await asyncio.to_thread(is_archive, path):
        raise KnowledgeError(f"{source} is an archive.", "Download it and add the file.")
    # A site counts its pages, not those of each.
    tell = job.tell if wanted.kind == "page" else lambda _step: None
    ingest = Ingest(path, collection, source, tell=tell, stop=job.stop)
    former = base.source(source, collection=collection)
    async with claims(wanted.by, collection, source):
        found = await base.read_in(ingest)
    kept = settings.home / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(kept_files.keep, path, kept, found.sha256, path.name)
    if former is not None and former.sha256 != found.sha256:
        await asyncio.to_thread(drop_kept, settings, base, [former.sha256])
    return found


@contextlib.asynccontextmanager
async def operators(by: str, collection: str, source: str) -> AsyncIterator[None]:
    """Where no page runs: what the operator adds is nobody's. Raises: KnowledgeError for what a person shared."""
    if by and collection == SHARED:
        raise KnowledgeError(f"{source} was added in the page by {by}.", "Start the page, which goes on with it.")
    yield


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
