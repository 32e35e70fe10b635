"""Which cards of the catalogue somebody wants to see. A value that no card can have is told, with those there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from tools.engines.base import Architecture, ModelCard, Runs, Task
from tools.engines.catalogue import PROVIDERS, Fit, fit_of, free_bytes
from tools.engines.errors import BadInput

Modality = Literal["text", "image", "sound", "vector", "score"]
Openness = Literal["open", "proprietary"]
MODALITIES: dict[Task, tuple[tuple[Modality, ...], tuple[Modality, ...]]] = {
    "text": (("text",), ("text",)),
    "speech": (("sound",), ("text",)),
    "image": (("text",), ("image",)),
    "voice": (("text",), ("sound",)),
    "embedding": (("text",), ("vector",)),
    "reranking": (("text",), ("score",)),
}
"""What goes in and what comes out, by task."""
ANY_LANGUAGE = "multilingual"
SIZE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(GB|MB|B|M)\s*", re.IGNORECASE)
UNITS = {"GB": 10**9, "MB": 10**6, "B": 10**9, "M": 10**6}


@dataclass(frozen=True)
class Filter:
    """Conditions that must all hold; None and False ask for nothing. `licence` and `name` are parts of words, whatever their case.
    `largest` is a size on the disk ("2GB", "500MB") or a number of parameters ("3B", "200M")."""

    task: str | None = None
    modality: str | None = None
    provider: str | None = None
    openness: str | None = None
    licence: str | None = None
    architecture: str | None = None
    largest: str | None = None
    language: str | None = None
    runs: str | None = None
    name: str | None = None
    sees: bool = False
    fits: bool = False


def select(wanted: Filter, cards: Sequence[ModelCard]) -> list[tuple[ModelCard, Fit]]:
    """The cards that meet `wanted`, with whether they fit the memory that is free now.

    Raises: BadInput (a value that no card has).
    """
    _check(wanted, cards)
    below = _below(wanted.largest)
    free = cache(free_bytes)
    chosen = [card for card in cards if _meets(card, wanted) and below(card)]
    listed = [(card, fit_of(card, free)) for card in chosen]
    return [(card, fit) for card, fit in listed if fit.fits or not wanted.fits]


def takes(card: ModelCard) -> tuple[Modality, ...]:
    """What goes in."""
    return (*MODALITIES[card.task][0], *(("image",) if card.sees_images else ()))


def gives(card: ModelCard) -> tuple[Modality, ...]:
    """What comes out."""
    return MODALITIES[card.task][1]


def openness_of(card: ModelCard) -> Openness | None:
    """Whether one may have the weights; None where the licence is not known."""
    known: dict[str, Openness | None] = {"proprietary": "proprietary", "unknown": None}
    return known.get(card.licence, "open")


def values_of(cards: Iterable[ModelCard]) -> dict[str, list[str]]:
    """What can be asked for, by the name of the condition."""
    listed = list(cards)
    languages = {language for card in listed for language in card.languages} - {ANY_LANGUAGE}
    return {
        "task": list(get_args(Task)),
        "modality": list(get_args(Modality)),
        "provider": _unique([*PROVIDERS, *(_provider(card) for card in listed)]),
        "openness": list(get_args(Openness)),
        "licence": sorted({card.licence for card in listed}, key=str.casefold),
        "architecture": list(get_args(Architecture)),
        "language": sorted(languages),
        "runs": list(get_args(Runs)),
    }


def _check(wanted: Filter, cards: Sequence[ModelCard]) -> None:
    for condition, known in values_of(cards).items():
        value = getattr(wanted, condition)
        if value is None:
            continue
        if condition == "licence" and any(value.casefold() in licence.casefold() for licence in known):
            continue
        if value not in known:
            raise BadInput(f"No model has the {condition} {value!r}.", f"There are: {', '.join(known)}.")


def _below(largest: str | None) -> Callable[[ModelCard], bool]:
    if largest is None:
        return lambda _card: True
    found = SIZE.fullmatch(largest)
    if found is None:
        raise BadInput(
            f"{largest!r} is no size.", "Write how much disk, such as 500MB or 2GB, or how many parameters, such as 3B."
        )
    most = float(found[1].replace(",", ".")) * UNITS[found[2].upper()]
    on_disk = found[2].upper() in ("GB", "MB")

    def below(card: ModelCard) -> bool:
        size = card.size_bytes if on_disk else card.parameters
        return size is not None and size <= most

    return below


def _meets(card: ModelCard, wanted: Filter) -> bool:
    return (
        wanted.task in (None, card.task)
        and (wanted.modality is None or wanted.modality in takes(card) + gives(card))
        and wanted.provider in (None, _provider(card))
        and wanted.openness in (None, openness_of(card))
        and _holds(card.licence, wanted.licence)
        and wanted.architecture in (None, card.architecture)
        and (wanted.language is None or not {wanted.language, ANY_LANGUAGE}.isdisjoint(card.languages))
        and wanted.runs in (None, card.runs)
        and _holds(f"{card.id} {card.maker}", wanted.name)
        and (card.sees_images or not wanted.sees)
    )


def _provider(card: ModelCard) -> str:
    return card.id.partition(":")[0]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _holds(text: str, part: str | None) -> bool:
    return part is None or part.casefold() in text.casefold()
