"""Which voice speaks an answer: the one that the person chose, else the one that is set, else another that knows the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.app_state import Page
from assistant.engines import model_of
from assistant.settings import Settings
from tools.engines.base import VoiceSynthesizer
from tools.engines.openai_voice import NAMES
from tools.engines.piper import PROVIDER, voices

HOSTED = ("openai", "azure")


def offered_voices(settings: Settings) -> Sequence[str]:
    """Names of voices to choose from: Piper's on this machine, or OpenAI's. Other servers do not tell theirs."""
    provider = (model_of(settings, "voice") or "").partition(":")[0]
    if provider == PROVIDER:
        return tuple(voices(settings.home / "models"))
    return NAMES if provider in HOSTED else ()


def voice_for(page: Page, given: Mapping[str, Any], language: str) -> VoiceSynthesizer | None:
    """None where no voice is set or installed, or none that knows the language. `given` comes from the browser.

    Raises: EngineError.
    """
    model, engines, offered = model_of(page.settings, "voice"), page.assistant.engines, offered_voices(page.settings)
    if model is None:
        return None
    wanted = str(given.get("voice")) if given.get("voice") in offered else ""
    if model.partition(":")[0] in HOSTED:
        return engines.voice(name=wanted)
    others = [f"{PROVIDER}:{name}" for name in offered]
    found = (engines.voice(one) for one in dict.fromkeys([f"{PROVIDER}:{wanted}" if wanted else model, *others]))
    return next((voice for voice in found if not voice.card.languages or language in voice.card.languages), None)
