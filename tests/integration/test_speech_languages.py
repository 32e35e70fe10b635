"""The languages of the starter model: found right, and the weak ones said with the model that is stronger there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.sound import speak
from tests.speech import FOX, Engines
from tools.engines.base import SpeechRequest
from tools.hearing import Heard, hear, open_heard

SAID = {
    "en": FOX,
    "de": "Der Hund läuft schnell durch den dunklen Wald, und die Kinder spielen im Garten.",
    "es": "La casa es grande y el perro está en el jardín con los niños.",
    "it": "Il treno per la città parte alle sette e mezza di mattina.",
}
GREEK = "Το τρένο για την πόλη φεύγει στις επτάμισι το πρωί."


async def heard_of(engines: Engines, folder: Path, language: str, text: str) -> Heard:
    engine = engines("faster-whisper", "base")
    request = SpeechRequest(speak(folder / f"{language}.wav", text, language))
    heard = open_heard("said.wav", request, engine.card, folder)
    async for _ in hear(heard, engine, threading.Event()):
        pass
    return heard


@pytest.mark.parametrize("language", SAID)
async def test_a_language_that_the_model_knows_is_found_without_a_doubt(
    engines: Engines, tmp_path: Path, language: str
) -> None:
    heard = await heard_of(engines, tmp_path, language, SAID[language])
    assert heard.info is not None and heard.info.language == language
    assert heard.doubts() == []


async def test_a_weak_language_is_told_with_the_model_that_does_better(engines: Engines, tmp_path: Path) -> None:
    heard = await heard_of(engines, tmp_path, "el", GREEK)
    assert heard.info is not None and heard.info.language == "el"
    assert any("faster-whisper:large-v3-turbo, does better" in doubt for doubt in heard.doubts())
