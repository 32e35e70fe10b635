"""The guarded client against real servers on loopback: redirects, endless answers, bombs, certificates, proxies."""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from knowledge.addresses import FetchPolicy
from knowledge.documents import KnowledgeError
from knowledge.fetching import Fetcher
from knowledge.responses import Fetched, Gone, NotWanted
from tests.web_server import Answer, WebServer, certificate, serving

HERE = FetchPolicy(private_hosts=("127.0.0.1",), max_bytes=1_000_000)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "page"


async def fetch(url: str, target: Path, policy: FetchPolicy = HERE, **options: object) -> Fetched:
    async with Fetcher(policy) as fetcher:
        return await fetcher.fetch(url, target, **options)  # type: ignore[arg-type]


async def refusal(url: str, target: Path, policy: FetchPolicy = HERE) -> str:
    with pytest.raises(KnowledgeError) as caught:
        await fetch(url, target, policy)
    assert "\n" not in str(caught.value) and caught.value.remedy
    assert not target.exists()
    return str(caught.value)


async def test_a_page_is_saved_with_what_the_server_says_of_it(web: WebServer, target: Path) -> None:
    web.pages["/caf%C3%A9?q=1"] = Answer("bonjour", kind='text/html; charset="ISO-8859-1"', etag='"1"')
    got = await fetch(f"{web.url}/café?q=1#part", target)
    assert got == Fetched(f"{web.url}/caf%C3%A9?q=1", "text/html", "iso-8859-1", '"1"')
    assert target.read_bytes() == b"bonjour"


async def test_what_did_not_change_is_not_sent_again(web: WebServer, target: Path) -> None:
    web.pages["/"] = Answer("text", etag='"7"')
    assert (await fetch(web.url, target, etag='"7"')).unchanged
    assert web.answered == [304] and not target.exists()


async def test_loopback_is_refused_without_a_connection(web: WebServer, target: Path) -> None:
    for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "0x7f.1"):
        await refusal(f"http://{host}:{web.port}/", target, FetchPolicy())
    assert not web.asked


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/", "http://[::ffff:10.0.0.1]/", "http://localhost/", "file:///etc/passwd"]
)
async def test_a_redirect_to_an_internal_address_is_refused(web: WebServer, target: Path, place: str) -> None:
    web.pages["/"] = Answer(status=302, headers={"Location": place})
    said = await refusal(web.url, target)
    assert "is not fetched" in said or "no web address" in said


async def test_a_redirect_is_followed_and_the_last_address_told(web: WebServer, target: Path) -> None:
    web.pages["/old"] = Answer(status=301, headers={"Location": "new/page"})
    web.pages["/new/page"] = Answer("moved")
    assert (await fetch(f"{web.url}/old", target)).url == f"{web.url}/new/page"


async def test_it_is_the_host_that_failed_which_is_named(web: WebServer, target: Path) -> None:
    async def lookup(host: str, _port: int) -> Sequence[str]:
        if host == "gone.example":
            raise OSError(-2, "Name or service not known")
        return [host]

    web.pages["/"] = Answer(status=302, headers={"Location": "http://gone.example/"})
    async with Fetcher(HERE, lookup) as fetcher:
        with pytest.raises(KnowledgeError, match=r"^gone\.example cannot be reached"):
            await fetcher.fetch(web.url, target)


async def test_a_host_with_letters_of_any_alphabet_is_asked_in_ascii(web: WebServer, target: Path) -> None:
    async def lookup(host: str, _port: int) -> Sequence[str]:
        assert host == "xn--bcher-kva.intern"
        return ["127.0.0.1"]

    web.pages["/"] = Answer("books")
    async with Fetcher(FetchPolicy(private_hosts=("Bücher.intern",)), lookup) as fetcher:
        got = await fetcher.fetch(f"http://bücher.intern:{web.port}", target)
    assert got.url == f"http://xn--bcher-kva.intern:{web.port}/"


async def test_a_host_that_no_name_can_have_is_refused_like_any_other(web: WebServer, target: Path) -> None:
    web.pages["/"] = Answer(status=302, headers={"Location": f"http://{'a' * 70}.com/"})
    assert "a.com" in await refusal(web.url, target)


async def test_redirects_in_a_circle_and_without_end_are_refused(web: WebServer, target: Path) -> None:
    web.pages["/a"] = Answer(status=302, headers={"Location": "/b"})
    web.pages["/b"] = Answer(status=302, headers={"Location": "/a"})
    assert "circle" in await refusal(f"{web.url}/a", target)
    for n in range(9):
        web.pages[f"/{n}"] = Answer(status=302, headers={"Location": f"/{n + 1}"})
    web.asked.clear()
    assert "more than 5 times" in await refusal(f"{web.url}/0", target)
    assert len(web.asked) == 6


async def test_a_name_is_looked_up_once_and_connected_to_where_it_was_checked(web: WebServer, target: Path) -> None:
    answers = iter([["8.8.8.8", "10.0.0.1"], ["127.0.0.1"]])

    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    async with Fetcher(FetchPolicy(), rebinding) as fetcher:
        with pytest.raises(KnowledgeError, match="inside the network"):
            await fetcher.fetch(f"http://rebind.example:{web.port}/", target)
    assert not web.asked
    assert next(answers) == ["127.0.0.1"]


def drip() -> Iterator[bytes]:
    while True:
        yield b"x"
        time.sleep(0.02)


