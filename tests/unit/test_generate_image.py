"""The picture tool: what is drawn from which words, and what it tells meanwhile."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assistant.app_errors import in_language
from tools.context import Artifact, Attachment, Notice, Progress, TextDelta, ToolContext
from tools.engines.base import GeneratedImage, ImageRequest, ModelCard, StepCallback
from tools.engines.device import DeviceArbiter, Resident
from tools.engines.errors import BadInput, CannotChange, OutOfMemory
from tools.enlarging import REFINED
from tools.generate_image import ANEW, generate_image
from tools.picture_files import read_facts
from tools.picture_wishes import Wish, picture_wish

PREVIEW = b"a small JPEG"


class FakeImages:
    card = ModelCard("fake:image", "image", "local", "MIT", "tests")

    def __init__(self, error: Exception | None = None, forever: bool = False) -> None:
        self.requests: list[ImageRequest] = []
        self._error = error
        self._forever = forever

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        self.requests.append(request)
        if self._error and (request.image or not isinstance(self._error, CannotChange)):
            raise self._error
        for step in (1, 2, 3):
            on_step(step, 3)
        if self._forever:
            on_step(3, 4, PREVIEW)
            await asyncio.Event().wait()
        buffer = io.BytesIO()
        Image.new("RGB", (64, 72), "red").save(buffer, "PNG")
        return GeneratedImage(buffer.getvalue(), 64, 72, self.card.id, 7, 3, 0.1, "The end of the prompt was not used.")

    async def close(self) -> None: ...


def context(
    folder: Path,
    images: FakeImages,
    request: str,
    attachments: Sequence[Attachment] = (),
    **options: Any,
) -> ToolContext:
    no: Any = None
    return ToolContext(request, (), attachments, (), (), folder, threading.Event(), no, no, lambda: images, no, options)


async def outputs_of(turn: ToolContext) -> list[Any]:
    return [output async for output in generate_image(turn)]


async def test_a_picture_comes_with_progress_caption_and_how_it_was_made(tmp_path: Path) -> None:
    outputs = await outputs_of(context(tmp_path, FakeImages(), "Draw me a red fox"))
    assert [o.fraction for o in outputs if isinstance(o, Progress)] == [None, 1 / 3, 2 / 3, 1.0]
    assert [o.text for o in outputs if isinstance(o, TextDelta)] == ["*a red fox*"]
    artifact = outputs[-1]
    assert isinstance(artifact, Artifact)
    made = {"model": "fake:image", "seed": 7, "steps": 3, "width": 64, "height": 72, "prompt": "a red fox"}
    assert made.items() <= artifact.meta.items()
    with Image.open(artifact.path) as picture:
        assert (picture.size, picture.text["prompt"], picture.text["seed"]) == ((64, 72), "a red fox", "7")


async def test_what_the_engine_left_out_is_told(tmp_path: Path) -> None:
    outputs = await outputs_of(context(tmp_path, FakeImages(), "Draw a fox"))
    assert Notice("The end of the prompt was not used.") in outputs


async def test_options_reach_the_engine(tmp_path: Path) -> None:
    images = FakeImages()
    await outputs_of(context(tmp_path, images, "a fox", size="128x64", seed=5, steps=4, guidance_scale=2.0))
    request = images.requests[0]
    assert (request.size, request.seed, request.steps, request.guidance_scale) == ((128, 64), 5, 4, 2.0)


async def test_an_attached_picture_is_changed(tmp_path: Path) -> None:
    images, path = FakeImages(), tmp_path / "me.png"
    await outputs_of(
        context(tmp_path, images, "in winter", attachments=[Attachment(path, "me.png", "image", "image/png")])
    )
    assert (images.requests[0].image, images.requests[0].prompt) == (path, "in winter")


def drawn_before(folder: Path, **meta: Any) -> Artifact:
    path = folder / "before.png"
    Image.new("RGB", (64, 72), "blue").save(path)
    made = {"model": "fake:image", "seed": 7, "steps": 3, "width": 64, "height": 72, "prompt": "a fox"}
    return Artifact("image", path, "image/png", made | meta)


def after(folder: Path, images: FakeImages, request: str, **options: Any) -> ToolContext:
    """A request in a thread whose last picture was a fox."""
    made = folder / "made"
    return replace(context(made, images, request, **options), pictures=[drawn_before(folder)])


async def test_a_wish_about_the_picture_before_changes_that_picture(tmp_path: Path) -> None:
    images = FakeImages()
    await outputs_of(after(tmp_path, images, "give the fox a hat"))
    request = images.requests[0]
    assert (request.prompt, request.image, request.size) == ("a fox, with a hat", tmp_path / "before.png", (64, 72))


async def test_what_shall_go_is_left_out(tmp_path: Path) -> None:
    images = FakeImages()
    await outputs_of(after(tmp_path, images, "remove the tree"))
    assert (images.requests[0].prompt, images.requests[0].negative_prompt) == ("a fox", "tree")


async def test_another_one_has_another_seed_and_the_same_seed_is_the_same_picture(tmp_path: Path) -> None:
    images = FakeImages()
    for words in ("another one", "again with this seed"):
        await outputs_of(after(tmp_path, images, words))
    another, same = images.requests
    assert (another.prompt, another.seed, another.image, another.size) == ("a fox", None, None, (64, 72))
    assert (same.prompt, same.seed, same.steps, same.image) == ("a fox", 7, 3, None)


async def test_bigger_refines_the_picture_at_twice_its_size(tmp_path: Path) -> None:
    images = FakeImages()
    await outputs_of(after(tmp_path, images, "make it bigger"))
    request = images.requests[0]
    assert (request.size, request.seed, request.strength) == ((128, 144), 7, REFINED)
    assert request.image == tmp_path / "before.png"


async def test_a_model_that_draws_from_words_only_draws_anew_and_enlarges_without_detail(tmp_path: Path) -> None:
    images = FakeImages(CannotChange("No.", ""))
    outputs = await outputs_of(after(tmp_path, images, "make it night"))
    assert [r.image is None for r in images.requests] == [False, True]
    assert Notice(ANEW.format(model="fake:image")) in outputs
    outputs = await outputs_of(after(tmp_path, images, "bigger"))
    with Image.open(outputs[-1].path) as enlarged:
        assert enlarged.size == (128, 144)


async def test_several_pictures_have_seeds_in_a_row_and_one_progress(tmp_path: Path) -> None:
    images = FakeImages()
    outputs = await outputs_of(context(tmp_path, images, "draw three pictures of a fox", seed=5))
    assert [r.seed for r in images.requests] == [5, 6, 7]
    assert len([o for o in outputs if isinstance(o, Artifact)]) == 3
    fractions = [o.fraction for o in outputs if isinstance(o, Progress) and o.fraction]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len([o for o in outputs if isinstance(o, Notice)]) == 1


async def test_more_pictures_than_are_drawn_at_a_time_are_cut_and_this_is_said(tmp_path: Path) -> None:
    outputs = await outputs_of(context(tmp_path, FakeImages(), "100 pictures of a fox"))
    assert len([o for o in outputs if isinstance(o, Artifact)]) == 8
    assert Notice("100 pictures were asked for; 8 are drawn at a time.") in outputs


async def test_a_long_prompt_is_cut_and_this_is_said(tmp_path: Path) -> None:
    images = FakeImages()
    outputs = await outputs_of(context(tmp_path, images, "a fox " * 1000))
    assert len(images.requests[0].prompt) == 4000
    assert Notice("The prompt has 5,999 characters; only the first 4,000 were used.") in outputs
    assert next(len(o.text) for o in outputs if isinstance(o, TextDelta)) < 310


async def test_the_facts_are_in_the_file_unless_switched_off_and_are_read_back(tmp_path: Path) -> None:
    first, again, bare = [
        (await outputs_of(context(tmp_path, FakeImages(), "a fox", facts=facts)))[-1].path
        for facts in (True, True, False)
    ]
    assert read_facts(first)["prompt"] == "a fox"
    assert first.read_bytes() == again.read_bytes()
    assert read_facts(bare) == {}
    images = FakeImages()
    attached = [Attachment(first, "fox.png", "image", "image/png")]
    await outputs_of(context(tmp_path, images, "again with this seed", attachments=attached))
    assert (images.requests[0].prompt, images.requests[0].seed, images.requests[0].image) == ("a fox", 7, None)


async def test_a_picture_that_is_stopped_keeps_its_last_preview(tmp_path: Path) -> None:
    kept: list[Artifact] = []
    turn = replace(context(tmp_path, FakeImages(forever=True), "a fox"), keep=kept.append)
    seen = asyncio.Event()

    async def draw() -> None:
        async for output in generate_image(turn):
            if isinstance(output, Progress) and output.preview:
                seen.set()

    task = asyncio.create_task(draw())
    await seen.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept[0].path.read_bytes() == PREVIEW
    assert kept[0].meta["stopped_at_step"] == 3


async def test_the_filter_warns_blocks_or_leaves_alone(tmp_path: Path) -> None:
    warned = await outputs_of(context(tmp_path, FakeImages(), "a naked statue", filter="warn"))
    assert any("nudity" in o.text for o in warned if isinstance(o, Notice))
    with pytest.raises(BadInput, match="not drawn here"):
        await outputs_of(context(tmp_path, FakeImages(), "a naked statue", filter="block"))
    plain = await outputs_of(context(tmp_path, FakeImages(), "a naked statue", filter="off"))
    assert not any("nudity" in o.text for o in plain if isinstance(o, Notice))


async def test_a_licence_against_commercial_use_is_told_once_a_thread(tmp_path: Path) -> None:
    images = FakeImages()
    images.card = replace(images.card, licence="Research", commercial_use="forbidden")
    line = Notice("The licence of fake:image (Research) forbids commercial use.")
    assert line in await outputs_of(context(tmp_path / "new", images, "a fox"))
    assert line not in await outputs_of(after(tmp_path, images, "another one"))


async def test_an_engine_that_fails_is_heard(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory):
        await outputs_of(context(tmp_path, FakeImages(OutOfMemory("Full.")), "a fox"))
    assert not list(tmp_path.iterdir())


async def test_a_size_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="512x512"):
        await outputs_of(context(tmp_path, FakeImages(), "a fox", size="large"))


@pytest.mark.parametrize(
    ("request_", "prompt"),
    [
        ("draw me a red fox", "a red fox"),
        ("Could you please draw a picture of a lighthouse at night?", "a lighthouse at night"),
        ("Dessine-moi un mouton", "un mouton"),
        ("Peux-tu me dessiner une maison ?", "une maison"),
        ("a watercolor of Paris", "a watercolor of Paris"),
        ("hidden cave", "hidden cave"),
        ("nowhere", "nowhere"),
        ("🦊", "🦊"),
        ("ثعلب أحمر", "ثعلب أحمر"),
    ],
)
def test_the_prompt_is_the_wish_without_the_asking(request_: str, prompt: str) -> None:
    assert picture_wish(request_).prompt == prompt


@pytest.mark.parametrize(
    ("request_", "way", "prompt"),
    [
        ("now at night", "change", "a fox, at night"),
        ("make it blue", "change", "a fox, blue"),
        ("make it night", "change", "a fox, night"),
        ("the same in winter", "change", "a fox, in winter"),
        ("dessine-le en bleu", "change", "a fox, en bleu"),
        ("give the cat a hat", "change", "a fox, with a hat"),
        ("ajoute un chapeau", "change", "a fox, avec un chapeau"),
        ("make the sky red", "change", "a fox, make the sky red"),
        ("another one", "another", "a fox"),
        ("encore une fois", "another", "a fox"),
        ("two more", "another", "a fox"),
        ("bigger", "larger", "a fox"),
        ("en plus grand", "larger", "a fox"),
        ("again with this seed", "same", "a fox"),
        ("now draw a cat", "new", "a cat"),
        ("dessine la tour Eiffel", "new", "la tour Eiffel"),
        ("a castle", "new", "a castle"),
    ],
)
def test_a_wish_after_a_picture_changes_it_or_starts_anew(request_: str, way: str, prompt: str) -> None:
    wish = picture_wish(request_, "a fox")
    assert (wish.way, wish.prompt) == (way, prompt)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("draw four pictures of a cat", Wish("a cat", count=4, given=4)),
        ("dessine deux images d'un chat", Wish("un chat", count=2, given=2)),
        ("a street without cars, in 768x512", Wish("a street", negative_prompt="cars", size=(768, 512))),
        ("une rue sans voitures", Wish("une rue", negative_prompt="voitures")),
        ("draw three cats", Wish("three cats")),
        ("without words", Wish("without words")),
    ],
)
def test_number_size_and_what_to_leave_out_are_taken_from_the_words(request_: str, expected: Wish) -> None:
    assert picture_wish(request_) == expected


class SharedImages(FakeImages):
    """Draws one picture at a time, as every model does that the arbiter lends."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.arbiter = DeviceArbiter()
        self._resident = Resident("pictures", 1, lambda _: self.gate, lambda _: None, lambda: ("cpu",))

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        await self.arbiter.run(self._resident, lambda gate: gate.wait(20))
        return await super().generate(request, on_step, stop)


