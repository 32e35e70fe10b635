"""The commands for documents that come from elsewhere: web pages, sites and databases in, and all of them read anew."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from assistant.agent import Assistant
from assistant.cli_documents import failed_source, is_url, opened, print_source, source_json
from assistant.cli_documents import ingest as ingest_files
from assistant.cli_jobs import finished, working
from assistant.cli_output import DONE, FAILED, CallerError, Meter, note, print_json
from assistant.settings import Settings
from assistant.sources import Sources, drop_kept, open_database, open_sources
from knowledge.kept_files import keep
from knowledge.knowledge_base import KnowledgeError, Source
from knowledge.origins import Origin
from knowledge.sql import Selection
from knowledge.table_sources import RowChanges
from knowledge.web import SiteLimits
from knowledge.web_sources import Outcome, Synced
from tools.engines.errors import EngineError


@dataclass(frozen=True)
class Wish:
    """What `assistant ingest` was asked for. `limits` is there for a site, `database` is an address."""

    places: Sequence[str]
    collection: str
    limits: SiteLimits | None = None
    database: str | None = None
    selections: Sequence[Selection] = ()


def selections_of(tables: Sequence[str], queries: Sequence[str]) -> list[Selection]:
    """Raises: CallerError for a query without a name."""
    found = [Selection(table) for table in tables]
    for text in queries:
        name, equals, query = (part.strip() for part in text.partition("="))
        if not equals or not query or not name.replace("-", "_").isidentifier():
            raise CallerError('A query needs a name: --query "late=SELECT id, days FROM orders WHERE days > 30".')
        found.append(Selection(name, query))
    return found


async def ingest(settings: Settings, wish: Wish, json_lines: bool) -> int:
    """Files, pages, sites, tables; one that fails does not stop the others. Returns the exit status."""
    pages = [place for place in wish.places if is_url(place)]
    files = [place for place in wish.places if not is_url(place)]
    if wish.limits is not None and not pages:
        raise CallerError("--site needs the address of a web page.")
    status = await ingest_files(settings, files, wish.collection, json_lines) if files else DONE
    if not pages and wish.database is None:
        return status
    async with _Run(settings, json_lines).opened() as run:
        for url in pages:
            await run.add_web(url, wish)
        if wish.database is not None:
            await run.add_tables(wish.database, wish)
    return max(status, run.status)


async def refresh(settings: Settings, source: str | None, json_lines: bool) -> int:
    """Raises: CallerError where nothing came from `source`."""
    async with _Run(settings, json_lines).opened() as run:
        wanted = [origin for origin in run.sources.origins.all() if source is None or source in _names(origin)]
        if not wanted:
            raise CallerError(_nothing(source, run.sources.origins.all()))
        for origin in wanted:
            await run.refresh(origin)
    return run.status


async def forget_site(settings: Settings, address: str, json_lines: bool) -> int:
    """All pages of a site. Raises: CallerError where there is no such site."""
    async with _Run(settings, json_lines).opened() as run:
        base, origins = run.assistant.knowledge(), run.sources.origins
        gone: list[Source] = []
        sites = [origin for origin in origins.all() if origin.kind == "site" and address in _names(origin)]
        if not sites:
            raise CallerError(_nothing(address, [origin for origin in origins.all() if origin.kind == "site"]))
        for origin in sites:
            ours = {page.source for page in origins.pages(origin)}
            for source in [s for s in base.sources([origin.collection]) if s.source in ours]:
                await base.forget(source.source, collection=source.collection)
                print_source(source, json_lines, word="forgotten")
                gone.append(source)
        drop_kept(settings, base, [source.sha256 for source in gone])
    return DONE


class _Run:
    """One command's run over sources: what is read is printed as it comes."""

    assistant: Assistant
    sources: Sources

    def __init__(self, settings: Settings, json_lines: bool) -> None:
        self.status = DONE
        self._settings = settings
        self._json_lines = json_lines
        self._meter = Meter()
        self._stop = threading.Event()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[_Run]:
        async with (
            opened(self._settings) as self.assistant,
            working(self.assistant.knowledge()),
            open_sources(self._settings, self.assistant.knowledge(), self._index) as self.sources,
        ):
            try:
                yield self
            finally:
                self._stop.set()
                self._meter.clear()

    async def add_web(self, url: str, wish: Wish) -> None:
        web, collection = self.sources.web, wish.collection
        try:
            if wish.limits is None:
                self._print(await web.add_page(url, collection), collection)
                return
            async with contextlib.aclosing(web.add_site(url, collection, wish.limits)) as pages:
                async for synced in pages:
                    self._print(synced, collection)
        except (KnowledgeError, EngineError) as error:
            self._fail(url, collection, error)

    async def add_tables(self, address: str, wish: Wish) -> None:
        """Raises: CallerError where no table was chosen, KnowledgeError for an address that cannot be read."""
        database = open_database(address)
        if not wish.selections:
            known = ", ".join(await asyncio.to_thread(database.tables)) or "none"
            raise CallerError(f"Choose what to read with --table or --query. There are: {known}.")
        for selection in wish.selections:
            try:
                found = await self.sources.tables.add(address, selection, wish.collection, self._show, self._stop)
                self._print_table(*found)
            except KnowledgeError as error:
                self._fail(f"{database.safe}#{selection.name}", wish.collection, error)

    async def refresh(self, origin: Origin) -> None:
        try:
            if origin.kind == "database":
                source, changes = await self.sources.tables.refresh(origin, self._show, self._stop)
                self._print_table(source, changes, "changed" if changes.any else "unchanged")
                return
            async with contextlib.aclosing(self.sources.web.refresh(origin)) as pages:
                async for synced in pages:
                    self._print(synced, origin.collection, synced.outcome)
        except (KnowledgeError, EngineError) as error:
            self._fail(origin.address, origin.collection, error, "failed")

    async def _index(self, path: Path, source: str, collection: str) -> Source:
        """By the queue, whichever process works it off. Raises: KnowledgeError."""
        base = self.assistant.knowledge()
        former = base.source(source, collection=collection)
        (job,) = base.enqueue([path], collection=collection, names=[source])
        async with contextlib.aclosing(finished(base, [job.id])) as jobs:
            async for done in jobs:
                if done.state != "done":
                    raise KnowledgeError(done.message or f"Adding {source} was given up.", done.remedy)
        if (found := base.source(source, collection=collection)) is None:
            raise KnowledgeError(f"{source} is an archive.", "Its files were read, but are not read anew from there.")
        kept = self._settings.home / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(keep, path, kept, found.sha256, path.name)
        drop_kept(self._settings, base, [former.sha256] if former else [])
        return found

    def _print(self, synced: Synced, collection: str, outcome: Outcome | None = None) -> None:
        self._meter.clear()
        if synced.why:
            note(f"{synced.source}: {synced.why}")
        if synced.outcome == "more":
            return
        document = synced.document or failed_source(synced.source, collection, synced.why)
        if synced.outcome == "gone":
            document = replace(document, skipped=())
        self._print_document(document, outcome)

    def _print_table(self, source: Source, changes: RowChanges, outcome: Outcome | None = None) -> None:
        self._meter.clear()
        self._print_document(source, outcome, changes)
        if not self._json_lines:
            note(
                f"{source.source}: {changes.new} rows new, {changes.changed} changed, {changes.gone} gone,"
                f" {changes.same} the same."
            )

    def _print_document(self, source: Source, outcome: Outcome | None, changes: RowChanges | None = None) -> None:
        if not self._json_lines or (outcome is None and changes is None):
            print_source(source, self._json_lines, word=outcome or "")
            return
        rows = {"rows": asdict(changes)} if changes else {}
        print_json({**source_json(source), **({"outcome": outcome} if outcome else {}), **rows})

    def _fail(self, place: str, collection: str, error: Exception, outcome: Outcome | None = None) -> None:
        self._meter.clear()
        self.status = FAILED
        note(f"{place}: {error}")
        self._print_document(failed_source(place, collection, str(error)), outcome)

    def _show(self, fraction: float, stage: str) -> None:
        self._meter.show(stage, fraction)


def _names(origin: Origin) -> set[str]:
    """What a person may call it: with the slash at the end or without, a database also by its address alone."""
    names = {origin.address, origin.address.rstrip("/")}
    return names | ({origin.address.rpartition("#")[0]} if origin.kind == "database" else set())


def _nothing(source: str | None, origins: Sequence[Origin]) -> str:
    if source is None:
        return "Nothing came from the web or from a database yet. `assistant ingest https://…` reads a page in."
    close = difflib.get_close_matches(source, [origin.address for origin in origins], 1)
    what = f"Did you mean {close[0]}?" if close else "`assistant refresh` alone reads all web pages and databases anew."
    return f"Nothing came from {source}. {what}"
