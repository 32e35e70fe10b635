"""The engines of one assistant, opened on first use: settings go in here, plain values come out to the engines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from assistant.measured import measurements
from assistant.meter import Meter, Tariff, tariff_of
from assistant.metered import KINDS
from assistant.settings import CAPABILITIES, NamedEndpoint, Settings, SettingsError, with_model
from tools.engines import starter_picture
from tools.engines.base import (
    Embedder,
    Endpoint,
    EngineOptions,
    ImageGenerator,
    Reranker,
    Segment,
    SpeechRecognizer,
    Task,
    TextGenerator,
    VoiceSynthesizer,
)
from tools.engines.catalogue import PROVIDERS, cards, find_engine, split_id
from tools.engines.device import DeviceArbiter
from tools.engines.errors import EngineError, ModelNotFound
from tools.engines.hosted import OPENAI_URL, is_loopback

TASKS: dict[str, Task] = {
    "chat": "text",
    "speech": "speech",
    "image": "image",
    "embedding": "embedding",
    "reranker": "reranking",
    "voice": "voice",
}
NO_PICTURES = (
    f"Set ASSISTANT_IMAGE={starter_picture.MODEL_ID} for icons and simple drawings, diffusers:<folder or hub id of a pipeline>, "
    "such as diffusers:stabilityai/sd-turbo, for photographs too, or ASSISTANT_IMAGE=openai:gpt-image-1."
)
STARTER_VOICE = "piper:en_US-joe-medium"
NO_VOICE = "Run `make voice` for a voice of this machine, or set ASSISTANT_VOICE=openai:gpt-4o-mini-tts."
NONE_CHOSEN = {"image": ("No picture model is chosen yet.", NO_PICTURES), "voice": ("No voice is installed.", NO_VOICE)}
OnLoad = Callable[[str, float | None], None]


class Engines:
    def __init__(self, settings: Settings, arbiter: DeviceArbiter | None = None) -> None:
        self.settings = settings
        self.arbiter = arbiter or DeviceArbiter()
        self._open: dict[tuple[str, str], Any] = {}
        self._listeners: set[OnLoad] = set()

    def text(self, models: Mapping[str, str] | None = None) -> TextGenerator:
        return cast(TextGenerator, self._engine("chat", models))

    def speech(self, models: Mapping[str, str] | None = None) -> SpeechRecognizer:
        return cast(SpeechRecognizer, self._engine("speech", models))

    def image(self, models: Mapping[str, str] | None = None) -> ImageGenerator:
        """Raises: ModelNotFound where no picture model is chosen."""
        return cast(ImageGenerator, self._engine("image", models))

    def voice(self, model_id: str | None = None, name: str = "") -> VoiceSynthesizer:
        """The voice that is set, or another one; `name` is that of a hosted one. Raises: ModelNotFound where there is none."""
        changes = {"name": name} if name else {}
        return cast(VoiceSynthesizer, self._engine("voice", {"voice": model_id} if model_id else None, **changes))

    def tell_apart(
        self,
        recording: Path,
        segments: Sequence[Segment],
        stop: threading.Event,
        count: int | None,
        on_progress: Callable[[float], None],
    ) -> list[Segment]:
        """Whose voice is heard in each segment. Plain and slow: for worker threads. Raises: EngineError."""
        from tools.engines.speakers import label_speakers

        return label_speakers(recording, segments, stop, self.settings.home / "models", count, on_progress)

    def embedding(self, model_id: str | None = None) -> Embedder:
        """The embedding that is set, or another one."""
        return cast(Embedder, self._engine("embedding", {"embedding": model_id} if model_id else None))

    def reranker(self) -> Reranker | None:
        """None where none is set: what was found keeps its order."""
        return cast(Reranker, self._engine("reranker", None)) if self.settings.reranker.model else None

    def text_or_none(self, models: Mapping[str, str] | None = None) -> TextGenerator | None:
        """The text engine, or None where it cannot be opened: tools that need no words still work then."""
        try:
            return self.text(models)
        except EngineError:
            return None

    def answer_options(self) -> dict[str, Any]:
        chat, image = self.settings.chat, self.settings.image
        values = {"max_tokens": chat.max_tokens, "temperature": chat.temperature}
        names = ("steps", "guidance_scale", "size", "strength", "facts", "filter")
        pictures = {name: getattr(image, name) for name in names} | {"lora": image.lora or None}
        speech = {"language": self.settings.speech.language, "vocabulary": self.settings.speech.vocabulary or None}
        return {**values, **{k: v for k, v in (pictures | speech).items() if v is not None}}

    def model_ids(self, models: Mapping[str, str] | None = None) -> dict[str, str | None]:
        """`provider:model` of every capability, with a turn's own choices."""
        chosen = {capability: model_of(self.settings, capability) for capability in CAPABILITIES}
        return {**chosen, **(models or {})}

    @contextlib.contextmanager
    def listening(self, on_load: OnLoad) -> Iterator[None]:
        """Tell `on_load` of weights that are prepared or loaded meanwhile."""
        self._listeners.add(on_load)
        try:
            yield
        finally:
            self._listeners.discard(on_load)

    def sees(self, models: Mapping[str, str] | None = None) -> bool:
        """Whether the chat model looks at pictures: by the setting, else as it was tried here, else by its card, its own or that
        of the list."""
        wanted = self.settings.chat.sees_images
        model_id = self.model_ids(models)["chat"] or ""
        if wanted is not None and model_id == self.settings.chat.model:
            return wanted
        text = self.text_or_none(models)
        tried = measurements(self.settings.home).of(model_id).sight
        if not text or tried:
            return bool(text and tried and tried.works)
        return text.card.sees_images or any(c.id == model_id and c.sees_images for c in cards())

    def calls_tools(self, models: Mapping[str, str] | None = None) -> bool:
        """Whether the chat model may choose the tools itself."""
        text = self.text_or_none(models)
        tried = measurements(self.settings.home).of(self.model_ids(models)["chat"] or "").tool_calls
        return bool(text and (tried.works if tried else text.card.calls_tools))

    def seeing(self) -> list[str]:
        """Models that look at pictures and can be chosen: those that were tried here first, then those whose key is here."""
        known = measurements(self.settings.home)
        tried = [name for name in known.seeing() if self.text_or_none({"chat": name})]
        able = [c for c in cards() if c.task == "text" and c.sees_images and not known.of(c.id).sight]
        keys, offline = self.settings.keys, self.settings.offline
        return tried + [
            c.id for c in able if c.runs == "local" or (not offline and PROVIDERS[c.id.split(":")[0]].key in keys)
        ]

    def tariff(self, capability: str, models: Mapping[str, str] | None = None) -> Tariff:
        """Where calls of the model go and what they cost. Raises: ModelNotFound where none is chosen, SettingsError."""
        model_id = self.model_ids(models)[capability]
        if not model_id:
            raise ModelNotFound(*NONE_CHOSEN.get(capability, (f"No {capability} model is chosen.", "")))
        return _tariff(with_model(self.settings, capability, model_id), capability)

    async def close(self) -> None:
        for engine in self._open.values():
            await engine.close()
        self._open.clear()
        await self.arbiter.evict_idle()

    def _engine(self, capability: str, models: Mapping[str, str] | None, **changes: str) -> Any:
        model_id = self.model_ids(models)[capability]
        if not model_id:
            raise ModelNotFound(*NONE_CHOSEN[capability])
        key = (capability, " ".join([model_id, *changes.values()]))
        if key not in self._open:
            settings = with_model(self.settings, capability, model_id)
            settings = replace(settings, **{capability: replace(getattr(settings, capability), **changes)})
            self._open[key] = open_engine(settings, capability, self.arbiter, self._tell)
        return self._open[key]

    def _tell(self, text: str, fraction: float | None) -> None:
        for listener in list(self._listeners):
            listener(text, fraction)


