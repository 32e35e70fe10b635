"""Where a Chroma server may be: on this machine or in a private network, since it asks nobody for a password."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from knowledge.addresses import Address, literal_address

RULE = "It takes http://HOST:PORT on this machine or in a private network, such as http://127.0.0.1:8001"


def split_address(url: str) -> tuple[str, int]:
    """Host and port. Raises: ValueError for what is no such address, or a public one; names are looked up only by `resolve`."""
    parts = urlsplit(url.strip())
    if parts.scheme != "http" or not parts.hostname or parts.username or parts.path not in ("", "/") or parts.query:
        raise ValueError(RULE)
    literal = literal_address(parts.hostname)
    if literal is not None and not _is_private(literal):
        raise ValueError(
            f"{parts.hostname} is a public address, and Chroma's server asks nobody for a password. {RULE}"
        )
    return parts.hostname, parts.port or 80


def resolve(host: str, port: int) -> str:
    """The address to connect to. Raises: OSError where it has none, ValueError where one of them is public."""
    found: Sequence[str] = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not _is_private(ipaddress.ip_address(address)):
            raise ValueError(f"{host} has a public address, and Chroma's server asks nobody for a password. {RULE}")
    return found[0]


def _is_private(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return _is_private(address.ipv4_mapped)
    return address.is_loopback or (address.is_private and not address.is_unspecified) or address.is_link_local
