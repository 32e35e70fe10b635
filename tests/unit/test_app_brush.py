"""What comes from the page when a part of a picture was painted over."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assistant.app_brush import PNG, brush_actions, masked_turn, picture_of
from assistant.app_config import texts
from assistant.app_errors import in_language
from tools.engines.errors import BadInput


def painted(size: tuple[int, int] = (64, 48), form: str = "PNG") -> str:
    buffer = BytesIO()
    picture = Image.new("RGB", size, "black")
    picture.paste("white", (0, 0, size[0] // 2, size[1]))
    picture.save(buffer, form)
    return PNG + base64.b64encode(buffer.getvalue()).decode()


async def test_what_was_painted_becomes_the_mask_of_a_turn(tmp_path: Path) -> None:
    turn = await masked_turn(tmp_path / "fox.png", "  a red\nhat ", painted())
    assert (turn.text, turn.tool) == ("a red hat", "generate_image")
    assert turn.options["image"] == str(tmp_path / "fox.png")
    with Image.open(turn.options["mask"]) as mask:
        assert (mask.mode, mask.size, mask.getpixel((0, 0)), mask.getpixel((63, 0))) == ("L", (64, 48), 255, 0)


@pytest.mark.parametrize(
    ("wish", "mask"),
    [
        ("", painted()),
        (None, painted()),
        ("a hat", None),
        ("a hat", ""),
        ("a hat", PNG + "!!!"),
        ("a hat", PNG + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()),
        ("a hat", painted(form="JPEG")),
        ("a hat", painted((9000, 8))),
        ("a hat", "data:text/html;base64,PGI+"),
        ("a hat", PNG + "A" * 5_000_000),
    ],
)
async def test_what_is_no_mask_is_refused_in_both_languages_and_nothing_is_kept(
    tmp_path: Path, wish: Any, mask: Any
) -> None:
    with pytest.raises(BadInput) as refused:
        await masked_turn(tmp_path / "fox.png", wish, mask)
    for line in (refused.value.message, refused.value.remedy):
        assert in_language(line, "fr") != line
    assert list(tmp_path.iterdir()) == []


def test_only_pictures_that_can_be_changed_have_the_button() -> None:
    say, size = texts("en"), {"width": 64, "height": 64}
    made = [
        {"meta": {"model": "diffusers:/models/sd", **size}},
        {"meta": {"model": "starter:drawings", **size}},
        {"meta": {"model": "diffusers:/models/sd", "stopped_at_step": 3}},
        {"meta": {}},
    ]
    assert [(a.id, a.label) for a in brush_actions(made, {}, say)] == [("brush-0", "Change a part")]
    assert [a.label for a in brush_actions(made[:1] * 2, {}, say)] == [
        "Change a part of picture 1",
        "Change a part of picture 2",
    ]


def test_a_picture_is_found_by_its_number_where_it_is_still_there(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"x")
    paths = (tmp_path / "fox.png", tmp_path / "gone.png")
    receipt = {"artifacts": [{"kind": "transcript", "path": "t"}, *({"kind": "image", "path": str(p)} for p in paths)]}
    assert picture_of(receipt, 0) == tmp_path / "fox.png"
    assert [picture_of(receipt, n) for n in (1, 2, -1, True, "0", None)] == [None] * 6
    assert picture_of({}, 0) is None
