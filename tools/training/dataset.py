"""The drawings as one file: 64×64 pictures, their captions in English and French, and what is held out of training.

Rendered by resvg on white. The file is compressed arrays and JSON, small enough to be carried to a machine without a network.
"""

from __future__ import annotations

import io
import json
import lzma
import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.training.sources import CLIP_ART_STYLE, SETS, Drawing, clip_art_drawings, emoji_drawings

SIDE = 64
LARGE_SIDE = 256
LARGE_EVERY = 30
"""Every thirtieth drawing is kept at 256×256 too: the upscaler learns from these."""
LEAST_SIDE = 100
"""What is left of a page of 512 pixels once its empty part is cut away; smaller drawings would be blurred."""
HELD_CONCEPTS = 250
HELD_CLIP_ART = 50
SEED = 7


@dataclass(frozen=True)
class Row:
    """What is known of one picture. `split` is "train" or "held"; the first caption names its style, the second does not."""

    source: str
    concept: str
    captions: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class Dataset:
    """`pictures` uint8 (n, 64, 64, 3); `large` uint8 (m, 256, 256, 3), drawings `large_rows` of training at four times the size."""

    rows: list[Row]
    pictures: np.ndarray
    large_rows: np.ndarray
    large: np.ndarray

    def indices(self, split: str, sources: Sequence[str] = ()) -> list[int]:
        return [i for i, r in enumerate(self.rows) if r.split == split and (not sources or r.source in sources)]


def build(folder: Path, target: Path) -> Dataset:
    """Render everything below `folder` (see `sources.fetch`) into the file `target`."""
    drawings = [d for name in SETS for d in emoji_drawings(folder, name)]
    dataset = render_all([*drawings, *clip_art_drawings(folder)])
    save(dataset, target)
    return dataset


def render_all(drawings: Iterable[Drawing]) -> Dataset:
    """What resvg cannot render, nearly empty pictures and exact repetitions are left out."""
    kept: list[Drawing] = []
    small: list[np.ndarray] = []
    large: list[np.ndarray] = []
    large_rows: list[int] = []
    seen: set[int] = set()
    for drawing in drawings:
        picture = render(drawing.svg, trim=drawing.source == "clip-art")
        if picture is None:
            continue
        reduced = _reduce(picture)
        if (print_ := zlib.crc32(reduced.tobytes())) in seen:
            continue
        seen.add(print_)
        if zlib.crc32(drawing.title.encode()) % LARGE_EVERY == 0:
            large_rows.append(len(kept))
            large.append(picture)
        kept.append(drawing)
        small.append(reduced)
    held = _held_out(kept)
    rows = [Row(d.source, d.concept, captions(d), "held" if i in held else "train") for i, d in enumerate(kept)]
    usable = [k for k, i in enumerate(large_rows) if i not in held]
    return Dataset(
        rows,
        np.stack(small),
        np.array([large_rows[k] for k in usable], dtype=np.int64),
        np.stack([large[k] for k in usable]) if usable else np.zeros((0, LARGE_SIDE, LARGE_SIDE, 3), np.uint8),
    )


