"""The embedded text model on starter weights."""

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tools.engines.base import EngineOptions, Message
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput, ModelNotFound
from tools.engines.llama_cpp import LlamaCpp, load_text

SMALL = "smollm2-135m-instruct"
Load = Callable[..., LlamaCpp]


@pytest.fixture
async def load(models_folder: Path) -> AsyncIterator[Load]:
    arbiter = DeviceArbiter()

    def open_model(model: str = SMALL, **values: int) -> LlamaCpp:
        return load_text(model, EngineOptions(models_folder, arbiter, values=values))

    yield open_model
    await arbiter.evict_idle()


async def say(engine: LlamaCpp, text: str, **options: object) -> str:
    defaults = {"max_tokens": 24, "temperature": 0.0}
    return "".join([c.text async for c in engine.stream([Message("user", text)], **{**defaults, **options})])  # type: ignore[arg-type]


async def test_the_starter_model_knows_the_capital_of_australia(load: Load) -> None:
    assert "Canberra" in await say(load("qwen2.5-coder-1.5b-instruct"), "What is the capital of Australia?")


async def test_the_reply_streams_and_its_tokens_are_counted(load: Load) -> None:
    chunks = [c async for c in load().stream([Message("user", "Hello!")], max_tokens=8, temperature=0)]
    assert sum(bool(c.text) for c in chunks) > 3
    assert chunks[-1].usage.completion_tokens == 8 and chunks[-1].cut


async def test_greedy_replies_repeat_themselves(load: Load) -> None:
    engine = load()
    assert await say(engine, "Name a colour.") == await say(engine, "Name a colour.")


async def test_the_unchanged_beginning_of_a_prompt_is_not_read_again(load: Load) -> None:
    engine, first = load(), [Message("user", "Tell me about the sea. " * 40)]
    longer = [*first, Message("assistant", "It is wide."), Message("user", "More.")]
    async for _ in engine.stream(first, max_tokens=4, temperature=0):
        pass
    fractions = [c.fraction async for c in engine.stream(longer, max_tokens=4, temperature=0) if c.fraction is not None]
    assert fractions[0] > 0.8


async def test_a_schema_is_kept_to(load: Load) -> None:
    schema = {
        "type": "object",
        "properties": {"tool": {"type": "string", "enum": ["a", "b"]}},
        "required": ["tool"],
        "additionalProperties": False,
    }
    assert json.loads(await say(load(), "Choose.", json_schema=schema))["tool"] in ("a", "b")


async def test_two_answers_are_written_at_once(load: Load) -> None:
    engine = load()
    both = await asyncio.gather(say(engine, "Count to ten."), say(engine, "Name three fruits."))
    assert all(both)


async def test_stopping_while_a_long_prompt_is_read_frees_the_model(load: Load) -> None:
    engine = load()
    stream = engine.stream([Message("user", "lorem ipsum " * 700)], max_tokens=200, temperature=0)
    async with contextlib.aclosing(stream) as chunks:
        async for _ in chunks:
            break
    assert await asyncio.wait_for(say(engine, "Hi"), 20)


async def test_a_prompt_longer_than_the_context_says_so(load: Load) -> None:
    with pytest.raises(BadInput, match="longer"):
        await say(load(context_tokens=512), "word " * 2000)


async def test_tokens_are_counted_exactly(load: Load) -> None:
    assert await load().count_tokens([Message("user", "Hello there")]) == 2 + 8


async def test_the_server_answers_nobody_without_the_key(load: Load) -> None:
    engine = load()
    await say(engine, "Hi")
    async with engine._options.arbiter.use(engine._resident) as server:
        request = urllib.request.Request(f"{server._address}/v1/chat/completions", b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            await asyncio.to_thread(urllib.request.urlopen, request)


async def test_an_unknown_model_lists_the_known_ones(load: Load) -> None:
    with pytest.raises(ModelNotFound, match=SMALL):
        load("gpt-17")


async def test_a_file_that_is_no_gguf_gets_a_line(load: Load, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(ModelNotFound, match="whole GGUF"):
        await say(load(str(tmp_path / "broken.gguf")), "Hi")


async def test_a_truncated_model_gets_a_line(load: Load, tmp_path: Path, models_folder: Path) -> None:
    whole = (models_folder / SMALL / "model.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelNotFound, match="whole GGUF"):
        await say(load(str(tmp_path / "cut.gguf")), "Hi")


async def test_a_missing_file_gets_a_line(load: Load) -> None:
    with pytest.raises(ModelNotFound, match="no file"):
        load("/nowhere/model.gguf")
