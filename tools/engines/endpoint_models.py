"""What servers say they serve: `GET /v1/models` by the official client, several servers side by side.

A server that is down, slow or answers nonsense is told in a line and holds nobody back. Names are only ever names.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.engines.base import Endpoint, EngineOptions, ModelCard, Task
from tools.engines.errors import EngineError
from tools.engines.hosted import OPENAI_URL, Hosted, failures, open_hosted
from tools.engines.openai import MODELS
from tools.engines.well_known import WELL_KNOWN

ANSWER_WITHIN_S = 6.0
LONGEST_NAME = 200
MOST_NAMES = 500
GUESSES: tuple[tuple[str, Task], ...] = (
    (r"rerank", "reranking"),
    (r"embed|minilm|\bbge\b|\be5\b|\bgte\b", "embedding"),
    (r"whisper|transcri", "speech"),
    (r"\btts\b|-tts|speech", "voice"),
    (r"dall-e|image|flux|diffusion|sdxl", "image"),
)
GUESSED = "What it is for is guessed from its name."


@dataclass(frozen=True)
class Served:
    """One server's answer: cards of what it serves, and in one line what is wrong with it, if anything."""

    provider: str
    url: str
    cards: tuple[ModelCard, ...] = ()
    trouble: str = ""


async def ask_servers(endpoints: Mapping[str, Endpoint], options: EngineOptions) -> list[Served]:
    """The answers of all servers, by provider name, in their order. `options.offline` allows this machine's own only."""
    return list(await asyncio.gather(*(_ask(name, endpoint, options) for name, endpoint in endpoints.items())))


async def _ask(provider: str, endpoint: Endpoint, options: EngineOptions) -> Served:
    url = endpoint.base_url or OPENAI_URL
    listing = ModelCard(f"{provider}:its list of models", "text", "hosted", "unknown", url)
    wanted = dataclasses.replace(options, endpoint=endpoint, values={"timeout_s": ANSWER_WITHIN_S})
    try:
        hosted = open_hosted(listing, wanted, timeout_s=ANSWER_WITHIN_S)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                names = await _names(hosted)
        finally:
            await hosted.client.close()
    except TimeoutError:
        return Served(provider, url, trouble=f"{provider} ({url}) did not answer within {ANSWER_WITHIN_S:.0f} s.")
    except EngineError as error:
        return Served(provider, url, trouble=error.message)
    usable = list(dict.fromkeys(name for name in names if is_name(name)))
    left = len(names) - len(usable[:MOST_NAMES])
    trouble = (
        f"{left} entries in the list of {provider} were left out: not names, twice there, or too many." if left else ""
    )
    return Served(provider, url, tuple(served_card(provider, name, url) for name in usable[:MOST_NAMES]), trouble)


async def _names(hosted: Hosted) -> list[Any]:
    """Raises: EngineError."""
    try:
        page: Any = await hosted.client.models.list()
        entries = getattr(page, "data", None)
        if not isinstance(entries, list):
            raise hosted.not_the_format()
        return [getattr(entry, "id", None) for entry in entries]
    except failures() as error:
        raise hosted.explain(error) from error
    except (AttributeError, TypeError, LookupError) as error:
        raise hosted.not_the_format() from error


def is_name(name: Any) -> bool:
    """Whether a server's word can stand for a model: text of one line that a terminal shows as it is."""
    return isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()


def served_card(provider: str, name: str, url: str) -> ModelCard:
    """The card of a model that a server has: that of the well-known one of this name, else what its name tells."""
    plain = name.removesuffix(":latest")
    known = WELL_KNOWN.get(f"ollama:{plain}") or MODELS.get(plain) or WELL_KNOWN.get(f"openai-compatible:{plain}")
    if known:
        return dataclasses.replace(known, id=f"{provider}:{name}", base_url=None)
    return ModelCard(f"{provider}:{name}", task_of_name(name), "hosted", "unknown", url, limits=GUESSED)


def task_of_name(name: str) -> Task:
    """A guess: text, unless the name holds a word of another task."""
    return next((task for pattern, task in GUESSES if re.search(pattern, name.lower())), "text")