async def test_a_server_that_answers_forever_is_left(web: WebServer, target: Path) -> None:
    web.pages["/"] = Answer(drip())
    policy = FetchPolicy(private_hosts=("127.0.0.1",), total_s=0.3)
    assert "still sending after 0.3 s" in await refusal(web.url, target, policy)


async def test_a_server_that_says_nothing_is_left(web: WebServer, target: Path) -> None:
    web.pages["/"] = lambda: time.sleep(1) or Answer("late")  # type: ignore[func-returns-value]
    policy = FetchPolicy(private_hosts=("127.0.0.1",), silence_s=0.2)
    assert "does not answer" in await refusal(web.url, target, policy)


async def test_a_body_larger_than_allowed_is_given_up(web: WebServer, target: Path) -> None:
    web.pages["/endless"] = Answer(itertools.repeat(b"x" * 65536))
    web.pages["/told"] = Answer("", headers={"Content-Length": "5000000000"})
    for path in ("/endless", "/told"):
        assert "larger than 1 MB" in await refusal(web.url + path, target)


async def test_a_gzip_bomb_is_stopped_at_the_limit(web: WebServer, target: Path) -> None:
    web.pages["/"] = Answer(gzip.compress(bytes(60_000_000), 6), headers={"Content-Encoding": "gzip"})
    assert "larger than 1 MB" in await refusal(web.url, target)


async def test_a_packed_page_is_unpacked_and_a_damaged_one_refused(web: WebServer, target: Path) -> None:
    whole = gzip.compress(b"bread " * 1000)
    web.pages["/"] = Answer(whole, headers={"Content-Encoding": "gzip"})
    await fetch(web.url, target)
    assert target.read_bytes() == b"bread " * 1000
    target.unlink()
    web.pages["/cut"] = Answer(whole[:-9], headers={"Content-Encoding": "gzip"})
    web.pages["/twice"] = Answer(gzip.compress(whole), headers={"Content-Encoding": "gzip, gzip"})
    assert "cut short" in await refusal(f"{web.url}/cut", target)
    assert "packs its answer" in await refusal(f"{web.url}/twice", target)


async def test_headers_without_end_are_refused(web: WebServer, target: Path) -> None:
    web.pages["/"] = Answer("", headers={"X-Long": "x" * 200_000})
    assert "broke off" in await refusal(web.url, target)


async def test_a_page_that_is_gone_is_told_from_a_server_in_trouble(web: WebServer, target: Path) -> None:
    web.pages["/trouble"] = Answer(status=500)
    web.pages["/private"] = Answer(status=403)
    with pytest.raises(Gone, match="404"):
        await fetch(f"{web.url}/none", target)
    assert "answered 500" in await refusal(f"{web.url}/trouble", target)
    assert "keeps /private to itself" in await refusal(f"{web.url}/private", target)


async def test_a_kind_that_was_not_asked_for_is_not_read(web: WebServer, target: Path) -> None:
    web.pages["/"] = Answer(itertools.repeat(b"x" * 65536), kind="video/mp4")
    with pytest.raises(NotWanted, match="video/mp4"):
        await fetch(web.url, target, wanted=lambda kind: kind == "text/html")


async def test_without_a_network_the_message_says_so(target: Path) -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-3, "Temporary failure in name resolution")

    async with Fetcher(FetchPolicy(), unknown) as fetcher:
        with pytest.raises(KnowledgeError, match=r"example\.org cannot be reached.*Check the address and the network"):
            await fetcher.fetch("https://example.org/", target)
    assert "cannot be reached" in await refusal("http://127.0.0.1:9/", target)


async def test_tls_is_verified_against_the_name_though_the_address_is_connected_to(
    tmp_path: Path, target: Path, monkeypatch
) -> None:
    async def here(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    context, trusted = certificate(tmp_path, "wiki.intern")
    with serving(context) as web:
        web.pages["/"] = Answer("safe")
        policy = FetchPolicy(private_hosts=(".intern",))
        async with Fetcher(policy, here) as fetcher:
            with pytest.raises(KnowledgeError, match=r"wiki\.intern cannot be trusted: self-signed"):
                await fetcher.fetch(f"https://wiki.intern:{web.port}/", target)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        async with Fetcher(policy, here) as fetcher:
            await fetcher.fetch(f"https://wiki.intern:{web.port}/", target)
            with pytest.raises(KnowledgeError, match=r"other\.intern cannot be trusted"):
                await fetcher.fetch(f"https://other.intern:{web.port}/", target)
    assert target.read_bytes() == b"safe"


async def test_through_a_proxy_what_can_be_looked_up_is_still_checked(web: WebServer, target: Path) -> None:
    async def lookup(host: str, _port: int) -> Sequence[str]:
        if host == "inside.example":
            return ["10.0.0.1"]
        raise OSError(-2, "Name or service not known")

    web.pages["http://outside.example/page"] = Answer("by proxy")
    policy = FetchPolicy(proxies={"http": web.url, "no": "direct.example"})
    async with Fetcher(policy, lookup) as fetcher:
        await fetcher.fetch("http://outside.example/page", target)
        for url in (
            "http://inside.example/",
            "http://127.0.0.1/",
            "http://outside.example:22/",
            "http://direct.example/",
        ):
            with pytest.raises(KnowledgeError):
                await fetcher.fetch(url, target)
    assert web.asked == ["http://outside.example/page"]
