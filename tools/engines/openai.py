"""Hosted text, speech, pictures and vectors through the official `openai` client.

The same file serves OpenAI, Azure OpenAI and every server that speaks their API: Ollama, vLLM, LM Studio, llama.cpp.
`OpenAIText` takes a ready client, so that an embedded server is driven by the very same loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.engines.base import (
    Benchmark,
    Embedder,
    EngineOptions,
    ImageGenerator,
    Message,
    ModelCard,
    Reranker,
    SpeechRecognizer,
    Task,
    TextChunk,
    TextGenerator,
    Usage,
    VoiceSynthesizer,
)
from tools.engines.errors import ModelNotFound, Refused, Unreachable
from tools.engines.hosted import Hosted, failures, open_hosted, refuses
from tools.engines.openai_images import OpenAIImages
from tools.engines.openai_rerank import HostedReranker
from tools.engines.openai_speech import OpenAISpeech
from tools.engines.openai_voice import OpenAIVoice
from tools.engines.picture_input import picture_url
from tools.engines.well_known import WELL_KNOWN

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_DOCS = "https://platform.openai.com/docs/models/"
_FORBIDS = "using its answers to develop competing models"
_EMBEDDINGS = "https://openai.com/index/new-embedding-models-and-api-updates/"
_QUICK: Mapping[str, Any] = {"fixed_temperature": True, "body": {"reasoning_effort": "minimal"}}


def _card(model: str, task: Task, **facts: Any) -> ModelCard:
    return ModelCard(
        f"openai:{model}", task, "hosted", "proprietary", _DOCS + model, maker="OpenAI", forbids=_FORBIDS, **facts
    )


MODELS: dict[str, ModelCard] = {
    card.id.partition(":")[2]: card
    for card in (
        _card("gpt-5-mini", "text", context_tokens=400_000, calls_tools=True, sees_images=True, options=_QUICK),
        _card("gpt-5", "text", context_tokens=400_000, calls_tools=True, sees_images=True, options=_QUICK),
        _card("gpt-4.1-mini", "text", context_tokens=1_047_576, calls_tools=True, sees_images=True),
        _card(
            "gpt-4o-mini",
            "text",
            context_tokens=128_000,
            calls_tools=True,
            sees_images=True,
            options={"picture_tokens": 50_000},
        ),
        _card("gpt-4o-transcribe", "speech", limits="one segment without times; 25 minutes a request"),
        _card("whisper-1", "speech", limits="25 MB a request"),
        _card("gpt-4o-mini-tts", "voice"),
        _card("tts-1", "voice"),
        _card("gpt-image-1", "image", limits="1024x1024, 1536x1024 or 1024x1536"),
        _card(
            "dall-e-3",
            "image",
            limits="1024x1024, 1792x1024 or 1024x1792; changes no pictures",
            options={"words_only": True},
        ),
        _card(
            "text-embedding-3-small",
            "embedding",
            context_tokens=8192,
            benchmarks=(
                Benchmark("MTEB, English", 62.3, "%", _EMBEDDINGS),
                Benchmark("MIRACL, many languages", 44.0, "%", _EMBEDDINGS),
            ),
        ),
        _card(
            "text-embedding-3-large",
            "embedding",
            context_tokens=8192,
            benchmarks=(
                Benchmark("MTEB, English", 64.6, "%", _EMBEDDINGS),
                Benchmark("MIRACL, many languages", 54.9, "%", _EMBEDDINGS),
            ),
        ),
    )
}

PICTURE_TOKENS = 2_500
"""The most that a picture of `picture_url`'s size takes with OpenAI's models but gpt-4o-mini, whose tiles count 33 times as much
(platform.openai.com/docs/guides/images-vision)."""
UNKNOWN_CONTEXT_TOKENS = 4096
"""Assumed where neither the card nor the settings say: what Ollama gives a model unless told otherwise."""
STREAM_TIMEOUT_S = 60.0
VOICE_NAME = "alloy"
WHOLE_TIMEOUT_S = 300.0
"""For what comes in one piece when it is done: a transcript, a picture."""
TEXTS_A_REQUEST = 256
TOKENS_A_TEXT = 8000
TOKENS_A_REQUEST = 250_000
"""Below the 8,192 tokens a text and 300,000 a request that OpenAI takes (platform.openai.com/docs/api-reference/embeddings)."""


def load_text(model: str, options: EngineOptions) -> TextGenerator:
    """A hosted chat model. `options.values`: provider, timeout_s, context_tokens.

    Raises: MissingKey, BadInput, Refused, ModelNotFound (a model of another capability).
    """
    card = card_for(model, "text", options)
    hosted = open_hosted(card, options, timeout_s=STREAM_TIMEOUT_S)
    known = [int(n) for n in (options.values.get("context_tokens"), card.context_tokens) if n]
    return OpenAIText(hosted.client, card, min(known, default=UNKNOWN_CONTEXT_TOKENS), key_name=hosted.key_name)


def load_speech(model: str, options: EngineOptions) -> SpeechRecognizer:
    """A hosted recogniser. `options.values`: provider, timeout_s. Raises as `load_text`."""
    return OpenAISpeech(open_hosted(card_for(model, "speech", options), options, timeout_s=WHOLE_TIMEOUT_S))


def load_image(model: str, options: EngineOptions) -> ImageGenerator:
    """A hosted picture model. `options.values`: provider, timeout_s. Raises as `load_text`."""
    return OpenAIImages(open_hosted(card_for(model, "image", options), options, timeout_s=WHOLE_TIMEOUT_S))


def load_voice(model: str, options: EngineOptions) -> VoiceSynthesizer:
    """A hosted voice. `options.values`: provider, timeout_s, name. Raises as `load_text`."""
    hosted = open_hosted(card_for(model, "voice", options), options, timeout_s=STREAM_TIMEOUT_S)
    return OpenAIVoice(hosted, str(options.values.get("name") or VOICE_NAME))


def load_embedding(model: str, options: EngineOptions) -> Embedder:
    """A hosted embedder. `options.values`: provider, timeout_s, dimensions. Raises as `load_text`."""
    hosted = open_hosted(card_for(model, "embedding", options), options, timeout_s=STREAM_TIMEOUT_S)
    return OpenAIEmbedder(hosted, options.values.get("dimensions"))


def load_reranking(model: str, options: EngineOptions) -> Reranker:
    """A hosted reranker. `options.values`: provider, timeout_s. Raises as `load_text`."""
    return HostedReranker(open_hosted(card_for(model, "reranking", options), options, timeout_s=STREAM_TIMEOUT_S))


def card_for(model: str, task: Task, options: EngineOptions) -> ModelCard:
    """The card of `MODELS` under the provider's name, or a plain one for an unlisted model.

    Raises: ModelNotFound when the table lists `model` for another task.
    """
    endpoint = options.endpoint
    named = (
        "azure" if endpoint and endpoint.api_version else "openai-compatible" if endpoint and endpoint.base_url else ""
    )
    provider = options.values.get("provider") or named or "openai"
    listed = MODELS.get(model) or WELL_KNOWN.get(f"openai-compatible:{model}")
    if listed and listed.task != task:
        known = ", ".join(name for name, card in MODELS.items() if card.task == task)
        raise ModelNotFound(f"{model} is a model for {listed.task}, not for {task}.", f"Known for {task}: {known}.")
    if listed:
        return dataclasses.replace(listed, id=f"{provider}:{model}")
    source = (endpoint and endpoint.base_url) or _DOCS + model
    return ModelCard(f"{provider}:{model}", task, "hosted", "unknown", source)


class OpenAIText:
    """Chat completions of one model, streamed through a ready client.

    `extra_body` goes into every request. A llama.cpp server asked for `return_progress` has its `prompt_progress`
    passed on as chunks with a `fraction`; its `timings` stand in for a usage it does not send.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        card: ModelCard,
        context_tokens: int,
        *,
        extra_body: Mapping[str, Any] | None = None,
        key_name: str = "OPENAI_API_KEY",
    ) -> None:
        self.card = card
        self.context_tokens = context_tokens
        self.hosted = Hosted(client, card, key_name)
        self._extra_body = {**card.options.get("body", {}), **(extra_body or {})}
        self._refused: set[str] = {"temperature", "seed"} if card.options.get("fixed_temperature") else set()
        self._limit = "max_completion_tokens" if self.hosted.is_openai else "max_tokens"

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        json_schema: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> AsyncIterator[TextChunk]:
        """See TextGenerator. The text that came before a failure stands; the error then says that the answer was cut.

        Raises: EngineError.
        """
        reply = _Reply(time.monotonic())
        request = {"max_tokens": max_tokens, "temperature": temperature, "json_schema": json_schema, "seed": seed}
        sent = await asyncio.to_thread(as_sent, messages)
        async with await self._open(sent, request) as chunks:
            try:
                async for chunk in chunks:
                    piece = reply.read(chunk)
                    if piece:
                        yield piece
            except failures() as error:
                raise self._broken(reply, error) from error
        if not reply.finish:
            raise self._broken(reply, None)
        if reply.finish == "content_filter":
            raise Refused(f"{self.hosted.where} stopped the answer for its content policy.", "Put it in other words.")
        yield TextChunk(usage=reply.usage(), cut=reply.finish == "length")

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """See `estimate_tokens`; and four for the frame of each message, and what a picture takes at the most."""
        picture = int(self.card.options.get("picture_tokens", PICTURE_TOKENS))
        return 3 + sum(4 + estimate_tokens(m.content) + picture * len(m.pictures) for m in messages)

    def agent_model(self) -> Any:
        """A LangChain ChatOpenAI or AzureChatOpenAI of this model and server. Its failures are read by `explain`."""
        from langchain_openai import AzureChatOpenAI, ChatOpenAI
        from openai import AsyncAzureOpenAI

        client = self.hosted.client
        common: dict[str, Any] = {
            "api_key": client.api_key,
            "timeout": client.timeout,
            "max_retries": 1,
            "stream_usage": "stream_options" not in self._refused,
            "use_responses_api": False,
            "http_async_client": client._client,
        }
        if isinstance(client, AsyncAzureOpenAI):
            url, version = str(client.base_url).partition("/openai")[0], client._api_version
            return AzureChatOpenAI(
                azure_endpoint=url, api_version=version, azure_deployment=self.hosted.model, **common
            )
        return ChatOpenAI(model=self.hosted.model, base_url=str(client.base_url), **common)

    def explain(self, error: Exception) -> Exception:
        """The EngineError for a failure of the model that `agent_model` gave; any other exception unchanged."""
        from openai import OpenAIError

        return self.hosted.explain(error) if isinstance(error, OpenAIError) else error

    async def close(self) -> None:
        await self.hosted.client.close()

    async def _open(self, messages: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> Any:
        """The open stream. What a server turns out not to know is left out or said otherwise, now and from then on."""

        async def send() -> Any:
            while True:
                try:
                    return await self.hosted.client.chat.completions.create(**self._body(messages, request))
                except failures() as error:
                    if not self._adapt(error, request):
                        raise

        return await self.hosted.call(send)

    def _body(self, messages: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.hosted.model,
            "messages": list(messages),
            "stream": True,
            self._limit: request["max_tokens"],
            "extra_body": self._extra_body,
        }
        if "temperature" not in self._refused:
            body["temperature"] = request["temperature"]
        if request["seed"] is not None and "seed" not in self._refused:
            body["seed"] = request["seed"]
        if "stream_options" not in self._refused:
            body["stream_options"] = {"include_usage": True}
        if request["json_schema"]:
            body.update(self._constrained(body["messages"], request["json_schema"]))
        return body

    def _constrained(self, messages: list[Mapping[str, Any]], schema: Mapping[str, Any]) -> dict[str, Any]:
        if "response_format" in self._refused:
            told = {"role": "system", "content": f"Answer only with JSON that fits this schema: {json.dumps(schema)}"}
            return {"messages": [told, *messages]}
        form = {"name": "answer", "schema": schema, "strict": "strict" not in self._refused}
        return {"response_format": {"type": "json_schema", "json_schema": form}}

    def _adapt(self, error: Exception, request: Mapping[str, Any]) -> bool:
        """Whether another try may succeed: the server named a parameter that can be left out or said otherwise."""
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[self._limit]
        if refuses(error, self._limit) and "limit" not in self._refused:
            self._limit = other
            return self._leave_out("limit")
        for name in ("temperature", "stream_options", "seed"):
            if refuses(error, name) and name not in self._refused:
                return self._leave_out(name)
        if request["json_schema"] and (refuses(error, "response_format") or refuses(error, "json_schema")):
            return self._leave_out("response_format" if "strict" in self._refused else "strict")
        return False

    def _leave_out(self, name: str) -> bool:
        """False when it was left out before, so that no request is tried for ever."""
        fresh = name not in self._refused
        self._refused.add(name)
        return fresh

    def _broken(self, reply: _Reply, error: Exception | None) -> Exception:
        if reply.first_token_s is not None:
            return Unreachable(
                f"{self.hosted.where} broke off: the answer was cut.",
                "What came so far is kept. Ask again for the rest.",
            )
        return self.hosted.explain(error) if error else self.hosted.not_the_format()


class _Reply:
    """What has come of one streamed answer."""

    def __init__(self, started: float) -> None:
        self.finish: str | None = None
        self.first_token_s: float | None = None
        self._started = started
        self._prompt_tokens: int | None = None
        self._completion_tokens: int | None = None
        self._cached_tokens: int | None = None
        self._served: str | None = None

    def read(self, chunk: Any) -> TextChunk | None:
        """The piece to pass on, if `chunk` (a ChatCompletionChunk, as loosely as servers send it) holds one.

        Raises: ValueError for a chunk of another shape.
        """
        try:
            return self._read(chunk)
        except (AttributeError, TypeError, LookupError) as error:
            raise ValueError("not a chunk of a chat completion") from error

    def _read(self, chunk: Any) -> TextChunk | None:
        self._count(chunk.usage, chunk.model_extra.get("timings"))
        self._served = self._served or (chunk.model if isinstance(chunk.model, str) else None) or None
        if progress := chunk.model_extra.get("prompt_progress"):
            return TextChunk(fraction=progress["processed"] / max(1, progress["total"]))
        if not chunk.choices:
            return None
        choice = chunk.choices[0]
        self.finish = choice.finish_reason or self.finish
        text = (choice.delta.content or choice.delta.refusal or "") if choice.delta else ""
        if not isinstance(text, str):
            raise TypeError("text that is not text")
        if text and self.first_token_s is None:
            self.first_token_s = time.monotonic() - self._started
        return TextChunk(text) if text else None

    def usage(self) -> Usage:
        total_s = time.monotonic() - self._started
        return Usage(
            self._prompt_tokens,
            self._completion_tokens,
            self.first_token_s,
            total_s,
            cached_tokens=self._cached_tokens,
            served=self._served,
        )

    def _count(self, usage: Any, timings: Mapping[str, Any] | None) -> None:
        if usage:
            self._prompt_tokens, self._completion_tokens = usage.prompt_tokens, usage.completion_tokens
            self._cached_tokens = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
        elif timings and self._prompt_tokens is None:
            self._prompt_tokens = timings.get("cache_n", 0) + timings["prompt_n"]
            self._completion_tokens = timings["predicted_n"]


class OpenAIEmbedder:
    def __init__(self, hosted: Hosted, dimensions: int | None = None) -> None:
        self.card = hosted.card
        self.name = f"{hosted.card.id}@{dimensions}" if dimensions else hosted.card.id
        self._hosted = hosted
        self._more: dict[str, Any] = {"dimensions": int(dimensions)} if dimensions else {}

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See Embedder. Of a text beyond 8,000 tokens only the beginning counts.

        Raises: EngineError.
        """
        parts = [await self._embed(batch) for batch in batches(texts)]
        if len({part.shape[1] for part in parts}) > 1:
            raise self._hosted.not_the_format()
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    async def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        return await self.embed(texts)

    async def close(self) -> None:
        await self._hosted.client.close()

    async def _embed(self, batch: Sequence[str]) -> np.ndarray:
        answer = await self._hosted.call(
            lambda: self._hosted.client.embeddings.create(
                model=self._hosted.model, input=list(batch), encoding_format="float", **self._more
            )
        )
        try:
            rows = sorted(getattr(answer, "data", None) or [], key=lambda row: row.index)
            vectors = np.array([row.embedding for row in rows], np.float32)
        except (TypeError, ValueError) as error:
            raise self._hosted.not_the_format() from error
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        if vectors.ndim != 2 or len(vectors) != len(batch) or not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise self._hosted.not_the_format()
        return np.asarray(vectors / lengths, np.float32)


def as_sent(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages in OpenAI's format, their pictures as parts beside the text. Plain and slow where there are pictures.

    Raises: BadInput (a picture that cannot be read).
    """
    return [{"role": m.role, "content": content_parts(m.content, m.pictures)} for m in messages]


def content_parts(text: str, pictures: Sequence[Path]) -> Any:
    """`text` alone, or parts of text and pictures. Raises: BadInput."""
    if not pictures:
        return _utf8(text)
    shown = [{"type": "image_url", "image_url": {"url": picture_url(path)}} for path in pictures]
    return [*([{"type": "text", "text": _utf8(text)}] if text.strip() else []), *shown]


def batches(texts: Sequence[str]) -> list[list[str]]:
    """`texts` in order, each cut to what a model reads, in lists that one request takes. Empty ones become a space."""
    lists: list[list[str]] = []
    room = 0
    for text in texts:
        cut = _utf8(text).encode()[: 3 * TOKENS_A_TEXT].decode(errors="ignore") or " "
        tokens = estimate_tokens(cut)
        if not lists or tokens > room or len(lists[-1]) == TEXTS_A_REQUEST:
            lists.append([])
            room = TOKENS_A_REQUEST
        lists[-1].append(cut)
        room -= tokens
    return lists


def estimate_tokens(text: str) -> int:
    """An upper estimate without a tokenizer: one token for three bytes of UTF-8. English takes about one for four, other
    Latin scripts one for three and a half, Chinese one a character of three bytes."""
    return math.ceil(len(_utf8(text).encode()) / 3)


def _utf8(text: str) -> str:
    """`text` without the halves of surrogate pairs that a browser may send, which no server can be told."""
    return text.encode(errors="replace").decode()
