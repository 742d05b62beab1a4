"""Shapes by TensorFlow's inference on a skeleton, and shape arithmetic folded as TensorFlow itself computes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import fetched, shared
from support.tensorflow_graphs import built, cut, imported, run_file, tf, written

from subcut.compiler.export import load
from subcut.compiler.formats.tensorflow.fold import static_roots, static_value
from subcut.compiler.formats.tensorflow.infer import infer
from subcut.compiler.ir.types import TensorType, parse_type


@pytest.mark.parametrize("name", ["DS_CNN_S", "LSTM_S", "gru.frozen"])
def test_every_shape_is_what_tensorflow_says_of_the_whole_model(name: str) -> None:
    path = shared(f"tensorflow/{name}.pb")
    model, graph = load(path), imported(path)
    infer(model, [value for op in model.main.ops for value in op.results])
    for op in model.main.ops:
        for value, tensor in zip(op.results, graph.get_operation_by_name(op.name).outputs, strict=False):
            assert isinstance(value.type, TensorType)
            known = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
            assert value.type.shape == known


def test_the_skeleton_has_no_big_constants() -> None:
    from subcut.compiler.formats.tensorflow.infer import _Skeleton

    path = fetched("keras/resnet50.pb")
    model = load(path)
    skeleton = _Skeleton(model.main)
    skeleton.grow([model.main.ops[-1]])
    assert len(skeleton.encoded(model)) < 1_000_000 < 50_000_000 < path.stat().st_size


def test_a_stated_type_is_where_inference_begins(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, None, name="x")
        tf.nn.relu(tf.transpose(tf.nn.relu(x, name="a"), [1, 0], name="t"), name="b")

    path = built(build, tmp_path / "m.pb")
    _, manifest = cut(path, "b", tmp_path / "without")
    assert manifest["inputs"][0]["shape"] == [None, None]
    model = load(path)
    values = {v.name: v for v in model.main.values()}
    model.dialect.bind(model, {values["a:0"]: parse_type("3x4xf32")})
    model.dialect.infer(model, [values["t:0"]])
    assert str(values["t:0"].type) == "4x3xf32"


def test_what_an_unknown_operator_makes_stays_unknown_and_the_rest_is_inferred(tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    x.attr["shape"].shape.dim.add(size=3)
    graph.node.add(name="odd", op="CompanyInternal", input=["x"])
    for name, inputs in (("a", ["odd"]), ("b", ["x"])):
        graph.node.add(name=name, op="Relu", input=inputs).attr["T"].type = 1
    graph.node.add(name="c", op="AddV2", input=["a", "b"]).attr["T"].type = 1
    model = load(written(graph, tmp_path / "m.pb"))
    infer(model, [op.results[0] for op in model.main.ops])
    assert [str(op.results[0].type) for op in model.main.ops] == ["3xf32", "*xf32", "*xf32", "3xf32", "*xf32"]


def test_output_shapes_in_the_model_are_used_without_tensorflow(tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    y = graph.node.add(name="y", op="Relu", input=["x"])
    y.attr["T"].type = 1
    y.attr["_output_shapes"].list.shape.add().dim.add(size=5)
    z = graph.node.add(name="z", op="Relu", input=["y"])
    z.attr["T"].type = 1
    path = written(graph, tmp_path / "m.pb")
    program = (
        "import sys; from subcut.compiler.export import load, save; from subcut.compiler.pipeline import standard\n"
        f"m = standard('z').run(load({str(path)!r})); out = save(m, {str(tmp_path / 'cut')!r})\n"
        "print(out['inputs'][0]['shape'], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[5] False"


def reshaping(tf: Any) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [2, 3, 4], name="x")
    y = tf.nn.relu(x, name="y")
    shape = tf.raw_ops.Shape(input=y, name="shape")
    flat = tf.stack([shape[0], shape[1] * shape[2]], name="flat")
    tf.reshape(x, flat, name="end")


def test_a_static_shape_is_folded_into_a_constant(tmp_path: Path) -> None:
    path = built(reshaping, tmp_path / "m.pb")
    model, manifest = cut(path, "end", tmp_path / "cut")
    assert [edge["tensor"] for edge in manifest["inputs"]] == ["x:0"]
    stored = next(op for op in model.main.ops if op.name == "flat")
    assert stored.type == "Const"
    got = run_file(tmp_path / "cut" / "dump.pb", {"x": np.zeros((2, 3, 4), np.float32)}, ["end:0"])
    assert got["end:0"].shape == (2, 12)
    assert static_roots(next(op for op in load(path).main.ops if op.name == "flat").results[0])[0].name == "y:0"


def test_numbers_inside_a_branch_are_not_folded(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
        which = tf.compat.v1.placeholder(tf.bool, [], name="which")
        tf.compat.v1.cond(which, lambda: tf.raw_ops.Size(input=x), lambda: tf.constant(7), name="choice")

    model = load(built(build, tmp_path / "m.pb"))
    infer(model, [op.results[0] for op in model.main.ops if op.results])
    sizes = [op for op in model.main.ops if op.type == "Size"]
    assert sizes
    for op in sizes:
        assert static_value(op.results[0]) is None


INTEGERS = st.integers(-7, 7)
BINARY = ["Add", "AddV2", "Sub", "Mul", "FloorDiv", "Div", "FloorMod", "Mod", "Maximum", "Minimum", "Less", "Equal"]


def static_graph(kind: str, operands: list[np.ndarray[Any, Any]], attributes: dict[str, Any], path: Path) -> Path:
    """An operator of constants, the first of them by way of a `Shape` that is added to and taken off again."""
    framework = tf()
    graph = framework.compat.v1.GraphDef()
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    x.attr["shape"].shape.dim.add(size=1)
    graph.node.add(name="size", op="Size", input=["x"]).attr["T"].type = 1
    names = []
    for i, operand in enumerate(operands):
        node = graph.node.add(name=f"c{i}", op="Const")
        node.attr["dtype"].type = framework.as_dtype(operand.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(framework.make_tensor_proto(operand))
        names.append(f"c{i}")
    scaled = graph.node.add(name="scaled", op="Mul", input=["c0", "size"])
    scaled.attr["T"].type = 3
    node = graph.node.add(name="y", op=kind, input=["scaled", *names[1:]])
    for name, value in attributes.items():
        if name in (
            "T",
            "Tidx",
            "Index",
            "DstT",
            "SrcT",
            "Tindices",
            "Taxis",
            "Tparams",
            "Tdim",
            "Tshape",
            "index_type",
        ):
            node.attr[name].type = value
        else:
            node.attr[name].i = value
    return written(graph, path)


def assert_folds_as_it_runs(path: Path, name: str = "y") -> None:
    model = load(path)
    y = next(op for op in model.main.ops if op.name == name)
    model.dialect.infer(model, static_roots(y.results[0]))
    folded = static_value(y.results[0])
    assert folded is not None
    ran = run_file(path, {"x": np.zeros(1, np.float32)}, [f"{name}:0"])[f"{name}:0"]
    assert (folded.dtype, folded.shape, folded.tolist()) == (ran.dtype, ran.shape, ran.tolist())


THREE = st.lists(INTEGERS, min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(BINARY), left=THREE, right=THREE)
def test_arithmetic_is_tensorflows(kind: str, left: list[int], right: list[int], tmp_path_factory: Any) -> None:
    divides = kind in ("FloorDiv", "Div", "FloorMod", "Mod")
    right = [value or 1 for value in right] if divides else right
    operands = [np.array(left, np.int32), np.array(right, np.int32)]
    path = static_graph(kind, operands, {"T": 3}, tmp_path_factory.mktemp("fold") / "m.pb")
    assert_folds_as_it_runs(path)


@settings(max_examples=60, deadline=None)
@given(
    begin=st.integers(-5, 5),
    end=st.integers(-5, 5),
    stride=st.sampled_from([-2, -1, 1, 2, 3]),
    masks=st.tuples(*[st.integers(0, 1)] * 5),
)
def test_strided_slices_are_tensorflows(
    begin: int, end: int, stride: int, masks: tuple[int, ...], tmp_path_factory: Any
) -> None:
    names = ["begin_mask", "end_mask", "shrink_axis_mask", "new_axis_mask", "ellipsis_mask"]
    attributes = {"T": 3, "Index": 3, **dict(zip(names, masks, strict=True))}
    if attributes["shrink_axis_mask"] and not attributes["new_axis_mask"] and not attributes["ellipsis_mask"]:
        begin, stride = max(min(begin, 3), -4), 1
        attributes["begin_mask"] = 0
    operands = [np.array([3, 1, 4, 1], np.int32), *(np.array([n], np.int32) for n in (begin, end, stride))]
    path = static_graph("StridedSlice", operands, attributes, tmp_path_factory.mktemp("fold") / "m.pb")
    assert_folds_as_it_runs(path)


OTHERS: dict[str, tuple[list[Any], dict[str, int]]] = {
    "Slice": ([[1], [2]], {"T": 3, "Index": 3}),
    "Cast": ([], {"SrcT": 3, "DstT": 1}),
    "ExpandDims": ([0], {"T": 3, "Tdim": 3}),
    "Reshape": ([[2, 2]], {"T": 3, "Tshape": 3}),
    "Tile": ([[2]], {"T": 3}),
    "Prod": ([[0]], {"T": 3, "Tidx": 3}),
    "Sum": ([[0]], {"T": 3, "Tidx": 3}),
    "Max": ([[0]], {"T": 3, "Tidx": 3}),
    "GatherV2": ([[2, 0], 0], {"Tparams": 3, "Tindices": 3, "Taxis": 3}),
    "Gather": ([[1, 1]], {"Tparams": 3, "Tindices": 3}),
    "ConcatV2": ([[9], 0], {"T": 3, "N": 2, "Tidx": 3}),
    "Pack": ([[9, 8, 7, 6]], {"T": 3, "N": 2, "axis": 1}),
    "Neg": ([], {"T": 3}),
    "Abs": ([], {"T": 3}),
    "ZerosLike": ([], {"T": 3}),
    "OnesLike": ([], {"T": 3}),
    "Identity": ([], {"T": 3}),
    "Squeeze": ([], {"T": 3}),
    "Transpose": ([[0]], {"T": 3}),
    "BroadcastArgs": ([[1, 1, 1, 1, 5]], {"T": 3}),
    "Fill": ([7], {"T": 3, "index_type": 3}),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_shape_arithmetic_is_tensorflows(kind: str, tmp_path: Path) -> None:
    more, attributes = OTHERS[kind]
    first = [3, 1, 4, 1] if kind != "BroadcastArgs" else [2, 3, 4, 1, 5]
    operands = [np.array(first, np.int32), *(np.array(x, np.int32) for x in more)]
    assert_folds_as_it_runs(static_graph(kind, operands, attributes, tmp_path / "m.pb"))


def test_division_by_zero_is_left_to_fail_when_run(tmp_path: Path) -> None:
    operands = [np.array([1, 2], np.int32), np.array([0, 1], np.int32)]
    model = load(static_graph("FloorDiv", operands, {"T": 3}, tmp_path / "m.pb"))
    assert static_value(next(op for op in model.main.ops if op.name == "y").results[0]) is None
