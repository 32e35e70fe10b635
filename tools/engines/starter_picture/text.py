"""What a description means to the picture model: the token states of the starter text embedder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

TOKENS = 16
BATCH = 64


class TextStates:
    """Opens the embedder that `onnx:all-MiniLM-L6-v2` runs, with its last hidden states as a second output."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """`folder` holds model.onnx and tokenizer.json."""
        import onnx
        import onnxruntime
        from tokenizers import Tokenizer

        graph = onnx.load(str(folder / "model.onnx"))
        states = [node.output[0] for node in graph.graph.node if node.op_type == "LayerNormalization"][-1]
        graph.graph.output.append(
            onnx.helper.make_tensor_value_info(states, onnx.TensorProto.FLOAT, ["batch", "tokens", "width"])
        )
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(states, meaning): float16, (n, 16, 384) with zeros behind the last token, and (n, 384) of unit length."""
        encodings = self._tokenizer.encode_batch(list(texts))
        width = self._session.get_outputs()[0].shape[1]
        states = np.zeros((len(texts), TOKENS, width), dtype=np.float16)
        meaning = np.zeros((len(texts), width), dtype=np.float16)
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            longest = max(len(encodings[i].ids) for i in rows)
            ids = np.zeros((len(rows), longest), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(rows):
                ids[row, : len(encodings[i].ids)] = encodings[i].ids
                mask[row, : len(encodings[i].ids)] = 1
            pooled, hidden = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
            states[rows, :longest] = hidden * mask[:, :, None]
            meaning[rows] = pooled
        return states, meaning

    def unread(self, text: str) -> str:
        """The end of `text` that lies behind the last token read; empty where all of it is read."""
        self._tokenizer.no_truncation()
        spans = self._tokenizer.encode(text, add_special_tokens=False).offsets
        self._tokenizer.enable_truncation(TOKENS)
        return text[spans[TOKENS - 2][0] :] if len(spans) > TOKENS - 2 else ""
