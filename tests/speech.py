"""What the tests of speech recognisers share: sentences for espeak-ng, and the hearing of a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.engines.base import Segment, SpeechInfo, SpeechRecognizer, SpeechRequest

ENGLISH = "We meet on Monday at nine to talk about the price of the new house, and then we have lunch near the river."
SPANISH = "Hola, buenos días. La casa es grande y el perro está en el jardín."
FOX = "The quick brown fox jumps over the lazy dog."
STORY = (
    "The train to the city leaves at half past seven. She said that the weather would be fine, but it rained all week. "
    "Please send the signed contract before the end of the month. The children played outside while dinner was cooking. "
    "He counted twelve ships in the harbour. The museum opens on Sundays, and the entrance is free for students. "
    "Nobody knew why the old clock had stopped at midnight. My sister learned to play the violin when she was six. "
    "A good book is the best company on a long journey. Tomorrow we will walk along the beach to the lighthouse."
)
PLAIN = {"compute_type": "float32", "beam_size": 1}

Engines = Callable[[str, str], SpeechRecognizer]


async def heard(engine: SpeechRecognizer, path: Path, **request: Any) -> tuple[list[SpeechInfo], str]:
    infos, segments = await heard_in_segments(engine, path, **request)
    return infos, " ".join(segment.text for segment in segments)


async def heard_in_segments(
    engine: SpeechRecognizer, path: Path, **request: Any
) -> tuple[list[SpeechInfo], list[Segment]]:
    items = [item async for item in engine.transcribe(SpeechRequest(path, **request), threading.Event())]
    return [i for i in items if isinstance(i, SpeechInfo)], [i for i in items if isinstance(i, Segment)]
