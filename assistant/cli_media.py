"""The commands that work on one file: transcribe, imagine and say. They open one engine and nothing else."""

from __future__ import annotations

import asyncio
import os
import threading
import wave
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from assistant.cli_output import DONE, CallerError, Meter, note, print_json, print_text
from assistant.engines import NONE_CHOSEN, model_of, open_engine
from assistant.settings import Settings, with_model
from tools.context import Progress
from tools.engines.base import GeneratedImage, ImageRequest, Segment, Sound, SpeechRequest
from tools.engines.device import DeviceArbiter
from tools.engines.errors import EngineError, ModelNotFound
from tools.engines.picture_input import size_of_picture
from tools.engines.speakers import label_speakers
from tools.enlarging import REFINED, larger_size, refine
from tools.hearing import Heard, hear, open_heard
from tools.picture_files import png_with_facts, read_facts
from tools.picture_filter import check_prompt
from tools.transcript import FORMATS, short_stamp, to_text

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
T = TypeVar("T")


async def transcribe(settings: Settings, request: SpeechRequest, form: str, speakers: int | None = None) -> int:
    """Print the transcript of one recording as "txt" (line by line as it is heard), "srt", "vtt" or "json".

    `speakers` tells that many apart, 0 as many as there are; the text then comes once all of it was heard. Until it is printed,
    what was heard is kept: stopped or killed, the same command goes on behind it.
    """
    asked = replace(request, word_times=request.word_times or speakers is not None)
    at_once = form == "txt" and speakers is None

    async def work(engine: Any, stop: threading.Event, meter: Meter) -> tuple[Heard, list[Segment]]:
        folder = settings.home / "transcribing" / ("words" if asked.word_times else "text")
        heard = await asyncio.to_thread(open_heard, request.path.name, asked, engine.card, folder)
        await _hear_on(heard, engine, stop, meter, at_once)
        if speakers is None:
            return heard, heard.segments
        meter.show("Telling the speakers apart", None)
        models = settings.home / "models"
        told = await asyncio.to_thread(label_speakers, request.path, heard.segments, stop, models, speakers or None)
        return heard, told

    heard, segments = await _with_engine(settings, "speech", work)
    if request.word_times and segments and not any(segment.words for segment in segments):
        note(f"{settings.speech.model} does not tell when words are said.")
    if not request.word_times:
        segments = [replace(segment, words=()) for segment in segments]
    if not at_once:
        text = FORMATS[form](replace(heard.transcript, segments=segments))
        print_text(text.rstrip("\n") + "\n")
    doubts = heard.doubts()
    for doubt in doubts if segments or doubts else [f"No speech was found in {request.path.name}."]:
        note(doubt)
    heard.target.unlink(missing_ok=True)
    return DONE


async def _hear_on(heard: Heard, engine: Any, stop: threading.Event, meter: Meter, at_once: bool) -> None:
    """To the end, from where an earlier command was broken off; `at_once` prints each line as it comes."""
    if at_once and heard.segments:
        print_text(to_text(heard.transcript))
    if heard.complete:
        return
    try:
        async with aclosing(hear(heard, engine, stop)) as outputs:
            async for output in outputs:
                if isinstance(output, Progress):
                    meter.show(heard.name, output.fraction)
                elif at_once:
                    meter.clear()
                    print_text(f"{output.text}\n")
    except (asyncio.CancelledError, EngineError):
        meter.clear()
        heard.load()
        if heard.segments:
            note(f"Heard up to {short_stamp(heard.heard_s)}; the same command goes on from there.")
        raise


async def imagine(
    settings: Settings, request: ImageRequest, target: Path, count: int, upscale: float | None, json_lines: bool
) -> int:
    """Draw a picture into `target`, or several into files numbered after it, each written as soon as it is there. With
    `upscale` each becomes so many times as large; without a prompt it is `request.image` that does.

    Raises: CallerError (a format that is not known), EngineError (BadInput where the filter blocks the prompt).
    """
    _check_target(target)
    if not settings.image.enabled:
        raise CallerError("Pictures are switched off. Set ASSISTANT_IMAGE_ENABLED=true.")
    model = model_of(settings, "image")
    if model is None:
        raise ModelNotFound(*NONE_CHOSEN["image"])
    if warned := check_prompt(request.prompt, settings.image.filter):
        note(warned)

    async def work(engine: Any, stop: threading.Event, meter: Meter) -> None:
        for n in range(count):
            wanted = replace(request, seed=None if request.seed is None else request.seed + n)
            file = target if count == 1 else target.with_stem(f"{target.stem}-{n + 1}")

            def on_step(done: int, steps: int, _preview: bytes | None = None, n: int = n) -> None:
                meter.show("Drawing", (n + done / steps) / count)

            if request.prompt.strip():
                image: GeneratedImage = await engine.generate(wanted, on_step, stop)
                _keep_picture(image, wanted, file, facts=settings.image.facts)
                wanted = replace(wanted, image=file, mask=None, seed=image.seed)
            if upscale:
                wanted = await asyncio.to_thread(_enlarged, wanted, upscale)
                image, told = await refine(engine, wanted, on_step, stop)
                _keep_picture(image, wanted, file, facts=settings.image.facts)
                image = replace(image, warning=" ".join(filter(None, (told, image.warning))))
            meter.clear()
            _tell_picture(image, file, json_lines)

    await _with_engine(with_model(settings, "image", model), "image", work)
    return DONE


