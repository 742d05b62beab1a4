"""Small models of the three formats whose names and strings are markup, or nothing that can be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from subcut.compiler.storage.wire import bytes_field, int_field
from support.chains import FLOAT, graph_def, node, placeholder

SCRIPT = "<img src=x onerror=alert(1)>"
NAMES = [SCRIPT, "</script><script>alert(2)</script>", "模型/卷积 \u202e", "a\nb", "\x01 ]]> & \u2028", "x" * 3000]


def hostile_onnx(folder: Path) -> Path:
    nodes, before = [], "x"
    for name in NAMES:
        nodes.append(helper.make_node("Relu", [before], [f"{name}:out"], name=name, doc_string=SCRIPT))
        before = f"{name}:out"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", before)]
    graph = helper.make_graph(nodes, SCRIPT, ends[:1], ends[1:])
    path = folder / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def hostile_caffe(folder: Path) -> Path:
    """Names, blobs and a string among the parameters; a prototxt is UTF-8, and may write any byte as a number."""

    def text(name: str) -> str:
        return '"' + "".join(f"\\{byte:03o}" if byte < 32 else chr(byte) for byte in name.encode()) + '"'

    raw = [f"name: {text(SCRIPT)}"]
    raw.append('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 } } }')
    before = "x"
    for name in NAMES:
        top = f"{name}:out"
        parameters = f"python_param {{ module: {text(SCRIPT)} layer: {text(SCRIPT)} }}"
        kind = f'type: "Python" {parameters}' if name == SCRIPT else 'type: "ReLU"'
        raw.append(f"layer {{ name: {text(name)} {kind} bottom: {text(before)} top: {text(top)} }}")
        before = top
    path = folder / "m.prototxt"
    path.write_bytes("\n".join([*raw, ""]).encode("latin-1"))
    return path


def hostile_tensorflow(folder: Path) -> Path:
    """Names that TensorFlow would not let anybody give, and attributes and a stored string that it would."""
    script = bytes_field(2, SCRIPT.encode())
    numbers = int_field(1, 7) + bytes_field(2, b"") + bytes_field(8, SCRIPT.encode())
    nodes = [placeholder("x", 1)]
    nodes.append(node("words", "Const", [], dtype=int_field(6, 7), value=bytes_field(8, numbers)))
    before = "x"
    for name in NAMES:
        nodes.append(node(name, "Relu", [before], T=FLOAT, _note=script))
        before = name
    return graph_def(folder / "m.pb", nodes)


HOSTILE: dict[str, Callable[[Path], Path]] = {"prototxt": hostile_caffe, "pb": hostile_tensorflow, "onnx": hostile_onnx}
"""Writes one into a folder, by the ending of its file."""
