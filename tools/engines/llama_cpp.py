"""GGUF models on this machine through xllamacpp: llama.cpp's own server on loopback, behind a random key.

The server speaks the OpenAI API, so the streaming loop is the hosted one; what is particular here is loading, threads and memory.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools.engines.base import EngineOptions, Message, ModelCard, TextChunk
from tools.engines.device import CPU, Resident, devices_for, worker_threads
from tools.engines.errors import BadInput, ModelNotFound, OutOfMemory
from tools.engines.openai import OpenAIText
from tools.engines.starter import STARTERS, starter_folder

MODELS: dict[str, ModelCard] = {
    "qwen2.5-coder-1.5b-instruct": ModelCard(
        id="llama-cpp:qwen2.5-coder-1.5b-instruct",
        task="text",
        runs="local",
        licence="Apache-2.0",
        source="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF, Q4_K_M",
        size_bytes=1_117_320_768,
        memory_bytes=1_500_000_000,
        context_tokens=32_768,
        languages=("en", "zh", "fr", "es", "pt", "de", "it", "ru", "ja", "ko", "vi", "th", "ar"),
        sha256=STARTERS["qwen2.5-coder-1.5b-instruct"].files[0].sha256,
        starter=True,
        maker="Alibaba",
        parameters=1_540_000_000,
        architecture="decoder",
        limits="small: often wrong on facts and figures, best in English and Chinese; about 10 tokens a second on 2 cores",
    ),
    "smollm2-135m-instruct": ModelCard(
        id="llama-cpp:smollm2-135m-instruct",
        task="text",
        runs="local",
        licence="Apache-2.0",
        source="HuggingFaceTB/SmolLM2-135M-Instruct, Q4_1",
        size_bytes=98_362_432,
        memory_bytes=300_000_000,
        context_tokens=8192,
        languages=("en",),
        sha256=STARTERS["smollm2-135m-instruct"].files[0].sha256,
        starter=True,
        maker="Hugging Face",
        parameters=135_000_000,
        architecture="decoder",
        limits="for smoke tests: fast, and mostly wrong",
    ),
}

SLOTS = 2
"""Answers that may be written at the same time; each has the whole context for itself."""
BATCH_TOKENS = 24
"""Prompt tokens read at a stretch on a CPU. Stop waits for about two: on two cores 32 took 0.9 to 1.2 s and 16 0.6 s, while
reading a prompt took a fifth longer with 16 than with 64."""
PROMPT_CACHE_MIB = 256
KV_BYTES_PER_TOKEN = 30_000


def load_text(model: str, options: EngineOptions) -> LlamaCpp:
    """A starter model by name, or any GGUF file by path. Weights load on the first call. `options.values`: context_tokens.

    Raises: ModelNotFound.
    """
    card = MODELS.get(model) or _card_of_file(model)
    return LlamaCpp(card, model, options)


class LlamaCpp:
    def __init__(self, card: ModelCard, model: str, options: EngineOptions) -> None:
        self.card = card
        limit = card.context_tokens or 32_768
        self.context_tokens = min(int(options.values.get("context_tokens") or 4096), limit)
        self._model = model
        self._options = options
        kv_bytes = SLOTS * self.context_tokens * KV_BYTES_PER_TOKEN
        self._resident = Resident(
            card.id, (card.size_bytes or 0) + kv_bytes, self._start, _Server.stop, self._devices, concurrent=True
        )

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        json_schema: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> AsyncIterator[TextChunk]:
        """See TextGenerator. JSON schemas are enforced by a grammar: bound every number and length in them.

        Raises: EngineError.
        """
        async with self._options.arbiter.use(self._resident) as server:
            text = server.text
            chunks = text.stream(
                messages, max_tokens=max_tokens, temperature=temperature, json_schema=json_schema, seed=seed
            )
            async with contextlib.aclosing(chunks):  # type: ignore[type-var]
                async for chunk in chunks:
                    yield chunk

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact, by the model's own tokenizer, and eight for the frame of each message.

        Raises: EngineError.
        """
        async with self._options.arbiter.use(self._resident) as server:
            return sum([8 + await server.count(message.content) for message in messages])

    def agent_model(self) -> Any:
        raise BadInput(f"{self.card.id} does not call tools reliably.", "Choose a model whose card says it does.")

    async def close(self) -> None:
        await self._options.arbiter.release(self._resident.name)

    def _devices(self) -> Sequence[str]:
        return devices_for(self._options.device, has_gpu)

    def _start(self, device: str) -> _Server:
        path = Path(self._model)
        if self._model in STARTERS:
            path = starter_folder(self._model, self._options.models, self._options.on_load) / "model.gguf"
        self._options.on_load(f"Loading {self.card.id.partition(':')[2]}", None)
        return _Server(path, self.card, self.context_tokens, device)