async def test_whoever_waits_for_others_pictures_is_told_the_place_and_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.generate_image.TOLD_AGAIN_S", 0.02)
    monkeypatch.setattr("tools.generate_image._took_s", {"fake:image": 8.0})
    images = SharedImages()
    first = asyncio.create_task(outputs_of(context(tmp_path, images, "Draw a fox")))
    async with asyncio.timeout(10):
        while not images.arbiter.busy_besides():
            await asyncio.sleep(0.01)
    second: list[Any] = []
    async for output in generate_image(context(tmp_path, images, "Draw a boat")):
        second.append(output)
        if sum("Waiting" in getattr(o, "text", "") for o in second) == 3:
            images.gate.set()
    assert second.count(Progress(None, 8.0, "Waiting for 1 other picture to be drawn first")) >= 3
    assert isinstance(second[-1], Artifact)
    assert not any("Waiting" in getattr(output, "text", "") for output in await first)
    assert in_language("Waiting for 2 other pictures to be drawn first", "fr").startswith("En attente : 2 autres")


@pytest.mark.parametrize(
    ("request_", "way"),
    [
        ("Restore this old photo", "restore"),
        ("Could you restore my photo?", "restore"),
        ("Restaure cette vieille photo abîmée s'il te plaît", "restore"),
        ("please colorize this black and white photo", "colour"),
        ("Colorise l'image", "colour"),
        ("colorise-la", "colour"),
        ("restore the castle in the picture", "new"),
        ("a repaired bicycle", "new"),
    ],
)
def test_what_is_asked_of_an_old_photograph(request_: str, way: str) -> None:
    assert picture_wish(request_).way == way


