"""What a site asks of programs that read it (robots.txt, RFC 9309), and the pages it lists (sitemaps.org)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from knowledge.documents import KnowledgeError
from knowledge.fetching import AGENT, Fetcher
from knowledge.page_facts import same_site
from knowledge.responses import Forbidden, Gone, NotWanted

ROBOTS_BYTES = 512_000
SITEMAP_BYTES = 10_000_000
SITEMAPS = 5
MAX_DELAY_S = 30.0
MAX_WILDCARDS = 8
"""A rule with more of them could take very long to compare, and is left out."""

_PLACE = re.compile(r"<loc>\s{0,99}([^<]{1,2000}?)\s{0,99}</loc>", re.IGNORECASE)


@dataclass(frozen=True)
class Robots:
    """`text` is empty where a site has no rules."""

    text: str
    rules: Any

    def allows(self, url: str) -> bool:
        return bool(self.rules.can_fetch(url, AGENT))

    @property
    def delay_s(self) -> float:
        return min(float(self.rules.crawl_delay(AGENT) or 0.0), MAX_DELAY_S)

    @property
    def sitemaps(self) -> list[str]:
        return list(self.rules.sitemaps)


def parse_robots(text: str) -> Robots:
    from protego import Protego

    lines = [line for line in text.splitlines() if line.count("*") <= MAX_WILDCARDS]
    return Robots(text, Protego.parse("\n".join(lines)))


async def read_robots(fetcher: Fetcher, url: str, folder: Path) -> Robots:
    """The rules of the host of `url`; a site that has none allows all, one that fails to say allows nothing.

    Raises: KnowledgeError.
    """
    address = str(httpx.URL(url).copy_with(raw_path=b"/robots.txt"))
    file = folder / "robots.txt"
    try:
        await fetcher.fetch(address, file, max_bytes=ROBOTS_BYTES)
        return parse_robots(file.read_text("utf-8", errors="replace"))
    except (Gone, Forbidden):
        return parse_robots("")
    finally:
        file.unlink(missing_ok=True)


def disallowed(url: str) -> KnowledgeError:
    return KnowledgeError(
        f"robots.txt of {httpx.URL(url).host} asks programs not to read {url}.", "Save the page and ingest the file."
    )


async def read_sitemap(fetcher: Fetcher, robots: Robots, start: str, folder: Path, limit: int) -> list[str]:
    """Addresses of the same site below the folder of `start`, in the order that the site gives them; none where it has no sitemap."""
    found: dict[str, None] = {}
    queue = [*robots.sitemaps[:SITEMAPS]] or [str(httpx.URL(start).copy_with(raw_path=b"/sitemap.xml"))]
    below = start.rpartition("/")[0] + "/"
    for number, address in enumerate(queue):
        if number == SITEMAPS or len(found) >= limit:
            break
        for place in await _places(fetcher, address, folder, lambda url: same_site(url, start)):
            if re.search(r"\.xml(\.gz)?$", place):
                queue.append(place)
            elif place.startswith(below):
                found.setdefault(place)
    return list(found)[:limit]


async def _places(fetcher: Fetcher, address: str, folder: Path, ours: Callable[[str], bool]) -> list[str]:
    file = folder / "sitemap.xml"
    try:
        await fetcher.fetch(address, file, max_bytes=SITEMAP_BYTES, wanted=lambda kind: "html" not in kind)
        text = file.read_text("utf-8", errors="replace")
    except (KnowledgeError, NotWanted):
        return []
    finally:
        file.unlink(missing_ok=True)
    return [place for place in map(unescape, _PLACE.findall(text)) if _is_url(place) and ours(place)]


def _is_url(text: str) -> bool:
    try:
        return httpx.URL(text).scheme in ("http", "https")
    except (httpx.InvalidURL, ValueError):
        return False
