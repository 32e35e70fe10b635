"""What a web page says of itself besides its text: links, its proper address, its encoding, what robots may do with it.

Found by patterns of bounded length, so that no page, however malformed, takes long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import httpx

from knowledge.addresses import port_of
from knowledge.documents import KnowledgeError
from knowledge.fetching import parse_url

SAMPLE_BYTES = 4096
MAX_LINKS = 5000
TRACKING = re.compile(r"utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|igshid|yclid", re.IGNORECASE)
OTHER_FILES = re.compile(
    r"\.(?:png|jpe?g|gif|webp|svg|ico|bmp|css|js|json|xml|rss|zip|gz|tar|7z|rar|exe|dmg|mp[34]|m4[av]|ogg|wav|webm|avi|mov|woff2?)$",
    re.IGNORECASE,
)
NO_TEXT_CODECS = ("idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "undefined", "utf-7")

_TAG = re.compile(r"<(a|area|base|link|meta)\s([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z-]{1,20})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta[^>]{1,300}?charset\s{0,9}=\s{0,9}[\"']?([\w-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True)
class PageFacts:
    """`links` are absolute and without repetition; `canonical` is empty where the page names none."""

    links: tuple[str, ...] = ()
    canonical: str = ""
    may_index: bool = True


def read_facts(text: str, url: str) -> PageFacts:
    """The facts of a page of HTML that was fetched from `url`."""
    base, canonical, robots = url, "", ""
    links: dict[str, None] = {}
    for tag, attributes in _tags(text):
        target = attributes.get("href", "")
        if tag == "base" and target:
            base = joined(url, target) or base
        elif tag == "meta" and attributes.get("name", "").lower() == "robots":
            robots += attributes.get("content", "").lower()
        elif tag == "link" and attributes.get("rel", "").lower() == "canonical":
            canonical = joined(base, target)
        elif tag in ("a", "area") and target and "nofollow" not in attributes.get("rel", "").lower():
            links.setdefault(joined(base, target))
        if len(links) > MAX_LINKS:
            break
    links.pop("", None)
    may_follow = "nofollow" not in robots and "none" not in robots
    return PageFacts(tuple(links) if may_follow else (), canonical, "noindex" not in robots and "none" not in robots)


def declared_encoding(data: bytes, charset: str) -> str | None:
    """The encoding that the server's header names, else the page itself; None where neither does or Python knows it not."""
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return None
    meta = _META_CHARSET.search(data[:SAMPLE_BYTES])
    name = (charset or (meta[1].decode("ascii") if meta else "")).lower()
    name = {"iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252"}.get(name, name)
    try:
        b"".decode(name or "utf-8")
    except LookupError:
        return None
    return name if name and name not in NO_TEXT_CODECS else None


def joined(base: str, target: str) -> str:
    """The address that a link leads to, as it is sent; empty where it leads to nothing that can be read."""
    try:
        url = parse_url(str(httpx.URL(base).join(unescape(target).strip())))
    except (KnowledgeError, httpx.InvalidURL, ValueError):
        return ""
    if url.scheme not in ("http", "https") or not url.host or OTHER_FILES.search(url.path):
        return ""
    return str(without_tracking(url))


def without_tracking(url: httpx.URL) -> httpx.URL:
    """Without the parameters that only tell where a visitor came from."""
    pairs = url.params.multi_items()
    kept = [(name, value) for name, value in pairs if not TRACKING.fullmatch(name)]
    return url if len(kept) == len(pairs) else url.copy_with(params=kept or None)


def same_site(one: str, other: str) -> bool:
    """Whether two addresses are of one host; http and https of it count as one."""
    return _site(one) == _site(other)


def _site(address: str) -> tuple[str, int]:
    url = httpx.URL(address)
    port = port_of(url)
    return url.host, 443 if port == 80 else port


def _tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for tag in _TAG.finditer(text):
        yield tag[1].lower(), {name.lower(): a or b or c for name, a, b, c in _ATTRIBUTE.findall(tag[2])}