async def test_a_photograph_is_restored_at_its_own_size_and_what_that_means_is_told(tmp_path: Path) -> None:
    Image.new("L", (640, 480), 90).save(tmp_path / "old.png")
    photo = Attachment(tmp_path / "old.png", "old.png", "image", "image/png")
    images = FakeImages()
    outputs = await outputs_of(context(tmp_path, images, "Restore this photo", [photo]))
    (request,) = images.requests
    assert (request.image, request.size, request.strength) == (photo.path, (640, 480), 0.35)
    assert "scratches" in request.negative_prompt
    (told,) = [o.text for o in outputs if isinstance(o, Notice) and "drawn anew" in o.text]
    assert in_language(told, "fr") != told


async def test_a_photograph_gets_colours_and_keeps_its_own_light(tmp_path: Path) -> None:
    light = Image.linear_gradient("L").resize((128, 96))
    light.save(tmp_path / "old.png")
    photo = Attachment(tmp_path / "old.png", "old.png", "image", "image/png")
    outputs = await outputs_of(context(tmp_path, FakeImages(), "Colorise l'image", [photo]))
    with Image.open(outputs[-1].path) as picture:
        assert picture.size == (128, 96)
        kept = np.asarray(picture.convert("YCbCr"), dtype=int)
    assert np.corrcoef(kept[..., 0].ravel(), np.asarray(light).ravel())[0, 1] > 0.95
    assert kept[20:70, :, 2].mean() > 150, "red, as it was drawn"


async def test_without_a_photograph_there_is_nothing_to_restore(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no photograph"):
        await outputs_of(context(tmp_path, FakeImages(), "restore this photo"))
