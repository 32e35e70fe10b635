"""The one client that fetches from the web. Each address on the way is checked before a connection is made to it
(`addresses.py`), redirects too, and nothing a server sends can take more time, memory or disk than was allowed.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpcore
import httpx

from knowledge.addresses import (
    FetchPolicy,
    Resolve,
    check_port,
    check_url,
    plain_host,
    port_of,
    resolve_checked,
    system_resolve,
)
from knowledge.documents import KnowledgeError
from knowledge.responses import Fetched, check_status, save

AGENT = "assistant"
"""How robots.txt calls us."""

MAX_REDIRECTS = 5
MAX_ADDRESS = 2000
REDIRECTS = (301, 302, 303, 307, 308)
HEADERS = {
    "User-Agent": f"{AGENT}/0.1 (self-hosted; reads pages for the people it works for)",
    "Accept": "text/html,application/xhtml+xml,application/pdf;q=0.9,text/plain;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "gzip",
}


class Fetcher:
    def __init__(self, policy: FetchPolicy, resolve: Resolve = system_resolve) -> None:
        self.policy = policy
        self._resolve = resolve
        self._pools: dict[str, Any] = {}

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        async with AsyncExitStack() as stack:
            for pool in self._pools.values():
                stack.push_async_callback(pool.aclose)
        self._pools.clear()

    async def fetch(
        self,
        url: str,
        target: Path,
        *,
        etag: str = "",
        modified: str = "",
        wanted: Callable[[str], bool] = bool,
        max_bytes: int | None = None,
        total_s: float | None = None,
    ) -> Fetched:
        """One page or file into `target`. `etag` and `modified` are what the server said last time; `wanted` is asked about the
        content type before anything is read.

        Raises: Gone, NotWanted, KnowledgeError.
        """
        tags = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = {**HEADERS, **{name: value for name, value in tags.items() if value}}
        limit = min(max_bytes or self.policy.max_bytes, self.policy.max_bytes)
        total_s = total_s or self.policy.total_s
        try:
            async with asyncio.timeout(total_s):
                return await self._follow(parse_url(url), headers, target, wanted, limit)
        except TimeoutError as error:
            raise KnowledgeError(
                f"{_host(url)} was still sending after {total_s:g} s.", "Save the page and ingest the file."
            ) from error

    async def _follow(
        self, url: httpx.URL, headers: dict[str, str], target: Path, wanted: Callable[[str], bool], limit: int
    ) -> Fetched:
        seen = {url}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._asked(url, headers) as response:
                answer = httpx.Headers(response.headers)
                if response.status in REDIRECTS and "location" in answer:
                    url = _joined(url, answer["location"])
                    if url in seen:
                        raise KnowledgeError(f"{url.host} redirects in a circle.", "Check the address in a browser.")
                    seen.add(url)
                    continue
                if response.status == 304:
                    return Fetched(str(url), unchanged=True)
                check_status(response.status, url, answer.get("retry-after", ""))
                return await save(url, response, answer, target, wanted, limit)
        raise KnowledgeError(f"{url.host} redirects more than {MAX_REDIRECTS} times.", "Give the last address.")

    @asynccontextmanager
    async def _asked(self, url: httpx.URL, headers: dict[str, str]) -> AsyncIterator[httpcore.Response]:
        check_url(url, self.policy)
        try:
            async with self._answered(url, headers) as response:
                yield response
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise _unreached(url.host, error) from error

    @asynccontextmanager
    async def _answered(self, url: httpx.URL, headers: dict[str, str]) -> AsyncIterator[httpcore.Response]:
        pool = await self._pool(url)
        silence = self.policy.silence_s
        request = httpcore.Request(
            "GET",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[(b"Host", url.netloc), *((name.encode(), value.encode()) for name, value in headers.items())],
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), silence)},
        )
        response = await pool.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def _pool(self, url: httpx.URL) -> Any:
        """Connections that go out themselves, or through the environment's proxy for this host."""
        proxy = self._proxy(url)
        if proxy:
            await self._check_behind_proxy(url)
        if proxy not in self._pools:
            self._pools[proxy] = self._through(proxy) if proxy else self._direct()
        return self._pools[proxy]

    def _proxy(self, url: httpx.URL) -> str:
        proxies = dict(self.policy.proxies)
        proxy = proxies.get(url.scheme) or proxies.get("all") or ""
        bypass: Any = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
        return "" if bypass(url.host, proxies) else proxy

    async def _check_behind_proxy(self, url: httpx.URL) -> None:
        host, port = url.raw_host.decode(), port_of(url)
        try:
            await resolve_checked(host, port, self.policy, self._resolve)
        except (OSError, UnicodeError):
            # A name that only the proxy knows.
            check_port(plain_host(host), port, [], self.policy)

    def _direct(self) -> httpcore.AsyncConnectionPool:
        backend = CheckedBackend(self.policy, self._resolve)
        return httpcore.AsyncConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=backend)

    def _through(self, proxy: str) -> httpcore.AsyncHTTPProxy:
        return httpcore.AsyncHTTPProxy(_proxy_url(proxy), ssl_context=httpx.create_ssl_context())


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up, checks what it finds, and connects to that: TLS is still verified against the name, by the caller."""

    def __init__(self, policy: FetchPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("the name has no address")
        try:
            addresses = await resolve_checked(host, port, self._policy, self._resolve)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise httpcore.ConnectError(f"the name is not known ({why})") from error
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def parse_url(text: str) -> httpx.URL:
    """An address as it is sent: the host in ASCII, the path percent-encoded, no fragment. Raises: KnowledgeError."""
    if len(text) > MAX_ADDRESS:
        raise KnowledgeError(f"The address has more than {MAX_ADDRESS} characters.", "Copy it from a browser.")
    try:
        url = httpx.URL(text.strip()).copy_with(fragment=None)
        return url.copy_with(path="/") if url.path in ("", "/") else url
    except (httpx.InvalidURL, ValueError) as error:
        raise KnowledgeError(f"The address cannot be read: {error}.", "Copy it from a browser.") from error


def _joined(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return parse_url(str(url.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise KnowledgeError(f"{url.host} redirects to an address that cannot be read.", "Tell its owner.") from error


def _proxy_url(proxy: str) -> str:
    url = proxy if "://" in proxy else f"http://{proxy}"
    if httpx.URL(url).scheme not in ("http", "https"):
        raise KnowledgeError(
            "The proxy of the environment is neither http nor https.", "Set HTTPS_PROXY to one that is."
        )
    return url


def _host(url: str) -> str:
    return httpx.URL(url).host or url


def _unreached(host: str, error: Exception) -> KnowledgeError:
    text = " ".join(str(error).split())
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("verify failed: ")[2].partition(" (_ssl")[0] or "it is not valid"
        return KnowledgeError(f"The certificate of {host} cannot be trusted: {why}.", "Tell whoever runs that server.")
    if isinstance(error, httpcore.TimeoutException):
        return KnowledgeError(f"{host} does not answer.", "Check the address and the network, or try again later.")
    if isinstance(error, httpcore.ProtocolError):
        return KnowledgeError(
            f"{host} broke off or answered what is not HTTP: {text or 'nothing'}.", "Try again later."
        )
    return KnowledgeError(
        f"{host} cannot be reached: {text or type(error).__name__}.", "Check the address and the network."
    )