class _Server:
    """llama.cpp's server in this process, on a free port of 127.0.0.1, open only to the holder of a random key."""

    def __init__(self, path: Path, card: ModelCard, context_tokens: int, device: str) -> None:
        # Waiting OpenMP threads that spin make busy machines ten times slower; this is read when the library is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import xllamacpp

        key = secrets.token_urlsafe(32)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [key]
        params.ui = False
        params.verbosity = 0
        params.warmup = False
        params.n_parallel = SLOTS
        params.n_ctx = SLOTS * context_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS if device == CPU else 512
        params.n_gpu_layers = 0 if device == CPU else 999
        params.cache_ram_mib = PROMPT_CACHE_MIB
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = worker_threads()
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise _unreadable(path, error) from error
        self._address = self._server.listening_address
        self._key = key
        self._card = card
        self._context_tokens = context_tokens
        self._text: OpenAIText | None = None
        self._counts: dict[str, int] = {}

    @property
    def text(self) -> OpenAIText:
        if self._text is None:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

            http = DefaultAsyncHttpxClient(timeout=Timeout(None, connect=5.0), trust_env=False)
            client = AsyncOpenAI(base_url=f"{self._address}/v1", api_key=self._key, max_retries=0, http_client=http)
            extra = {"return_progress": True, "cache_prompt": True}
            self._text = OpenAIText(client, self._card, self._context_tokens, extra_body=extra)
        return self._text

    async def count(self, text: str) -> int:
        if text not in self._counts:
            hosted, url = self.text.hosted, f"{self._address}/tokenize"
            answer = await hosted.call(lambda: hosted.client.post(url, body={"content": text}, cast_to=dict[str, Any]))
            if len(self._counts) > 1000:
                self._counts.clear()
            self._counts[text] = len(answer["tokens"])
        return self._counts[text]

    def stop(self) -> None:
        del self._server


@lru_cache(maxsize=1)
def has_gpu() -> bool:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import xllamacpp

    return any("GPU" in device["type"].name for device in xllamacpp.get_device_info())


def _card_of_file(model: str) -> ModelCard:
    path = Path(model).expanduser()
    if path.suffix != ".gguf":
        raise ModelNotFound(
            f"llama-cpp has no model {model!r}.", f"Use one of {', '.join(MODELS)}, or the path of a .gguf file."
        )
    if not path.is_file():
        raise ModelNotFound(f"There is no file {path}.", "Check the path of the .gguf file.")
    size = path.stat().st_size
    return ModelCard(f"llama-cpp:{model}", "text", "local", "unknown", str(path), size_bytes=size, memory_bytes=size)


def _unreadable(path: Path, error: RuntimeError) -> Exception:
    if "memory" in str(error).lower():
        return OutOfMemory(f"{path.name} does not fit the memory.", "Choose a smaller model or less context_tokens.")
    return ModelNotFound(
        f"{path.name} cannot be loaded: {error}.", "It must be a whole GGUF file that this llama.cpp knows."
    )
