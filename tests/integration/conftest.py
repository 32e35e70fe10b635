"""Recordings and local recognisers, made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.sound import noise, record, silence, speak
from tests.speech import ENGLISH, FOX, PLAIN, SPANISH, STORY
from tools.engines import faster_whisper, whisper
from tools.engines.base import EngineOptions, SpeechRecognizer
from tools.engines.device import DeviceArbiter


@pytest.fixture(autouse=True)
def same_dice() -> None:
    """Where a decoding fails its own checks, Whisper tries again with chance in it."""
    import ctranslate2

    ctranslate2.set_random_seed(0)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "en": speak(folder / "en.wav", ENGLISH),
        "es": speak(folder / "es.wav", SPANISH, "es"),
        "fox": speak(folder / "fox.wav", FOX),
        "story": speak(folder / "story.wav", STORY),
        "silence": record(folder / "silence.wav", silence(12)),
        "noise": record(folder / "noise.wav", noise(12)),
    }


@pytest.fixture(scope="module")
async def engines(models_folder: Path) -> Any:
    """Loads a recogniser once for all tests of this file."""
    arbiter, loaded = DeviceArbiter(), dict[tuple[str, str], SpeechRecognizer]()

    def engine(provider: str, model: str) -> SpeechRecognizer:
        module = {"faster-whisper": faster_whisper, "whisper": whisper}[provider]
        options = EngineOptions(models_folder, arbiter, device="cpu", offline=True, values=PLAIN)
        return loaded.setdefault((provider, model), module.load_speech(model, options))

    yield engine
    for one in loaded.values():
        await one.close()
