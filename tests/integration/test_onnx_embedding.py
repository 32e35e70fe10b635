"""The starter embedding, as it will run: exported once, then by ONNX Runtime alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.errors import ModelNotFound, NoDiskSpace
from tools.engines.onnx import OnnxEmbedder, load_embedding

TEXTS = ["The cat sits on the mat.", "A feline rests on a rug.", "Quarterly revenue rose by 4 percent.", "mat " * 600]


def embedder(models: Path) -> OnnxEmbedder:
    return load_embedding("all-MiniLM-L6-v2", EngineOptions(models, DeviceArbiter()))


async def test_vectors_have_unit_length_and_like_meanings_lie_close(models_folder):
    vectors = await embedder(models_folder).embed(TEXTS)
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert vectors[0] @ vectors[1] > 0.4 > vectors[0] @ vectors[2]


async def test_a_text_has_the_same_vector_alone_and_in_a_batch(models_folder):
    engine = embedder(models_folder)
    together = await engine.embed(TEXTS * 5)
    alone = await engine.embed(TEXTS[:1])
    assert together[0] @ alone[0] > 0.98


async def test_int8_vectors_agree_with_the_float32_weights(models_folder):
    code = """
import sys, numpy, torch
from tokenizers import Tokenizer
from transformers import AutoModel
folder, text = sys.argv[1:]
ids = torch.tensor([Tokenizer.from_file(folder + "/tokenizer.json").encode(text).ids])
ids = ids[:, : int((ids != 0).sum())]
with torch.no_grad():
    vector = AutoModel.from_pretrained(folder).eval()(input_ids=ids).last_hidden_state.mean(1)[0]
print(*(vector / vector.norm()).tolist())
"""
    vectors = await embedder(models_folder).embed(TEXTS[:1])
    command = [sys.executable, "-c", code, str(models_folder / "all-MiniLM-L6-v2"), TEXTS[0]]
    reference = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert vectors[0] @ np.array(reference, dtype=np.float32) > 0.98


async def test_no_texts_give_no_vectors(models_folder):
    assert (await embedder(models_folder).embed([])).shape == (0, 384)


async def test_later_starts_import_neither_torch_nor_the_exporter(models_folder):
    await embedder(models_folder).embed(TEXTS)
    code = """
import asyncio, sys
from pathlib import Path
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.onnx import load_embedding
engine = load_embedding("all-MiniLM-L6-v2", EngineOptions(Path(sys.argv[1]), DeviceArbiter()))
asyncio.run(engine.embed(["hello"]))
print({"torch", "transformers", "onnx"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code, str(models_folder)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_model_lists_the_known_ones(models_folder):
    with pytest.raises(ModelNotFound, match="all-MiniLM-L6-v2"):
        load_embedding("none", EngineOptions(models_folder, DeviceArbiter()))


async def test_a_folder_that_cannot_be_written_is_one_readable_line(tmp_path):
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(NoDiskSpace, match="ASSISTANT_HOME"):
        await embedder(tmp_path / "models").embed(["hello"])


def test_the_name_tells_model_and_precision(models_folder):
    assert embedder(models_folder).name == "onnx:all-MiniLM-L6-v2/int8"
