"""The recipe of the starter picture model on a handful of drawings and a tiny network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tools.engines.errors import ModelNotFound
from tools.engines.starter_picture.network import UpscalerNetwork
from tools.training import checkpoint
from tools.training.dataset import SIDE, captions, load, render_all, save
from tools.training.export import export
from tools.training.judge import retrieval
from tools.training.sources import Drawing, clip_art_drawings, emoji_drawings
from tools.training.train import Material, Recipe, Run, loss_of, start, train

TINY = Recipe(batch=8, warm_steps=1, learning_rate=3e-3, network={"patch": 16, "width": 32, "depth": 2, "heads": 2})
EMOJI = {
    "1F34E": ("red apple", "pomme rouge"),
    "1F44D-1F3FB": ("thumbs up: light skin tone", "pouce"),
    "1F98A": ("fox", "renard"),
}


def circle(colour: str, radius: int = 12) -> str:
    return f'<circle cx="16" cy="16" r="{radius}" fill="{colour}"/>'


def svg(colour: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{circle(colour)}</svg>'


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Packages as they are unpacked, with six icons, two of them drawings, and two pieces of clip art, one of them a logo."""
    icons = {
        n: {"body": circle("red")} for n in ("red-apple", "thumbs-up-light-skin-tone", "flag-france", "keycap-1", "a")
    }
    write(
        tmp_path / "noto" / "icons.json",
        {"width": 32, "height": 32, "icons": {**icons, "fox": {"body": circle("orange")}}},
    )
    write(
        tmp_path / "noto" / "chars.json",
        {"1f34e": "red-apple", "1f98a": "fox", "1f44d-1f3fb": "thumbs-up-light-skin-tone"},
    )
    for language, n in (("en", 0), ("fr", 1)):
        rows = [{"hexcode": code, "label": labels[n], "tags": ["fruit"]} for code, labels in EMOJI.items()]
        write(tmp_path / "labels" / language / "data.json", rows)
    clip = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" width="210mm" height="297mm"><metadata><dc:title>Old_fox</dc:title>'
        "<dc:subject><rdf:li>fox</rdf:li></dc:subject></metadata>"
        + f'<g transform="scale(8)">{circle("brown")}</g></svg>'
    )
    for place in ("animals", "logos"):
        (tmp_path / "clip-art" / place).mkdir(parents=True)
        (tmp_path / "clip-art" / place / "old.svg").write_text(clip, encoding="utf-8")
    return tmp_path


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def material() -> Material:
    """Eight plain drawings, each with its own words."""
    import torch

    torch.manual_seed(1)
    colours = torch.randint(0, 256, (8, 3, 1, 1), dtype=torch.uint8)
    states, meanings = torch.randn(8, 16, 384).half(), torch.randn(8, 384).half()
    return Material(colours.expand(8, 3, SIDE, SIDE), states, meanings, torch.arange(8), torch.ones(8).long())


def weights(run: Run) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for n in (run.network, run.average) for p in n.parameters()])


def test_only_drawings_are_taken_and_they_have_names_in_both_languages(packages: Path) -> None:
    taken = list(emoji_drawings(packages, "noto"))
    assert [(d.title, d.title_fr) for d in taken] == [("red apple", "pomme rouge"), ("fox", "renard")]
    assert captions(taken[0]) == (
        "red apple, cartoon style",
        "red apple",
        "red apple, fruit, cartoon style",
        "pomme rouge, style dessin animé",
        "pomme rouge",
    )


def test_clip_art_is_named_by_its_metadata_and_logos_are_left_out(packages: Path) -> None:
    (only,) = clip_art_drawings(packages)
    assert (only.title, only.title_fr) == ("Old fox", "renard")


