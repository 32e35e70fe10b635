"""The contracts of the capabilities, and the values that cross them.

An engine is local or hosted; its caller cannot tell and need not know. Contracts are async: local inference runs in a worker
thread under the device arbiter (`device.py`). `stop` is a `threading.Event`: once set, an engine ends within one step.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tools.engines.device import DeviceArbiter

Task = Literal["text", "speech", "image", "embedding", "voice", "reranking"]
Runs = Literal["local", "hosted"]
Role = Literal["system", "user", "assistant"]
Architecture = Literal["encoder", "decoder", "encoder-decoder", "diffusion"]


@dataclass(frozen=True)
class Benchmark:
    """A published figure: what was measured, on what, and where the figure stands."""

    name: str
    score: float
    unit: str
    source: str


@dataclass(frozen=True)
class ModelCard:
    """What is known of one model. `id` is `provider:model`; an unlisted model runs without a card of its own.
    What is not known stays empty: None, "" or ()."""

    id: str
    task: Task
    runs: Runs
    licence: str
    source: str
    size_bytes: int | None = None
    memory_bytes: int | None = None
    context_tokens: int | None = None
    languages: tuple[str, ...] = ()
    sha256: str | None = None
    calls_tools: bool = False
    sees_images: bool = False
    words_only: bool = False
    """A picture model that changes no pictures."""
    starter: bool = False
    limits: str = ""
    commercial_use: str = ""
    """What the licence says against it: "forbidden", or its condition in words; empty where it says nothing."""
    options: Mapping[str, Any] = field(default_factory=dict)
    forbids: str = ""
    """What else the licence or its terms forbid; empty where nothing or where it is not known."""
    maker: str = ""
    parameters: int | None = None
    """How many; of a picture pipeline those of the part that draws."""
    architecture: Architecture | None = None
    revision: str | None = None
    base_url: str | None = None
    """Where its maker's own OpenAI-compatible server answers."""
    benchmarks: tuple[Benchmark, ...] = ()


@dataclass(frozen=True)
class Message:
    """`pictures` are files that the model is shown with the text; only for models that see."""

    role: Role
    content: str
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens and seconds of one call, and what else is paid for: seconds of sound, characters read out, pictures. `cost` is None
    when the price is unknown, never 0. `cached_tokens` are those of the prompt that the provider had kept; `counted` says that
    the tokens were counted here, for the provider did not tell; `served` is the model's exact name as the provider told it."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_s: float | None = None
    total_s: float | None = None
    cost: float | None = None
    currency: str = "USD"
    cached_tokens: int | None = None
    counted: bool = False
    audio_s: float | None = None
    characters: int | None = None
    pictures: int | None = None
    served: str | None = None


@dataclass(frozen=True)
class TextChunk:
    """A piece of the reply. `fraction` tells how much of the prompt has been read (before the first token);
    the last chunk carries the usage and, when the reply was cut by the token limit, `cut=True`."""

    text: str = ""
    fraction: float | None = None
    usage: Usage | None = None
    cut: bool = False


class TextGenerator(Protocol):
    """Those that repeat themselves take a `seed` in `stream` besides."""

    card: ModelCard
    context_tokens: int

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[TextChunk]:
        """Stream the reply. Cancelling the iteration frees the model within a second.

        Raises: EngineError.
        """
        ...

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens that `messages` take in the prompt: exact for local models, a close upper estimate for hosted ones."""
        ...

    def agent_model(self) -> Any:
        """The same model as a LangChain chat model, for models that call tools."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class SpeechRequest:
    """One recording. `path` is any audio or video file that PyAV opens. `start_s` goes on behind what was heard before:
    only what ends later is handed over."""

    path: Path
    language: str | None = None
    translate: bool = False
    vocabulary: str = ""
    word_times: bool = False
    start_s: float = 0.0


@dataclass(frozen=True)
class Word:
    """One word of a segment, in seconds from the start of the recording."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Segment:
    """Seconds from the start of the recording. `words` are there where their times were asked for; `speaker` is a name such
    as "Speaker 1" where the speakers were told apart."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True)
