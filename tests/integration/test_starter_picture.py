"""The starter picture model as the product opens it, with a tiny untrained network and the real text embedder."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.app_errors import in_language
from tools.engines import starter_picture
from tools.engines.base import EngineOptions, GeneratedImage, ImageRequest
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput, ModelNotFound, Stopped
from tools.engines.starter_picture.engine import StarterPictures, load_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from tools.engines.starter_picture.network import UpscalerNetwork
    from tools.training.export import export
    from tools.training.train import Recipe, start

    target = tmp_path_factory.mktemp("starter") / "weights"
    run = start(Recipe(network={"patch": 16, "width": 64, "depth": 2, "heads": 2}), "cpu")
    torch.nn.init.normal_(run.average.last.weight, std=0.2)  # untrained, it would draw grey whatever is asked
    torch.nn.init.normal_(run.average.modulation.weight, std=0.2)
    export(run, UpscalerNetwork(8, 1), target)
    return target


@pytest.fixture(scope="module")
def engine(folder: Path, models_folder: Path) -> StarterPictures:
    options = EngineOptions(models_folder, DeviceArbiter(), device="cpu", offline=True, values={"steps": 2})
    return load_image("drawings", options, folder)


async def draw(
    engine: StarterPictures, request: ImageRequest, on_step: Callable[..., None] = lambda *_: None
) -> GeneratedImage:
    return await engine.generate(request, on_step, threading.Event())


def pixels(picture: GeneratedImage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)))


async def test_a_seed_draws_the_same_picture_again_and_other_words_another(engine: StarterPictures) -> None:
    first, again, other, french = [
        await draw(engine, ImageRequest(prompt, seed=1))
        for prompt in ("a fox", "a fox", "a red boat", "un renard bleu")
    ]
    assert first.png == again.png
    assert len({first.png, other.png, french.png}) == 3
    assert (first.width, first.height, first.seed, first.steps) == (512, 512, 1, 2)


async def test_a_wide_picture_shows_the_square_drawing_on_white(engine: StarterPictures) -> None:
    wide = pixels(await draw(engine, ImageRequest("a fox", seed=1, size=(512, 256))))
    assert wide.shape == (256, 512, 3)
    assert (wide[:, :128] == 255).all()
    assert not (wide[:, 128:384] == 255).all()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ImageRequest(" "), "prompt is empty"),
        (ImageRequest("a fox", image=Path("a.png")), "words only"),
        (ImageRequest("a fox", size=(100, 64)), "multiple of 8"),
        (ImageRequest("a fox", steps=0), "steps"),
    ],
)
async def test_what_cannot_be_drawn_is_refused(engine: StarterPictures, request_: ImageRequest, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        await draw(engine, request_)


async def test_what_the_page_says_of_it_is_french_on_a_french_page(engine: StarterPictures, tmp_path: Path) -> None:
    told = [(await draw(engine, ImageRequest("a fox " * 12 + "zebra"))).warning]
    for request in (ImageRequest(" "), ImageRequest("a fox", image=Path("a.png"))):
        with pytest.raises(BadInput) as refused:
            await draw(engine, request)
        told.append(f"{refused.value.message} {refused.value.remedy}")
    with pytest.raises(ModelNotFound) as missing:
        load_image("drawings", EngineOptions(tmp_path, DeviceArbiter()), tmp_path)
    told.append(f"{missing.value.message} {missing.value.remedy}")
    french = [in_language(line, "fr") for line in told]
    assert all(re.search(r"[éèà]", line) for line in french), french
    assert not any(re.search(r"\b(the|not)\b", line, re.IGNORECASE) for line in french)


async def test_the_end_of_a_long_prompt_is_told(engine: StarterPictures) -> None:
    assert (await draw(engine, ImageRequest("a fox"))).warning == ""
    assert "zebra" in (await draw(engine, ImageRequest("a fox " * 12 + "zebra"))).warning


async def test_every_step_is_reported_and_stop_ends_at_the_next(engine: StarterPictures) -> None:
    stop, done = threading.Event(), list[int]()

    def on_step(step: int, _total: int) -> None:
        done.append(step)
        if step == 2:
            stop.set()

    with pytest.raises(Stopped):
        await engine.generate(ImageRequest("a fox", steps=50), on_step, stop)
    assert done == [1, 2]


async def test_a_caller_who_leaves_ends_the_work(engine: StarterPictures) -> None:
    begun, done = asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()

    def on_step(step: int, _total: int) -> None:
        done.append(step)
        loop.call_soon_threadsafe(begun.set)

    task = asyncio.create_task(engine.generate(ImageRequest("a fox", steps=200), on_step, threading.Event()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done[-1] < 200


def test_weights_that_did_not_come_along_are_told(models_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="not installed"):
        load_image("drawings", EngineOptions(models_folder, DeviceArbiter()), tmp_path)


@pytest.mark.parametrize(("drawn", "good"), [(0.3, True), (0.29, False)])
def test_it_is_the_default_only_where_its_report_shows_recognisable_drawings(
    folder: Path, drawn: float, good: bool, tmp_path: Path
) -> None:
    report = {"drawn_top_1_and_5": [0.1, drawn], "real_top_1_and_5": [0.3, 0.5]}
    (tmp_path / "model_index.json").write_text((folder / "model_index.json").read_text(), encoding="utf-8")
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    assert starter_picture.draws_recognisably(tmp_path) is good


def test_a_folder_without_a_report_is_no_default(folder: Path) -> None:
    assert not starter_picture.draws_recognisably(folder)
