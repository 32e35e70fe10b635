"""The hosted engines against a real server on loopback: every capability, every way a server fails."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.openai_server import OpenAIServer, Reply, png, vector
from tools.engines import openai
from tools.engines.base import (
    Endpoint,
    EngineOptions,
    GeneratedImage,
    ImageRequest,
    Message,
    Segment,
    SpeechInfo,
    SpeechRequest,
    TextChunk,
    Word,
)
from tools.engines.device import DeviceArbiter
from tools.engines.errors import (
    BadInput,
    CannotChange,
    EngineError,
    ModelNotFound,
    RateLimited,
    Refused,
    Stopped,
    Unreachable,
)

ASK = [Message("user", "Who are you?")]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def options(server: OpenAIServer, *, key: str | None = "key", **values: Any) -> EngineOptions:
    return EngineOptions(Path("models"), DeviceArbiter(), endpoint=Endpoint(server.url, key), values=values)


def azure(server: OpenAIServer, **values: Any) -> EngineOptions:
    endpoint = Endpoint(server.host, "azure-key", "AZURE_OPENAI_API_KEY", "2025-04-01-preview")
    return EngineOptions(Path("models"), DeviceArbiter(), endpoint=endpoint, values={"provider": "azure", **values})


async def answer(engine: Any, **more: Any) -> list[TextChunk]:
    return [chunk async for chunk in engine.stream(ASK, **{"max_tokens": 50, "temperature": 0.2, **more})]


async def text_from(server: OpenAIServer, **more: Any) -> str:
    return "".join(chunk.text for chunk in await answer(openai.load_text("some-model", options(server)), **more))


async def failure_of(server: OpenAIServer, *replies: Reply, **values: Any) -> EngineError:
    server.queue(*replies)
    with pytest.raises(EngineError) as raised:
        await answer(openai.load_text("some-model", options(server, **values)))
    return raised.value


# Text


async def test_text_comes_piece_by_piece_and_ends_with_its_usage(server: OpenAIServer) -> None:
    chunks = await answer(openai.load_text("some-model", options(server)))
    assert [chunk.text for chunk in chunks] == ["Hello", " there.", ""]
    usage = chunks[-1].usage
    assert usage is not None and (usage.prompt_tokens, usage.completion_tokens, usage.cost) == (11, 7, None)
    assert usage.first_token_s is not None and usage.total_s is not None and 0 < usage.first_token_s <= usage.total_s


async def test_a_compatible_server_is_asked_in_the_words_it_knows(server: OpenAIServer) -> None:
    await text_from(server)
    body = server.last.body
    assert body["messages"] == [{"role": "user", "content": "Who are you?"}]
    assert (body["max_tokens"], body["temperature"], body["model"]) == (50, 0.2, "some-model")
    assert "max_completion_tokens" not in body
    assert server.last.headers["authorization"] == "Bearer key"


async def test_the_first_piece_is_there_before_the_last_is_made(server: OpenAIServer) -> None:
    server.queue(Reply(pieces=["a"] * 1000, piece_delay_s=0.05))
    stream = openai.load_text("some-model", options(server)).stream(ASK, max_tokens=9, temperature=0)
    assert (await anext(stream)).text == "a"
    await stream.aclose()
    assert await asyncio.to_thread(server.last.hung_up.wait, 5)


async def test_cancelling_closes_the_connection(server: OpenAIServer) -> None:
    server.queue(Reply(pieces=["a"] * 1000, piece_delay_s=0.05))
    task = asyncio.create_task(answer(openai.load_text("some-model", options(server))))
    while not server.received:
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.last.hung_up.wait, 5)


async def test_an_answer_ended_by_the_token_limit_is_marked_as_cut(server: OpenAIServer) -> None:
    server.queue(Reply(finish="length"))
    assert (await answer(openai.load_text("some-model", options(server))))[-1].cut


async def test_a_json_schema_constrains_the_answer(server: OpenAIServer) -> None:
    server.queue(Reply(pieces=['{"n"', ": 3}"]))
    assert await text_from(server, json_schema=SCHEMA) == '{"n": 3}'
    form = server.last.body["response_format"]
    assert (form["type"], form["json_schema"]["schema"], form["json_schema"]["strict"]) == ("json_schema", SCHEMA, True)


async def test_a_server_without_constrained_json_is_told_the_schema_in_words() -> None:
    with OpenAIServer(unknown=["response_format"]) as server:
        server.queue(Reply(pieces=['{"n": 3}']))
        assert await text_from(server, json_schema=SCHEMA) == '{"n": 3}'
        assert '"additionalProperties": false' in server.last.body["messages"][0]["content"]


async def test_a_server_that_refuses_parameters_is_asked_again_without_them() -> None:
    with OpenAIServer(unknown=["stream_options", "temperature"]) as server:
        engine = openai.load_text("llama3.2", options(server, provider="ollama"))
        chunks = await answer(engine)
        assert "".join(chunk.text for chunk in chunks) == "Hello there."
        assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens is None
        asked = len(server.received)
        await answer(engine)
        assert len(server.received) == asked + 1


@pytest.mark.parametrize(
    ("wrong", "right"), [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")]
)
async def test_the_token_limit_is_said_as_the_server_wants_it(wrong: str, right: str) -> None:
    with OpenAIServer(unknown=[wrong]) as server:
        chosen = options(server) if wrong == "max_tokens" else azure(server)
        await answer(openai.load_text("some-model", chosen))
        assert server.last.body[right] == 50
        assert wrong not in server.last.body


async def test_a_model_with_a_fixed_temperature_is_asked_once_and_thinks_little(server: OpenAIServer) -> None:
    await answer(openai.load_text("gpt-5-mini", options(server)))
    assert len(server.received) == 1
    assert "temperature" not in server.last.body
    assert server.last.body["reasoning_effort"] == "minimal"


async def test_llama_cpp_tells_how_far_the_prompt_is_read_and_its_timings(server: OpenAIServer) -> None:
    timings = {"cache_n": 30, "prompt_n": 10, "predicted_n": 4}
    server.queue(Reply(progress=[(20, 80), (80, 80)], timings=timings, usage=None))
    ready = openai.load_text("some-model", options(server))
    assert isinstance(ready, openai.OpenAIText)
    body = {"return_progress": True, "cache_prompt": True}
    chunks = await answer(openai.OpenAIText(ready.hosted.client, ready.card, 4096, extra_body=body))
    assert [chunk.fraction for chunk in chunks[:2]] == [0.25, 1.0]
    usage = chunks[-1].usage
    assert usage is not None and (usage.prompt_tokens, usage.completion_tokens) == (40, 4)
    assert server.last.body["return_progress"] is True


async def test_azure_gets_its_own_address_and_header(server: OpenAIServer) -> None:
    chunks = await answer(openai.load_text("my-deployment", azure(server)))
    assert "".join(chunk.text for chunk in chunks) == "Hello there."
    assert server.last.path == "/openai/deployments/my-deployment/chat/completions"
    assert server.last.query["api-version"] == ["2025-04-01-preview"]
    assert server.last.headers["api-key"] == "azure-key"
    assert server.last.body["max_completion_tokens"] == 50


async def test_two_named_endpoints_stand_side_by_side() -> None:
    with OpenAIServer(key="one") as home, OpenAIServer(key="two") as work:
        first = openai.load_text("a", options(home, key="one", provider="home"))
        second = openai.load_text("b", options(work, key="two", provider="work"))
        await asyncio.gather(answer(first), answer(second))
        assert (home.last.body["model"], work.last.body["model"]) == ("a", "b")
        assert (first.card.id, second.card.id) == ("home:a", "work:b")


# An agent's model


@pytest.mark.parametrize("choose", [options, azure])
async def test_the_agent_model_calls_tools(server: OpenAIServer, choose: Callable[..., EngineOptions]) -> None:
    from langchain_core.tools import tool

    @tool
    def search_knowledge(query: str) -> str:
        """Search the documents."""
        return query

    server.queue(Reply(calls=[("search_knowledge", {"query": "opening hours"})]))
    model = openai.load_text("gpt-4o-mini", choose(server)).agent_model().bind_tools([search_knowledge])
    message = await model.ainvoke("When do you open?")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [
        ("search_knowledge", {"query": "opening hours"})
    ]
    assert server.last.body["tools"][0]["function"]["name"] == "search_knowledge"


async def test_the_agent_model_streams_and_its_failures_read_alike(server: OpenAIServer) -> None:
    engine = openai.load_text("some-model", options(server))
    model = engine.agent_model()
    assert "".join([piece.text async for piece in model.astream("Hello")]) == "Hello there."
    server.queue(Reply(status=401), Reply(status=401))
    with pytest.raises(Exception, match="401") as raised:
        await model.ainvoke("Hello")
    assert isinstance(engine.explain(raised.value), Refused)


# How a server fails


@pytest.mark.parametrize(
    ("reply", "error", "line"),
    [
        (Reply(status=401), Refused, "does not accept the key. Check OPENAI_API_KEY"),
        (Reply(status=403, message="Country not supported"), Refused, "does not allow this: Country not supported"),
        (Reply(status=404, message="The model `x` does not exist"), ModelNotFound, "has no model some-model"),
        (Reply(status=404, message="Not Found"), Refused, "has no /v1/chat/completions. Check base_url"),
        (Reply(status=500, message="Out of luck"), Unreachable, "failed with status 500: Out of luck. Try again"),
        (Reply(status=501, message="No embeddings here"), Refused, "does not offer this: No embeddings here"),
        (Reply(status=503), Unreachable, "failed with status 503"),
        (Reply(status=400, message="Unknown voice"), BadInput, "cannot use this request (400): Unknown voice"),
        (Reply(status=400, code="content_filter"), Refused, "declined this for its content policy"),
        (
            Reply(status=400, message="This model's maximum context length is 9 tokens"),
            BadInput,
            "longer than some-model can read",
        ),
        (
            Reply(status=307, headers={"location": "https://elsewhere.example/v1"}),
            Refused,
            "redirects to https://elsewhere.example",
        ),
        (Reply(body=b"<html><body>Welcome</body></html>"), Unreachable, "not the OpenAI format. Check that base_url"),
        (Reply(body=b"", content_type="text/event-stream"), Unreachable, "not the OpenAI format"),
        (Reply(body=b"data: {oops\n\n", content_type="text/event-stream"), Unreachable, "not the OpenAI format"),
        (Reply(body=b"data: \xff\xfe\n\n", content_type="text/event-stream"), Unreachable, "not the OpenAI format"),
        (Reply(body=b"data: 7\n\n", content_type="text/event-stream"), Unreachable, "not the OpenAI format"),
        (
            Reply(body=b'data: {"choices": 5}\n\n', content_type="text/event-stream"),
            Unreachable,
            "not the OpenAI format",
        ),
        (
            Reply(body=b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', content_type="text/event-stream"),
            Unreachable,
            "not the OpenAI format",
        ),
        (
            Reply(body=b'data: {"choices": [], "usage": 5}\n\n', content_type="text/event-stream"),
            Unreachable,
            "not the OpenAI format",
        ),
        (
            Reply(body=b'data: {"error": {"message": "GPU fell off"}}\n\n', content_type="text/event-stream"),
            Unreachable,
            "reported a failure: GPU fell off",
        ),
        (Reply(finish="content_filter"), Refused, "stopped the answer for its content policy"),
    ],
)
async def test_each_failure_is_one_clear_line(
    server: OpenAIServer, reply: Reply, error: type[EngineError], line: str
) -> None:
    failure = await failure_of(server, reply)
    assert type(failure) is error
    assert line in str(failure)
    assert "\n" not in str(failure)
    assert failure.remedy


async def test_a_short_wait_that_the_server_asks_for_is_kept_once(server: OpenAIServer) -> None:
    server.queue(Reply(status=429, headers={"retry-after": "0.1"}))
    assert await text_from(server) == "Hello there."
    assert len(server.received) == 2


@pytest.mark.parametrize("value", ["soon", "soon: now", "nan", "Sun, 06 Nov 1994 08:49:37 GMT"])
async def test_a_wait_that_cannot_be_read_or_is_over_is_short(server: OpenAIServer, value: str) -> None:
    server.queue(Reply(status=429, headers={"retry-after": value}))
    assert await text_from(server) == "Hello there."


async def test_a_second_refusal_for_haste_is_told(server: OpenAIServer) -> None:
    failure = await failure_of(server, *[Reply(status=429, headers={"retry-after": "0"})] * 2)
    assert isinstance(failure, RateLimited)
    assert "Try again in a moment, or set ASSISTANT_CHAT=llama-cpp:" in str(failure)
    assert len(server.received) == 2


async def test_a_long_wait_is_told_at_once(server: OpenAIServer) -> None:
    failure = await failure_of(server, Reply(status=429, headers={"retry-after": "90"}))
    assert isinstance(failure, RateLimited) and "Try again in 90 s" in failure.remedy
    assert len(server.received) == 1


async def test_an_empty_account_is_not_asked_twice(server: OpenAIServer) -> None:
    failure = await failure_of(server, Reply(status=429, code="insufficient_quota"))
    assert isinstance(failure, RateLimited) and "no credit left" in failure.message
    assert len(server.received) == 1


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(hang=True)])
async def test_the_text_before_a_break_is_kept(server: OpenAIServer, reply: Reply) -> None:
    server.queue(reply)
    engine = openai.load_text("some-model", options(server, timeout_s=0.5))
    texts: list[str] = []
    with pytest.raises(Unreachable, match=r"the answer was cut\. What came so far is kept"):
        async for chunk in engine.stream(ASK, max_tokens=9, temperature=0):
            texts.append(chunk.text)
    assert texts == ["Hello", " there."]


async def test_a_slow_server_is_not_waited_for_longer_than_set(server: OpenAIServer) -> None:
    failure = await failure_of(server, Reply(delay_s=30), timeout_s=0.2)
    assert isinstance(failure, Unreachable) and "did not answer in time. Try again, raise its timeout_s" in str(failure)


async def test_a_server_that_is_down_is_told_with_its_address() -> None:
    with OpenAIServer() as server:
        gone = options(server, provider="work")
    with pytest.raises(Unreachable, match=r"work \(127\.0\.0\.1:\d+\) cannot be reached") as raised:
        await answer(openai.load_text("some-model", gone))
    assert "ASSISTANT_CHAT=llama-cpp:" in raised.value.remedy


async def test_half_a_surrogate_pair_does_not_stop_a_question(server: OpenAIServer) -> None:
    engine = openai.load_text("some-model", options(server))
    assert [chunk async for chunk in engine.stream([Message("user", "\ud83d oh")], max_tokens=9, temperature=0)]
    assert server.last.body["messages"][0]["content"] == "? oh"


async def test_the_key_is_never_in_a_message() -> None:
    with OpenAIServer(key="right") as server, pytest.raises(Refused) as raised:
        await answer(openai.load_text("some-model", options(server, key="very-secret")))
    assert "very-secret" not in str(raised.value)


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert await text_from(server) == "Hello there."
    assert (
        await openai.load_text("some-model", options(server)).agent_model().ainvoke("Hello")
    ).content == "Hello there."


# Speech


def tone(path: Path, seconds: float) -> Path:
    """A wav file with a tone that falls silent every other second."""
    time_s = np.arange(int(seconds * 8000)) / 8000
    samples = np.sin(2 * np.pi * 440 * time_s) * (time_s % 2 < 1)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((samples * 12000).astype("<i2").tobytes())
    return path


async def heard(server: OpenAIServer, model: str, path: Path, **more: Any) -> list[SpeechInfo | Segment]:
    engine = openai.load_speech(model, options(server))
    return [item async for item in engine.transcribe(SpeechRequest(path, **more), threading.Event())]


async def test_a_recording_becomes_segments_with_times(server: OpenAIServer, tmp_path: Path) -> None:
    info, *segments = await heard(server, "whisper-1", tone(tmp_path / "secret name.wav", 3))
    assert info == SpeechInfo("en", None, 3.0)
    assert segments == [Segment(0, 1, "Hello"), Segment(1, 2, "there.")]
    name, content = server.last.files["file"]
    assert (name, content[:4]) == ("recording.flac", b"fLaC")
    assert server.last.body["response_format"] == "verbose_json"


async def test_what_was_sent_is_the_recording_itself(server: OpenAIServer, tmp_path: Path) -> None:
    import av

    await heard(server, "whisper-1", tone(tmp_path / "a.wav", 3), language="French", vocabulary="Kraków")
    with av.open(io.BytesIO(server.last.files["file"][1])) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert abs(len(samples) / 16000 - 3) < 0.01
    assert 0.3 < np.abs(samples[4000:12000]).max() / 32768 < 0.4
    assert (server.last.body["language"], server.last.body["prompt"]) == ("fr", "Kraków")


async def test_a_model_without_times_gives_one_segment(server: OpenAIServer, tmp_path: Path) -> None:
    info, *segments = await heard(server, "gpt-4o-transcribe", tone(tmp_path / "a.wav", 3), language="en-GB")
    assert info == SpeechInfo("en", None, 3.0)
    assert segments == [Segment(0, 3, "Hello there.")]
    assert server.last.body["response_format"] == "json"


async def test_a_server_without_verbose_json_still_transcribes(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        server.queue(
            Reply(status=400, message="response_format verbose_json is not supported", parameter="response_format")
        )
        _, *segments = await heard(server, "parakeet", tone(tmp_path / "a.wav", 2))
        assert [segment.text for segment in segments if isinstance(segment, Segment)] == ["Hello there."]


async def test_speakers_of_a_diarizing_model_are_named(server: OpenAIServer, tmp_path: Path) -> None:
    spoken = {
        "start": 0.0,
        "end": 1.5,
        "text": " Good morning.",
        "speaker": "A",
        "id": "1",
        "type": "transcript.text.segment",
    }
    server.queue(Reply(answer={"text": "Good morning.", "segments": [spoken], "duration": 2, "task": "transcribe"}))
    _, segment = await heard(server, "gpt-4o-transcribe-diarize", tone(tmp_path / "a.wav", 2))
    assert segment == Segment(0, 1.5, "Good morning.", speaker="Speaker A")
    assert server.last.body["response_format"] == "diarized_json"


HELLO = {"word": "Hello", "start": 0.1, "end": 0.4}
THERE = {"word": "there", "start": 1.2, "end": 1.4}


async def test_words_come_with_their_own_times_in_their_segment(server: OpenAIServer, tmp_path: Path) -> None:
    segments = [{"start": 0, "end": 1, "text": " Hello"}, {"start": 1.1, "end": 2, "text": " there."}]
    answer = {"text": "Hello there.", "language": "english", "segments": segments, "words": [HELLO, THERE]}
    server.queue(Reply(answer=answer))
    _, first, second = await heard(server, "whisper-1", tone(tmp_path / "a.wav", 2), word_times=True)
    assert first == Segment(0, 1, "Hello", (Word(0.1, 0.4, "Hello"),))
    assert second == Segment(1.1, 2, "there.", (Word(1.2, 1.4, "there"),))


async def test_words_without_segments_are_one_segment(server: OpenAIServer, tmp_path: Path) -> None:
    server.queue(Reply(answer={"text": "Hello there", "language": "english", "words": [HELLO, THERE]}))
    _, segment = await heard(server, "whisper-1", tone(tmp_path / "a.wav", 2), word_times=True)
    assert segment == Segment(0.1, 1.4, "Hello there", (Word(0.1, 0.4, "Hello"), Word(1.2, 1.4, "there")))


async def test_going_on_sends_only_what_was_not_heard(server: OpenAIServer, tmp_path: Path) -> None:
    path = tone(tmp_path / "long.wav", 700)
    _, *whole = await heard(server, "whisper-1", path)
    _, *rest = await heard(server, "whisper-1", path, start_s=whole[2].end_s)  # type: ignore[union-attr]
    assert len(server.received) == 3
    assert rest == whole[3:] != []


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"text": None},
        {"text": "Hi", "segments": [{"start": None, "end": 1, "text": "Hi"}]},
        {"text": "Hi", "segments": ["Hi"]},
        {"text": "Hi", "segments": 7},
        ["Hi"],
    ],
)
async def test_a_broken_transcript_is_refused(server: OpenAIServer, tmp_path: Path, answer: Any) -> None:
    server.queue(Reply(answer=answer))
    with pytest.raises(Unreachable, match="not the OpenAI format"):
        await heard(server, "whisper-1", tone(tmp_path / "a.wav", 1))


async def test_times_beyond_the_recording_are_brought_back(server: OpenAIServer, tmp_path: Path) -> None:
    spoken = [{"start": -1, "end": 99, "text": "Hi"}]
    server.queue(Reply(answer={"text": "Hi", "language": "fr", "duration": 2, "segments": spoken}))
    assert (await heard(server, "whisper-1", tone(tmp_path / "a.wav", 2)))[1:] == [Segment(0, 2, "Hi")]


async def test_a_long_recording_is_sent_in_windows_and_its_times_go_on(server: OpenAIServer, tmp_path: Path) -> None:
    server.queue(Reply(pieces=["First."]), Reply(pieces=["Second."]))
    info, first, second, *_ = await heard(server, "whisper-1", tone(tmp_path / "long.wav", 700))
    assert isinstance(info, SpeechInfo) and info.duration_s == pytest.approx(700, abs=0.1)
    assert isinstance(first, Segment) and isinstance(second, Segment)
    assert (first.start_s, first.text, second.text) == (0, "First.", "Second.")
    assert 540 <= second.start_s <= 600
    assert all(len(asked.files["file"][1]) < 25e6 for asked in server.received)


async def test_translation_goes_to_its_own_address_or_is_refused(server: OpenAIServer, tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", 2)
    await heard(server, "whisper-1", path, translate=True)
    assert server.last.path == "/v1/audio/translations"
    with pytest.raises(BadInput, match="gpt-4o-transcribe does not translate"):
        await heard(server, "gpt-4o-transcribe", path, translate=True)


async def test_what_is_no_recording_is_not_sent(server: OpenAIServer, tmp_path: Path) -> None:
    (tmp_path / "picture.wav").write_bytes(png())
    with pytest.raises(BadInput, match="is not a recording"):
        await heard(server, "whisper-1", tmp_path / "picture.wav")
    assert not server.received


async def test_stop_ends_a_transcription_while_the_server_works(server: OpenAIServer, tmp_path: Path) -> None:
    server.queue(Reply(delay_s=30))
    stop = threading.Event()
    engine = openai.load_speech("whisper-1", options(server))
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        await anext(engine.transcribe(SpeechRequest(tone(tmp_path / "a.wav", 2)), stop))


# Pictures


async def drawn(server: OpenAIServer, model: str, request: ImageRequest, choose: Any = options) -> GeneratedImage:
    return await openai.load_image(model, choose(server)).generate(request, lambda *_: None, threading.Event())


async def test_a_picture_is_made_from_words(server: OpenAIServer) -> None:
    request = ImageRequest("a lighthouse", negative_prompt="people", size=(1024, 1536))
    picture = await drawn(server, "gpt-image-1", request)
    assert (picture.width, picture.height, picture.png) == (64, 48, png())
    assert (picture.model, picture.seed, picture.steps) == ("openai-compatible:gpt-image-1", None, None)
    assert server.last.body == {
        "model": "gpt-image-1",
        "prompt": "a lighthouse\nLeave out: people",
        "n": 1,
        "size": "1024x1536",
    }


async def test_other_models_are_asked_for_the_picture_itself(server: OpenAIServer) -> None:
    await drawn(server, "dall-e-3", ImageRequest("a lighthouse"))
    assert server.last.body["response_format"] == "b64_json"


async def test_a_server_that_knows_no_response_format_draws_all_the_same() -> None:
    with OpenAIServer(unknown=["response_format"]) as server:
        assert (await drawn(server, "flux", ImageRequest("a lighthouse"))).width == 64


async def test_a_picture_of_another_format_becomes_png(server: OpenAIServer) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "navy").save(buffer, "WEBP")
    server.queue(Reply(answer={"created": 1, "data": [{"b64_json": base64.b64encode(buffer.getvalue()).decode()}]}))
    picture = await drawn(server, "flux", ImageRequest("night"))
    assert (picture.png[1:4], picture.width, picture.height) == (b"PNG", 30, 20)


@pytest.mark.parametrize("choose", [options, azure])
async def test_a_picture_is_changed_where_the_mask_is_white(
    server: OpenAIServer, tmp_path: Path, choose: Callable[..., EngineOptions]
) -> None:
    from PIL import Image

    (tmp_path / "me.png").write_bytes(png())
    mask = Image.new("L", (64, 48), 0)
    mask.paste(255, (0, 0, 32, 48))
    mask.save(tmp_path / "mask.png")
    await drawn(
        server, "gpt-image-1", ImageRequest("a hat", image=tmp_path / "me.png", mask=tmp_path / "mask.png"), choose
    )
    assert server.last.path.endswith("/images/edits")
    sent = Image.open(io.BytesIO(server.last.files["mask"][1]))
    assert (sent.getpixel((5, 5))[3], sent.getpixel((60, 5))[3]) == (0, 255)
    assert Image.open(io.BytesIO(server.last.files["image"][1])).getpixel((5, 5)) == (200, 80, 40, 255)


async def test_a_large_picture_is_scaled_and_its_mask_with_it(server: OpenAIServer, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "me.png").write_bytes(png(4096, 1024))
    (tmp_path / "mask.png").write_bytes(png(64, 48))
    await drawn(server, "gpt-image-1", ImageRequest("a hat", image=tmp_path / "me.png", mask=tmp_path / "mask.png"))
    assert {Image.open(io.BytesIO(content)).size for _, content in server.last.files.values()} == {(2048, 512)}


async def test_what_a_server_decides_itself_and_what_was_changed_is_said(server: OpenAIServer, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "me.png").write_bytes(png())
    Image.new("L", (10, 10), 255).save(tmp_path / "mask.png")
    request = ImageRequest("a hat", seed=3, strength=0.5, image=tmp_path / "me.png", mask=tmp_path / "mask.png")
    warning = (await drawn(server, "localai", request)).warning
    assert "not used: seed, strength." in warning
    assert "The mask is 10×10 pixels and the picture 64×48" in warning
    assert (await drawn(server, "localai", ImageRequest("a hat"))).warning == ""


async def test_a_model_that_draws_from_words_only_is_sent_no_picture(server: OpenAIServer, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(png())
    with pytest.raises(CannotChange, match="dall-e-3 changes no pictures"):
        await drawn(server, "dall-e-3", ImageRequest("a hat", image=tmp_path / "me.png"))
    assert not server.received


async def test_an_address_on_the_same_host_is_fetched_without_the_key(server: OpenAIServer) -> None:
    server.queue(Reply(answer={"created": 1, "data": [{"url": f"{server.host}/made/1.png"}]}))
    assert (await drawn(server, "localai", ImageRequest("a lighthouse"))).png == png()
    assert "authorization" not in server.last.headers


async def test_an_address_elsewhere_is_not_fetched(server: OpenAIServer) -> None:
    server.queue(Reply(answer={"created": 1, "data": [{"url": "https://pictures.example.org/1.png"}]}))
    with pytest.raises(Refused, match="nothing is fetched from there"):
        await drawn(server, "localai", ImageRequest("a lighthouse"))


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (Reply(answer={"created": 1, "data": []}), "not the OpenAI format"),
        (Reply(body=b"<html>hello</html>"), "not the OpenAI format"),
        (Reply(body=b"{broken", content_type="application/json"), "not the OpenAI format"),
        (
            Reply(answer={"created": 1, "data": [{"b64_json": "bm8gcGljdHVyZQ=="}]}),
            "without a picture that can be read",
        ),
        (Reply(answer={"created": 1, "data": 7}), "without a picture that can be read"),
        (Reply(answer={"created": 1, "data": [{"b64_json": 7}]}), "without a picture that can be read"),
        (Reply(answer={"created": 1, "data": [{"b64_json": "%%%"}]}), "without a picture that can be read"),
        (Reply(answer={"created": 1, "data": [{"url": "/nowhere"}]}), "did not hand over the picture"),
        (
            Reply(answer={"created": 1, "data": [{"b64_json": base64.b64encode(png()[:60]).decode()}]}),
            "without a picture that can be read",
        ),
    ],
)
async def test_an_answer_without_a_picture_is_told(server: OpenAIServer, reply: Reply, line: str) -> None:
    server.queue(reply)
    with pytest.raises(Unreachable, match=line):
        await drawn(server, "localai", ImageRequest("a lighthouse"))


async def test_a_broken_picture_to_change_is_not_sent(server: OpenAIServer, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(png()[:50])
    with pytest.raises(BadInput, match=r"me\.png is not a picture"):
        await drawn(server, "gpt-image-1", ImageRequest("a hat", image=tmp_path / "me.png"))
    assert not server.received


async def test_stop_ends_drawing_while_the_server_works(server: OpenAIServer) -> None:
    server.queue(Reply(delay_s=30))
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        await openai.load_image("dall-e-3", options(server)).generate(ImageRequest("x"), lambda *_: None, stop)


# Vectors


async def test_vectors_have_unit_length_and_the_order_of_their_texts(server: OpenAIServer) -> None:
    vectors = await openai.load_embedding("text-embedding-3-small", options(server)).embed(["one", "two"])
    expected = np.array([vector("one"), vector("two")], np.float32)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))


async def test_many_texts_go_in_several_requests(server: OpenAIServer) -> None:
    vectors = await openai.load_embedding("some", options(server)).embed([str(n) for n in range(300)])
    assert vectors.shape == (300, 8)
    assert [len(asked.body["input"]) for asked in server.received] == [256, 44]


async def test_the_name_tells_the_dimensions_and_the_server_is_asked_for_them(server: OpenAIServer) -> None:
    engine = openai.load_embedding("text-embedding-3-large", options(server, dimensions=4, provider="openai"))
    assert engine.name == "openai:text-embedding-3-large@4"
    assert (await engine.embed(["one"])).shape == (1, 4)


async def test_azure_embeds_and_transcribes_under_its_deployments(server: OpenAIServer, tmp_path: Path) -> None:
    await openai.load_embedding("vectors", azure(server)).embed(["one"])
    assert server.last.path == "/openai/deployments/vectors/embeddings"
    speech = openai.load_speech("whisper", azure(server))
    request = SpeechRequest(tone(tmp_path / "a.wav", 1))
    assert [item async for item in speech.transcribe(request, threading.Event())]
    assert server.last.path == "/openai/deployments/whisper/audio/transcriptions"


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [0.0, 0.0]}],
        [{"index": 0, "embedding": [1.0, None]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": "words"}],
        [{"embedding": [1.0, 2.0]}] * 2,
        "words",
    ],
)
async def test_broken_vectors_are_refused(server: OpenAIServer, data: Any) -> None:
    server.queue(Reply(answer={"object": "list", "model": "m", "data": data}))
    with pytest.raises(Unreachable, match="not the OpenAI format"):
        await openai.load_embedding("some", options(server)).embed(["one"] if len(data) < 2 else ["one", "two"])


async def test_no_texts_ask_nothing(server: OpenAIServer) -> None:
    assert len(await openai.load_embedding("some", options(server)).embed([])) == 0
    assert not server.received


@pytest.mark.parametrize("task", ["speech", "image", "embedding"])
async def test_every_capability_reports_a_refused_key_alike(server: OpenAIServer, tmp_path: Path, task: str) -> None:
    server.queue(Reply(status=401))
    with pytest.raises(Refused, match="does not accept the key"):
        if task == "speech":
            await heard(server, "whisper-1", tone(tmp_path / "a.wav", 1))
        elif task == "image":
            await drawn(server, "dall-e-3", ImageRequest("x"))
        else:
            await openai.load_embedding("some", options(server)).embed(["one"])


async def test_a_connection_that_closed_just_before_its_use_is_opened_anew(server: OpenAIServer) -> None:
    server.queue(Reply(leave=True), Reply(pieces=("Hello",)))
    assert await text_from(server) == "Hello"


async def test_a_server_that_only_hangs_up_is_one_line(server: OpenAIServer) -> None:
    server.queue(Reply(leave=True), Reply(leave=True))
    with pytest.raises(Unreachable, match="cannot be reached"):
        await text_from(server)
    assert len(server.received) == 2
