"""Which web addresses may be fetched: never one inside this machine or its network, unless the operator allows it.

A name is looked up once, every address it has is checked, and the caller connects to one of exactly these: a name that points
elsewhere a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import idna

from knowledge.documents import KnowledgeError

if TYPE_CHECKING:
    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A host name and a port to the addresses that it has. Raises: OSError where it has none."""

PORTS = (80, 443, *range(8000, 9000))
LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # a cloud's internal server behind a public number
        "192.88.99.0/24",
        "::/96",
        "64:ff9b::/96",  # NAT64: an IPv4 address in disguise
        "64:ff9b:1::/48",
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fec0::/10",
    )
)
_NUMERIC = re.compile(r"(0x[0-9a-f]*|\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class FetchPolicy:
    """What may be fetched. `private_hosts` are names (`wiki.intern`, `.intern` for all below it), addresses and networks
    (`10.0.0.0/8`) that the operator allows although they are internal, on any port.

    `proxies` are those of the environment by scheme, as urllib's `getproxies_environment` gives them. Through a proxy it is the
    proxy that looks names up and connects: what can be looked up here is still checked here, the rest is the proxy's to refuse.
    """

    private_hosts: tuple[str, ...] = ()
    max_bytes: int = 200_000_000
    total_s: float = 120.0
    silence_s: float = 20.0
    proxies: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False

    def allows(self, host: str, address: Address | None = None) -> bool:
        """Whether the operator allowed this host by its name, or the address it has."""
        return any(_covers(entry, host, address) for entry in self.private_hosts)


def check_url(url: httpx.URL, policy: FetchPolicy) -> None:
    """What can be told without looking the name up. Raises: KnowledgeError."""
    host = plain_host(url.host)
    if policy.offline:
        raise KnowledgeError("Offline mode: nothing is fetched.", "Save the page and ingest the file.")
    if url.scheme not in ("http", "https") or not host:
        raise KnowledgeError(
            f"{_shown(url)} is no web address.", "It begins with http:// or https:// and names a host."
        )
    if url.userinfo:
        raise KnowledgeError(
            "The address holds a name or password.", "Leave it out: pages behind a login are not read."
        )
    literal = literal_address(host)
    if literal is None and _NUMERIC.fullmatch(host.rpartition(".")[2]):
        raise KnowledgeError(f"{host} writes a network address in an unusual form.", "Give the name of the host.")
    if (host in LOCAL_NAMES or host.endswith(".localhost")) and not policy.allows(host):
        raise _internal(host, "this machine")
    if literal is not None:
        _check_address(host, literal, policy)
        check_port(host, port_of(url), [literal], policy)


async def resolve_checked(host: str, port: int, policy: FetchPolicy, resolve: Resolve) -> list[str]:
    """The addresses of a host, all of them checked. Raises: KnowledgeError where one is internal; OSError where none is known."""
    found = [ipaddress.ip_address(address) for address in await resolve(host, port)]
    plain = plain_host(host)
    for address in found:
        _check_address(plain, address, policy)
    check_port(plain, port, found, policy)
    return [str(address) for address in found]


async def system_resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_internal(address: Address) -> bool:
    """Loopback, private, link-local, multicast, reserved, or an IPv4 address dressed up as IPv6."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return is_internal(address.ipv4_mapped)
    special = any(address.version == network.version and address in network for network in SPECIAL)
    return special or address.is_multicast or address.is_reserved or not address.is_global


def check_private_hosts(entries: Sequence[str]) -> None:
    """Raises: ValueError for an entry that is neither name nor network."""
    for entry in entries:
        if "/" in entry or ":" in entry or literal_address(entry):
            ipaddress.ip_network(entry, strict=False)


def check_port(host: str, port: int, found: Sequence[Address], policy: FetchPolicy) -> None:
    """Raises: KnowledgeError for a port where other things than web servers listen, unless the operator allowed the host."""
    allowed = policy.allows(host) or (bool(found) and all(policy.allows(host, address) for address in found))
    if port not in PORTS and not allowed:
        raise KnowledgeError(
            f"Port {port} of {host} is not one of a web server's (80, 443, 8000 to 8999).", _remedy(host)
        )


def plain_host(host: str) -> str:
    """As names are compared: lower case, in ASCII, without the dot at the end."""
    host = host.lower().rstrip(".")
    try:
        return host if host.isascii() else idna.encode(host).decode()
    except idna.IDNAError:
        return host


def port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def literal_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _covers(entry: str, host: str, address: Address | None) -> bool:
    entry = plain_host(entry)
    if host == entry or (entry.startswith(".") and host.endswith(entry)):
        return True
    if address is None or not ("/" in entry or literal_address(entry)):
        return False
    network = ipaddress.ip_network(entry, strict=False)
    return address.version == network.version and address in network


def _check_address(host: str, address: Address, policy: FetchPolicy) -> None:
    if is_internal(address) and not policy.allows(host, address):
        raise _internal(host, str(address))


def _internal(host: str, where: str) -> KnowledgeError:
    where = "an internal address" if where == host else f"inside the network ({where})"
    return KnowledgeError(f"{host} is {where} and is not fetched.", _remedy(host))


def _remedy(host: str) -> str:
    return f"Whoever runs the assistant may allow it: ASSISTANT_FETCH_PRIVATE_HOSTS={host}."


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(userinfo=b""))[:200] or "The empty text"
