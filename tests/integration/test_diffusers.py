"""The diffusers engine on a tiny pipeline with random weights: real files, real sampling, noise for a picture."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.tiny_pipeline import build_tiny_pipeline
from tools.context import Artifact, Progress, ToolContext
from tools.engines.base import EngineOptions, GeneratedImage, ImageRequest
from tools.engines.device import DeviceArbiter
from tools.engines.diffusers import IN_FULL, IN_TILES, Diffusers, load_image
from tools.engines.errors import BadInput, ModelNotFound, OutOfMemory, Stopped
from tools.generate_image import generate_image


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """A pipeline that the test may damage."""
    return shutil.copytree(tiny, tmp_path / "copy")


def options(arbiter: DeviceArbiter | None = None, **values: Any) -> EngineOptions:
    return EngineOptions(Path("none"), arbiter or DeviceArbiter(), device="cpu", offline=True, values=values)


@pytest.fixture(scope="module")
def engine(tiny: Path) -> Diffusers:
    return load_image(str(tiny), options(steps=2))


async def draw(
    engine: Diffusers, request: ImageRequest, on_step: Callable[[int, int], None] = lambda _done, _total: None
) -> GeneratedImage:
    return await engine.generate(request, on_step, threading.Event())


def pixels(picture: GeneratedImage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)))


async def test_a_seed_draws_the_same_picture_again_and_another_seed_another(engine: Diffusers) -> None:
    first, again, other = [await draw(engine, ImageRequest("a red fox", seed=seed)) for seed in (1, 1, 2)]
    assert first.png == again.png != other.png
    assert (first.width, first.height, first.seed, first.steps) == (64, 64, 1, 2)
    assert pixels(first).std() > 1


async def test_every_step_is_reported(engine: Diffusers) -> None:
    steps: list[tuple[int, int]] = []
    await draw(engine, ImageRequest("a fox", steps=4), lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_a_picture_without_a_seed_tells_the_one_it_took(engine: Diffusers) -> None:
    picture = await draw(engine, ImageRequest("a fox"))
    assert (await draw(engine, ImageRequest("a fox", seed=picture.seed))).png == picture.png


async def test_size_and_guidance_are_followed(engine: Diffusers) -> None:
    plain = await draw(engine, ImageRequest("a fox", size=(128, 72), seed=1))
    strict = await draw(engine, ImageRequest("a fox", size=(128, 72), seed=1, guidance_scale=20.0))
    assert pixels(plain).shape == (72, 128, 3)
    assert plain.png != strict.png


async def test_a_picture_can_be_the_start_and_a_mask_keeps_the_rest(engine: Diffusers, tmp_path: Path) -> None:
    start, mask = tmp_path / "start.jpg", tmp_path / "mask.png"
    Image.new("RGB", (200, 100), "blue").save(start)
    Image.new("L", (200, 100), 255).save(mask)
    plain = await draw(engine, ImageRequest("a fox", seed=1))
    changed = await draw(engine, ImageRequest("a fox", seed=1, image=start))
    masked = await draw(engine, ImageRequest("a fox", seed=1, image=start, mask=mask))
    assert changed.width > changed.height
    assert len({plain.png, changed.png, masked.png}) == 3


async def test_a_prompt_that_is_too_long_is_drawn_and_its_lost_end_told(engine: Diffusers) -> None:
    picture = await draw(engine, ImageRequest("a fox " * 40 + "zebra"))
    assert "77 tokens" in picture.warning
    assert "zebra" in picture.warning or picture.warning.endswith("…”")
    assert (await draw(engine, ImageRequest("a fox"))).warning == ""


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ImageRequest("  "), "prompt is empty"),
        (ImageRequest("a", size=(0, 64)), "0×64 pixels.*64 to 2048"),
        (ImageRequest("a", size=(7, 7)), "7×7 pixels.*64 to 2048"),
        (ImageRequest("a", size=(100_000, 100_000)), "100000×100000 pixels.*64 to 2048"),
        (ImageRequest("a", strength=0.0), "strength"),
        (ImageRequest("a", steps=0), "steps"),
        (ImageRequest("a", mask=Path("m.png")), "mask"),
        (ImageRequest("a", image=Path(__file__)), "not a picture"),
    ],
)
async def test_what_cannot_be_drawn_is_refused(engine: Diffusers, request_: ImageRequest, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        await draw(engine, request_)


async def test_stop_ends_within_one_step(engine: Diffusers) -> None:
    stop, done = threading.Event(), list[int]()

    def on_step(step: int, _total: int) -> None:
        done.append(step)
        stop.set()

    with pytest.raises(Stopped):
        await engine.generate(ImageRequest("a fox", steps=50), on_step, stop)
    assert done == [1]


async def test_a_caller_who_leaves_ends_the_work(engine: Diffusers) -> None:
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
    assert (await draw(engine, ImageRequest("a fox"))).png


async def test_half_precision_that_overflows_is_drawn_again_in_full(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights["decoder.conv_in.weight"] *= 1e5  # finite in half precision, its products are not
    save_file(weights, path, {"format": "pt"})
    half = await draw(load_image(str(copy), options(dtype="float16")), ImageRequest("a fox", seed=1, steps=2))
    full = await draw(load_image(str(copy), options(dtype="float32")), ImageRequest("a fox", seed=1, steps=2))
    assert pixels(half).std() > 1
    assert (IN_FULL in half.warning, full.warning) == (True, "")
    assert np.abs(pixels(half).astype(int) - pixels(full)).mean() < 10


async def test_memory_that_runs_out_while_decoding_is_made_do_with_in_tiles(tiny: Path) -> None:
    engine = load_image(str(tiny), options(steps=1))
    async with engine._options.arbiter.use(engine._resident) as pipe:

        def at_most_a_tile(_module: Any, given: tuple[Any, ...]) -> None:
            if given[0].shape[-1] > 64:
                raise MemoryError

        hook = pipe.vae.decoder.register_forward_pre_hook(at_most_a_tile)
    picture = await draw(engine, ImageRequest("a fox", size=(256, 256)))
    assert (picture.width, picture.warning) == (256, IN_TILES)
    hook.remove()
    assert (await draw(engine, ImageRequest("a fox", size=(256, 256)))).warning == ""


async def test_a_size_is_rounded_to_what_the_model_draws_and_this_is_said(engine: Diffusers) -> None:
    picture = await draw(engine, ImageRequest("a fox", size=(100, 65)))
    assert (picture.width, picture.height) == (96, 64)
    assert picture.warning.startswith("100×65 was rounded to 96×64")


@pytest.mark.parametrize("prompt", ["ثعلب أحمر", "🦊🦊"])
async def test_a_prompt_in_any_script_is_drawn(engine: Diffusers, prompt: str) -> None:
    assert pixels(await draw(engine, ImageRequest(prompt, seed=1))).std() > 1


async def test_a_preview_looks_like_the_picture(engine: Diffusers) -> None:
    seen: list[bytes] = []

    def on_step(_done: int, _total: int, preview: bytes | None = None) -> None:
        seen.append(preview) if preview else None

    picture = await engine.generate(ImageRequest("a", seed=1, steps=3, preview=True), on_step, threading.Event())
    with Image.open(io.BytesIO(seen[0])) as preview:
        assert (preview.format, preview.size) == ("JPEG", (picture.width, picture.height))
    assert (await draw(engine, ImageRequest("a", seed=1, steps=3))).png == picture.png


async def test_a_machine_without_room_says_so(tiny: Path) -> None:
    full = DeviceArbiter(free_bytes=lambda _device: 1000)
    with pytest.raises(OutOfMemory, match="memory"):
        await draw(load_image(str(tiny), options(full)), ImageRequest("a fox"))


def test_pickled_weights_are_refused_with_the_reason(copy: Path) -> None:
    (copy / "unet" / "diffusion_pytorch_model.safetensors").rename(copy / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelNotFound, match=r"unet/diffusion_pytorch_model\.bin.*run code"):
        load_image(str(copy), options())


def test_a_pipeline_with_code_of_its_own_is_refused(copy: Path) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "unet": ["my_unet", "MyUNet"]}))
    (copy / "my_unet.py").write_text("raise SystemExit('this code ran')")
    with pytest.raises(ModelNotFound, match="never run"):
        load_image(str(copy), options())


async def test_weights_that_are_cut_off_are_told_from_those_that_are_whole(copy: Path) -> None:
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelNotFound, match=r"unet/\S+ in copy is cut off: [\d,]+ of [\d,]+ bytes"):
        load_image(str(copy), options())


@pytest.mark.parametrize("model", ["/no/such/folder", "nothing", "a/b/c"])
def test_a_model_that_is_neither_folder_nor_hub_id_is_refused(model: str) -> None:
    with pytest.raises(ModelNotFound, match="no folder"):
        load_image(model, options())


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"model_index\.json"):
        load_image(str(tmp_path), options())


def test_damaged_weights_are_one_readable_error(copy: Path) -> None:
    (copy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelNotFound, match=r"unet/.* is damaged"):
        load_image(str(copy), options())


async def test_a_hub_model_is_not_fetched_while_offline(tmp_path: Path) -> None:
    engine = load_image("stabilityai/sd-turbo", EngineOptions(tmp_path, DeviceArbiter(lambda _: 10**12), offline=True))
    with pytest.raises(ModelNotFound, match="offline"):
        await draw(engine, ImageRequest("a fox"))


async def test_the_tool_draws_with_the_engine(engine: Diffusers, tmp_path: Path) -> None:
    no: Any = None
    stop, wish = threading.Event(), {"seed": 3, "steps": 2}
    turn = ToolContext("Draw me a fox", (), (), (), (), tmp_path, stop, no, no, lambda: engine, no, wish)
    outputs = [output async for output in generate_image(turn)]
    artifact = next(o for o in outputs if isinstance(o, Artifact))
    assert [o.fraction for o in outputs if isinstance(o, Progress)] == [None, 0.5, 1.0]
    assert (artifact.meta["seed"], artifact.meta["prompt"], artifact.meta["width"]) == (3, "a fox", 64)
    assert Image.open(artifact.path).size == (64, 64)
