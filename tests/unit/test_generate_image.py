"""The picture tool: what is drawn from which words, and what it tells meanwhile."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tools.context import Artifact, Attachment, Notice, Progress, TextDelta, ToolContext
from tools.engines.base import GeneratedImage, ImageRequest, Message, ModelCard, StepCallback
from tools.engines.errors import BadInput, OutOfMemory
from tools.generate_image import caption, generate_image, picture_prompt, previous_prompt


class FakeImages:
    card = ModelCard("fake:image", "image", "local", "MIT", "tests")

    def __init__(self, error: Exception | None = None) -> None:
        self.requests: list[ImageRequest] = []
        self._error = error

    async def generate(self, request: ImageRequest, on_step: StepCallback, stop: threading.Event) -> GeneratedImage:
        self.requests.append(request)
        if self._error:
            raise self._error
        for step in (1, 2, 3):
            on_step(step, 3)
        buffer = io.BytesIO()
        Image.new("RGB", (64, 72), "red").save(buffer, "PNG")
        return GeneratedImage(buffer.getvalue(), 64, 72, self.card.id, 7, 3, 0.1, "The end of the prompt was not used.")

    async def close(self) -> None: ...


def context(
    folder: Path,
    images: FakeImages,
    request: str,
    history: Sequence[Message] = (),
    attachments: Sequence[Attachment] = (),
    **options: Any,
) -> ToolContext:
    no: Any = None
    return ToolContext(
        request, history, attachments, (), (), folder, threading.Event(), no, no, lambda: images, no, options
    )


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


async def test_a_follow_up_is_added_to_the_picture_before(tmp_path: Path) -> None:
    images = FakeImages()
    history = [Message("user", "Draw a fox"), Message("assistant", caption("a fox"))]
    await outputs_of(context(tmp_path, images, "now at night", history))
    assert images.requests[0].prompt == "a fox, at night"


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
    ],
)
def test_the_prompt_is_the_wish_without_the_asking(request_: str, prompt: str) -> None:
    assert picture_prompt(request_) == prompt


@pytest.mark.parametrize(
    ("request_", "prompt"),
    [
        ("now at night", "a fox, at night"),
        ("make it blue", "a fox, blue"),
        ("the same in winter", "a fox, in winter"),
        ("et sans chapeau", "a fox, sans chapeau"),
        ("dessine-le en bleu", "a fox, en bleu"),
        ("another one", "a fox"),
        ("encore une fois", "a fox"),
        ("now draw a cat", "a cat"),
        ("dessine la tour Eiffel", "la tour Eiffel"),
        ("a castle", "a castle"),
    ],
)
def test_a_wish_after_a_picture_changes_it_or_starts_anew(request_: str, prompt: str) -> None:
    assert picture_prompt(request_, "a fox") == prompt


def test_the_newest_caption_is_the_picture_before() -> None:
    history = [
        Message("assistant", "*a cat*"),
        Message("assistant", caption("a * dog")),
        Message("assistant", "Hello."),
    ]
    assert previous_prompt(history) == "a dog"
    assert previous_prompt([Message("user", "*not a caption*")]) is None
