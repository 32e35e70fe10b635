"""What a person may choose in the chat settings: the form, and the one place that believes a choice that came back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import chainlit as cl
from chainlit.input_widget import Select, Slider, Switch, TextInput

from assistant.app_pictures import SIZES, picture_choices
from assistant.app_turn import words
from assistant.app_voices import offered_voices
from assistant.settings import Settings
from tools.picture_wishes import MOST_PICTURES
from tools.who_spoke import MOST_SPEAKERS

LANGUAGES = ("en", "fr", "de", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh", "ar", "hi")
TASKS = {"chat": "text", "speech": "speech", "image": "image"}
"""The task of each kind of model that can be chosen, as the catalogue calls it."""
HOTTEST = 1.5


def settings_form(settings: Settings) -> cl.ChatSettings:
    say = words()
    return cl.ChatSettings(
        [
            *(_model_choice(settings, capability) for capability in TASKS),
            Select(
                id="language",
                label=say["settings_language"],
                items={say["settings_language_auto"]: "auto", **{code: code for code in LANGUAGES}},
                initial_value=settings.speech.language or "auto",
            ),
            Select(
                id="speakers",
                label=say["settings_speakers"],
                items={
                    say["settings_speakers_off"]: "off",
                    say["who_auto"]: "0",
                    **{str(n): str(n) for n in range(2, MOST_SPEAKERS + 1)},
                },
                initial_value="off",
            ),
            Switch(id="send_spoken", label=say["settings_send_spoken"], initial=True),
            *_voice_choice(settings),
            *(_picture_choices(settings) if settings.image.enabled else ()),
            Slider(
                id="temperature",
                label=say["settings_temperature"],
                initial=settings.chat.temperature,
                min=0,
                max=HOTTEST,
                step=0.1,
            ),
        ]
    )


def _voice_choice(settings: Settings) -> Sequence[Select]:
    """Nothing where there is nothing to choose."""
    voices = offered_voices(settings)
    items = {words()["settings_default"]: "default", **{voice: voice for voice in voices}}
    choice = Select(id="voice", label=words()["settings_voice"], items=items, initial_value="default")
    return [choice] if len(voices) > 1 else []


def _picture_choices(settings: Settings) -> Sequence[Slider | Select | TextInput]:
    say = words()
    default = f"{say['settings_default']} ({settings.image.size or say['picture_size_own']})"
    return [
        Slider(id="picture_count", label=say["picture_count"], initial=1, min=1, max=MOST_PICTURES, step=1),
        Select(
            id="picture_size",
            label=say["picture_size"],
            items={default: "default", **{size.replace("x", " × "): size for size in SIZES}},
            initial_value="default",
        ),
        TextInput(id="negative_prompt", label=say["picture_negative"], initial=""),
    ]


def offered(settings: Settings, capability: str) -> Sequence[str]:
    """Model ids to choose from: the local ones, and the hosted ones whose key is here."""
    from tools.engines.catalogue import PROVIDERS, cards

    now = getattr(settings, capability).model
    return [
        card.id
        for card in cards()
        if card.task == TASKS[capability]
        and card.id != now
        and (
            card.runs == "local" or (not settings.offline and PROVIDERS[card.id.partition(":")[0]].key in settings.keys)
        )
    ]


def chosen(settings: Settings, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """(models, options) of a turn. `given` comes from the browser: what the form did not offer is left out."""
    models = {c: given[c] for c in TASKS if given.get(c, "default") != "default" and given[c] in offered(settings, c)}
    options: dict[str, Any] = picture_choices(given)
    if given.get("language") in LANGUAGES:
        options["language"] = given["language"]
    speakers = chosen_speakers(given)
    if speakers is not None:
        options["speakers"] = speakers
    temperature = given.get("temperature")
    if isinstance(temperature, int | float) and math.isfinite(temperature):
        options["temperature"] = min(max(float(temperature), 0.0), HOTTEST)
    return models, options


def chosen_speakers(given: Mapping[str, Any] | None) -> int | None:
    """How many speakers a recording has: 0 where the voices tell, None where they are not to be told apart."""
    wanted = (given or {}).get("speakers")
    return int(wanted) if wanted in ("0", *map(str, range(2, MOST_SPEAKERS + 1))) else None


def _model_choice(settings: Settings, capability: str) -> Select:
    now = getattr(settings, capability).model
    default = f"{words()['settings_default']} ({now or words()['none']})"
    items = {default: "default", **{i: i for i in offered(settings, capability)}}
    return Select(id=capability, label=words()[f"settings_{capability}"], items=items, initial_value="default")
