"""The commands for documents that come from elsewhere: web pages, sites and databases in, and all of them read anew."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from assistant.agent import Assistant
from assistant.cli_documents import failed_source, is_url, opened, print_source, source_json
from assistant.cli_documents import ingest as ingest_files
from assistant.cli_jobs import finished, working
from assistant.cli_output import DONE, FAILED, CallerError, note, print_json
from assistant.language_hint import language_hint
from assistant.settings import Settings, SettingsError
from assistant.sources import (
    drop_kept,
    name_of,
    of_origin,
    open_database,
    open_origins,
    put_in_queue,
    table,
    web_page,
)
from knowledge.knowledge_base import Elsewhere, Job, KnowledgeError, Result, Source
from knowledge.origins import Origin
from knowledge.sql import Selection
from knowledge.web import SiteLimits


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
        jobs = []
        for url in pages:
            try:
                jobs.append(run.wish(web_page(url, wish.limits), wish.collection))
            except KnowledgeError as error:
                run.fail(url, wish.collection, str(error))
        if wish.database is not None:
            jobs += [run.wish(wanted, wish.collection) for wanted in await _tables(wish)]
        await run.follow(jobs)
        if hint := await language_hint(settings, run.assistant.knowledge(), [wish.collection]):
            note(hint)
    return max(status, run.status)


async def _tables(wish: Wish) -> list[Elsewhere]:
    """Raises: CallerError where no table was chosen or a password stands in the address, KnowledgeError for an address that
    cannot be read."""
    address = wish.database or ""
    database = open_database(address)
    if database.template is None:
        try:
            database.to_keep()
        except KnowledgeError as error:
            raise CallerError(str(error)) from error
    if not wish.selections:
        known = ", ".join(await asyncio.to_thread(database.tables)) or "none"
        raise CallerError(f"Choose what to read with --table or --query. There are: {known}.")
    return [table(address, selection) for selection in wish.selections]


async def refresh(settings: Settings, source: str | None, json_lines: bool) -> int:
    """Raises: CallerError where nothing came from `source`."""
    async with _Run(settings, json_lines, anew=True).opened() as run:
        with open_origins(settings, run.assistant.knowledge()) as origins:
            every = origins.all()
        wanted = [origin for origin in every if source is None or source in _names(origin)]
        if not wanted:
            raise CallerError(_nothing(source, every))
        jobs = []
        for origin in wanted:
            try:
                jobs.append(run.wish(of_origin(origin), origin.collection))
            except (KnowledgeError, SettingsError) as error:
                run.fail(origin.address, origin.collection, str(error))
        await run.follow(jobs)
    return run.status


async def forget_site(settings: Settings, address: str, json_lines: bool) -> int:
    """All pages of a site. Raises: CallerError where there is no such site."""
    async with opened(settings) as assistant:
        base = assistant.knowledge()
        gone: list[Source] = []
        with open_origins(settings, base) as origins:
            every = [origin for origin in origins.all() if origin.kind == "site"]
            sites = [(origin, origins.pages(origin)) for origin in every if address in _names(origin)]
        if not sites:
            raise CallerError(_nothing(address, every))
        for origin, pages in sites:
            ours = {page.source for page in pages}
            for source in [s for s in base.sources([origin.collection]) if s.source in ours]:
                await base.forget(source.source, collection=source.collection)
                print_source(source, json_lines, word="forgotten")
                gone.append(source)
        drop_kept(settings, base, [source.sha256 for source in gone])
    return DONE


class _Run:
    """One command's run over sources: what becomes of each document is printed as it comes."""

    assistant: Assistant

    def __init__(self, settings: Settings, json_lines: bool, *, anew: bool = False) -> None:
        self.status = DONE
        self._settings = settings
        self._json_lines = json_lines
        self._anew = anew
        self._printed: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[_Run]:
        async with opened(self._settings) as self.assistant, working(self.assistant.knowledge()):
            yield self

    def wish(self, wanted: Elsewhere, collection: str) -> Job:
        """Put in the queue. Raises: KnowledgeError."""
        return put_in_queue(self.assistant.knowledge(), wanted, name_of(wanted), collection)

    async def follow(self, jobs: Sequence[Job]) -> None:
        """Until all have ended, in this process or the one that writes."""
        base = self.assistant.knowledge()
        async with contextlib.aclosing(finished(base, [job.id for job in jobs], self._print_results)) as ended:
            async for job in ended:
                self._print_results(job)
                if job.state != "done":
                    self.fail(job.source, job.collection, f"{job.message} {job.remedy}".strip() or f"{job.state}.")

    def fail(self, place: str, collection: str, why: str) -> None:
        self.status = FAILED
        note(f"{place}: {why}")
        self._print_document(failed_source(place, collection, why), Result(place, "failed"))

    def _print_results(self, job: Job) -> None:
        """Those that were not printed yet."""
        for result in self.assistant.knowledge().results(job.id)[self._printed[job.id] :]:
            self._printed[job.id] += 1
            self._print(result, job.collection)

    def _print(self, result: Result, collection: str) -> None:
        if result.why:
            note(f"{result.source}: {result.why}")
        if result.outcome == "more":
            return
        document = self.assistant.knowledge().source(result.source, collection=collection)
        if document is None or result.outcome == "failed":
            document = failed_source(result.source, collection, result.why)
        if result.outcome == "gone":
            document = replace(document, skipped=())
        self._print_document(document, result)
        if result.rows and not self._json_lines:
            rows = result.rows
            note(
                f"{result.source}: {rows['new']} rows new, {rows['changed']} changed, {rows['gone']} gone, {rows['same']} the same."
            )

    def _print_document(self, source: Source, result: Result) -> None:
        if self._json_lines and (self._anew or result.rows):
            outcome = {"outcome": result.outcome} if self._anew else {}
            rows = {"rows": dict(result.rows)} if result.rows else {}
            print_json({**source_json(source), **outcome, **rows})
        else:
            print_source(source, self._json_lines, word=result.outcome if self._anew else "")


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
