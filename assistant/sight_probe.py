"""Whether a model sees: pictures drawn by lot, whose content nobody can guess, and the answer that only seeing them gives."""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.engines import OnLoad, open_engine
from assistant.measured import Probed
from assistant.settings import Settings
from assistant.using import settings_for
from tools.engines.base import Message, TextGenerator
from tools.engines.catalogue import find_provider
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput, Refused, Unreachable

COLOURS = {
    "red": (220, 20, 30),
    "green": (20, 150, 40),
    "blue": (30, 60, 220),
    "yellow": (250, 220, 20),
    "black": (0, 0, 0),
    "pink": (250, 130, 190),
}
SQUARES = 4
SIDE_PX = 120
WHICH_NUMBER = "Which number is written in this picture? Answer with the number alone."
WHICH_COLOURS = f"{SQUARES} squares stand side by side in this picture. Which colours are they, from left to right? Answer with {SQUARES} of these words: {', '.join(COLOURS)}."
LONGEST_ANSWER = 500
"""Tokens; room for a model that thinks before it answers."""
TURNED_AWAY = re.compile(r"image|picture|vision|multi-?modal|mmproj|content", re.IGNORECASE)
"""What a server writes that takes no pictures with this model."""


@dataclass(frozen=True)
class Drawn:
    """One picture, what is asked about it, and the words that are right."""

    picture: Any
    question: str
    right: tuple[str, ...]

    def met_by(self, answer: str) -> bool:
        """The last words of the kind that was asked for count: some models think aloud first."""
        words = r"\d+" if self.question == WHICH_NUMBER else rf"\b(?:{'|'.join(COLOURS)})\b"
        return tuple(re.findall(words, answer.lower())[-len(self.right) :]) == self.right


async def probe_sight(settings: Settings, model_id: str, on_load: OnLoad, seed: int | None = None) -> Probed:
    """Sends two small pictures, a question with each. A server that takes no pictures counts as one that does not see.

    Raises: EngineError (BadInput for an engine of this machine that reads text alone), SettingsError.
    """
    if find_provider(model_id, "text", settings.endpoints).runs == "local":
        raise BadInput(f"{model_id} is given no pictures: the engine that runs it here reads text alone.")
    engine: TextGenerator = open_engine(settings_for(settings, "chat", model_id), "chat", DeviceArbiter(), on_load)
    try:
        right = [await _sees(engine, drawn) for drawn in drawn_by_lot(seed)]
    finally:
        await engine.close()
    return Probed(datetime.now(UTC).isoformat(timespec="seconds"), sum(right), len(right))


def drawn_by_lot(seed: int | None = None) -> Sequence[Drawn]:
    """A number of three figures, and four squares of six colours."""
    lot = random.Random(seed)
    number, colours = lot.randint(101, 999), tuple(lot.sample(list(COLOURS), SQUARES))
    return (
        Drawn(number_picture(number), WHICH_NUMBER, (str(number),)),
        Drawn(squares_picture(colours), WHICH_COLOURS, colours),
    )


def number_picture(number: int) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (480, 240), "white")
    font = ImageFont.load_default(size=160)
    ImageDraw.Draw(picture).text((240, 120), str(number), fill="black", font=font, anchor="mm")
    return picture


def squares_picture(colours: Sequence[str]) -> Any:
    from PIL import Image

    step = SIDE_PX + SIDE_PX // 4
    picture = Image.new("RGB", (step * len(colours) + SIDE_PX // 4, SIDE_PX * 3 // 2), "white")
    for n, name in enumerate(colours):
        square = Image.new("RGB", (SIDE_PX, SIDE_PX), COLOURS[name])
        picture.paste(square, (SIDE_PX // 4 + n * step, SIDE_PX // 4))
    return picture


def _is_away(error: Exception) -> bool:
    """Nothing is known then of what the model sees."""
    from openai import APIConnectionError

    return isinstance(error.__cause__, APIConnectionError) or "content policy" in str(error)


async def _sees(engine: TextGenerator, drawn: Drawn) -> bool:
    """Raises: EngineError, but not where the server only says that the model takes no pictures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen.png"
        await asyncio.to_thread(drawn.picture.save, path)
        asked = [Message("user", drawn.question, (path,))]
        answer = ""
        try:
            async for chunk in engine.stream(asked, max_tokens=LONGEST_ANSWER, temperature=0):
                answer += chunk.text
        except (BadInput, Refused, Unreachable) as error:
            if _is_away(error) or not TURNED_AWAY.search(str(error)):
                raise
        return drawn.met_by(answer)
