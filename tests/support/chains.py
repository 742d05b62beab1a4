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
    """One operator after the other; with `side`, each a product with a matrix of so many rows and columns.

    Beside each product stands a narrow one, `…/aside`, that leads nowhere: a cut that leaves these out is many pieces
    of the file.
    """
    made = {"prototxt": _caffe, "pb": _tensorflow, "onnx": _onnx}
    return made[ending](folder, count, side)


def products(count: int, side: int) -> Iterator[tuple[str, str, int, np.ndarray[Any, Any]]]:
    """Name, what is read (empty: the input), number of results and weights of each, in order of the file."""
    random = np.random.default_rng(0)
    before = ""
    for number in range(count):
        name = name_of(number)
        for called, width in ((name, side), (f"{name}/aside", 1)):
            weights = random.standard_normal((side, width)) / side**0.5  # what flows through them keeps its size
            yield called, before, width, weights.astype(np.float32)
        before = name


def _caffe(folder: Path, count: int, side: int) -> Path:
    shape = f"shape {{ dim: 1 dim: {side or WIDTH} }}"
    lines = ['name: "chain"', f'layer {{ name: "data" type: "Input" top: "data" input_param {{ {shape} }} }}']
    stored: dict[str, tuple[str, list[np.ndarray[Any, Any]]]] = {}

    def add(name: str, kind: str, before: str, more: str = "") -> None:
        lines.append(f'layer {{ name: "{name}" type: "{kind}" bottom: "{before}" top: "{name}" {more}}}')

    for name, before, width, weights in products(count if side else 0, side):
        add(name, "InnerProduct", before or "data", f"inner_product_param {{ num_output: {width} bias_term: false }} ")
        stored[name] = ("InnerProduct", [weights.T])
    for number in range(0 if side else count):
        add(name_of(number), _KINDS["prototxt"][number % 5], name_of(number - 1) if number else "data")
    path = folder / "chain.prototxt"
    path.write_text("\n".join([*lines, ""]))
    if stored:
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
    for name, before, width, weights in products(count if side else 0, side):
        numbers = int_field(1, 1) + bytes_field(2, shape_of(side, width)) + bytes_field(4, weights.tobytes())
        nodes.append(node(f"{name}/weights", "Const", [], dtype=FLOAT, value=bytes_field(8, numbers)))
        nodes.append(node(name, "MatMul", [before or "data", f"{name}/weights"], T=FLOAT))
    for number in range(0 if side else count):
        before = name_of(number - 1) if number else "data"
        nodes.append(node(name_of(number), _KINDS["pb"][number % 5], [before], T=FLOAT))
    return graph_def(folder / "chain.pb", nodes)


def _onnx(folder: Path, count: int, side: int) -> Path:
    nodes, stored = [], []
    for name, before, _, weights in products(count if side else 0, side):
        nodes.append(helper.make_node("MatMul", [before or "data", f"{name}/weights"], [name], name=name))
        stored.append(numpy_helper.from_array(weights, f"{name}/weights"))
    for number in range(0 if side else count):
        before, name = name_of(number - 1) if number else "data", name_of(number)
        nodes.append(helper.make_node(_KINDS["onnx"][number % 5], [before], [name], name=name))
    shape = [1, side or WIDTH]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("data", name_of(count - 1))]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], stored)
    path = folder / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