def render(svg: str, trim: bool = False) -> np.ndarray | None:
    """The drawing on white, uint8, shape (256, 256, 3); None where it cannot be rendered or shows next to nothing.

    `trim` cuts the empty page around the drawing: much clip art stands small on a sheet of paper.
    """
    import resvg_py
    from PIL import Image, ImageOps

    try:
        width = LARGE_SIDE * (2 if trim else 1)
        png = resvg_py.svg_to_bytes(svg_string=svg, width=width, dpi=96, background="#ffffff", skip_system_fonts=True)
        picture = Image.open(io.BytesIO(bytes(png))).convert("RGB")
    except (ValueError, OSError, Image.DecompressionBombError):
        return None
    if trim and (box := ImageOps.invert(picture).getbbox()):
        picture = ImageOps.expand(picture.crop(box), max(picture.size) // 40, "white")
    if not 1 / 3 <= picture.height / picture.width <= 3:
        return None
    if max(picture.size) < LEAST_SIDE:
        return None
    picture = ImageOps.contain(picture, (LARGE_SIDE, LARGE_SIDE))
    page = Image.new("RGB", (LARGE_SIDE, LARGE_SIDE), "white")
    page.paste(picture, ((LARGE_SIDE - picture.width) // 2, (LARGE_SIDE - picture.height) // 2))
    pixels = np.asarray(page)
    return pixels if (pixels < 250).any(axis=2).mean() > 0.03 else None


def captions(drawing: Drawing) -> tuple[str, ...]:
    """Two in English (with the style, without), one with keywords, and two in French where the French name is known."""
    found = SETS.get(drawing.source)
    style, style_fr = (found.style, found.style_fr) if found else CLIP_ART_STYLE
    title, french = drawing.title, drawing.title_fr
    words = [w for w in drawing.words if w.lower() not in title.lower()]
    chosen = random.Random(zlib.crc32(title.encode())).sample(words, min(2, len(words)))
    told = [
        f"{title}, {style} style",
        title,
        f"{', '.join([title, *chosen])}, {style} style" if chosen else f"a {title}",
    ]
    return tuple(dict.fromkeys([*told, *([f"{french}, style {style_fr}", french] if french else [])]))


def save(dataset: Dataset, target: Path) -> None:
    """One xz stream: a line of JSON with the shapes and rows, then the pixels as differences along each line."""
    head = {
        "rows": [asdict(r) for r in dataset.rows],
        "large_rows": dataset.large_rows.tolist(),
        "shapes": [dataset.pictures.shape, dataset.large.shape],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".part")
    with lzma.open(aside, "wb", preset=6) as out:
        out.write(json.dumps(head).encode() + b"\n")
        for pictures in (dataset.pictures, dataset.large):
            out.write(_differences(pictures).tobytes())
    aside.replace(target)


def load(path: Path) -> Dataset:
    with lzma.open(path) as opened:
        head: dict[str, Any] = json.loads(opened.readline())
        small, large = (_pictures(opened.read(int(np.prod(s))), s) for s in head["shapes"])
    rows = [Row(r["source"], r["concept"], tuple(r["captions"]), r["split"]) for r in head["rows"]]
    return Dataset(rows, small, np.array(head["large_rows"], dtype=np.int64), large)


def _reduce(picture: np.ndarray) -> np.ndarray:
    times = LARGE_SIDE // SIDE
    blocks = picture.reshape(SIDE, times, SIDE, times, 3).astype(np.float32)
    reduced: np.ndarray = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return reduced


def _held_out(drawings: Sequence[Drawing]) -> set[int]:
    """Concepts that training sees in all their styles but one, and clip art that it never sees."""
    rng = random.Random(SEED)
    by_concept: dict[str, list[int]] = {}
    for i, drawing in enumerate(drawings):
        if drawing.source not in ("clip-art", "flat-color"):
            by_concept.setdefault(drawing.concept, []).append(i)
    many = sorted(c for c, rows in by_concept.items() if len(rows) >= 3)
    clips = [i for i, d in enumerate(drawings) if d.source == "clip-art"]
    concepts = rng.sample(many, min(HELD_CONCEPTS, len(many) // 4))
    return {rng.choice(by_concept[c]) for c in concepts} | set(rng.sample(clips, min(HELD_CLIP_ART, len(clips) // 4)))


def _differences(pictures: np.ndarray) -> np.ndarray:
    before = np.concatenate([np.zeros_like(pictures[:, :, :1]), pictures[:, :, :-1]], axis=2)
    return np.ascontiguousarray((pictures - before).transpose(0, 3, 1, 2))


def _pictures(raw: bytes, shape: Sequence[int]) -> np.ndarray:
    n, height, width, channels = shape
    differences = np.frombuffer(raw, np.uint8).reshape(n, channels, height, width)
    return np.ascontiguousarray(np.cumsum(differences, axis=3, dtype=np.uint8).transpose(0, 2, 3, 1))
