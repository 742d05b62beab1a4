"""Functions of the library: kept when used, gradients included; a body is cut as a graph of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tensorflow_graphs import built, calls, cut, definition, normal, run_file, tf, written

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.export import load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return built(calls, tmp_path / "calls.pb", control_flow_v2=True)


def functions_of(path: Path) -> set[str]:
    return {f.signature.name for f in definition(path).library.function}


def call(path: Path, kind: str) -> Any:
    return next(op for op in load(path).main.ops if kind in op.type)


@pytest.mark.parametrize(
    ("start", "end", "kinds"),
    [("called", "chosen", ["If"]), ("chosen", "end", ["While"]), ("called", "end", ["If", "While"])],
)
def test_only_the_functions_that_are_used_are_kept(
    start: str, end: str, kinds: list[str], path: Path, tmp_path: Path
) -> None:
    model, manifest = cut(path, f"after {start} to {end}", tmp_path / "cut")
    kept = functions_of(tmp_path / "cut" / "dump.pb")
    wanted = {name for op in model.main.ops for name in op.symbols}
    assert kept == wanted == set(model.functions)
    assert sorted({op.type.removeprefix("Stateless") for op in model.main.ops if op.symbols}) == kinds
    before = {f.signature.name: f for f in definition(path).library.function}
    for function in definition(tmp_path / "cut" / "dump.pb").library.function:
        assert function == before[function.signature.name]
    golden = run_file(path, {"x": normal(4)}, [f"{start}:0", f"{end}:0"])
    feeds = {edge["name"]: golden[edge["tensor"]] for edge in manifest["inputs"]}
    got = run_file(tmp_path / "cut" / "dump.pb", feeds, [f"{end}:0"])
    assert got[f"{end}:0"].tobytes() == golden[f"{end}:0"].tobytes()


def test_functions_that_functions_call_are_kept(path: Path, tmp_path: Path) -> None:
    cut(path, "to called", tmp_path / "cut")
    kept = functions_of(tmp_path / "cut" / "dump.pb")
    assert len(kept) == 2
    assert any("inner" in name for name in kept)


def test_a_cut_without_calls_has_no_library(path: Path, tmp_path: Path) -> None:
    cut(path, "called", tmp_path / "cut")
    assert not definition(tmp_path / "cut" / "dump.pb").HasField("library")


def test_gradients_come_along_with_their_function(path: Path, tmp_path: Path) -> None:
    graph = definition(path)
    names = [f.signature.name for f in graph.library.function]
    inner = next(name for name in names if "inner" in name)
    for name in ("its_gradient", "unused"):
        copy = graph.library.function.add()
        copy.CopyFrom(graph.library.function[names.index(inner)])
        copy.signature.name = name
    graph.library.gradient.add(function_name=inner, gradient_func="its_gradient")
    graph.library.gradient.add(function_name="unused", gradient_func="its_gradient")
    cut(written(graph, tmp_path / "m.pb"), "to called", tmp_path / "cut")
    library = definition(tmp_path / "cut" / "dump.pb").library
    assert "its_gradient" in {f.signature.name for f in library.function}
    assert "unused" not in {f.signature.name for f in library.function}
    assert [g.function_name for g in library.gradient] == [inner]


def test_a_registered_gradient_comes_along_with_what_is_marked_for_it(path: Path, tmp_path: Path) -> None:
    graph = definition(path)
    copy = graph.library.function.add()
    copy.CopyFrom(next(f for f in graph.library.function if "inner" in f.signature.name))
    copy.signature.name = "registered"
    graph.library.registered_gradients.add(gradient_func="registered", registered_op_type="CustomGradient-7")
    marked = graph.node.add(name="marked", op="IdentityN", input=["called"])
    marked.attr["T"].list.type.append(1)
    marked.attr["_gradient_op_type"].s = b"CustomGradient-7"
    source = written(graph, tmp_path / "m.pb")
    cut(source, "marked", tmp_path / "with")
    assert functions_of(tmp_path / "with" / "dump.pb") == {"registered"}
    cut(source, "called", tmp_path / "without")
    assert not definition(tmp_path / "without" / "dump.pb").HasField("library")


def test_a_node_whose_operator_is_a_function_uses_it(tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    function = graph.library.function.add()
    function.signature.name = "Twice"
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=1)
    node = function.node_def.add(name="sum", op="AddV2", input=["a", "a"])
    node.attr["T"].type = 1
    function.ret["b"] = "sum:z:0"
    graph.node.add(name="y", op="Twice", input=["x"])
    model, _ = cut(written(graph, tmp_path / "m.pb"), "y", tmp_path / "cut")
    assert list(model.functions) == ["Twice"]
    assert str(next(op for op in model.main.ops if op.name == "y").results[0].type) == "*xf32"
    got = run_file(tmp_path / "cut" / "dump.pb", {"x": np.float32(4)}, ["y:0"])
    assert got["y:0"] == 8


def test_a_body_is_cut_as_a_graph_of_its_own(path: Path, tmp_path: Path) -> None:
    name = next(name for name in load(path).functions if "outer" in name)
    body = load(path).functions[name]
    split = next(op for op in body.ops if op.type == "Split")
    add = next(op for op in body.ops if op.type == "AddV2")
    model, manifest = cut(path, f"from @{name}/{split.name} to @{name}/{add.name}", tmp_path / "cut")
    assert manifest["graph"] == name
    assert len(model.functions) == 1
    x = normal(4)
    (edge,) = manifest["inputs"]
    got = run_file(tmp_path / "cut" / "dump.pb", {edge["name"]: x}, [f"{add.name}:0"])
    golden = run_file(path, {"x": x}, ["called:0"])
    assert got[f"{add.name}:0"].tobytes() == golden["called:0"].tobytes()


def test_a_body_may_be_cut_in_the_middle(path: Path, tmp_path: Path) -> None:
    name = next(name for name in load(path).functions if "outer" in name)
    add = next(op for op in load(path).functions[name].ops if op.type == "AddV2")
    _, manifest = cut(path, f"@{name}/{add.name}", tmp_path / "cut")
    feeds = {edge["name"]: np.full(2, i + 1, np.float32) for i, edge in enumerate(manifest["inputs"])}
    got = run_file(tmp_path / "cut" / "dump.pb", feeds, [f"{add.name}:0"])
    assert got[f"{add.name}:0"].tolist() == [3.0, 3.0]
    assert "halves_1:0" in feeds


def test_a_function_that_leaves_types_to_its_caller_is_refused(tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    function = graph.library.function.add()
    function.signature.name = "Any"
    function.signature.attr.add(name="T", type="type")
    function.signature.input_arg.add(name="a", type_attr="T")
    function.signature.output_arg.add(name="b", type_attr="T")
    node = function.node_def.add(name="relu", op="Relu", input=["a"])
    node.attr["T"].placeholder = "T"
    function.ret["b"] = "relu:activations:0"
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    graph.node.add(name="y", op="Any", input=["x"]).attr["T"].type = 1
    path = written(graph, tmp_path / "m.pb")
    with pytest.raises(UserError) as caught:
        cut(path, "@Any/relu", tmp_path / "cut")
    assert caught.value.code == "function-attribute"
    cut(path, "y", tmp_path / "fine")


@pytest.mark.parametrize("reference", ["sum:nothing:0", "sum:z:4", "sum", "nowhere:z:0", "a:1"])
def test_a_reference_in_a_body_to_what_does_not_exist_is_told(reference: str, tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    function = graph.library.function.add()
    function.signature.name = "F"
    function.signature.input_arg.add(name="a", type=1)
    node = function.node_def.add(name="sum", op="AddV2", input=["a", "a"])
    node.attr["T"].type = 1
    function.node_def.add(name="bad", op="Relu", input=[reference]).attr["T"].type = 1
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    with pytest.raises(ModelError, match="does not exist"):
        load(written(graph, tmp_path / "m.pb"))