class SpeechInfo:
    """Comes first. `duration_s` counts the sound that could be read; `warning` says what could not."""

    language: str | None
    language_probability: float | None
    duration_s: float
    warning: str = ""


SURE = 0.6
"""A language found with less probability than this is a guess."""


class SpeechRecognizer(Protocol):
    card: ModelCard

    def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        """A SpeechInfo, then segments in order as they are ready; a second SpeechInfo at the end if something was not read.

        Raises: BadInput (no sound, damaged file), EngineError.
        """
        ...

    async def close(self) -> None: ...


TellApart = Callable[[Path, Sequence[Segment], threading.Event, int | None, Callable[[float], None]], list[Segment]]
"""(recording, segments, stop, how many speakers or None, progress from 0 to 1): the segments with "Speaker 1", "Speaker 2" …"""


@dataclass(frozen=True)
class ImageRequest:
    """`size` is width × height in pixels; None leaves a value to the model's card. `strength`, above 0 to 1, is how much of
    `image` is made anew; white in `mask` is where. `loras` are safetensors files. With `preview`, `on_step` gets pictures."""

    prompt: str
    negative_prompt: str = ""
    size: tuple[int, int] | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    image: Path | None = None
    mask: Path | None = None
    strength: float | None = None
    loras: tuple[Path, ...] = ()
    preview: bool = False


@dataclass(frozen=True)
class GeneratedImage:
    """`png` holds the encoded picture. Seed and steps are None where a hosted model does not tell them; `warning` says
    what of the request was not used."""

    png: bytes
    width: int
    height: int
    model: str
    seed: int | None
    steps: int | None
    seconds: float
    warning: str = ""


class StepCallback(Protocol):
    """Called from the worker with steps done and steps in all; now and then with a small JPEG of what can be seen by then."""

    def __call__(self, done: int, total: int, preview: bytes | None = None, /) -> None: ...


class ImageGenerator(Protocol):
    card: ModelCard

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        """Raises: BadInput (CannotChange where the model draws from words only), OutOfMemory, Stopped, EngineError."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Sound:
    """Speech as it is made: signed 16-bit little-endian mono samples."""

    pcm: bytes
    sample_rate_hz: int


class VoiceSynthesizer(Protocol):
    card: ModelCard

    def speak(self, text: str, language: str | None, stop: threading.Event) -> AsyncIterator[Sound]:
        """Say `text`, a sentence or a few, in pieces as they are ready.

        Raises: BadInput, Stopped, EngineError.
        """
        ...

    async def close(self) -> None: ...


class Embedder(Protocol):
    card: ModelCard
    name: str
    """Model and precision: vectors of different names are never mixed in one collection."""

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length float32 vectors of passages, shape (len(texts), dimensions)."""
        ...

    async def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """The same of questions, which some models were trained to tell apart."""
        ...

    async def close(self) -> None: ...


class Reranker(Protocol):
    card: ModelCard

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each of the texts answers the query, 0 to 1, in their order.

        Raises: EngineError.
        """
        ...

    async def close(self) -> None: ...


LoadProgress = Callable[[str, float | None], None]
"""Called with (what is being prepared, fraction done or None), from any thread."""


@dataclass(frozen=True)
class Endpoint:
    """A hosted server. `api_version` is set for Azure only; `key_name` is the variable that a missing key is asked for by."""

    base_url: str | None = None
    api_key: str | None = None
    key_name: str = "OPENAI_API_KEY"
    api_version: str | None = None


@dataclass(frozen=True)
class EngineOptions:
    """Plain values handed to `load_<task>(model, options)`. `values` holds what is particular to one capability."""

    models: Path
    """The folder of joined and downloaded weights (ASSISTANT_HOME/models)."""
    arbiter: DeviceArbiter
    device: str = "auto"
    offline: bool = False
    endpoint: Endpoint | None = None
    on_load: LoadProgress = lambda _text, _fraction: None
    values: Mapping[str, Any] = field(default_factory=dict)
