"""Chains of operators in the three formats, as long and as heavy as a test wants them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from subcut.compiler.storage.wire import bytes_field, int_field
from support.caffe_models import caffemodel

WIDTH = 8
"""Numbers in each tensor of a chain without weights."""

_KINDS = {
    "prototxt": ["ReLU", "TanH", "Sigmoid", "AbsVal", "ELU"],
    "pb": ["Relu", "Tanh", "Sigmoid", "Neg", "Abs"],
    "onnx": ["Relu", "Tanh", "Sigmoid", "Neg", "Abs"],
}


def name_of(number: int) -> str:
    """The operators of a chain, 500 in a scope."""
    return f"stage{number // 500}/op{number}"


def chain(ending: str, folder: Path, count: int, side: int = 0) -> Path:
    """One operator after the other; with `side`, each a product with a matrix of so many rows and columns."""
    made = {"prototxt": _caffe, "pb": _tensorflow, "onnx": _onnx}
    return made[ending](folder, count, side)


def matrices(count: int, side: int) -> Iterator[np.ndarray[Any, Any]]:
    """Weights that change the size of what flows through them little."""
    random = np.random.default_rng(0)
    for _ in range(count):
        yield (random.standard_normal((side, side)) / side**0.5).astype(np.float32)


def _caffe(folder: Path, count: int, side: int) -> Path:
    shape = f"shape {{ dim: 1 dim: {side or WIDTH} }}"
    lines = ['name: "chain"', f'layer {{ name: "data" type: "Input" top: "data" input_param {{ {shape} }} }}']
    before = "data"
    for number in range(count):
        kind = "InnerProduct" if side else _KINDS["prototxt"][number % 5]
        more = f"inner_product_param {{ num_output: {side} bias_term: false }} " if side else ""
        lines.append(f'layer {{ name: "{name_of(number)}" type: "{kind}" bottom: "{before}" top: "t{number}" {more}}}')
        before = f"t{number}"
    path = folder / "chain.prototxt"
    path.write_text("\n".join([*lines, ""]))
    if side:
        stored = {name_of(at): ("InnerProduct", [one]) for at, one in enumerate(matrices(count, side))}
        path.with_suffix(".caffemodel").write_bytes(caffemodel("chain", stored))
    return path


def node(name: str, op: str, inputs: list[str], **attributes: bytes) -> bytes:
    """A node of a `GraphDef`; what no framework lets anybody write, too."""
    fields = bytes_field(1, name) + bytes_field(2, op) + b"".join(bytes_field(3, one) for one in inputs)
    entries = (bytes_field(1, key) + bytes_field(2, value) for key, value in attributes.items())
    return bytes_field(1, fields + b"".join(bytes_field(5, entry) for entry in entries))


FLOAT = int_field(6, 1)
"""`DT_FLOAT` as the value of an attribute."""


def shape_of(*sizes: int) -> bytes:
    """A `TensorShapeProto`."""
    return b"".join(bytes_field(2, int_field(1, size)) for size in sizes)


def placeholder(name: str, *sizes: int) -> bytes:
    """A node that is fed."""
    return node(name, "Placeholder", [], dtype=FLOAT, shape=bytes_field(7, shape_of(*sizes)))


def graph_def(path: Path, nodes: list[bytes]) -> Path:
    """A `GraphDef` in a file."""
    path.write_bytes(b"".join(nodes) + bytes_field(4, int_field(1, 1087)))
    return path


def _tensorflow(folder: Path, count: int, side: int) -> Path:
    nodes = [placeholder("data", 1, side or WIDTH)]
    weights = matrices(count, side)
    before = "data"
    for number in range(count):
        name = name_of(number)
        if side:
            numbers = int_field(1, 1) + bytes_field(2, shape_of(side, side)) + bytes_field(4, next(weights).tobytes())
            nodes.append(node(f"{name}/weights", "Const", [], dtype=FLOAT, value=bytes_field(8, numbers)))
            nodes.append(node(name, "MatMul", [before, f"{name}/weights"], T=FLOAT))
        else:
            nodes.append(node(name, _KINDS["pb"][number % 5], [before], T=FLOAT))
        before = name
    return graph_def(folder / "chain.pb", nodes)


def _onnx(folder: Path, count: int, side: int) -> Path:
    kinds = ["MatMul"] if side else _KINDS["onnx"]
    stored = [numpy_helper.from_array(one, f"w{at}") for at, one in enumerate(matrices(count, side))] if side else []
    nodes = [
        helper.make_node(kinds[at % len(kinds)], [f"t{at}", *([f"w{at}"] if side else [])], [f"t{at + 1}"], name=name_of(at))
        for at in range(count)
    ]
    shape = [1, side or WIDTH]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("t0", f"t{count}")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], stored)
    path = folder / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
