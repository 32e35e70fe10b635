"""Trains the tool classifier: `python -m assistant.train_classifier` (about ten minutes on two CPU cores).

Fine-tunes the encoder of multilingual-e5-small, taken from its 4-bit weights, with a head of four tools on the labelled
examples in `data/routing-train.jsonl`; word embeddings stay as they are, so that only the encoder is shipped (int8, 22 MB).
The recipe: layer-wise learning rates, frozen lower layers, label smoothing, word dropout (Sun et al. 2019, arXiv:1905.05583);
and changes of subject: some of the requests that stand alone are read behind a random earlier turn, and those that lean on
a turn are read more often, since the tool of the turn before must count where a request leans on it and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from assistant.classifier import LABELS, WEIGHTS, before_ids, token_ids
from assistant.e5 import E5
from assistant.router import PastTurn

DATA = WEIGHTS.parent
POSITIONS = 256
EPOCHS = 5
BATCH = 24
FROZEN_LAYERS = 4
LEARNING_RATE = 2e-4
HEAD_LEARNING_RATE = 1e-3
LAYER_DECAY = 0.85
WORD_DROPOUT = 0.05
LABEL_SMOOTHING = 0.05
DROPOUT = 0.1
CHANGE_OF_SUBJECT = 0.4
LEANING_REPEATS = 3
SEED = 0


@dataclass(frozen=True)
class Example:
    """One labelled request. `ids` are what the classifier reads, `label` indexes LABELS; `as_before` is how it would stand
    behind another request, None for one that leans on a turn before it."""

    ids: Sequence[int]
    label: int
    as_before: Sequence[int] | None


class Layer(nn.Module):  # type: ignore[misc]
    """One post-norm transformer layer of BERT; parameters are named as in the 4-bit file."""

    def __init__(self, words: E5, n: int) -> None:
        super().__init__()
        self.heads = words.heads
        self.q, self.k, self.v, self.ao = (
            _linear(words, f"l{n}.{name}", words.width) for name in ("q", "k", "v", "ao")
        )
        self.fi, self.fo = _linear(words, f"l{n}.fi", words.width), _linear(words, f"l{n}.fo", words.inner)
        self.aln, self.oln = _norm(words, f"l{n}.aln"), _norm(words, f"l{n}.oln")
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = (f(x).view(batch, length, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-1, -2)) * (width // self.heads) ** -0.5 + mask
        mixed = (self.dropout(weights.softmax(-1)) @ v).transpose(1, 2).reshape(batch, length, width)
        x = self.aln(x + self.dropout(self.ao(mixed)))
        y: torch.Tensor = self.oln(x + self.dropout(self.fo(functional.gelu(self.fi(x)))))
        return y


class Encoder(nn.Module):  # type: ignore[misc]
    """Word embeddings (batch, length, width) and a mask (batch, length) to logits (batch, 4), from the mean state."""

    def __init__(self, words: E5) -> None:
        super().__init__()
        positions = words.vector("emb.pos").reshape(-1, words.width)[:POSITIONS]
        self.positions = nn.Parameter(torch.tensor(positions + words.vector("emb.type")[: words.width]), False)
        self.norm = _norm(words, "emb.ln").requires_grad_(False)
        self.layers = nn.ModuleList(Layer(words, n) for n in range(words.layers))
        self.dropout = nn.Dropout(DROPOUT)
        width = words.width
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.Tanh(), nn.Dropout(DROPOUT), nn.Linear(width, len(LABELS))
        )

    def forward(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.dropout(self.norm(embeddings + self.positions[: embeddings.shape[1]]))
        blocked = (1 - mask)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, blocked)
        return self.head((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def read_examples(path: Path, words: E5) -> list[Example]:
    """The examples of a JSON Lines file of {"text", "tool"} with optional "kinds" and "thread"."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Example(
            row_ids(words, row),
            LABELS.index(row["tool"]),
            None if row.get("thread") else before_ids(words, PastTurn(row["text"], row["tool"])),
        )
        for row in rows
    ]


def row_ids(words: E5, row: dict[str, Any]) -> list[int]:
    thread = [PastTurn(turn["text"], turn["tool"]) for turn in row.get("thread", ())]
    return token_ids(words, row["text"], row.get("kinds", ()), thread)


