"""Pictures as input: what a model that sees is sent, and what is said where none sees."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assistant.agent import Turn
from assistant.events import Notice, TurnDone
from assistant.settings import Chat
from tests.fakes import events_of
from tests.openai_server import OpenAIServer, Reply, png
from tests.seeing import opened
from tests.unit.test_receipts import assistant_for, done
from tools.engines.base import Endpoint, EngineOptions, Message
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput
from tools.engines.openai import PICTURE_TOKENS, load_text
from tools.engines.picture_input import picture_url

SEES = Chat("work:m", sees_images=True, context_tokens=40_000)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def picture(folder: Path, name: str = "a.png", **how: Any) -> Path:
    (folder / name).write_bytes(png(**how))
    return folder / name


def parts(server: OpenAIServer, which: int = -1) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = server.last.body["messages"][which]["content"]
    return content


def test_what_is_sent_of_a_photo_is_bounded_upright_and_without_where_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of Ada"
    path = tmp_path / "photo.jpg"
    Image.effect_noise((4000, 3000), 90).convert("RGB").save(path, exif=exif)
    found = opened(picture_url(path))
    assert found.size == (1152, 1536) and found.format == "JPEG" and not found.getexif()
    assert b"Ada" not in base64.b64decode(picture_url(path).partition(",")[2])


def test_a_chart_keeps_its_lines(tmp_path: Path) -> None:
    found = opened(picture_url(picture(tmp_path, width=800, height=400, rgb=(1, 2, 3))))
    assert (found.format, found.size, found.getpixel((5, 5))) == ("PNG", (800, 400), (1, 2, 3))


async def test_a_model_that_sees_gets_all_pictures_with_the_question(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server, chat=SEES)
    files = (picture(tmp_path, "a.png", rgb=(255, 0, 0)), picture(tmp_path, "b.png", rgb=(0, 0, 255)))
    answer = await done(assistant, Turn("Which is red?", files, thread="t"))
    text, first, second = parts(server)
    assert text == {"type": "text", "text": "Which is red?"} and answer.answer == "Hello there."
    colours = [opened(part["image_url"]["url"]).getpixel((0, 0)) for part in (first, second)]
    assert colours == [(255, 0, 0), (0, 0, 255)]
    await done(assistant, Turn("And the other one?", thread="t"))
    assert [part["type"] for part in parts(server, -3)] == ["text", "image_url", "image_url"]
    assert server.last.body["messages"][-1]["content"] == "And the other one?"
    small = assistant_for(tmp_path, server, chat=Chat("work:m", sees_images=True))
    await done(small, Turn("Once more?", thread="t"))
    assert [m["content"] for m in server.last.body["messages"]][1] == "Which is red?", "small models keep the words"


async def test_a_picture_without_words_is_described(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server, chat=SEES)
    await done(assistant, Turn("", (picture(tmp_path),), options={"page_language": "fr"}))
    assert parts(server)[0]["text"] == "Que montre ceci ?"


async def test_more_pictures_than_go_with_one_message_are_told_of(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server, chat=SEES)
    events = await events_of(assistant, Turn("See?", tuple(picture(tmp_path, f"{n}.png") for n in range(9))))
    assert [e.text for e in events if isinstance(e, Notice)] == [
        "8 of 9 pictures were looked at; that many go with one message."
    ]
    assert len(parts(server)) == 9


async def test_a_model_that_does_not_see_says_so_and_names_one_that_does(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server)
    turn = Turn("What is in it?", (picture(tmp_path),), tool="write_text")
    answer = (await done(assistant, turn)).answer
    assert "work:m cannot look at pictures" in answer and "ASSISTANT_CHAT=ollama:llava:7b" in answer
    assistant.engines.settings = replace(assistant.settings, keys={"OPENAI_API_KEY": "k"})
    assert "These see: openai:gpt-5-mini" in (await done(assistant, turn)).answer
    assert not server.received


async def test_a_model_that_calls_tools_sees_them_too(tmp_path: Path, server: OpenAIServer) -> None:
    assistant = assistant_for(tmp_path, server, chat=Chat("work:gpt-4o-mini"))
    server.queue(Reply())
    events = await events_of(assistant, Turn("What is in it?", (picture(tmp_path, rgb=(9, 9, 9)),)))
    assert isinstance(events[-1], TurnDone) and events[-1].usage.prompt_tokens == 11
    text, shown = parts(server)
    assert text["text"].startswith("What is in it?")
    assert opened(shown["image_url"]["url"]).getpixel((0, 0)) == (9, 9, 9)


async def test_pictures_are_counted_for_the_estimate_and_a_broken_one_is_a_line(tmp_path: Path) -> None:
    endpoint = Endpoint("http://127.0.0.1:9/v1", "key")
    engine = load_text("m", EngineOptions(tmp_path, DeviceArbiter(), endpoint=endpoint))
    alone = await engine.count_tokens([Message("user", "See?")])
    assert await engine.count_tokens([Message("user", "See?", (tmp_path / "a", tmp_path / "b"))]) == (
        alone + 2 * PICTURE_TOKENS
    )
    (tmp_path / "broken.png").write_bytes(png()[:60])
    stream = engine.stream([Message("user", "See?", (tmp_path / "broken.png",))], max_tokens=5, temperature=0)
    with pytest.raises(BadInput, match="is not a picture that can be read"):
        await anext(stream)
