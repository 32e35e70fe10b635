"""Voices: Piper with its starter weights in a process of its own, and hosted ones against a server on loopback."""

from __future__ import annotations

import asyncio
import re
import threading
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.cli import call
from assistant.voice import save_sound
from tests.openai_server import OpenAIServer, Reply
from tools.engines import faster_whisper, openai, piper
from tools.engines.base import Endpoint, EngineOptions, Segment, Sound, SpeechRequest, VoiceSynthesizer
from tools.engines.device import DeviceArbiter
from tools.engines.errors import EngineError, ModelNotFound, Refused, Stopped, Unreachable

SENTENCE = "A week has seven days."


@pytest.fixture
def options(models_folder: Path) -> EngineOptions:
    return EngineOptions(models_folder, DeviceArbiter(), "cpu", offline=True)


@pytest.fixture
async def voice(options: EngineOptions) -> AsyncIterator[piper.Piper]:
    engine = piper.load_voice(piper.STARTER, options)
    yield engine
    await engine.close()


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def hosted(server: OpenAIServer, **values: str) -> VoiceSynthesizer:
    endpoint = Endpoint(server.url, "key")
    return openai.load_voice("tts-1", EngineOptions(Path("models"), DeviceArbiter(), endpoint=endpoint, values=values))


async def said(engine: VoiceSynthesizer, text: str = SENTENCE, stop: threading.Event | None = None) -> list[Sound]:
    return [sound async for sound in engine.speak(text, None, stop or threading.Event())]


async def test_what_piper_says_is_understood(voice: piper.Piper, options: EngineOptions, tmp_path: Path) -> None:
    sounds = await said(voice)
    samples = np.frombuffer(b"".join(s.pcm for s in sounds), "<i2").astype(np.float32) / 32768
    at_16_khz = np.interp(
        np.arange(0, len(samples), sounds[0].sample_rate_hz / 16_000), np.arange(len(samples)), samples
    )
    path = save_sound(tmp_path / "said.wav", at_16_khz.astype(np.float32))
    recogniser = faster_whisper.load_speech("tiny.en", options)
    heard = [
        s.text async for s in recogniser.transcribe(SpeechRequest(path), threading.Event()) if isinstance(s, Segment)
    ]
    assert re.search("(seven|7) days", " ".join(heard))
    await recogniser.close()


async def test_stopped_piper_falls_silent_and_speaks_again(voice: piper.Piper) -> None:
    stop = threading.Event()
    sounds = voice.speak("One. " * 200, None, stop)
    await anext(sounds)
    stop.set()
    with pytest.raises(Stopped):
        async for _ in sounds:
            pass
    assert await said(voice)


async def test_a_listener_who_leaves_ends_the_speech(voice: piper.Piper) -> None:
    task = asyncio.create_task(said(voice, "One. " * 200))
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.wait([task])
    assert await said(voice)


async def test_a_voice_that_cannot_be_read_says_so(tmp_path: Path, options: EngineOptions) -> None:
    model = tmp_path / "broken.onnx"
    model.write_bytes(b"no voice")
    Path(f"{model}.json").write_text("{}", "utf-8")
    engine = piper.load_voice(str(model), options)
    with pytest.raises(EngineError, match=r"piper broke off: .+ choose another voice"):
        await said(engine)
    await engine.close()


def test_an_unknown_voice_is_named(options: EngineOptions) -> None:
    with pytest.raises(ModelNotFound, match="en_US-joe-medium"):
        piper.load_voice("nobody", options)


async def test_a_hosted_voice_streams_its_samples(server: OpenAIServer) -> None:
    sounds = await said(hosted(server, name="nova"))
    assert b"".join(s.pcm for s in sounds) == server.sound
    assert {len(s.pcm) % 2 for s in sounds} == {0}
    wanted = {"model": "tts-1", "voice": "nova", "input": SENTENCE, "response_format": "pcm"}
    assert server.last.body == wanted


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(status=401, message="bad key"), Refused, "does not accept the key"),
        (Reply(status=404, message="The model does not exist", code="model_not_found"), ModelNotFound, "has no model"),
        (Reply(status=500), Unreachable, "status 500"),
        (Reply(body=b"<html>"), Unreachable, "not the OpenAI format"),
        (Reply(cut=True), Unreachable, "broke off"),
    ],
)
async def test_a_failing_server_is_explained(
    server: OpenAIServer, reply: Reply, error: type[EngineError], words: str
) -> None:
    server.queue(reply)
    with pytest.raises(error, match=words):
        await said(hosted(server))


async def test_a_stopped_hosted_voice_hangs_up(server: OpenAIServer) -> None:
    server.queue(Reply(hang=True))
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        await said(hosted(server), stop=stop)


def test_a_text_is_said_on_the_command_line(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    assert call(["say", SENTENCE, "-o", "said.wav"]) == 0
    with wave.open("said.wav") as file:
        assert 1 < file.getnframes() / file.getframerate() < 4
    assert call(["say", SENTENCE, "-o", "said.mp3"]) == 2
