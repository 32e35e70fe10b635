"""How well the model draws: retrieval against real drawings that training never saw, diversity, seconds, a sheet to look at."""

from __future__ import annotations

import platform
import random
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tools.training.dataset import Dataset
from tools.training.judge import embed, retrieval

GALLERY = 500
SEED = 17
SAMPLES = 4
BATCH = 16
SHEET_COLUMNS = 15
PROMPTS = Path(__file__).with_name("prompts.txt")
PACKAGES = ("torch", "diffusers", "numpy", "onnxruntime", "safetensors")


def evaluate(pipe: Any, judge: Any, dataset: Dataset, sheet: Path, sources: tuple[str, ...] = ()) -> dict[str, Any]:
    """The report; the drawings of unseen prompts go to the picture file `sheet`.

    `sources` are the sets that the model was trained on: held-out drawings of others are judged in the gallery only.
    """
    import torch

    held = dataset.indices("held", sources)
    gallery = _gallery(dataset, held)
    captions = pipe.text.encode([c for c, _ in gallery])[1].astype(np.float32)
    real = embed(judge, _tensor(dataset.pictures[held]))
    prompts = [dataset.rows[i].captions[0] for i in held]
    drawn = _draw(pipe, prompts, SEED)
    right = np.arange(len(held))
    several = [_draw(pipe, prompts[:20], SEED + 1 + n) for n in range(SAMPLES)]
    unseen = unseen_prompts(dataset)
    own = _draw(pipe, unseen, SEED)
    unseen_meaning = pipe.text.encode(unseen)[1].astype(np.float32)
    crowd = np.concatenate([unseen_meaning, captions[: GALLERY - len(unseen)]])
    began = time.monotonic()
    pipe(unseen[0], generator=torch.Generator().manual_seed(SEED), output_type="np")
    seconds = time.monotonic() - began
    write_sheet(pipe, own, sheet)
    return {
        "held_out_drawings": len(held),
        "captions": len(captions),
        "real_top_1_and_5": retrieval(real, captions, right),
        "drawn_top_1_and_5": retrieval(embed(judge, drawn), captions, right),
        "unseen_prompts": len(unseen),
        "unseen_top_1_and_5": retrieval(embed(judge, own), crowd, np.arange(len(unseen))),
        "diversity": round(_diversity(several, judge), 4),
        "seconds_a_picture": round(seconds, 2),
        "threads": torch.get_num_threads(),
        "seed": SEED,
        "machine": platform.machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def unseen_prompts(dataset: Dataset) -> list[str]:
    """The prompts of prompts.txt that are no caption of a drawing."""
    seen = {caption.lower() for row in dataset.rows for caption in row.captions}
    return [p for p in PROMPTS.read_text(encoding="utf-8").splitlines() if p.lower() not in seen]


def write_sheet(pipe: Any, drawn: Any, target: Path, side: int = 128) -> None:
    """The pictures in rows, enlarged as the product enlarges them, at 128×128 each."""
    from PIL import Image

    rows = -(-len(drawn) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * side, rows * side), "white")
    for start in range(0, len(drawn), BATCH):
        for n, pixels in enumerate(pipe.enlarge(drawn[start : start + BATCH], side, side), start):
            picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
            sheet.paste(picture, (n % SHEET_COLUMNS * side, n // SHEET_COLUMNS * side))
    sheet.save(target)


def _gallery(dataset: Dataset, held: list[int]) -> list[tuple[str, int]]:
    """(concept, row): the held-out drawings' own first, then others at random up to 500, each concept once."""
    own = [(dataset.rows[i].concept, i) for i in held]
    taken = {concept for concept, _ in own}
    others = sorted({r.concept for r in dataset.rows} - taken)
    more = random.Random(SEED).sample(others, min(len(others), GALLERY - len(own)))
    return [*own, *((concept, -1) for concept in more)]


def _draw(pipe: Any, prompts: list[str], seed: int) -> Any:
    """(n, 3, 64, 64), white 1 and black -1: each prompt once."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    parts = [
        pipe(prompts[start : start + BATCH], generator=chance, output_type="small").images
        for start in range(0, len(prompts), BATCH)
    ]
    return torch.cat(parts).float().cpu()


def _tensor(pictures: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def _diversity(several: list[Any], judge: Any) -> float:
    """1 minus the mean likeness of two drawings of one prompt; 0 where a prompt gives one picture only."""
    vectors = np.stack([embed(judge, drawn) for drawn in several])
    likeness = np.einsum("snd,tnd->nst", vectors, vectors)
    pairs = ~np.eye(len(several), dtype=bool)
    return float(1 - likeness[:, pairs].mean())