def _enlarged(request: ImageRequest, factor: float) -> ImageRequest:
    """To draw `request.image` larger, by the words it was drawn with where none are given. Raises: BadInput."""
    assert request.image
    prompt = request.prompt.strip() or str(read_facts(request.image).get("prompt") or "")
    size = larger_size(size_of_picture(request.image), factor)
    return replace(request, prompt=prompt, size=size, strength=REFINED)


def _keep_picture(image: GeneratedImage, request: ImageRequest, target: Path, *, facts: bool) -> None:
    """A PNG also holds how it was made."""
    if not facts or target.suffix.lower() != ".png":
        _write(target, image.png)
        return
    made = {name: getattr(image, name) for name in ("model", "seed", "steps", "width", "height")}
    asked = {name: getattr(request, name) for name in ("prompt", "negative_prompt", "guidance_scale", "strength")}
    _write(target, png_with_facts(image.png, made | asked))


def _tell_picture(image: GeneratedImage, target: Path, json_lines: bool) -> None:
    if image.warning:
        note(image.warning)
    if json_lines:
        made = {name: getattr(image, name) for name in ("width", "height", "seed", "model", "seconds")}
        print_json({"path": str(target), **made})
    else:
        print_text(f"{target}\n")


async def say(settings: Settings, text: str, language: str | None, target: Path, json_lines: bool) -> int:
    """Speak `text` into a WAV file.

    Raises: CallerError, EngineError.
    """
    if target.suffix.lower() != ".wav":
        raise CallerError(f"{target.name} does not end in .wav. Name it so.")
    _check_folder(target)
    model = model_of(settings, "voice")
    if model is None:
        raise ModelNotFound(*NONE_CHOSEN["voice"])

    async def work(engine: Any, stop: threading.Event, _meter: Meter) -> list[Sound]:
        return [sound async for sound in engine.speak(text, language, stop)]

    sounds = await _with_engine(with_model(settings, "voice", model), "voice", work)
    pcm, rate_hz = b"".join(sound.pcm for sound in sounds), sounds[0].sample_rate_hz if sounds else 16_000
    wav = BytesIO()
    with wave.open(wav, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
    _write_aside(target, lambda aside: aside.write_bytes(wav.getvalue()))
    if json_lines:
        duration_s = round(len(pcm) / 2 / rate_hz, 3)
        print_json({"path": str(target), "duration_s": duration_s, "sample_rate_hz": rate_hz, "model": model})
    else:
        print_text(f"{target}\n")
    return DONE


async def _with_engine(
    settings: Settings, capability: str, work: Callable[[Any, threading.Event, Meter], Awaitable[T]]
) -> T:
    stop, meter = threading.Event(), Meter()
    engine = open_engine(settings, capability, DeviceArbiter(), meter.show)
    try:
        return await work(engine, stop, meter)
    except asyncio.CancelledError:
        stop.set()
        raise
    finally:
        meter.clear()
        await engine.close()


def _check_target(target: Path) -> None:
    if target.suffix.lower() not in PICTURE_FORMATS:
        raise CallerError(f"{target.name} has no known picture ending. Use one of: {', '.join(PICTURE_FORMATS)}.")
    _check_folder(target)


def _check_folder(target: Path) -> None:
    if not target.absolute().parent.is_dir():
        raise CallerError(f"There is no folder {target.absolute().parent}. Make it first.")


def _write(target: Path, png: bytes) -> None:
    def into(aside: Path) -> None:
        if target.suffix.lower() == ".png":
            aside.write_bytes(png)
        else:
            from PIL import Image

            Image.open(BytesIO(png)).convert("RGB").save(aside, PICTURE_FORMATS[target.suffix.lower()])

    _write_aside(target, into)


def _write_aside(target: Path, write: Callable[[Path], object]) -> None:
    """Whole or not at all: written aside and renamed."""
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        write(aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
