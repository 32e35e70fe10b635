"""What our picture engine costs beyond the pipeline of diffusers: `python -m tests.bench.image`.

A Stable Diffusion pipeline with random weights, large enough that its steps count, draws directly, through the engine, and through
the engine with a preview of every step, in turn. Also: seconds from Stop to the end beside those of a step, whether a seed
gives the same bytes again, and the time to the first token of an answer while a picture is drawn.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import threading
import time
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.events import TextDelta
from assistant.settings import Chat, Image, Settings
from tests.bench.pairs import PAIRS, ratio, verdict
from tests.conftest import MODELS
from tests.tiny_pipeline import build_tiny_pipeline
from tools.engines.base import EngineOptions, ImageRequest
from tools.engines.device import DeviceArbiter, worker_threads
from tools.engines.diffusers import Diffusers, load_image
from tools.engines.errors import Stopped

CHANNELS, SIDE = (128, 256), 48
STEPS = 12
PROMPT = "a red lighthouse at night"
CHAT = "llama-cpp:qwen2.5-coder-1.5b-instruct"
ASKED = "Write a sentence about the {}."
SUBJECTS = ("harbour", "bread", "engine", "winter", "ledger", "garden", "signal", "window", "river")
MOST_RATIO, MOST_WITH_PREVIEW, MOST_FIRST_TOKEN = 1.02, 1.08, 2.0


def plain(folder: Path) -> Any:
    import torch
    from diffusers import DiffusionPipeline

    torch.set_num_threads(worker_threads())
    pipe = DiffusionPipeline.from_pretrained(str(folder), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def directly_s(pipe: Any) -> float:
    import torch

    began = time.perf_counter()
    with torch.inference_mode():
        pipe(PROMPT, num_inference_steps=STEPS, generator=torch.Generator("cpu").manual_seed(1))
    return time.perf_counter() - began


async def ours_s(engine: Diffusers, *, preview: bool) -> tuple[float, bytes]:
    began = time.perf_counter()
    request = ImageRequest(PROMPT, seed=1, preview=preview)
    picture = await engine.generate(request, lambda *_step: None, threading.Event())
    return time.perf_counter() - began, picture.png


async def cost(folder: Path) -> bool:
    pipe, engine = plain(folder), load_image(str(folder), _options())
    directly_s(pipe)
    await ours_s(engine, preview=True)
    direct: list[float] = []
    ours: dict[bool, list[float]] = {False: [], True: []}
    pictures = set()
    for _ in range(PAIRS):
        direct.append(await asyncio.to_thread(directly_s, pipe))
        for preview in (False, True):
            seconds, png = await ours_s(engine, preview=preview)
            ours[preview].append(seconds)
            pictures.add(png)
    print(f"a picture of {STEPS} steps, directly: {statistics.median(direct):.2f} s")
    reached = verdict("ours / diffusers", ratio(ours[False], direct), at_most=MOST_RATIO)
    reached &= verdict("ours with previews / diffusers", ratio(ours[True], direct), at_most=MOST_WITH_PREVIEW)
    print(f"the same seed gave {len(pictures)} different files in {2 * PAIRS} drawings, goal 1")
    return reached & (len(pictures) == 1) & await stopping(engine, statistics.median(direct) / STEPS)


async def stopping(engine: Diffusers, step_s: float) -> bool:
    waits = []
    for _ in range(PAIRS):
        stop, at = threading.Event(), 0.0

        def on_step(done: int, _total: int, _preview: bytes | None = None) -> None:
            nonlocal at
            if done == STEPS // 2:
                at = time.perf_counter()
                stop.set()  # noqa: B023 — called in this round only

        with suppress(Stopped):
            await engine.generate(ImageRequest(PROMPT, seed=1), on_step, stop)
        waits.append(time.perf_counter() - at)
    most = max(waits)
    print(f"from Stop to the end: at most {most:.3f} s, a step {step_s:.3f} s, goal one step and .1 s")
    return most <= step_s + 0.1


async def first_token_s(assistant: Assistant, subject: str) -> float:
    began = time.perf_counter()
    turn = Turn(ASKED.format(subject), tool="write_text", options={"max_tokens": 8, "temperature": 0.0})
    first = 0.0
    async with aclosing(assistant.reply(turn)) as events:
        async for event in events:
            if isinstance(event, TextDelta) and not first:
                first = time.perf_counter() - began
    return first


async def beside_chat(home: Path, folder: Path) -> bool:
    (home / "models").symlink_to(MODELS)
    settings = Settings(home=home, chat=Chat(model=CHAT), image=Image(model=f"diffusers:{folder}"))
    assistant = build_assistant(settings)
    await first_token_s(assistant, "sky")
    idle, drawing = [], []
    for subject in SUBJECTS:
        idle.append(await first_token_s(assistant, f"{subject} at noon"))
        picture = asyncio.create_task(_draw(assistant))
        await asyncio.sleep(1)
        drawing.append(await first_token_s(assistant, f"{subject} at night"))
        picture.cancel()
        await asyncio.wait([picture])
    print(
        f"first token: {statistics.median(idle):.2f} s idle, {statistics.median(drawing):.2f} s while a picture is drawn"
    )
    await assistant.close()
    return verdict("first token while drawing / idle", ratio(drawing, idle), at_most=MOST_FIRST_TOKEN)


async def _draw(assistant: Assistant) -> None:
    turn = Turn(PROMPT, tool="generate_image", options={"steps": 150})
    async with aclosing(assistant.reply(turn)) as events:
        async for _event in events:
            pass


def _options() -> EngineOptions:
    return EngineOptions(MODELS, DeviceArbiter(), device="cpu", offline=True, values={"steps": STEPS})


async def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = build_tiny_pipeline(Path(name) / "pipeline", CHANNELS, SIDE)
        home = Path(name) / "home"
        home.mkdir()
        reached = await cost(folder)
        return await beside_chat(home, folder) and reached


if __name__ == "__main__":
    sys.exit(int(not asyncio.run(main())))
