"""Reads one web page, or walks over a small site: robots.txt kept to, politely slow, never twice the same page.

What it finds lies in files; indexing it is `refreshing.py`'s work.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from knowledge.documents import KnowledgeError
from knowledge.fetching import Fetcher
from knowledge.origins import KeptPage
from knowledge.page_facts import SAMPLE_BYTES, PageFacts, declared_encoding, read_facts, same_site
from knowledge.responses import Busy, Fetched, Gone
from knowledge.robots import Robots, disallowed, read_sitemap

PAGE_KINDS = ("text/html", "application/xhtml+xml")
DOCUMENT_KINDS = (*PAGE_KINDS, "application/pdf", "text/plain", "text/markdown")
ENDINGS = {"text/html": ".html", "application/xhtml+xml": ".html", "application/pdf": ".pdf", "text/markdown": ".md"}
PAGE_BYTES = 50_000_000
MAX_WAIT_S = 60.0
"""How long a walk waits, once, for a server that says it is busy."""
SINGLE_S = 900.0
"""How long one page or file may take that was asked for by itself: it may be a long recording."""

RobotsOf = Callable[[str], Awaitable[Robots]]
"""The rules of the host of a URL."""


@dataclass(frozen=True)
class SiteLimits:
    """How far a walk goes: clicks from the first page, pages in all, bytes in all, seconds between two requests."""

    depth: int = 2
    pages: int = 50
    total_bytes: int = 500_000_000
    delay_s: float = 1.0


@dataclass(frozen=True)
class WebPage:
    """A page that was read. `asked` is the address it was asked for by, `source` the one it calls its own; `file` holds it as
    it was fetched. `unchanged`: it is what was kept before."""

    asked: str
    source: str
    file: Path
    sha256: str
    fetched: Fetched
    unchanged: bool = False


@dataclass(frozen=True)
class Missed:
    """A page that was not read. `gone`: the server says that there is none (any more). `more`: not this page alone, but all
    that the limits of the walk left out."""

    asked: str
    why: KnowledgeError
    gone: bool = False
    more: bool = False


async def read_page(
    fetcher: Fetcher, url: str, robots_of: RobotsOf, folder: Path, known: KeptPage | None, kept: Path | None
) -> WebPage:
    """One page, whatever it holds. `known` is what is remembered of it, `kept` its file: without that it is fetched anew.

    Raises: KnowledgeError.
    """
    if not (await robots_of(url)).allows(url):
        raise disallowed(url)
    page, _facts = await _visit(fetcher, url, robots_of, folder, known, kept, None)
    return page


class SiteWalk:
    """Breadth first from one page, over pages of the same host. `kept` gives the file of a page that was read before."""

    def __init__(
        self,
        fetcher: Fetcher,
        start: str,
        limits: SiteLimits,
        robots_of: RobotsOf,
        folder: Path,
        known: Mapping[str, KeptPage],
        kept: Callable[[KeptPage], Path | None],
    ) -> None:
        self._fetcher = fetcher
        self._start = start
        self._limits = limits
        self._robots_of = robots_of
        self._folder = folder
        self._known = {url: page for url, page in known.items() if not page.unwanted}
        self._kept = kept
        self._queue: deque[tuple[str, int]] = deque([(start, 0)])
        self._seen = {start, *(url for url, page in known.items() if page.unwanted)}
        self._contents: set[str] = set()
        self._bytes = 0
        self._next_request = 0.0

    async def pages(self) -> AsyncIterator[WebPage | Missed]:
        """Raises: KnowledgeError where the first page cannot be read."""
        read = 0
        while self._queue or self._take_known_ones():
            url, depth = self._queue.popleft()
            if read >= self._limits.pages or self._bytes > self._limits.total_bytes:
                yield Missed(self._start, self._over(), more=True)
                return
            try:
                page, facts = await self._read_patiently(url, depth)
            except KnowledgeError as error:
                if depth == 0:
                    raise
                yield Missed(url, error, gone=isinstance(error, Gone))
                continue
            if depth == 0:
                self._start = page.fetched.url
                await self._list_sitemap(facts)
            self._enqueue(facts, depth + 1)
            found = self._judged(page, facts)
            if found is not None:
                read += isinstance(found, WebPage)
                yield found

    async def _read_patiently(self, url: str, depth: int) -> tuple[WebPage, PageFacts]:
        try:
            return await self._read(url, depth)
        except Busy as busy:
            if not 0 < busy.wait_s <= MAX_WAIT_S:
                raise
            await asyncio.sleep(busy.wait_s)
            return await self._read(url, depth)

    async def _read(self, url: str, depth: int) -> tuple[WebPage, PageFacts]:
        robots = await self._robots_of(url)
        if not robots.allows(url):
            raise disallowed(url)
        await self._wait(robots)
        known = self._known.get(url)
        kept = self._kept(known) if known else None
        # Beyond the last depth only documents are read: the PDF files that a page links to belong to it.
        kinds = DOCUMENT_KINDS if depth <= self._limits.depth else ("application/pdf",)
        page, facts = await _visit(self._fetcher, url, self._robots_of, self._folder, known, kept, kinds)
        if depth and not same_site(page.fetched.url, self._start):
            raise KnowledgeError(f"{url} leads to another site, {page.fetched.url}.", "Add that one by itself.")
        self._bytes += 0 if page.unchanged else page.file.stat().st_size
        return page, facts

    def _judged(self, page: WebPage, facts: PageFacts) -> WebPage | Missed | None:
        """The page under its proper address; nothing where the same was read already."""
        if not facts.may_index:
            return Missed(page.asked, KnowledgeError(f"{page.asked} asks not to be indexed.", "Add it by itself."))
        if page.sha256 in self._contents:
            return None
        self._contents.add(page.sha256)
        if not page.unchanged and facts.canonical not in self._seen and _same_path(facts.canonical, page.source):
            page = replace(page, source=facts.canonical)
        self._seen.update((page.fetched.url, page.source))
        return page

    def _enqueue(self, facts: PageFacts, depth: int) -> None:
        for link in facts.links:
            likely_document = link.lower().partition("?")[0].endswith(".pdf")
            near = depth <= self._limits.depth or (likely_document and depth == self._limits.depth + 1)
            if near and link not in self._seen and same_site(link, self._start):
                self._seen.add(link)
                self._queue.append((link, depth))

    async def _list_sitemap(self, facts: PageFacts) -> None:
        if self._limits.depth < 1:
            return
        robots = await self._robots_of(self._start)
        listed = await read_sitemap(self._fetcher, robots, self._start, self._folder, self._limits.pages)
        self._enqueue(PageFacts((*facts.links, *listed)), 1)

    def _take_known_ones(self) -> bool:
        """Pages that nothing leads to any more are asked for too: they may be gone, or changed."""
        left = [url for url in self._known if url not in self._seen]
        self._seen.update(left)
        self._queue.extend((url, self._limits.depth) for url in left)
        return bool(left)

    async def _wait(self, robots: Robots) -> None:
        delay_s = max(self._limits.delay_s, robots.delay_s)
        pause = self._next_request - time.monotonic()
        await asyncio.sleep(max(0.0, pause))
        self._next_request = time.monotonic() + delay_s

    def _over(self) -> KnowledgeError:
        if self._bytes > self._limits.total_bytes:
            return KnowledgeError(
                f"The site has more than {self._limits.total_bytes // 1_000_000} MB; the rest was left.", ""
            )
        return KnowledgeError(
            f"The site has more than {self._limits.pages} pages; the rest was left.", "Give a higher number of pages."
        )


async def _visit(
    fetcher: Fetcher,
    url: str,
    robots_of: RobotsOf,
    folder: Path,
    known: KeptPage | None,
    kept: Path | None,
    kinds: tuple[str, ...] | None,
) -> tuple[WebPage, PageFacts]:
    file = folder / "page"
    etag, modified = (known.etag, known.modified) if known and kept else ("", "")
    fetched = await fetcher.fetch(
        url,
        file,
        etag=etag,
        modified=modified,
        wanted=lambda kind: not kinds or kind in kinds,
        max_bytes=PAGE_BYTES if kinds else None,
        total_s=None if kinds else SINGLE_S,
    )
    if fetched.url != url and not (await robots_of(fetched.url)).allows(fetched.url):
        raise disallowed(fetched.url)
    if fetched.unchanged and known and kept:
        same = Fetched(fetched.url, known.content_type, known.charset, known.etag, known.modified, unchanged=True)
        facts = await asyncio.to_thread(_facts, kept, same)
        return WebPage(url, known.source, kept, known.sha256, same, unchanged=True), facts
    if fetched.unchanged:
        raise KnowledgeError(f"{fetched.url} sends nothing.", "Check the address in a browser.")
    if fetched.content_type in PAGE_KINDS and file.stat().st_size > PAGE_BYTES:
        raise KnowledgeError(
            f"{fetched.url} is larger than {PAGE_BYTES // 1_000_000} MB, too much for one page.",
            "Save the page and add it in parts.",
        )
    sha256 = await asyncio.to_thread(_sha256, file)
    facts = await asyncio.to_thread(_facts, file, fetched)
    if known and kept and known.sha256 == sha256:
        return WebPage(url, known.source, file, sha256, fetched, unchanged=True), facts
    return WebPage(url, fetched.url, file, sha256, fetched), facts


def _same_path(canonical: str, url: str) -> bool:
    """Whether a page's proper address differs only in its query: for another path than its own it is believed too seldom right."""
    return bool(canonical) and same_site(canonical, url) and httpx.URL(canonical).path == httpx.URL(url).path


