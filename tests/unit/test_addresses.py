"""Which web addresses are refused before any connection is made."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from knowledge.addresses import (
    FetchPolicy,
    check_private_hosts,
    check_url,
    is_internal,
    literal_address,
    resolve_checked,
)
from knowledge.documents import KnowledgeError
from knowledge.fetching import parse_url

INTERNAL = (
    "127.0.0.1 127.9.9.9 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 224.0.0.1"
    " 255.255.255.255 198.18.0.1 168.63.129.16 192.88.99.1 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 fe80::1"
    " fe80::1%eth0 fc00::1 fd00:ec2::254 ff02::1 fec0::1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001:0:7f00:1:: 2001:db8::1"
)


def refused(url: str, policy: FetchPolicy | None = None) -> KnowledgeError:
    with pytest.raises(KnowledgeError) as caught:
        check_url(parse_url(url), policy or FetchPolicy())
    assert "\n" not in str(caught.value) and caught.value.remedy
    return caught.value


def test_every_kind_of_internal_address_is_internal() -> None:
    outside = [a for a in INTERNAL.split() if not is_internal(literal_address(a))]  # type: ignore[arg-type]
    assert not outside


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_not(address: str) -> None:
    assert not is_internal(literal_address(address))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "http://[::1]:8080/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_an_internal_address_in_a_url_is_refused(url: str) -> None:
    assert "ASSISTANT_FETCH_PRIVATE_HOSTS" in str(refused(url))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1.", "8.8.8"])
def test_an_address_written_as_a_number_is_refused(host: str) -> None:
    refused(f"http://{host}/")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "printer.localhost", "ip6-loopback"])
def test_the_names_of_this_machine_are_refused(host: str) -> None:
    refused(f"http://{host}/")


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "http:///none", "page"]
)
def test_only_web_addresses_are_fetched(url: str) -> None:
    assert "no web address" in str(refused(url))


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    assert "secret" not in str(refused("https://ada:secret@example.org/"))


def test_ports_of_other_servers_are_refused() -> None:
    assert "Port 6379" in str(refused("http://8.8.8.8:6379/"))
    check_url(httpx.URL("http://8.8.8.8:8443/"), FetchPolicy())


def test_offline_nothing_is_fetched() -> None:
    assert "Offline" in str(refused("https://example.org/", FetchPolicy(offline=True)))


def resolver(*addresses: str):
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def test_one_internal_address_among_several_refuses_the_host() -> None:
    with pytest.raises(KnowledgeError, match=r"inside the network \(10\.0\.0\.1\)"):
        await resolve_checked("example.org", 443, FetchPolicy(), resolver("8.8.8.8", "10.0.0.1"))
    with pytest.raises(KnowledgeError, match="Port 22"):
        await resolve_checked("example.org", 22, FetchPolicy(), resolver("8.8.8.8"))


@pytest.mark.parametrize(
    ("allowed", "host", "address"),
    [
        ("wiki.intern", "WIKI.intern.", "10.0.0.7"),
        (".intern", "wiki.intern", "10.0.0.7"),
        ("10.0.0.0/8", "anything.example", "10.0.0.7"),
        ("wörter.intern", "xn--wrter-jua.intern", "10.0.0.7"),
        ("fd00::/8", "wiki.intern", "fd00::7"),
    ],
)
async def test_the_operator_can_allow_names_and_networks_on_any_port(allowed: str, host: str, address: str) -> None:
    policy = FetchPolicy(private_hosts=(allowed,))
    assert await resolve_checked(host, 9090, policy, resolver(address)) == [address]


async def test_what_was_not_allowed_stays_refused() -> None:
    policy = FetchPolicy(private_hosts=("wiki.intern", ".lab", "10.0.0.0/8"))
    for host, address in [("notwiki.intern", "192.168.0.1"), ("lab", "192.168.0.1"), ("a.example", "192.168.0.1")]:
        with pytest.raises(KnowledgeError):
            await resolve_checked(host, 80, policy, resolver("10.0.0.1", address))


def test_a_network_that_is_none_is_a_mistake() -> None:
    check_private_hosts(["wiki.intern", "10.0.0.0/8", "fd00::1"])
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        check_private_hosts(["10.0.0.0/99"])
