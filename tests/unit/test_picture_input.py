"""Pictures and masks as people send them: odd ones are made usable and this is said, hopeless ones are refused with the reason."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.engines.errors import BadInput
from tools.engines.picture_input import fitting_size, open_mask, open_picture, parse_size, rounded_size


def bomb(path: Path, side: int) -> Path:
    """A PNG of a few kilobytes that says it is `side` pixels wide and high."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 100)))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    )
    return path


@pytest.mark.parametrize("side", [9_000, 30_000, 200_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, side: int) -> None:
    with pytest.raises(BadInput, match=r"bomb\.png has (\d+×\d+|far too many) pixels"):
        open_picture(bomb(tmp_path / "bomb.png", side))


def test_colours_of_print_become_colours_of_the_screen(tmp_path: Path) -> None:
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    picture, notes = open_picture(tmp_path / "print.jpg")
    red, green, blue = picture.getpixel((5, 5))
    assert (picture.mode, notes) == ("RGB", [])
    assert red > 200 and max(green, blue) < 60


def test_of_an_animation_the_first_frame_is_taken_and_this_is_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "dance.gif", save_all=True, append_images=frames[1:])
    picture, notes = open_picture(tmp_path / "dance.gif")
    assert picture.getpixel((5, 5)) == (255, 0, 0)
    assert notes == ["dance.gif has 3 frames: the first was taken."]


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(64, 0)
    Image.fromarray(ramp).save(tmp_path / "scan.png")
    picture, _ = open_picture(tmp_path / "scan.png")
    assert [picture.getpixel((x, 0))[0] for x in (0, 32, 63)] == [0, 130, 255]


def test_a_photo_that_was_taken_upright_stands_upright(tmp_path: Path) -> None:
    photo = Image.new("RGB", (80, 64), "blue")
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(tmp_path / "photo.jpg", exif=exif)
    assert open_picture(tmp_path / "photo.jpg")[0].size == (64, 80)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_places_become_white_and_this_is_said(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0)).convert(mode)
    picture.save(tmp_path / "logo.png", **({"transparency": 0} if mode == "P" else {}))
    opened, notes = open_picture(tmp_path / "logo.png")
    assert opened.getpixel((5, 5)) == (255, 255, 255)
    assert notes == ["logo.png has transparent places: they were taken as white."]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "me.png").write_bytes(content)
    with pytest.raises(BadInput, match=r"me\.png is not a picture"):
        open_picture(tmp_path / "me.png")


def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    Image.effect_noise((200, 200), 90).save(tmp_path / "me.png")
    (tmp_path / "me.png").write_bytes((tmp_path / "me.png").read_bytes()[:5000])
    with pytest.raises(BadInput, match="not a picture that can be read"):
        open_picture(tmp_path / "me.png")


def test_a_mask_of_another_size_is_resized_and_this_is_said(tmp_path: Path) -> None:
    Image.new("L", (10, 20), 255).save(tmp_path / "mask.png")
    mask, notes = open_mask(tmp_path / "mask.png", (128, 64), (200, 100))
    assert (mask.size, mask.getpixel((5, 5))) == ((128, 64), 255)
    assert notes == ["The mask is 10×20 pixels and the picture 200×100: it was resized."]
    assert open_mask(tmp_path / "mask.png", (128, 64), (10, 20))[1] == []


def test_strokes_on_a_transparent_sheet_are_a_mask_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    sheet = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    sheet.save(tmp_path / "empty.png")
    sheet.paste((255, 255, 255, 255), (0, 0, 32, 64))
    sheet.save(tmp_path / "mask.png")
    mask, _ = open_mask(tmp_path / "mask.png", (64, 64), (64, 64))
    assert (mask.getpixel((5, 5)), mask.getpixel((60, 5))) == (255, 0)
    with pytest.raises(BadInput, match=r"empty\.png marks nothing"):
        open_mask(tmp_path / "empty.png", (64, 64), (64, 64))


@pytest.mark.parametrize("text", ["0x0", "7x512", "512x100000", "100000x100000"])
def test_a_size_that_nobody_draws_is_one_line_with_the_limits(text: str) -> None:
    with pytest.raises(BadInput, match=r"^A picture cannot be \d+×\d+ pixels\. Each side takes 64 to 2048 pixels\.$"):
        parse_size(text)


@pytest.mark.parametrize("text", ["big", "512", "-5x5", "512 x", "1e3x5", "5" * 50 + "x5"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not width x height"):
        parse_size(text)


def test_sizes_are_rounded_and_shrunk_with_their_proportions() -> None:
    assert parse_size(" 512 × 768 ") == (512, 768)
    assert rounded_size((512, 768)) == ((512, 768), [])
    assert rounded_size((500, 70), 16) == (
        (496, 64),
        ["500×70 was rounded to 496×64: this model's sides are multiples of 16."],
    )
    assert fitting_size((4000, 2000), (512, 512)) == (728, 360)
    assert fitting_size((100, 100), (512, 512)) == (96, 96)