def _facts(file: Path, fetched: Fetched) -> PageFacts:
    if fetched.content_type not in PAGE_KINDS:
        return PageFacts()
    data = file.read_bytes()
    return read_facts(data.decode(declared_encoding(data, fetched.charset) or "utf-8", errors="replace"), fetched.url)


def readable_copy(page: WebPage, folder: Path) -> Path:
    """The page as the document reader takes it: named after its kind, HTML of a declared encoding as UTF-8."""
    name = Path(page.fetched.url.partition("?")[0].rpartition("//")[2])
    stem = name.stem[:80] if "/" in str(name) else "page"
    copy = folder / f"{stem or 'page'}{ENDINGS.get(page.fetched.content_type) or name.suffix[:10] or '.html'}"
    data = page.file.read_bytes()
    copy.write_bytes(_plain_html(data, page.fetched.charset) if page.fetched.content_type in PAGE_KINDS else data)
    return copy


def _plain_html(data: bytes, charset: str) -> bytes:
    """HTML of a declared encoding in UTF-8; with its doctype, by which the reader knows it. What only claims to be HTML stays."""
    if b"\x00" in data[:SAMPLE_BYTES] or b"%PDF-" in data[:1024]:
        return data
    encoding = declared_encoding(data, charset)
    text = data if encoding is None else data.decode(encoding, errors="replace").encode("utf-8")
    known = text.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith((b"<!doctype", b"<html"))
    return text if known else b"<!doctype html>\n" + text


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
