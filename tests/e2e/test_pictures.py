"""Pictures in the page: seen while they are drawn, stopped half-way, several at once, and changed by a wish."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, answer, ask, open_page, picture_of, press_stop
from tests.tiny_pipeline import build_tiny_pipeline

DRAWN = f"{ANSWER} img[src^='/files/']"
PREVIEW = "img[src^='data:image/jpeg']"


@pytest.fixture(scope="module")
def slow_server(new_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Its pictures take so many steps that none ends before a slow browser has pressed Stop."""
    pipeline = build_tiny_pipeline(tmp_path_factory.mktemp("slow") / "tiny", channels=(128, 256))
    return new_server(ASSISTANT_IMAGE=f"diffusers:{pipeline}", ASSISTANT_IMAGE_STEPS="200").start()


def test_a_picture_is_seen_while_it_is_drawn_and_stop_keeps_what_was_seen(
    new_context: Callable[..., BrowserContext], slow_server: Server
) -> None:
    page = open_page(new_context(), slow_server)
    ask(page, "/image a red lighthouse")
    preview = page.locator(PREVIEW)
    expect(preview).to_be_visible(timeout=60_000)
    first = preview.get_attribute("src")
    expect(preview).not_to_have_attribute("src", str(first))
    picture_of(page, "preview")
    press_stop(page)
    kept = page.locator(DRAWN)
    expect(kept).to_be_visible()
    expect(page.locator(ANSWER).last).to_contain_text("Stopped at step")
    expect(preview).to_have_count(0)
    assert kept.evaluate("i => i.naturalWidth") > 0


def test_several_pictures_stand_side_by_side_and_the_last_one_is_changed_by_a_wish(page: Page) -> None:
    answer(page, "Draw 3 pictures of a red boat", timeout=90_000)
    drawn = page.locator(DRAWN)
    expect(drawn).to_have_count(3)
    for n in range(3):
        expect(page.locator(f"#same-seed-{n}")).to_be_visible()
    seen = [drawn.nth(n).bounding_box() for n in range(3)]
    assert seen[0] and seen[1] and abs(seen[0]["y"] - seen[1]["y"]) < 5, "two columns"
    picture_of(page, "grid")
    changed = answer(page, "Make it night", timeout=90_000)
    assert "night" in changed
    expect(drawn).to_have_count(4)
    picture_of(page, "changed")


def test_a_picture_that_cannot_be_read_is_told_and_the_conversation_goes_on(page: Page, tmp_path: Path) -> None:
    whole = BytesIO()
    Image.effect_noise((64, 64), 80).save(whole, "PNG")
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole.getvalue()[:-2000])
    with page.expect_response("**/project/file?*"):
        page.set_input_files("#upload-button-input", str(broken))
    expect(page.get_by_alt_text("broken.png")).to_have_count(1)
    assert "broken.png is not a picture that can be read" in answer(page, "/image make it blue", timeout=60_000)
    answer(page, "/image a blue boat", timeout=90_000)
    expect(page.locator(DRAWN)).to_be_visible()


def test_a_part_is_painted_over_and_drawn_anew(page: Page, server: Server) -> None:
    answer(page, "/image a white cat", timeout=90_000)
    page.click("#brush-0")
    canvas = page.locator("#brush canvas")
    expect(canvas).to_be_visible()
    page.fill("#brush-wish", "a red hat")
    page.click("#brush-draw")
    expect(page.locator("#brush-missing")).to_contain_text("Nothing is painted yet")
    expect(canvas).to_be_focused()
    for key in ("ArrowUp", "Space", "ArrowLeft", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30, steps=4)
    page.mouse.up()
    picture_of(page, "brush")
    page.click("#brush-draw")
    expect(page.locator("#brush")).to_have_count(0)
    expect(page.locator("[data-step-type=user_message]").last).to_contain_text("a red hat")
    expect(page.locator(DRAWN)).to_have_count(2, timeout=90_000)
    expect(page.locator(ANSWER).last).to_contain_text("a red hat")
    (mask,) = (server.home / "artifacts").rglob("mask-*.png")
    with Image.open(mask) as painted:
        assert painted.convert("L").getextrema() == (0, 255)
