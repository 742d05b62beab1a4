"""Ranks that nobody states: found by how a tensor is read, else stated by the user, else the cut is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_graph, make_node, make_opsetid, make_tensor, make_tensor_value_info
from support.models import fetched
from support.onnx_corpus import checker_says

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.export import save as write
from subcut.compiler.formats.onnx import run
from subcut.compiler.formats.onnx.types import is_ranked
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.types import TensorType, compatible
from subcut.compiler.pipeline import standard

NUMBERS = np.random.default_rng(3)


def stored(name: str, *shape: int, element: int = 1) -> Any:
    array = NUMBERS.standard_normal(shape) if element == 1 else NUMBERS.integers(0, 3, shape)
    return onnx.numpy_helper.from_array(array.astype({1: np.float32, 2: np.uint8, 3: np.int8}[element]), name)


def axes(*numbers: int) -> Any:
    return make_tensor("axes", 7, [len(numbers)], numbers)


def branching(
    shape: list[int], readers: list[Any], tensors: list[Any], result: list[Any] | None, element: int = 1
) -> Any:
    """`x`, of unknown rank: what is given or, where `flag` is set, the same with one dimension more; then `readers`."""
    info = make_tensor_value_info
    keep = make_graph([make_node("Identity", ["given"], ["kept"])], "keep", [], [info("kept", element, None)])
    widen = make_graph(
        [make_node("Unsqueeze", ["given", "first"], ["wide"])], "widen", [], [info("wide", element, None)]
    )
    choice = make_node("If", ["flag"], ["x"], name="choice", then_branch=widen, else_branch=keep)
    before = make_node("Identity", ["data"], ["given"], name="before")
    graph = make_graph(
        [before, choice, *readers],
        "g",
        [info("data", element, shape), info("flag", 9, [])],
        [info("y", element, result)] if readers else [info("x", element, shape)],
        [make_tensor("first", 7, [1], [0]), *tensors],
    )
    return onnx.helper.make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)


def cut(path: Path, selection: str, folder: Path) -> tuple[Model, dict[str, Any]]:
    passes = standard(selection)
    passes.verify_each = True
    model = passes.run(load(path))
    return model, write(model, folder)


def saved(made: Any, folder: Path) -> Path:
    onnx.save(made, str(folder / "model.onnx"))
    return folder / "model.onnx"


def chain(*types: str, **attributes: Any) -> list[Any]:
    """Operators one after the other, from `x` to `y`; the last has the attributes."""
    names = ["x", *(f"t{i}" for i in range(1, len(types))), "y"]
    last = len(types) - 1
    return [
        make_node(one, [names[i]], [names[i + 1]], **(attributes if i == last else {})) for i, one in enumerate(types)
    ]


def reader(type: str, *others: str, **attributes: Any) -> list[Any]:
    return [make_node(type, ["x", *others], ["y"], **attributes)]


Reading = tuple[list[int], list[Any], list[Any], list[Any], list[Any]]
READERS: dict[str, Reading] = {
    # the shape that x has, what reads it, stored tensors, the shape stated of y, and what is to be found of x
    "conv": ([1, 6, 5], reader("Conv", "w", group=2), [stored("w", 4, 3, 3)], [1, 4, 3], [None, 6, None]),
    "transposed": ([1, 6, 5], reader("ConvTranspose", "w"), [stored("w", 6, 3, 3)], [1, 3, 7], [None, 6, None]),
    "gemm": ([2, 3], reader("Gemm", "w"), [stored("w", 3, 4)], [2, 4], [None, None]),
    "unsqueezed": ([2, 3], reader("Unsqueeze", "axes"), [axes(0, 3)], [1, 2, 3, 1], [None, None]),
    "squeezed": ([1, 2, 1], reader("Squeeze", "axes"), [axes(0, -1)], [2], [None] * 3),
    "reduced": ([2, 3], reader("ReduceMean", axes=[1], keepdims=0), [], [2], [None, None]),
    "summed": ([2, 3, 4], reader("ReduceSum", "axes", keepdims=0), [axes(0, 2)], [3], [None] * 3),
    "reduced in place": ([2, 3], reader("ReduceMax", axes=[1]), [], [2, 1], [None, None]),
    "joined": ([2, 3], reader("Concat", "w", axis=0), [stored("w", 4, 3)], ["n", 3], [None, None]),
    "pooled": ([1, 3, 8], reader("MaxPool", kernel_shape=[2]), [], [1, 3, 7], [None] * 3),
    "same": ([2, 3], reader("Sigmoid"), [], [2, 3], [2, 3]),
    "through": ([1, 3, 8], chain("Relu", "Softmax", "MaxPool", kernel_shape=[2]), [], [1, 3, 7], [None] * 3),
    "recurrent": (
        [4, 2, 3],
        [make_node("LSTM", ["x", "w", "r"], ["", "y"], hidden_size=5)],
        [stored("w", 1, 20, 3), stored("r", 1, 20, 5)],
        [1, 2, 5],
        [None] * 3,
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_tells_the_rank(name: str, tmp_path: Path) -> None:
    shape, readers, tensors, result, found = READERS[name]
    path = saved(branching(shape, readers, tensors, result), tmp_path)
    assert checker_says(path) == ""
    model, manifest = cut(path, "to choice", tmp_path / "out")
    assert model.main.outputs[0].type == TensorType("f32", tuple(found))
    assert checker_says(tmp_path / "out/dump.onnx") == ""
    assert "limits" not in manifest
    feeds = {"data": NUMBERS.standard_normal(shape).astype(np.float32), "flag": np.array(False)}
    got = run.run(load(path), feeds, ["x", "y"])
    assert got["x"].ndim == len(found), "the model runs, and the tensor is as it was found to be"
    assert np.array_equal(run.run(load(tmp_path / "out/dump.onnx"), feeds, ["x"])["x"], got["x"])


def test_integers_tell_it_too(tmp_path: Path) -> None:
    reader = make_node("ConvInteger", ["x", "w"], ["z"])
    back = make_node("Cast", ["z"], ["y"], to=2)
    made = branching([1, 2, 4, 4], [reader, back], [stored("w", 3, 2, 3, 3, element=2)], [1, 3, 2, 2], element=2)
    model, _ = cut(saved(made, tmp_path), "to choice", tmp_path / "out")
    assert model.main.outputs[0].type == TensorType("ui8", (None, 2, None, None))


def in_branches() -> list[Any]:
    info = make_tensor_value_info
    then = make_graph([make_node("Softmax", ["x"], ["t"])], "then", [], [info("t", 1, [1, 2, 3])])
    other = make_graph([make_node("Softmax", ["data"], ["e"])], "other", [], [info("e", 1, [2, 3])])
    return [make_node("If", ["flag"], ["y"], then_branch=then, else_branch=other)]


SILENT: dict[str, tuple[list[Any], list[Any]]] = {
    "any rank": (reader("Flatten"), [2, "n"]),
    "broadcast": (reader("Add", "data"), [2, 3]),
    "all axes": (reader("ReduceSum", keepdims=0), []),
    "unknown axes": (reader("Squeeze"), [2, 3]),
    "a body": (in_branches(), ["n", "m"]),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_reader_that_takes_any_rank_tells_nothing(name: str, tmp_path: Path) -> None:
    readers, result = SILENT[name]
    path = saved(branching([2, 3], readers, [], result), tmp_path)
    with pytest.raises(UserError) as caught:
        cut(path, "to choice", tmp_path / "out")
    assert caught.value.code == "untyped-edge"
    assert not (tmp_path / "out").exists()


def test_a_refusal_says_why_and_what_would_work(tmp_path: Path) -> None:
    flatten = make_node("Flatten", ["x"], ["flat"], name="flat")
    path = saved(branching([2, 3], [flatten, make_node("Relu", ["flat"], ["y"])], [], ["n", "m"]), tmp_path)
    with pytest.raises(UserError) as caught:
        cut(path, "to choice", tmp_path / "out")
    said = str(caught.value)
    assert "nobody knows the rank of the output `%x`: `choice` (If)" in said
    assert "`; output %x : 1x64xf32`" in said
    assert "the nearest tensors that are known: `%given`, `%flat`" in said
    path = saved(branching([2, 3], chain("Abs", "Flatten"), [], ["n", "m"]), tmp_path)
    with pytest.raises(UserError, match=r"it follows from `choice` \(If\)"):
        cut(path, "to %t1", tmp_path / "out")


def test_the_user_may_state_it(tmp_path: Path) -> None:
    path = saved(branching([2, 3], reader("Flatten"), [], ["n", "m"]), tmp_path)
    _, manifest = cut(path, "to choice; output %x : ?x3xf32", tmp_path / "out")
    assert manifest["outputs"][0]["shape"] == [None, 3]
    assert checker_says(tmp_path / "out/dump.onnx") == ""
    feeds = {"data": NUMBERS.standard_normal((2, 3)).astype(np.float32), "flag": np.array(False)}
    assert np.array_equal(run.run(load(tmp_path / "out/dump.onnx"), feeds, ["x"])["x"], feeds["data"])


def test_the_user_may_leave_it_open(tmp_path: Path) -> None:
    path = saved(branching([2, 3], reader("Flatten"), [], ["n", "m"]), tmp_path)
    _, manifest = cut(path, "to choice; output %x : *xf32", tmp_path / "out")
    assert [one["what"].split(":")[0] for one in manifest["limits"]] == ["the rank of output `x` is not known"]
    assert "shape" in checker_says(tmp_path / "out/dump.onnx")
    data = NUMBERS.standard_normal((2, 3)).astype(np.float32)
    for flag, shape in ((False, (2, 3)), (True, (1, 2, 3))):
        got = run.run(load(tmp_path / "out/dump.onnx"), {"data": data, "flag": np.array(flag)}, ["x"])
        assert got["x"].shape == shape


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("output %x : ?x?xi8", "type-mismatch"),
        ("output %y : 1x2x3xf32", "not-an-output"),
        ("output %given : 2x4xf32; tap before", "type-mismatch"),
        ("output %given : 2x3x4xf32; tap before", "type-mismatch"),
    ],
)
def test_what_is_stated_must_fit(clause: str, code: str, tmp_path: Path) -> None:
    path = saved(branching([2, 3], reader("Flatten"), [], ["n", "m"]), tmp_path)
    with pytest.raises(UserError) as caught:
        cut(path, f"to choice; {clause}", tmp_path / "out")
    assert caught.value.code == code


def test_a_size_that_decides_the_branch_makes_it_known(tmp_path: Path) -> None:
    """As PyTorch writes `squeeze`: it depends on a size that the model leaves open."""
    info = make_tensor_value_info
    keep = make_graph([make_node("Identity", ["a"], ["kept"])], "keep", [], [info("kept", 1, None)])
    axis = make_node("Constant", [], ["second"], value=make_tensor("second", 7, [1], [1]))
    less = make_graph([axis, make_node("Squeeze", ["a", "second"], ["thin"])], "less", [], [info("thin", 1, None)])
    nodes = [
        make_node("Relu", ["data"], ["a"], name="relu"),
        make_node("Shape", ["a"], ["shape"]),
        make_node("Gather", ["shape", "axis"], ["size"]),
        make_node("Equal", ["size", "one"], ["single"]),
        make_node("If", ["single"], ["x"], name="choice", then_branch=less, else_branch=keep),
        make_node("Flatten", ["x"], ["y"]),
    ]
    tensors = [make_tensor("axis", 7, [1], [1]), make_tensor("one", 7, [1], [1])]
    graph = make_graph(nodes, "g", [info("data", 1, [2, "n", 3])], [info("y", 1, ["a", "b"])], tensors)
    path = saved(onnx.helper.make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8), tmp_path)
    with pytest.raises(UserError, match="the size of `%a` decides the branch"):
        cut(path, "to choice", tmp_path / "refused")
    model, _ = cut(path, "to choice; input %data : 2x1x3xf32", tmp_path / "out")
    assert model.main.outputs[0].type == TensorType("f32", (2, 3))
    assert checker_says(tmp_path / "out/dump.onnx") == ""


def test_where_the_original_is_refused_too_the_cut_is_written(tmp_path: Path) -> None:
    """Many a file leaves the shape of its output out: the cut is as good as that, and says so."""
    made = branching([2, 3], reader("Flatten"), [], None)
    path = saved(made, tmp_path)
    assert "shape" in checker_says(path)
    _, manifest = cut(path, "to choice", tmp_path / "out")
    assert "onnx.checker refuses it" in manifest["limits"][0]["what"]
    _, manifest = cut(path, "all", tmp_path / "all")
    assert (tmp_path / "all/dump.onnx").read_bytes() == path.read_bytes()


def test_whoever_wants_no_inference_gets_what_the_file_states(tmp_path: Path) -> None:
    path = saved(branching([2, 3], reader("Sigmoid"), [], [2, 3]), tmp_path)
    manifest = write(standard("to choice", infer=False).run(load(path)), tmp_path / "out")
    assert "the element type of output `x` is not known" in manifest["limits"][0]["what"]
    feeds = {"data": NUMBERS.standard_normal((2, 3)).astype(np.float32), "flag": np.array(False)}
    assert np.array_equal(run.run(load(tmp_path / "out/dump.onnx"), feeds, ["x"])["x"], feeds["data"])


def test_a_model_is_saved_as_it_was_read(tmp_path: Path) -> None:
    path = saved(branching([2, 3], reader("Flatten"), [], [2, 3]), tmp_path)
    write(load(path), tmp_path / "out")
    assert (tmp_path / "out/dump.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["silero_vad_half", "silero_vad_16k_op15"])
def test_what_is_found_of_a_real_model_is_what_it_computes(name: str) -> None:
    """Speech recognisers whose `If`s differ in rank: one tensor stays unknown, which a size decides."""
    path = fetched(f"silero_vad/{name}.onnx")
    model = load(path)
    wanted = [value for op in model.main.ops for value in op.results if value.name and op.operands]
    model.dialect.infer(model, wanted)
    unknown = [value.name for value in wanted if not is_ranked(value.type)]
    assert [one.removeprefix("/model") for one in unknown] == ["/decoder/If_output_0"]
    feeds = {
        "input": NUMBERS.standard_normal((1, 512)).astype(np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16_000),
    }
    given = {value.name: feeds[value.name] for value in model.main.inputs}
    got = run.run(load(path), given, [value.name for value in wanted])
    for value in wanted:
        assert compatible(value.type, TensorType(None, got[value.name].shape)), value.name