def test_drawings_are_rendered_on_white_and_come_back_from_the_file(packages: Path, tmp_path: Path) -> None:
    drawings = [*emoji_drawings(packages, "noto"), *clip_art_drawings(packages)]
    drawings += [
        Drawing("noto", "empty", "empty", "", (), "<svg/>"),
        Drawing("noto", "again", "again", "", (), drawings[0].svg),
    ]
    made = render_all(drawings)
    assert [row.concept for row in made.rows] == ["red apple", "fox", "old fox"]
    assert made.pictures.shape == (3, SIDE, SIDE, 3)
    assert made.pictures[0, 0, 0].tolist() == [255, 255, 255]
    assert made.pictures[0, 32, 32].tolist() == [255, 0, 0]
    # The clip art stands small in a corner of its page; it is cut out.
    assert made.pictures[2, 32, 32].tolist() == [165, 42, 42]
    save(made, tmp_path / "drawings.xz")
    again = load(tmp_path / "drawings.xz")
    assert (again.pictures == made.pictures).all()
    assert (again.large == made.large).all()
    assert again.rows == made.rows


def test_a_held_out_concept_is_learned_in_its_other_styles() -> None:
    styles = ("fluent-flat", "fluent", "noto", "twemoji")
    drawings = [
        Drawing(style, f"thing {n}", f"thing {n}", "", (), svg(f"rgb({10 * n},{60 * s},0)"))
        for n in range(8)
        for s, style in enumerate(styles)
    ]
    made = render_all(drawings)
    held = [made.rows[i].concept for i in made.indices("held")]
    assert len(held) == len(set(held)) == 2
    assert all(sum(made.rows[i].concept == concept for i in made.indices("train")) == 3 for concept in held)


def test_training_lowers_the_loss() -> None:
    run, told = start(TINY, "cpu"), material()
    before = float(loss_of(run.network, told, TINY, 1000).detach())
    train(run, told, steps=30)
    assert float(loss_of(run.network, told, TINY, 1000).detach()) < 0.5 * before


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    told, straight = material(), start(TINY, "cpu")
    train(straight, told, steps=4)
    stopped = start(TINY, "cpu")
    train(stopped, told, steps=2, save_to=tmp_path / "run")
    resumed = checkpoint.load(tmp_path / "run", "cpu")
    train(resumed, told, steps=2)
    assert resumed.step == 4
    assert (weights(resumed) == weights(straight)).all()


def test_a_light_checkpoint_holds_the_average_in_files_that_can_be_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARD_BYTES", 50_000)
    run = start(TINY, "cpu")
    train(run, material(), steps=3)
    checkpoint.save(run, tmp_path / "light", light=True)
    files = list((tmp_path / "light").glob("*.safetensors"))
    assert len(files) > 1
    again = checkpoint.load(tmp_path / "light", "cpu")
    assert (again.step, again.fresh_at) == (3, 3)
    assert not any(p.requires_grad for p in run.average.parameters())
    for ours, kept in zip(run.average.parameters(), again.network.parameters(), strict=True):
        assert np.allclose(ours.numpy(), kept.detach().numpy(), atol=1e-3)


def test_a_new_training_begins_with_an_exported_model_and_refuses_that_of_another_network(tmp_path: Path) -> None:
    run = start(TINY, "cpu")
    train(run, material(), steps=2)
    export(run, UpscalerNetwork(8, 1), tmp_path / "model")
    begun = checkpoint.of_exported(tmp_path / "model", TINY, "cpu")
    assert (begun.step, begun.trace) == (0, [])
    for network in (begun.network, begun.average):
        for ours, kept in zip(run.average.parameters(), network.parameters(), strict=True):
            assert np.allclose(ours.numpy(), kept.detach().numpy(), atol=2e-3)
    wider = replace(TINY, network={**TINY.network, "width": 64})
    for folder, recipe in ((tmp_path, TINY), (tmp_path / "model", wider)):
        with pytest.raises(ModelNotFound, match="no exported model"):
            checkpoint.of_exported(folder, recipe, "cpu")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no training checkpoint"):
        checkpoint.load(tmp_path, "cpu")


def test_retrieval_counts_who_finds_their_own_caption() -> None:
    captions_ = np.eye(10, dtype=np.float32)
    near = captions_[:2] + 0.4 * captions_[5:7]
    wrong = captions_[8:9]
    found = retrieval(np.concatenate([near, wrong]), captions_, np.array([0, 1, 2]))
    assert found[0] == pytest.approx(2 / 3, abs=1e-3)
