"""Shape arithmetic, against onnxruntime: what is folded is what it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from support.onnx_graphs import Node, model, stored

from subcut.compiler.export import load
from subcut.compiler.formats.onnx import fold
from subcut.compiler.formats.onnx.fold_rules import LEAF_RULES, RULES
from subcut.compiler.formats.onnx.operators import SHAPE_ARITHMETIC
from subcut.compiler.formats.onnx.run import run

SHAPE = (2, 3, 5, 7)


def test_the_cheap_look_knows_every_rule() -> None:
    assert set(RULES) | set(LEAF_RULES) - {"Constant", "initializer"} == SHAPE_ARITHMETIC


def build(nodes: list[Any], stores: list[Any], folder: Path, dims: Any = SHAPE, opset: int = 17) -> Path:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [info("x", 1, list(dims))], [], stores)
    graph.output.append(onnx.ValueInfoProto(name=nodes[-1].output[0]))
    onnx.save(model(graph, opset=opset), str(folder / "m.onnx"))
    return folder / "m.onnx"


def check(path: Path) -> np.ndarray:
    made = load(path)
    value = made.main.outputs[0]
    folded = fold.static_value(value)
    assert folded is not None
    want = run(made, {"x": np.zeros(SHAPE, np.float32)}, [value.name])[value.name]
    assert folded.dtype == want.dtype
    assert folded.shape == want.shape
    assert np.array_equal(folded, want)
    return folded


CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "Shape from to": ([Node("Shape", ["x"], ["y"], start=-3, end=-1)], []),
    "Size": ([Node("Size", ["x"], ["y"])], []),
    "Gather negative": ([Node("Shape", ["x"], ["s"]), Node("Gather", ["s", "i"], ["y"])], [stored("i", [-1, 0])]),
    "Slice backwards": (
        [Node("Shape", ["x"], ["s"]), Node("Slice", ["s", "a", "b", "axes", "step"], ["y"])],
        [stored("a", [-1]), stored("b", [-(2**62)]), stored("axes", [0]), stored("step", [-1])],
    ),
    "Slice clamped": (
        [Node("Shape", ["x"], ["s"]), Node("Slice", ["s", "a", "b"], ["y"])],
        [stored("a", [1]), stored("b", [2**62])],
    ),
    "Div towards zero": (
        [Node("Shape", ["x"], ["s"]), Node("Sub", ["s", "c"], ["d"]), Node("Div", ["d", "e"], ["y"])],
        [stored("c", 4), stored("e", 2)],
    ),
    "Mod of negatives": (
        [Node("Shape", ["x"], ["s"]), Node("Sub", ["s", "c"], ["d"]), Node("Mod", ["d", "e"], ["y"])],
        [stored("c", 4), stored("e", 3)],
    ),
    "Mod with fmod": (
        [Node("Shape", ["x"], ["s"]), Node("Sub", ["s", "c"], ["d"]), Node("Mod", ["d", "e"], ["y"], fmod=1)],
        [stored("c", 4), stored("e", 3)],
    ),
    "Cast and Floor": (
        [
            Node("Shape", ["x"], ["s"]),
            Node("Cast", ["s"], ["f"], to=1),
            Node("Mul", ["f", "h"], ["g"]),
            Node("Floor", ["g"], ["k"]),
            Node("Cast", ["k"], ["y"], to=7),
        ],
        [stored("h", 0.5, np.float32)],
    ),
    "Range": (
        [Node("Size", ["x"], ["s"]), Node("Range", ["zero", "s", "d"], ["y"])],
        [stored("zero", 0), stored("d", 7)],
    ),
    "ConstantOfShape": ([Node("Shape", ["x"], ["s"]), Node("ConstantOfShape", ["s"], ["y"])], []),
    "ReduceProd": ([Node("Shape", ["x"], ["s"]), Node("ReduceProd", ["s"], ["y"], axes=[0], keepdims=0)], []),
    "Where": (
        [Node("Shape", ["x"], ["s"]), Node("Greater", ["s", "c"], ["m"]), Node("Where", ["m", "s", "c"], ["y"])],
        [stored("c", 3)],
    ),
    "Squeeze of Unsqueeze": (
        [Node("Shape", ["x"], ["s"]), Node("Unsqueeze", ["s", "a"], ["u"]), Node("Squeeze", ["u"], ["y"])],
        [stored("a", [0, 2])],
    ),
    "Expand": ([Node("Size", ["x"], ["s"]), Node("Expand", ["s", "e"], ["y"])], [stored("e", [2, 3])]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_computes_what_onnxruntime_does(name: str, tmp_path: Path) -> None:
    check(build(*CASES[name], tmp_path))


STEP = st.sampled_from(["Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Neg", "Abs", "Concat", "Gather", "Slice"])


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(STEP, st.integers(1, 9)), min_size=1, max_size=8))
def test_random_shape_arithmetic(steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    nodes, stores, current = [Node("Shape", ["x"], ["v0"])], [], "v0"
    for i, (kind, number) in enumerate(steps):
        operands = [current] if kind in ("Neg", "Abs") else [current, f"c{i}"]
        stores.append(stored(f"c{i}", [0] if kind == "Gather" else [number]))
        if kind == "Slice":
            operands = [current, f"c{i}", f"e{i}"]
            stores[-1] = stored(f"c{i}", [-number])
            stores.append(stored(f"e{i}", [2**40]))
        extra = {"axis": 0} if kind == "Concat" else {}
        current = f"v{i + 1}"
        nodes.append(Node(kind, operands, [current], **extra))
    check(build(nodes, stores, tmp_path_factory.mktemp("m")))


@pytest.mark.parametrize(
    ("nodes", "stores"),
    [
        ([Node("Relu", ["x"], ["y"])], []),
        ([Node("Shape", ["x"], ["y"])], []),
        ([Node("Shape", ["x"], ["s"]), Node("Gather", ["s", "i"], ["y"])], [stored("i", [0])]),
        ([Node("Shape", ["x"], ["s"]), Node("Gather", ["s", "i"], ["y"])], [stored("i", [9])]),
        ([Node("Shape", ["x"], ["s"]), Node("Div", ["s", "z"], ["y"])], [stored("z", 0)]),
        ([Node("Shape", ["x"], ["s"]), Node("Add", ["s", "x"], ["y"])], []),
        ([Node("Shape", ["x"], ["s"]), Node("RandomNormalLike", ["s"], ["y"], dtype=1)], []),
    ],
)
def test_what_is_not_certain_is_not_folded(nodes: list[Any], stores: list[Any], tmp_path: Path) -> None:
    made = load(build(nodes, stores, tmp_path, dims=["N", 3, 5, 7]))
    assert fold.static_value(made.main.outputs[0]) is None


def test_a_known_dimension_of_a_symbolic_shape_is_folded(tmp_path: Path) -> None:
    nodes = [Node("Shape", ["x"], ["s"]), Node("Gather", ["s", "i"], ["y"])]
    made = load(build(nodes, [stored("i", [2, 1])], tmp_path, dims=["N", 3, 5, 7]))
    folded = fold.static_value(made.main.outputs[0])
    assert folded is not None
    assert folded.tolist() == [5, 3]


def test_old_attributes_instead_of_operands(tmp_path: Path) -> None:
    nodes = [
        Node("Shape", ["x"], ["s"]),
        Node("Slice", ["s"], ["p"], starts=[1], ends=[3], axes=[0]),
        Node("Unsqueeze", ["p"], ["u"], axes=[0]),
        Node("Squeeze", ["u"], ["y"], axes=[0]),
    ]
    assert check(build(nodes, [], tmp_path, opset=9)).tolist() == [3, 5]
