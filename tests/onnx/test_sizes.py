"""Sizes that a kernel refuses and shape inference does not: a cut that states them is made if and only if it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import digits

from subcut.compiler.errors import UserError
from subcut.compiler.export import load, save
from subcut.compiler.pipeline import standard

onnx = pytest.importorskip("onnx", reason="makes the models")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the cuts")

FLAT, IMAGE = (2, 3), (1, 4, 6, 6)
FLATS = [(2, 3), (1, 3), (3, 3), (2, 2), (1, 1), (4, 5)]
IMAGES = [(1, 4, 6, 6), (1, 4, 2, 2), (2, 4, 1, 7), (1, 3, 3, 5)]
ZEROS, ONES = np.zeros((2, 3), np.int64), np.ones((2, 3), np.float32)
CASES: dict[str, tuple[tuple[int, ...], list[np.ndarray[Any, Any]], dict[str, Any]]] = {
    "GatherElements": (FLAT, [ZEROS], {"axis": 1}),
    "ScatterElements": (FLAT, [ZEROS + 1, ONES], {"axis": 0}),
    "GatherND": (FLAT, [np.array([[1, 2]])], {}),
    "ScatterND": (FLAT, [np.array([[1]]), np.ones((1, 3), np.float32)], {}),
    "ReverseSequence": (FLAT, [np.array([3, 1])], {"batch_axis": 0, "time_axis": 1}),
    "MaxPool": (IMAGE, [], {"kernel_shape": [3, 3], "strides": [1, 2]}),
    "AveragePool": (IMAGE, [], {"kernel_shape": [5, 5], "pads": [1, 0, 1, 0]}),
    "Transpose": (FLAT, [], {"perm": [1, 0]}),
}


def model(kind: str, path: Path) -> Path:
    """`Neg`, then the operator under test; nothing in the file types what lies between."""
    shape, stored, attributes = CASES[kind]
    names = [f"c{i}" for i in range(len(stored))]
    make = onnx.helper
    nodes = [make.make_node("Neg", ["x"], ["n"], "neg"), make.make_node(kind, ["n", *names], ["y"], "it", **attributes)]
    graph = make.make_graph(
        nodes,
        "g",
        [make.make_tensor_value_info("x", 1, shape)],
        [make.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(array, name) for array, name in zip(stored, names, strict=True)],
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), path)
    return path


def runs(kind: str, path: Path, shape: tuple[int, ...]) -> bool:
    """Whether the operator alone runs on numbers of `shape`, nothing stated."""
    proto = onnx.load(model(kind, path))
    del proto.graph.input[:], proto.graph.node[0]
    proto.graph.input.append(onnx.helper.make_tensor_value_info("n", 1, [f"s{i}" for i in range(len(shape))]))
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), settings)
    try:
        session.run(None, {"n": np.ones(shape, np.float32)})
    except Exception as error:
        if "ONNXRuntimeError" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind != "Transpose"])
def test_a_cut_with_stated_sizes_is_made_if_and_only_if_it_runs(kind: str, tmp_path: Path) -> None:
    path = model(kind, tmp_path / "net.onnx")
    wanted, made = [], []
    for i, shape in enumerate(FLATS if CASES[kind][0] is FLAT else IMAGES):
        wanted.append(runs(kind, tmp_path / "alone.onnx", shape))
        try:
            save(standard(f"it; input %n : {'x'.join(map(str, shape))}xf32").run(load(path)), tmp_path / str(i))
            made.append(True)
        except UserError as error:
            made.append(error.code != "type-contradiction")
    assert made == wanted
    assert {True, False} == set(made)


def test_a_transpose_of_another_rank(tmp_path: Path) -> None:
    path = model("Transpose", tmp_path / "net.onnx")
    with pytest.raises(UserError, match=r"`it` .Transpose. cannot run: it orders 2 axes, and 2x3x4 has 3"):
        standard("it; input %n : 2x3x4xf32").run(load(path))


@pytest.mark.parametrize("size", [1, 3])
def test_weights_of_another_window(size: int, tmp_path: Path) -> None:
    """`res2a_branch1` says that its kernel is 1 by 1."""
    selection = f"from %res2a_branch1.0 to res2a_branch1; input %res2a_branch1.0 : 32x16x{size}x{size}xf32"
    if size == 1:
        save(standard(selection).run(load(digits("onnx"))), tmp_path / "out")
        return
    with pytest.raises(UserError, match="cannot run: the window of its weights must be 1, not 3"):
        standard(selection).run(load(digits("onnx")))
