"""The text embedder as one small file, so that a machine without a network and without the starter weights can train.

Its table holds every word piece of English; only those of the captions and prompts are kept, the others are zeroed and so take no
room once compressed (23 MB become about 10).
"""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

import numpy as np

from tools.training.dataset import load
from tools.training.evaluate import PROMPTS

FILES = ("model.onnx", "tokenizer.json")


def put_text(folder: Path, drawings: Path, target: Path) -> None:
    """Write the embedder in `folder`, without word pieces that no caption of `drawings` needs, into the file `target`."""
    import onnx
    from onnx import numpy_helper
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = [c for row in load(drawings).rows for c in (*row.captions, row.concept)]
    texts += PROMPTS.read_text(encoding="utf-8").splitlines()
    used = sorted({i for encoding in tokenizer.encode_batch(texts) for i in encoding.ids})
    model = onnx.load(str(folder / "model.onnx"))
    for tensor in model.graph.initializer:
        if tensor.dims and tensor.dims[0] == tokenizer.get_vocab_size():
            table = numpy_helper.to_array(tensor)
            kept = np.zeros_like(table)
            kept[used] = table[used]
            tensor.CopyFrom(numpy_helper.from_array(kept, tensor.name))
    aside = target.with_suffix(".part")
    with lzma.open(aside, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as out:
        for name, data in zip(
            FILES, (model.SerializeToString(), (folder / "tokenizer.json").read_bytes()), strict=True
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    aside.replace(target)


def take_text(packed: Path) -> Path:
    """Unpack the file of `put_text` into a folder beside it, once."""
    folder = packed.with_suffix("")
    if not all((folder / name).exists() for name in FILES):
        with lzma.open(packed) as opened, tarfile.open(fileobj=opened) as archive:
            archive.extractall(folder, filter="data")
    return folder