def model_of(settings: Settings, capability: str) -> str | None:
    """What a capability runs: the model that is set; for the voice the starter where its extra is installed, for pictures
    the starter where its report shows that it draws recognisably."""
    model: str | None = getattr(settings, capability).model
    if capability == "image" and model is None and starter_picture.draws_recognisably():
        return starter_picture.MODEL_ID
    if capability == "voice" and model is None and find_spec("piper"):
        return STARTER_VOICE
    return model


def open_engine(settings: Settings, capability: str, arbiter: DeviceArbiter, on_load: OnLoad) -> Any:
    """The engine that `settings` choose for one capability, behind its meter. Cheap: weights load on the first call.

    Raises: EngineError, SettingsError.
    """
    model_id = getattr(settings, capability).model
    if split_id(model_id)[0] in settings.endpoints:
        load, model = find_engine(f"openai-compatible:{split_id(model_id)[1]}", TASKS[capability])
    else:
        load, model = find_engine(model_id, TASKS[capability])
    engine = load(model, engine_options(settings, capability, arbiter, on_load))
    return KINDS[TASKS[capability]](engine, Meter(settings, engine.card, partial(_tariff, settings, capability)))


def _tariff(settings: Settings, capability: str) -> Tariff:
    table = getattr(settings, capability)
    endpoint = endpoint_of(settings, split_id(table.model)[0], table.base_url)
    return tariff_of(table.model, endpoint, settings.home)


