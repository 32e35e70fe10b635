"""The commands that make the starter picture model, in the order in which they are needed.

    python -m tools.training fetch       packages of drawings (needs npm, apt-get, dpkg-deb and a network)
    python -m tools.training dataset     renders them, 10 minutes (needs `pip install resvg-py==0.5.0`)
    python -m tools.training text        packs the text embedder that reads the captions
    python -m tools.training train       starts, or goes on from the last checkpoint
    python -m tools.training upscaler    trains what makes 64×64 large and clean, on what the transformer draws
    python -m tools.training judge       trains the judge of drawings, on real ones alone
    python -m tools.training export      the pipeline's folder, as the product opens it
    python -m tools.training evaluate    retrieval against real drawings, diversity, contact sheet

With a GPU, on a machine that may have no network: copy `tools`, and of the folder training-data the files drawings.xz (20 MB) and
text.xz (10 MB). It needs torch, numpy, safetensors, onnx, onnxruntime and tokenizers. Then, as often as there is time, the last
time with --cool:

    python -m tools.training train --size gpu --fast --threads 8 --minutes 8 && cp -r training-data/light "$OUT"
    python -m tools.training train --size gpu --fast --threads 8 --minutes 7 --cool && cp -r training-data/light "$OUT"
    python -m tools.training upscaler --size gpu --minutes 4 && python -m tools.training judge --minutes 3 \\
        && cp training-data/*.safetensors "$OUT"

A call goes on from training-data/checkpoint exactly; where only training-data/light was kept (31 MB, files of at most 15 MiB),
from its averaged weights with a fresh optimizer, as a training does that begins with --from and an exported model. Copied back, light, upscaler.safetensors and judge.safetensors are all that
export and evaluate need, on any processor: `export --size gpu --target tools/engines/starter_picture/weights`, then `evaluate`
with the same target. An unset `image` runs the model once that report shows that it draws well enough.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tools.training.sizes import SIZES, UPSCALERS

WORK = Path("training-data")
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m tools.training", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of everything that is made (ignored by git)")
    parser.add_argument("--size", choices=SIZES, default="cpu", help="network and batch: see sizes.py")
    parser.add_argument("--minutes", type=float, help="how long to train; without, until --steps")
    parser.add_argument("--steps", type=int, help="how many steps to train")
    parser.add_argument("--cool", action="store_true", help="let the learning rate fall to nothing: for the last call")
    parser.add_argument("--threads", type=int, default=1, help="processor cores to use")
    parser.add_argument("--fast", action="store_true", help="compile the network (GPU)")
    parser.add_argument("--from", dest="source", type=Path, help="an exported model that a new training begins with")
    parser.add_argument("--target", type=Path, help="where export writes")
    asked = parser.parse_args()
    COMMANDS[asked.command](asked)


def _fetch(asked: argparse.Namespace) -> None:
    from tools.training.sources import fetch

    fetch(asked.work / "packages")


def _dataset(asked: argparse.Namespace) -> None:
    from tools.training.dataset import build

    made = build(asked.work / "packages", asked.work / "drawings.xz")
    print(f"{len(made.rows)} drawings, {len(made.indices('held'))} of them held out")


def _text_encoder(asked: argparse.Namespace) -> None:
    from tools.engines.base import EngineOptions
    from tools.engines.device import DeviceArbiter
    from tools.engines.onnx import exported_folder
    from tools.training.carry import put_text

    options = EngineOptions(asked.work / "models", DeviceArbiter())
    put_text(exported_folder("all-MiniLM-L6-v2", options), asked.work / "drawings.xz", asked.work / "text.xz")


def _train(asked: argparse.Namespace) -> None:
    from tools.training import checkpoint
    from tools.training.dataset import load
    from tools.training.train import material_of, start, train

    device = _device(asked)
    going = (_trained(asked) / checkpoint.STATE).exists()
    if going:
        run = checkpoint.load(_trained(asked), device)
    elif asked.source:
        run = checkpoint.of_exported(asked.source, SIZES[asked.size], device)
    else:
        run = start(SIZES[asked.size], device)
    _say(f"{f'going on from step {run.step}' if going else 'starting'} on {device}: {run.recipe}")
    material = material_of(load(asked.work / "drawings.xz"), run.recipe.sources, _text(asked), device)
    _say(f"{len(material.pictures)} drawings, {len(material.states)} captions")
    train(
        run,
        material,
        steps=asked.steps,
        minutes=asked.minutes,
        cool=asked.cool,
        save_to=asked.work / "checkpoint",
        report=_say,
        fast=asked.fast,
    )
    checkpoint.save(run, asked.work / "light", light=True)


def _upscaler(asked: argparse.Namespace) -> None:
    import torch
    from safetensors.torch import save_file

    from tools.engines.starter_picture.network import UpscalerNetwork
    from tools.training import checkpoint
    from tools.training.dataset import load
    from tools.training.enlarge import train_upscaler

    device = _device(asked)
    torch.manual_seed(SEED)
    upscaler = UpscalerNetwork(**UPSCALERS[asked.size]).to(device)
    run = checkpoint.load(_trained(asked), device)
    train_upscaler(
        run.average,
        upscaler,
        load(asked.work / "drawings.xz"),
        _text(asked),
        minutes=asked.minutes or 5.0,
        sources=run.recipe.sources,
        report=_say,
    )
    save_file(upscaler.state_dict(), asked.work / "upscaler.safetensors", {"size": asked.size})


def _judge(asked: argparse.Namespace) -> None:
    from safetensors.torch import save_file

    from tools.training.dataset import load
    from tools.training.judge import new_judge, train_judge

    judge = new_judge().to(_device(asked))
    minutes = asked.minutes or 3.0
    train_judge(judge, load(asked.work / "drawings.xz"), _text(asked), minutes=minutes, report=_say)
    save_file(judge.state_dict(), asked.work / "judge.safetensors")


def _export(asked: argparse.Namespace) -> None:
    from tools.engines.starter_picture.network import UpscalerNetwork
    from tools.training import checkpoint
    from tools.training.export import export

    run = checkpoint.load(_trained(asked), "cpu")
    upscaler = UpscalerNetwork(**UPSCALERS[asked.size])
    _fill(upscaler, asked.work / "upscaler.safetensors")
    export(run, upscaler, asked.target or asked.work / "pipeline")


def _evaluate(asked: argparse.Namespace) -> None:
    from tools.engines.starter_picture.pipeline import open_pipeline
    from tools.training import checkpoint
    from tools.training.dataset import load
    from tools.training.evaluate import evaluate
    from tools.training.judge import new_judge

    _device(asked)
    folder = asked.target or asked.work / "pipeline"
    judge = new_judge()
    _fill(judge, asked.work / "judge.safetensors")
    sources = checkpoint.load(_trained(asked), "cpu").recipe.sources
    pipe = open_pipeline(folder, _text(asked))
    dataset = load(asked.work / "drawings.xz")
    report = evaluate(pipe, judge.eval(), dataset, asked.work / "sheet.png", sources)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _say(json.dumps(report, indent=1))


def _trained(asked: argparse.Namespace) -> Path:
    from tools.training import checkpoint

    folders: list[Path] = [asked.work / "checkpoint", asked.work / "light"]
    return next((f for f in folders if (f / checkpoint.STATE).exists()), folders[0])


def _fill(network: Any, path: Path) -> None:
    from safetensors.torch import load_file

    network.load_state_dict(load_file(path))


def _say(line: str) -> None:
    print(line, flush=True)


def _device(asked: argparse.Namespace) -> str:
    import torch

    torch.set_num_threads(asked.threads)
    torch.backends.cuda.matmul.allow_tf32 = True
    return "cuda" if torch.cuda.is_available() else "cpu"


def _text(asked: argparse.Namespace) -> Any:
    from tools.engines.starter_picture.text import TextStates
    from tools.training.carry import take_text

    return TextStates(take_text(asked.work / "text.xz"), asked.threads)


COMMANDS = {
    "fetch": _fetch,
    "dataset": _dataset,
    "text": _text_encoder,
    "train": _train,
    "upscaler": _upscaler,
    "judge": _judge,
    "export": _export,
    "evaluate": _evaluate,
}

if __name__ == "__main__":
    main()
