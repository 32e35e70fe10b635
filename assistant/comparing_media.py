"""How one candidate of a comparison transcribes a recording or draws a picture, and what is only known once all are done."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from assistant.candidates import Candidate, CandidateError
from assistant.comparing import Ask, Conclude, Event, Figures, Outcomes, rounded
from assistant.engines import Engines
from assistant.word_diff import word_diff
from tools.engines.base import ImageRequest, SpeechInfo, SpeechRequest
from tools.picture_files import png_with_facts
from tools.picture_filter import check_prompt


def check_models_alone(candidates: Sequence[Candidate]) -> None:
    """Transcribers and picture models are compared as they are. Raises: CandidateError where more than a model is given."""
    for candidate in candidates:
        if more := [name for name in candidate.as_json() if name not in ("model", "name")]:
            raise CandidateError(f"The candidate {candidate.name} has {more[0]}, which goes with questions only.")


def transcribing(recording: Path, engines: Engines, language: str | None = None) -> Ask:
    """Has a candidate transcribe `recording`. "done" has text, first_token_s (until the first words), total_s, duration_s, speed
    (seconds of sound in a second), language, memory_bytes, device, loading_s."""

    async def ask(_letter: str, candidate: Candidate) -> AsyncIterator[Event]:
        figures, stop = Figures(candidate.model, engines), threading.Event()
        spoken = language or engines.settings.speech.language
        info, texts = SpeechInfo(spoken, None, 0.0), list[str]()
        engine = engines.speech({"speech": candidate.model})
        request = SpeechRequest(recording, language=spoken, vocabulary=engines.settings.speech.vocabulary)
        try:
            async with aclosing(cast(Any, engine.transcribe(request, stop))) as outputs:
                async for output in outputs:
                    if isinstance(output, SpeechInfo):
                        info = output
                        continue
                    figures.first()
                    texts.append(output.text.strip())
                    yield {"event": "delta", "text": f"{output.text.strip()} "}
        finally:
            stop.set()
        total_s = figures.seconds()
        yield {
            "event": "done",
            "text": " ".join(texts),
            "language": info.language,
            "duration_s": rounded(info.duration_s) or None,
            "speed": round(info.duration_s / total_s, 1) if info.duration_s and total_s > 0 else None,
            "first_token_s": rounded(figures.first_s),
            "total_s": rounded(total_s),
            "warning": info.warning,
            **figures.memory(engine.card.id),
        }

    return ask


def drawing(request: ImageRequest, engines: Engines, folder: Path) -> Ask:
    """Has a candidate draw `request` into a file of `folder`, named after its letter. "done" has path, width, height, seed, steps, total_s, memory_bytes,
    device, loading_s, warning."""

    async def ask(letter: str, candidate: Candidate) -> AsyncIterator[Event]:
        check_prompt(request.prompt, engines.settings.image.filter)
        figures, stop = Figures(candidate.model, engines), threading.Event()
        engine = engines.image({"image": candidate.model})
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def on_step(done: int, total: int, _preview: bytes | None = None) -> None:
            event = {"event": "progress", "fraction": round(done / max(1, total), 3)}
            loop.call_soon_threadsafe(queue.put_nowait, event)

        task = asyncio.ensure_future(engine.generate(request, on_step, stop))
        task.add_done_callback(lambda _task: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            image = await task
        finally:
            stop.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        facts = {"prompt": request.prompt, "model": image.model, "seed": image.seed, "steps": image.steps}
        png = png_with_facts(image.png, facts) if engines.settings.image.facts else image.png
        path = await asyncio.to_thread(_keep, png, folder, letter)
        yield {
            "event": "done",
            "text": "",
            "path": str(path),
            "width": image.width,
            "height": image.height,
            "seed": image.seed,
            "steps": image.steps,
            "total_s": rounded(figures.seconds()),
            "warning": image.warning,
            **figures.memory(engine.card.id),
        }

    return ask


def words_compared(reference: str | None) -> Conclude:
    """Sets each transcript against the reference; without one against the first that is there, and then without an error rate,
    since nobody knows which of them is right. Adds against, error_rate, words, diff: [{"kind", "reference", "text"}]."""

    def conclude(outcomes: Outcomes) -> dict[str, Event]:
        texts = {letter: str(o["text"]) for letter, o in sorted(outcomes.items()) if o["event"] == "done"}
        first = next(iter(texts), "")
        found = {x: word_diff(reference or texts[first], text) for x, text in texts.items() if reference or x != first}
        return {
            letter: {
                "against": "reference" if reference else first,
                "error_rate": diff.error_rate if reference else None,
                "words": diff.words,
                "diff": [asdict(piece) for piece in diff.pieces],
            }
            for letter, diff in found.items()
        }

    return conclude


def _keep(png: bytes, folder: Path, letter: str) -> Path:
    """Numbered where there is a file of this name. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = folder / (f"{letter}.png" if number == 1 else f"{letter}-{number}.png")
        with contextlib.suppress(FileExistsError), path.open("xb") as file:
            file.write(png)
            break
    return path
