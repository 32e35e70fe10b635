"""Engines behind their meter against a real server on loopback: what is counted, what is refused, what stands on the bill."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.calls import Bill, billed_to
from assistant.engines import Engines, open_engine
from assistant.meter import tariff_of
from assistant.settings import Chat, Embedding, Image, NamedEndpoint, Settings, Speech, Spending, Voice
from assistant.spending import Ledger, SpendingCap
from tests.openai_server import OpenAIServer, Reply
from tools.engines.base import Endpoint, ImageRequest, Message, SpeechRequest
from tools.engines.device import DeviceArbiter
from tools.engines.errors import Unreachable

ASK = [Message("user", "Who are you?")]
PRICES = """
[models]
"work:m" = { input = 1000, cached_input = 100, output = 2000 }
"work:gpt-4o-mini" = { input = 1000, output = 2000 }
"work:ear" = { minute = 0.6 }
"work:brush" = { picture = 0.04 }
"work:mouth" = { characters = 1000 }
"work:vectors" = { input = 10 }
"""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def engines_for(home: Path, server: OpenAIServer, prices: str = PRICES, **changes: Any) -> Engines:
    (home / "prices.toml").write_text(prices, "utf-8")
    chosen = {
        "chat": Chat("work:m"),
        "speech": Speech("work:ear"),
        "image": Image("work:brush"),
        "embedding": Embedding("work:vectors"),
        "voice": Voice("work:mouth"),
    }
    return Engines(Settings(home=home, endpoints={"work": NamedEndpoint(server.url)}, **{**chosen, **changes}))


async def ask(engines: Engines, **more: Any) -> str:
    options = {"max_tokens": 50, "temperature": 0.2, **more}
    return "".join([chunk.text async for chunk in engines.text().stream(ASK, **options)])


def spent(home: Path) -> float:
    return sum(row.amount for row in Ledger(home).rows())


async def test_a_call_costs_what_the_provider_counted_and_stands_on_the_bill(
    tmp_path: Path, server: OpenAIServer
) -> None:
    engines = engines_for(tmp_path, server)
    with billed_to(Bill("ada", seed=7)) as bill:
        assert await ask(engines) == "Hello there."
    (call,) = bill.calls
    assert (call.usage.prompt_tokens, call.usage.completion_tokens, call.usage.counted) == (11, 7, False)
    assert call.cost is not None and call.cost.amount == pytest.approx(0.025)
    assert call.request["messages"] == [{"role": "user", "content": "Who are you?"}]
    assert (call.request["seed"], call.request["temperature"], call.usage.served) == (7, 0.2, "m")
    assert server.last.body["seed"] == 7
    (row,) = Ledger(tmp_path).rows()
    assert (row.user, row.model, row.open, row.prompt_tokens) == ("ada", "work:m", 0, 11)
    assert row.amount == pytest.approx(0.025)


async def test_tokens_that_the_provider_does_not_tell_are_counted_here(tmp_path: Path) -> None:
    with OpenAIServer(unknown=["stream_options", "seed"]) as server, billed_to(Bill("ada", seed=7)) as bill:
        await ask(engines_for(tmp_path, server))
        assert "seed" not in server.last.body
    (call,) = bill.calls
    assert call.usage.counted and call.usage.prompt_tokens == 11 and call.usage.completion_tokens == 11
    assert call.cost is not None and call.cost.amount > 0


async def test_calls_at_the_same_time_stop_before_the_cap_is_passed(tmp_path: Path, server: OpenAIServer) -> None:
    """Each may cost up to 11 × 0.001 + 50 × 0.002 = 0.111 and costs 0.025."""
    server.queue(*[Reply(piece_delay_s=0.2)] * 3)
    engines = engines_for(tmp_path, server, spending=Spending(day=0.35))
    ended = await asyncio.gather(*(ask(engines) for _ in range(8)), return_exceptions=True)
    assert len(server.received) == 3
    assert sum(isinstance(one, SpendingCap) for one in ended) == 5
    assert spent(tmp_path) == pytest.approx(0.075)
    assert await ask(engines) == "Hello there."


async def test_a_server_that_fails_is_not_paid(tmp_path: Path, server: OpenAIServer) -> None:
    server.queue(Reply(status=500), Reply(cut=True))
    engines = engines_for(tmp_path, server)
    with pytest.raises(Unreachable):
        await ask(engines)
    assert Ledger(tmp_path).rows() == []
    with pytest.raises(Unreachable), billed_to(Bill()) as bill:
        await ask(engines)
    assert spent(tmp_path) > 0, "what came before the break is paid for"
    assert bill.calls[0].usage.counted


async def test_an_answer_that_is_stopped_costs_what_came(tmp_path: Path, server: OpenAIServer) -> None:
    server.queue(Reply(pieces=["abc"] * 1000, piece_delay_s=0.05))
    engines = engines_for(tmp_path, server)
    stream = engines.text().stream(ASK, max_tokens=900, temperature=0)
    assert (await anext(stream)).text == "abc"
    await stream.aclose()
    assert spent(tmp_path) == pytest.approx(11 * 0.001 + 1 * 0.002)


async def test_what_has_no_price_is_refused_under_a_cap_before_anything_is_sent(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        engines = engines_for(tmp_path, server, prices="", spending=Spending(day=1))
        away = replace(engines.settings, endpoints={"work": NamedEndpoint("http://192.0.2.1:9/v1")})
        with pytest.raises(SpendingCap, match="Nobody knows here what work:m costs"):
            await ask(Engines(away))
        assert await ask(engines) == "Hello there.", "a server of this machine costs nothing unless it has a price"
    assert Ledger(tmp_path).rows() == []


def test_prices_that_ship_are_those_of_openai_itself(tmp_path: Path) -> None:
    own = tariff_of("openai:gpt-5-mini", Endpoint(None, "key"), tmp_path)
    assert own.host == "api.openai.com" and own.price is not None
    other = tariff_of("openai:gpt-5-mini", Endpoint("https://proxy.example/v1", "key"), tmp_path)
    assert other.price is None and not other.free
    secret = tariff_of("work:m", Endpoint("https://ada:word@work.example:8443/v1", "key"), tmp_path)
    assert secret.host == "work.example:8443"
    here = tariff_of("openai:gpt-5-mini", Endpoint("http://127.0.0.1:4000/v1", "key"), tmp_path)
    assert here.free and not here.host


async def test_sound_pictures_words_and_vectors_are_metered(tmp_path: Path, server: OpenAIServer) -> None:
    engines = engines_for(tmp_path, server)
    sound, stop = tmp_path / "a.wav", threading.Event()
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(b"\1\2" * 16000 * 3)
    with billed_to(Bill()) as bill:
        assert [item async for item in engines.speech().transcribe(SpeechRequest(sound), stop)]
        await engines.image().generate(ImageRequest("a fox"), lambda *_: None, stop)
        assert [piece async for piece in engines.voice().speak("Hello there.", "en", stop)]
        await engines.embedding().embed(["one", "two"])
        await engines.embedding().embed_questions(["three"])
    costs = {call.task: call.cost.amount for call in bill.calls if call.cost}
    assert costs["speech"] == pytest.approx(0.03) and costs["image"] == 0.04
    assert costs["voice"] == pytest.approx(0.012) and costs["embedding"] == pytest.approx(0.00004)
    assert len(bill.calls) == 4, "small calls of a kind are one line"
    assert spent(tmp_path) == pytest.approx(sum(costs.values()))


async def test_a_model_that_calls_tools_is_held_to_the_cap_too(tmp_path: Path, server: OpenAIServer) -> None:
    model = Chat("work:gpt-4o-mini")
    with billed_to(Bill("ada")) as bill:
        agent = engines_for(tmp_path, server, chat=model).text().agent_model()
        assert "".join([piece.text async for piece in agent.astream("Hello")]) == "Hello there."
    (call,) = bill.calls
    assert call.usage.prompt_tokens == 11 and call.cost is not None and call.cost.amount == pytest.approx(0.025)
    asked = len(server.received)
    capped = engines_for(tmp_path, server, chat=model, spending=Spending(user_day=0.5)).text()
    with pytest.raises(SpendingCap):
        await capped.agent_model().ainvoke("Hello")
    assert len(server.received) == asked
    roomy = engines_for(tmp_path, server, chat=model, spending=Spending(user_day=50)).text()
    await roomy.agent_model().ainvoke("Hello")
    assert server.last.body["max_completion_tokens"] == 4096


async def test_an_engine_that_a_command_opens_is_held_to_the_cap_too(tmp_path: Path, server: OpenAIServer) -> None:
    settings = engines_for(tmp_path, server, spending=Spending(day=0.03)).settings
    engine = open_engine(settings, "image", DeviceArbiter(), lambda *_: None)
    with pytest.raises(SpendingCap):
        await engine.generate(ImageRequest("a fox"), lambda *_: None, threading.Event())
    assert not server.received
