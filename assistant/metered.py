"""Engines with a meter before them: the same contracts, and every call is counted, held against the caps and put on the bill."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from assistant.calls import current_bill
from assistant.meter import Meter
from tools.engines.base import (
    GeneratedImage,
    ImageRequest,
    Message,
    Segment,
    Sound,
    SpeechInfo,
    SpeechRequest,
    StepCallback,
    Task,
    TextChunk,
    Usage,
)
from tools.engines.openai import estimate_tokens

SLOWEST_SPEECH = 8.0
"""Characters a second of a voice that takes its time: so a text is never longer than it is held for."""
PCM_BYTES = 2


class Metered:
    """What the engine has besides its contract stays within reach."""

    def __init__(self, engine: Any, meter: Meter) -> None:
        self._engine, self._meter = engine, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class MeteredText(Metered):
    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[TextChunk]:
        """See TextGenerator. A seed of the turn is handed on. Tokens that the provider does not tell are counted here.

        Raises: EngineError, SpendingCap.
        """
        bill = current_bill()
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "json_schema": json_schema}
        if bill.seed is not None and takes_seed(self._engine):
            options["seed"] = bill.seed
        known = {name: value for name, value in options.items() if value is not None}
        most = Usage(await self._most_tokens(messages), max_tokens, counted=True)
        async with self._meter.call(most, messages=bill.prompt(messages), **known) as running:
            said: list[str] = []
            try:
                async with aclosing(self._engine.stream(messages, **options)) as chunks:
                    async for chunk in chunks:
                        said.append(chunk.text)
                        running.answered = running.answered or bool(chunk.text)
                        if chunk.usage:
                            usage = await self._counted(chunk.usage, messages, said)
                            running.came_to(usage)
                            yield replace(chunk, usage=self._meter.with_cost(usage))
                        else:
                            yield chunk
            finally:
                if running.usage is None and running.answered:
                    spoken = estimate_tokens("".join(said))
                    running.came_to(Usage(most.prompt_tokens, spoken, counted=True))

    def agent_model(self) -> Any:
        """The engine's LangChain model, which is metered like everything else."""
        from assistant.metered_agent import meter_agent

        return meter_agent(self._engine.agent_model(), self._meter)

    async def _most_tokens(self, messages: Sequence[Message]) -> int | None:
        """An upper estimate; for a model of this machine it is not needed."""
        if self._meter.tariff().free:
            return None
        return cast(int, await self._engine.count_tokens(messages))

    async def _counted(self, usage: Usage, messages: Sequence[Message], said: Sequence[str]) -> Usage:
        if self._meter.card.runs == "local":
            usage = replace(usage, served=None)  # it names the file, which the receipt knows by its content
        if usage.prompt_tokens is not None and usage.completion_tokens is not None:
            return usage
        answer = [Message("assistant", "".join(said))]
        return replace(
            usage,
            prompt_tokens=await self._engine.count_tokens(messages),
            completion_tokens=await self._engine.count_tokens(answer),
            counted=True,
        )


class MeteredSpeech(Metered):
    async def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        """See SpeechRecognizer. Raises: EngineError, SpendingCap."""
        free = self._meter.tariff().free
        length_s = None if free else max(0.0, await asyncio.to_thread(sound_s, request.path) - request.start_s)
        asked = {"path": str(request.path), "language": request.language, "translate": request.translate}
        async with (
            self._meter.call(Usage(audio_s=length_s), **asked) as running,
            aclosing(self._engine.transcribe(request, stop)) as heard,
        ):
            async for item in heard:
                running.answered = True
                if isinstance(item, SpeechInfo) and free:
                    running.came_to(Usage(audio_s=round(max(0.0, item.duration_s - request.start_s), 3)))
                yield item


class MeteredImage(Metered):
    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        """See ImageGenerator. Raises: EngineError, SpendingCap."""
        asked = {"prompt": request.prompt, "size": request.size, "seed": request.seed, "steps": request.steps}
        async with self._meter.call(Usage(pictures=1), **asked) as running:
            picture = cast(GeneratedImage, await self._engine.generate(request, on_step, stop))
            running.request |= {"seed": picture.seed, "steps": picture.steps, "size": (picture.width, picture.height)}
            return picture


class MeteredVoice(Metered):
    async def speak(self, text: str, language: str | None, stop: threading.Event) -> AsyncIterator[Sound]:
        """See VoiceSynthesizer. Raises: EngineError, SpendingCap."""
        most = Usage(characters=len(text), audio_s=max(1.0, len(text) / SLOWEST_SPEECH))
        async with self._meter.call(most) as running:
            said_s = 0.0
            async with aclosing(self._engine.speak(text, language, stop)) as sounds:
                async for sound in sounds:
                    said_s += len(sound.pcm) / PCM_BYTES / sound.sample_rate_hz
                    running.came_to(Usage(characters=len(text), audio_s=round(said_s, 3)))
                    yield sound


class MeteredEmbedder(Metered):
    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See Embedder. Raises: EngineError, SpendingCap."""
        async with self._meter.call(_of_texts(texts)):
            return cast(np.ndarray, await self._engine.embed(texts))

    async def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        async with self._meter.call(_of_texts(texts)):
            return cast(np.ndarray, await self._engine.embed_questions(texts))


class MeteredReranker(Metered):
    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker. Raises: EngineError, SpendingCap."""
        async with self._meter.call(_of_texts([query, *texts])):
            return cast(list[float], await self._engine.rerank(query, texts))


KINDS: dict[Task, type[Metered]] = {
    "text": MeteredText,
    "speech": MeteredSpeech,
    "image": MeteredImage,
    "voice": MeteredVoice,
    "embedding": MeteredEmbedder,
    "reranking": MeteredReranker,
}


def takes_seed(engine: Any) -> bool:
    """Whether `stream` of the engine takes a seed."""
    import inspect

    return "seed" in inspect.signature(engine.stream).parameters


def sound_s(path: Path) -> float:
    """Seconds of a recording: what the file announces, or as many as can be decoded. Plain and slow: for worker threads.

    Raises: BadInput.
    """
    from tools.engines.audio import Recording

    recording = Recording(path)
    return recording.declared_s or sum(window.seconds for window in recording.windows())


def _of_texts(texts: Sequence[str]) -> Usage:
    return Usage(prompt_tokens=sum(estimate_tokens(text) for text in texts), counted=True)
