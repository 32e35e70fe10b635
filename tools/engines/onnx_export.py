"""Writes a BERT sentence encoder, given as safetensors, as an int8 ONNX graph.

The graph is drawn by hand from the paper's layers (Devlin et al., 2018; mean pooling as in Sentence-BERT, Reimers & Gurevych,
2019), so that neither torch nor an exporter is needed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

OPSET = 20
MASKED = -10_000.0


def export_int8(source: Path, target: Path) -> None:
    """Export the encoder in folder `source` into folder `target`: model.onnx and tokenizer.json, written aside and renamed.

    Inputs of the graph: input_ids and attention_mask, int64, shape (batch, tokens); output: unit vectors, float32, shape
    (batch, dimensions). Raises: OSError when the disk is full or cannot be written.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    aside = target.with_name(f"{target.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        # One scale a channel keeps the vectors at cosine .993 of float32 (one a matrix: .947); the reduced range
        # keeps them right on processors without VNNI.
        quantize_dynamic(
            _bert(source),
            aside / "model.onnx",
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            reduce_range=True,
        )
        shutil.copyfile(source / "tokenizer.json", aside / "tokenizer.json")
        _put_in_place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(aside: Path, target: Path) -> None:
    """A second process that exported meanwhile has written the same files: then its folder stays."""
    try:
        aside.rename(target)
    except OSError:
        if not (target / "model.onnx").exists():
            raise


class _Graph:
    """Nodes and weights in the order they are added; each method returns the name of what it computes."""

    def __init__(self, weights: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> None:
        self.weights = weights
        self.heads: int = config["num_attention_heads"]
        self.epsilon: float = config["layer_norm_eps"]
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        import onnx

        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def numbers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def scalar(self, value: float) -> str:
        return self.constant(np.array(value, dtype=np.float32))

    def index(self, value: int) -> str:
        return self.constant(np.array(value, dtype=np.int64))

    def dense(self, x: str, name: str) -> str:
        weight = self.constant(np.ascontiguousarray(self.weights[f"{name}.weight"].T))
        return self.op("Add", self.op("MatMul", x, weight), self.constant(self.weights[f"{name}.bias"]))

    def norm(self, x: str, name: str) -> str:
        scale, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return self.op(
            "LayerNormalization", x, self.constant(scale), self.constant(bias), axis=-1, epsilon=self.epsilon
        )


def _bert(source: Path) -> Any:
    from safetensors.numpy import load_file

    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    graph = _Graph(load_file(source / "model.safetensors"), config)
    x = graph.norm(_embed_tokens(graph), "embeddings.LayerNorm")
    mask = graph.op("Cast", "attention_mask", to=1)
    hidden_from = graph.op("Mul", graph.op("Sub", graph.scalar(1.0), mask), graph.scalar(MASKED))
    bias = graph.op("Unsqueeze", hidden_from, graph.numbers(1, 2))
    for layer in range(config["num_hidden_layers"]):
        x = _layer(graph, x, bias, f"encoder.layer.{layer}")
    return _model(graph, _pool(graph, x, mask), config["hidden_size"])


def _embed_tokens(graph: _Graph) -> str:
    words = graph.op("Gather", graph.constant(graph.weights["embeddings.word_embeddings.weight"]), "input_ids")
    length = graph.op("Gather", graph.op("Shape", "input_ids"), graph.index(1), axis=0)
    positions = graph.op("Range", graph.index(0), length, graph.index(1))
    places = graph.op("Gather", graph.constant(graph.weights["embeddings.position_embeddings.weight"]), positions)
    kind = graph.constant(graph.weights["embeddings.token_type_embeddings.weight"][0])
    return graph.op("Add", graph.op("Add", words, places), kind)


def _layer(graph: _Graph, x: str, bias: str, name: str) -> str:
    attended = graph.dense(_attention(graph, x, bias, f"{name}.attention.self"), f"{name}.attention.output.dense")
    x = graph.norm(graph.op("Add", attended, x), f"{name}.attention.output.LayerNorm")
    inner = graph.op("Gelu", graph.dense(x, f"{name}.intermediate.dense"))
    return graph.norm(graph.op("Add", graph.dense(inner, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")


def _attention(graph: _Graph, x: str, bias: str, name: str) -> str:
    width = graph.weights[f"{name}.query.bias"].shape[0]
    per_head = width // graph.heads
    split = graph.numbers(0, 0, graph.heads, per_head)

    def part(which: str, order: Sequence[int]) -> str:
        return graph.op("Transpose", graph.op("Reshape", graph.dense(x, f"{name}.{which}"), split), perm=order)

    scores = graph.op("MatMul", part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1]))
    scaled = graph.op("Mul", scores, graph.scalar(per_head**-0.5))
    weights = graph.op("Softmax", graph.op("Add", scaled, bias), axis=-1)
    mixed = graph.op("MatMul", weights, part("value", [0, 2, 1, 3]))
    return graph.op("Reshape", graph.op("Transpose", mixed, perm=[0, 2, 1, 3]), graph.numbers(0, 0, width))


def _pool(graph: _Graph, x: str, mask: str) -> str:
    kept = graph.op("Mul", x, graph.op("Unsqueeze", mask, graph.numbers(2)))
    total = graph.op("ReduceSum", kept, graph.numbers(1), keepdims=0)
    return graph.op("Div", total, graph.op("ReduceL2", total, graph.numbers(1), keepdims=1))


def _model(graph: _Graph, output: str, width: int) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    graph.nodes.append(helper.make_node("Identity", [output], ["embedding"]))
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width])]
    weights = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    drawn = helper.make_graph(graph.nodes, "encoder", inputs, outputs, weights)
    return helper.make_model(drawn, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
