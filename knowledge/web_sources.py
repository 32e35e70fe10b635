"""Web pages and sites as documents: put into the knowledge base, and read anew at the cost of what changed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from knowledge.documents import KnowledgeError, Source
from knowledge.elsewhere import Outcome
from knowledge.fetching import Fetcher, parse_url
from knowledge.knowledge_base import KnowledgeBase
from knowledge.origins import KeptPage, Origin, Origins
from knowledge.page_facts import without_tracking
from knowledge.robots import Robots, parse_robots, read_robots
from knowledge.web import Missed, SiteLimits, SiteWalk, WebPage, read_page, readable_copy

ROBOTS_AGE = timedelta(hours=24)

IndexFile = Callable[[Path, str, str], Awaitable[Source]]
"""Makes a document of a file, given its name in the knowledge base and its collection. Raises: KnowledgeError."""


@dataclass(frozen=True)
class Synced:
    """What became of one document. `document` is missing where there is none; `why` says what went wrong, with the remedy."""

    source: str
    outcome: Outcome
    document: Source | None = None
    why: str = ""


class WebSources:
    def __init__(self, base: KnowledgeBase, origins: Origins, fetcher: Fetcher, index: IndexFile) -> None:
        self._base = base
        self._origins = origins
        self._fetcher = fetcher
        self._index = index
        self._robots: dict[str, Robots] = {}
        self._there: dict[str, Source] = {}

    async def add_page(self, url: str, collection: str) -> Synced:
        """Raises: KnowledgeError; then a former version of the page still serves."""
        address = str(without_tracking(parse_url(url)))
        origin = self._origins.put("page", address, collection, {})
        try:
            return await self._page(origin)
        except KnowledgeError:
            if not self._origins.pages(origin):
                self._origins.drop(origin)
            raise

    async def add_site(self, url: str, collection: str, limits: SiteLimits) -> AsyncGenerator[Synced, None]:
        """Raises: KnowledgeError where the first page cannot be read."""
        address = str(without_tracking(parse_url(url)))
        origin = self._origins.put("site", address, collection, asdict(limits))
        try:
            async for synced in self._site(origin):
                yield synced
        finally:
            if not self._origins.pages(origin):
                self._origins.drop(origin)

    async def refresh(self, origin: Origin) -> AsyncGenerator[Synced, None]:
        """Raises: KnowledgeError; the former versions serve on."""
        if origin.kind == "page":
            yield await self._page(origin)
            return
        async for synced in self._site(origin):
            yield synced

    async def _page(self, origin: Origin) -> Synced:
        known = next(iter(self._known(origin).values()), None)
        kept = self._origins.file(known) if known else None
        with tempfile.TemporaryDirectory(prefix="assistant-") as name:
            folder = Path(name)
            page = await read_page(self._fetcher, origin.address, self.robots_of, folder, known, kept)
            synced = await self._keep(origin, page, origin.address, folder, known)
        self._origins.mark_refreshed(origin)
        return synced

    async def _site(self, origin: Origin) -> AsyncGenerator[Synced, None]:
        known = self._known(origin)
        limits = SiteLimits(**origin.options)
        with tempfile.TemporaryDirectory(prefix="assistant-") as name:
            folder = Path(name)
            walk = SiteWalk(self._fetcher, origin.address, limits, self.robots_of, folder, known, self._origins.file)
            async for found in walk.pages():
                former = known.get(found.asked)
                if former is None or not former.unwanted:
                    yield await self._synced(origin, found, folder, former)
        self._origins.mark_refreshed(origin)

    async def _synced(self, origin: Origin, found: WebPage | Missed, folder: Path, former: KeptPage | None) -> Synced:
        if isinstance(found, Missed):
            return await self._missed(origin, found, former)
        try:
            return await self._keep(origin, found, found.source, folder, former)
        except KnowledgeError as error:
            return Synced(found.source, "failed", why=str(error))

    async def robots_of(self, url: str) -> Robots:
        """The rules of a host, asked for once a day."""
        place = httpx.URL(url)
        host = f"{place.scheme}://{place.netloc.decode()}"
        if host not in self._robots:
            since = (datetime.now(UTC) - ROBOTS_AGE).isoformat(timespec="seconds")
            text = self._origins.robots(host, since)
            self._robots[host] = await self._ask_robots(url, host) if text is None else parse_robots(text)
        return self._robots[host]

    async def _ask_robots(self, url: str, host: str) -> Robots:
        with tempfile.TemporaryDirectory(prefix="assistant-") as folder:
            robots = await read_robots(self._fetcher, url, Path(folder))
        self._origins.keep_robots(host, robots.text)
        return robots

    def _known(self, origin: Origin) -> dict[str, KeptPage]:
        """What is remembered of its pages by the address that was asked for; none whose document is not there any more."""
        self._there = {s.source: s for s in self._base.sources([origin.collection]) if s.state == "indexed"}
        return {p.asked: p for p in self._origins.pages(origin) if p.source in self._there or p.unwanted}

    async def _keep(self, origin: Origin, page: WebPage, source: str, folder: Path, known: KeptPage | None) -> Synced:
        fetched = page.fetched
        if page.unchanged and known is not None:
            if (fetched.etag, fetched.modified) != (known.etag, known.modified):
                self._origins.keep_page(origin, replace(known, etag=fetched.etag, modified=fetched.modified), None)
            return Synced(known.source, "unchanged", self._there.get(known.source))
        document = await self._index(readable_copy(page, folder), source, origin.collection)
        kept = KeptPage(
            page.asked, source, fetched.etag, fetched.modified, page.sha256, fetched.content_type, fetched.charset
        )
        self._origins.keep_page(origin, kept, page.file)
        return Synced(source, "changed" if known else "new", document)

    async def _missed(self, origin: Origin, missed: Missed, known: KeptPage | None) -> Synced:
        if missed.more:
            return Synced(origin.address, "more", why=str(missed.why))
        if known is None or not missed.gone:
            return Synced(missed.asked, "failed", why=str(missed.why))
        await self._base.forget(known.source, collection=origin.collection)
        self._origins.drop_page(origin, known.asked)
        return Synced(known.source, "gone")
