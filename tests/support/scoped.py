"""One small net in the three formats, its operators in scopes: `stem/relu`, a module `mixed`, `tail`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto, helper

INNER = ["mixed/left/tanh", "mixed/right/sigmoid", "mixed/right/tanh", "mixed/sum"]

_CAFFE = """\
name: "scoped"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "stem/relu" type: "ReLU" bottom: "data" top: "stem" }
layer { name: "mixed/left/tanh" type: "TanH" bottom: "stem" top: "a" }
layer { name: "mixed/right/sigmoid" type: "Sigmoid" bottom: "stem" top: "b" }
layer { name: "mixed/right/tanh" type: "TanH" bottom: "b" top: "c" }
layer { name: "mixed/sum" type: "Eltwise" bottom: "a" bottom: "c" top: "d" }
layer { name: "tail" type: "ReLU" bottom: "d" top: "e" }
"""
_ROWS = [
    ("Relu", "stem/relu", ["data"]),
    ("Tanh", "mixed/left/tanh", ["stem/relu"]),
    ("Sigmoid", "mixed/right/sigmoid", ["stem/relu"]),
    ("Tanh", "mixed/right/tanh", ["mixed/right/sigmoid"]),
    ("Add", "mixed/sum", ["mixed/left/tanh", "mixed/right/tanh"]),
    ("Relu", "tail", ["mixed/sum"]),
]


def caffe(folder: Path) -> Path:
    path = folder / "scoped.prototxt"
    path.write_text(_CAFFE)
    return path


def tensorflow(folder: Path) -> Path:
    kind = 'attr { key: "T" value { type: DT_FLOAT } }'
    size = " ".join(f"dim {{ size: {size} }}" for size in (1, 3, 8, 8))
    shape = f'attr {{ key: "shape" value {{ shape {{ {size} }} }} }}'
    lines = [f'node {{ name: "data" op: "Placeholder" attr {{ key: "dtype" value {{ type: DT_FLOAT }} }} {shape} }}']
    for op, name, reads in _ROWS:
        inputs = " ".join(f'input: "{read}"' for read in reads)
        lines.append(f'node {{ name: "{name}" op: "{op}" {inputs} {kind} }}')
    path = folder / "scoped.pbtxt"
    path.write_text("\n".join([*lines, "versions { producer: 1087 }", ""]))
    return path


def onnx_model(folder: Path) -> Path:
    nodes = [helper.make_node(op, reads, [name], name=name) for op, name, reads in _ROWS]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("data", "tail")]
    graph = helper.make_graph(nodes, "scoped", ends[:1], ends[1:])
    path = folder / "scoped.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


SCOPED: dict[str, Callable[[Path], Path]] = {"caffe": caffe, "tensorflow": tensorflow, "onnx": onnx_model}
"""Writes it into a folder, by format."""
