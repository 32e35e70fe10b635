"""Each family of pipelines draws, changes and repaints with one set of weights; LoRA come and go; memory is planned."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.tiny_pipelines import PIPELINES, build_lora
from tools.engines.base import EngineOptions, GeneratedImage, ImageRequest
from tools.engines.device import DeviceArbiter
from tools.engines.diffusers import NO_NEGATIVE, Diffusers, load_image
from tools.engines.diffusers_models import FAMILIES, MODELS, family_of
from tools.engines.diffusers_weights import Plan, least_bytes, parameters, plan
from tools.engines.errors import BadInput, OutOfMemory


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    there = tmp_path_factory.mktemp("families")
    return {name: build(there / name) for name, build in PIPELINES.items()}


@pytest.fixture
def start(tmp_path: Path) -> Path:
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(tmp_path / "start.png")
    return tmp_path / "start.png"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    Image.new("L", (64, 64), 0).save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as half:
        half.paste(255, (0, 0, 32, 64))
        half.save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def engine_of(folder: Path, **values: Any) -> Diffusers:
    return load_image(
        str(folder), EngineOptions(Path("none"), DeviceArbiter(), "cpu", True, values={"steps": 2, **values})
    )


async def draw(engine: Diffusers, request: ImageRequest) -> GeneratedImage:
    return await engine.generate(request, lambda *_: None, threading.Event())


@pytest.mark.parametrize("name", PIPELINES)
async def test_one_set_of_weights_draws_changes_and_repaints(
    folders: dict[str, Path], name: str, start: Path, mask: Path
) -> None:
    engine, seen = engine_of(folders[name]), list[bytes]()

    def on_step(_done: int, _total: int, preview: bytes | None = None) -> None:
        seen.append(preview) if preview else None

    words = await engine.generate(
        ImageRequest("a fox", seed=1, size=(64, 64), preview=True), on_step, threading.Event()
    )
    changed = await draw(engine, ImageRequest("a fox", seed=1, image=start))
    again = await draw(engine, ImageRequest("a fox", seed=1, image=start))
    repainted = await draw(engine, ImageRequest("a fox", seed=1, image=start, mask=mask))
    assert changed.png == again.png
    assert len({words.png, changed.png, repainted.png}) == 3
    assert (changed.width, changed.height) == (repainted.width, repainted.height) == (64, 64)
    assert seen and seen[0].startswith(b"\xff\xd8")
    assert engine._options.arbiter.device_of(engine.card.id) == "cpu"


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
async def test_a_lora_changes_the_picture_and_leaves_the_weights_as_they_were(
    folders: dict[str, Path], name: str, tmp_path: Path
) -> None:
    engine, lora = engine_of(folders[name]), build_lora(tmp_path / "style.safetensors", str(folders[name]))
    plain = await draw(engine, ImageRequest("a fox", seed=1))
    styled = await draw(engine, ImageRequest("a fox", seed=1, loras=(lora,)))
    assert plain.png != styled.png
    assert (await draw(engine, ImageRequest("a fox", seed=1))).png == plain.png


async def test_a_lora_that_cannot_be_used_is_refused_with_the_reason(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torch import zeros

    engine = engine_of(folders["sd15"])
    (tmp_path / "style.pt").write_bytes(b"pickle")
    (tmp_path / "short.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{")
    save_file({"unet.nothing.lora_A.weight": zeros(2, 2)}, tmp_path / "other.safetensors")
    for name, reason in (
        ("style.pt", "run code"),
        ("short.safetensors", "damaged"),
        ("none.safetensors", "no file"),
        ("other.safetensors", "does not fit"),
    ):
        with pytest.raises(BadInput, match=reason):
            await draw(engine, ImageRequest("a fox", loras=(tmp_path / name,)))


async def test_what_to_leave_out_counts_where_the_model_can_and_is_said_where_it_cannot(
    folders: dict[str, Path],
) -> None:
    plain, less = [
        await draw(engine_of(folders["sd15"]), ImageRequest("a fox", seed=1, negative_prompt=words))
        for words in ("", "snow")
    ]
    assert plain.png != less.png
    for name, values in (("flux", {}), ("sd15", {"guidance_scale": 0.0})):
        assert (
            NO_NEGATIVE
            in (
                await draw(engine_of(folders[name], **values), ImageRequest("a", negative_prompt="snow", size=(64, 64)))
            ).warning
        )


@pytest.mark.parametrize(
    ("model", "steps", "guidance", "side", "dtype"),
    [
        ("stabilityai/sd-turbo", 2, 0.0, 512, "float16"),
        ("stabilityai/sdxl-turbo", 2, 0.0, 512, "float16"),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", 25, 7.5, 512, "float16"),
        ("stabilityai/stable-diffusion-xl-base-1.0", 30, 5.0, 1024, "float16"),
        ("stabilityai/stable-diffusion-3-medium-diffusers", 28, 4.5, 1024, "float16"),
        ("black-forest-labs/FLUX.1-schnell", 4, 0.0, 1024, "bfloat16"),
        ("black-forest-labs/FLUX.1-dev", 28, 3.5, 1024, "bfloat16"),
    ],
)
def test_each_model_is_run_as_its_card_says(model: str, steps: int, guidance: float, side: int, dtype: str) -> None:
    classes = {"sd": "StableDiffusion", "xl": "StableDiffusionXL", "diffusion-3": "StableDiffusion3", "FLUX": "Flux"}
    pipeline = next(name for word, name in reversed(classes.items()) if word in model or word == "sd")
    family = family_of(model, f"{pipeline}Pipeline")
    assert (family.steps, family.guidance_scale, family.side, family.dtype) == (steps, guidance, side, dtype)
    assert family in FAMILIES.values()
    assert "Never run" in MODELS[model].limits


GB = 1_000_000_000
SDXL = {"unet": 2_570_000_000, "text_encoder": 123_000_000, "text_encoder_2": 695_000_000, "vae": 84_000_000}


@pytest.mark.parametrize(
    ("device", "free_gb", "planned"),
    [
        ("cpu", 32, Plan("float32")),
        ("cpu", 10, Plan("bfloat16")),
        ("cuda", 24, Plan("float16")),
        ("cuda", 7, Plan("float16", "parts")),
        ("cuda", 2, Plan("float16", "layers")),
    ],
)
def test_how_weights_are_held_follows_the_free_memory(device: str, free_gb: int, planned: Plan) -> None:
    assert plan(SDXL, device, free_gb * GB, FAMILIES["stablediffusionxl"], None) == planned
    assert least_bytes(SDXL, device) <= free_gb * GB


def test_weights_that_fit_in_no_way_are_refused() -> None:
    for device in ("cpu", "cuda"):
        with pytest.raises(OutOfMemory, match="free"):
            plan(SDXL, device, GB // 2, FAMILIES["stablediffusionxl"], None)


async def test_a_machine_with_half_the_room_draws_in_half_precision(folders: dict[str, Path]) -> None:
    counted = parameters(folders["sd15"])
    short = DeviceArbiter(free_bytes=lambda _device: 3 * sum(counted.values()))
    engine = load_image(str(folders["sd15"]), EngineOptions(Path("none"), short, "cpu", True, values={"steps": 1}))
    assert (await draw(engine, ImageRequest("a fox", seed=1))).png
    assert await asyncio.to_thread(least_bytes, counted, "cpu") < 3 * sum(counted.values())