def engine_options(settings: Settings, capability: str, arbiter: DeviceArbiter, on_load: OnLoad) -> EngineOptions:
    table = getattr(settings, capability)
    provider = split_id(table.model)[0]
    return EngineOptions(
        models=settings.home / "models",
        arbiter=arbiter,
        device=table.device,
        offline=settings.offline,
        endpoint=endpoint_of(settings, provider, table.base_url),
        on_load=on_load,
        values={**vars(table), "provider": provider},
    )


def endpoint_of(settings: Settings, provider: str, base_url: str | None) -> Endpoint | None:
    """Where a hosted provider answers: a named endpoint, or OpenAI, Azure, Ollama or any compatible server. None if local.

    Raises: SettingsError.
    """
    keys = settings.keys
    if named := settings.endpoints.get(provider):
        return _named(named, keys)
    match provider:
        case "openai":
            return Endpoint(base_url, keys.get("OPENAI_API_KEY"), "OPENAI_API_KEY")
        case "azure":
            address = base_url or keys.get("AZURE_OPENAI_ENDPOINT")
            if not address:
                raise SettingsError("azure needs an address. Put AZURE_OPENAI_ENDPOINT in .env.")
            version = keys.get("OPENAI_API_VERSION") or "2025-04-01-preview"
            return Endpoint(address, keys.get("AZURE_OPENAI_API_KEY"), "AZURE_OPENAI_API_KEY", version)
        case "ollama":
            host = keys.get("OLLAMA_HOST") or "127.0.0.1:11434"
            address = base_url or f"{host if '//' in host else f'http://{host}'}/v1"
            return Endpoint(address, None, "OLLAMA_API_KEY")
        case "openai-compatible":
            if not base_url:
                raise SettingsError(
                    "openai-compatible needs a base_url. Set it beside the model, such as chat.base_url."
                )
            return Endpoint(base_url, keys.get("OPENAI_COMPATIBLE_API_KEY"), "OPENAI_COMPATIBLE_API_KEY")
    return None


def leaves_machine(settings: Settings) -> bool:
    """Whether any capability is set to a server beyond this machine.

    Raises: SettingsError.
    """
    tables = [getattr(settings, capability) for capability in CAPABILITIES]
    endpoints = [endpoint_of(settings, split_id(t.model)[0], t.base_url) for t in tables if t.model]
    return any(not is_loopback(e.base_url or OPENAI_URL) for e in endpoints if e)


def _named(named: NamedEndpoint, keys: Mapping[str, str]) -> Endpoint:
    endpoint = Endpoint(named.base_url, None, named.api_key_env or "", named.api_version)
    if named.api_key_env:
        return replace(endpoint, api_key=keys.get(named.api_key_env))
    return endpoint