def train(examples: Sequence[Example], words: E5, epochs: int = EPOCHS, seed: int = SEED) -> Encoder:
    """Fine-tune; prints the loss of each epoch. The same seed and machine give the same weights."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    examples = [e for e in examples for _ in range(1 if e.as_before else LEANING_REPEATS)]
    befores = [[e.as_before for e in examples if e.label == n and e.as_before] for n in range(len(LABELS))]
    model = Encoder(words)
    optimizer = torch.optim.AdamW(_parameter_groups(model), weight_decay=0.01)
    steps = epochs * math.ceil(len(examples) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, step / (steps / 10)) * (1 - step / steps)
    )
    for epoch in range(epochs):
        model.train()
        losses = []
        for batch in _batches(examples, rng):
            read = [_with_dropout(_after_any(e, befores, rng), words, rng) for e in batch]
            embeddings, mask = _padded(read, words)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(embeddings, mask)
            labels = torch.tensor([e.label for e in batch])
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=LABEL_SMOOTHING)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}", flush=True)
    model.eval()
    return model


def export(model: Encoder, words: E5, path: Path) -> None:
    """Write the model as int8 ONNX, aside first and then renamed."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = {"input_names": ["embeddings", "mask"], "output_names": ["logits"]}
    axes = {"embeddings": {0: "batch", 1: "length"}, "mask": {0: "batch", 1: "length"}}
    sample = (torch.randn(1, 12, words.width), torch.ones(1, 12))
    with tempfile.TemporaryDirectory() as folder:
        full, small = Path(folder) / "full.onnx", path.with_suffix(".part")
        torch.onnx.export(model, sample, str(full), dynamic_axes=axes, opset_version=17, dynamo=False, **names)
        quantize_dynamic(str(full), str(small), weight_type=QuantType.QInt8, per_channel=True)
        small.replace(path)


def _linear(words: E5, name: str, columns: int) -> nn.Linear:
    weight = torch.tensor(words.matrix(f"{name}.w", columns))
    layer = nn.Linear(columns, weight.shape[0])
    layer.weight.data, layer.bias.data = weight, torch.tensor(words.vector(f"{name}.b"))
    return layer


def _norm(words: E5, name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(words.width, words.epsilon)
    norm.weight.data, norm.bias.data = (torch.tensor(words.vector(f"{name}.{part}")) for part in ("w", "b"))
    return norm


def _parameter_groups(model: Encoder) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = [{"params": model.head.parameters(), "lr": HEAD_LEARNING_RATE}]
    depth = len(model.layers)
    for n, layer in enumerate(model.layers):
        layer.requires_grad_(n >= FROZEN_LAYERS)
        if n >= FROZEN_LAYERS:
            groups.append({"params": layer.parameters(), "lr": LEARNING_RATE * LAYER_DECAY ** (depth - 1 - n)})
    return groups


def _batches(examples: Sequence[Example], rng: random.Random) -> Iterable[list[Example]]:
    """Shuffled batches of examples of similar length."""
    shuffled = rng.sample(list(examples), len(examples))
    pools = [sorted(shuffled[i : i + 8 * BATCH], key=lambda e: len(e.ids)) for i in range(0, len(shuffled), 8 * BATCH)]
    batches = [pool[i : i + BATCH] for pool in pools for i in range(0, len(pool), BATCH)]
    rng.shuffle(batches)
    return batches


def _after_any(example: Example, befores: Sequence[Sequence[Sequence[int]]], rng: random.Random) -> Sequence[int]:
    """The request, sometimes behind a turn of a random tool that has nothing to do with it."""
    if example.as_before is None or rng.random() >= CHANGE_OF_SUBJECT:
        return example.ids
    return [*example.ids, *rng.choice(rng.choice(befores))]


def _with_dropout(ids: Sequence[int], words: E5, rng: random.Random) -> list[int]:
    frame = (words.begin, words.end)
    return [words.unknown if i not in frame and rng.random() < WORD_DROPOUT else i for i in ids]


def _padded(batch: Sequence[Sequence[int]], words: E5) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(map(len, batch))
    embeddings = np.zeros((len(batch), length, words.width), np.float32)
    mask = np.zeros((len(batch), length), np.float32)
    for n, ids in enumerate(batch):
        embeddings[n, : len(ids)] = words.embed_words(ids)
        mask[n, : len(ids)] = 1
    return torch.from_numpy(embeddings), torch.from_numpy(mask)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=DATA / "routing-train.jsonl")
    options.add_argument("--out", type=Path, default=WEIGHTS)
    options.add_argument("--epochs", type=int, default=EPOCHS)
    options.add_argument("--seed", type=int, default=SEED)
    chosen = options.parse_args()
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    words = E5()
    examples = read_examples(chosen.data, words)
    print(f"{len(examples)} examples, torch {torch.__version__}, seed {chosen.seed}")
    export(train(examples, words, chosen.epochs, chosen.seed), words, chosen.out)


if __name__ == "__main__":
    main()
