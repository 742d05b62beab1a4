"""Small models that each have something awkward: what comes along, what is left, and that every cut is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.cuts import check, random_selections
from support.onnx_corpus import checker_says
from support.onnx_graphs import AWKWARD, save

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.export import save as write
from subcut.compiler.formats.onnx.run import run
from subcut.compiler.pipeline import standard


def cut(path: Path, selection: str, folder: Path) -> tuple[Any, dict]:
    """The cut as ONNX reads it, and its manifest."""
    passes = standard(selection)
    passes.verify_each = True
    manifest = write(passes.run(load(path)), folder)
    assert checker_says(folder / manifest["files"][0]) == ""
    return onnx.load(str(folder / manifest["files"][0])), manifest


@pytest.mark.parametrize("name", AWKWARD)
def test_every_cut_equals_the_original(name: str, tmp_path: Path) -> None:
    path = save(name, tmp_path)
    outcome = check(path, ["all", *random_selections(load(path), 30, seed=1)], tmp_path / "cuts")
    assert (tmp_path / "cuts/0/dump.onnx").read_bytes() == path.read_bytes()
    assert outcome.wrong == {}
    assert outcome.invalid == {}
    assert outcome.refused == {}
    assert outcome.random == []


@pytest.mark.parametrize("name", AWKWARD)
def test_cuts_are_as_valid_as_the_original(name: str, tmp_path: Path) -> None:
    path = save(name, tmp_path)
    said = checker_says(path)
    for i, selection in enumerate(random_selections(load(path), 15, seed=2)):
        passes = standard(selection)
        manifest = write(passes.run(load(path)), tmp_path / str(i))
        assert said or checker_says(tmp_path / str(i) / manifest["files"][0]) == "", selection


def test_captured_values_become_inputs_and_captured_weights_come_along(tmp_path: Path) -> None:
    made, manifest = cut(save("captured", tmp_path), "branch", tmp_path / "out")
    assert [one.name for one in made.graph.input] == ["c", "b", "a"], (
        "attributes of a node are in the order of their names"
    )
    assert [one.name for one in made.graph.initializer] == ["w"]
    assert [node.name for node in made.graph.node] == ["copy", "branch"]
    assert sorted(manifest["constants"]) == ["copy", "w"]


def test_a_body_is_cut_with_what_it_captures(tmp_path: Path) -> None:
    made, manifest = cut(save("captured", tmp_path), "to %t2", tmp_path / "out")
    assert [(one.name, one.type.tensor_type.elem_type) for one in made.graph.input] == [("a", 1)]
    assert sorted(one.name for one in made.graph.initializer) == ["w", "wb"]
    assert [edge["name"] for edge in manifest["outputs"]] == ["t2"]
    got = run(load(tmp_path / "out/dump.onnx"), {"a": np.ones(4, np.float32)}, ["t2"])["t2"]
    stores = {one.name: onnx.numpy_helper.to_array(one) for one in made.graph.initializer}
    assert np.array_equal(got, stores["w"] + stores["wb"])


def test_an_inner_loop_is_cut_from_two_graphs_down(tmp_path: Path) -> None:
    made, _ = cut(save("loops", tmp_path), "to %m", tmp_path / "out")
    assert [one.name for one in made.graph.input] == ["acc0", "a"]
    assert sorted(one.name for one in made.graph.initializer) == ["three", "wl"]
    assert [node.op_type for node in made.graph.node] == ["Loop", "ReduceMean"]


def test_a_loop_keeps_its_shape_by_induction(tmp_path: Path) -> None:
    made, manifest = cut(save("loops", tmp_path), "from %r to sqrt", tmp_path / "out")
    assert manifest["inputs"][0]["shape"] == [4]
    assert [one.name for one in made.graph.input] == ["r"]


@pytest.mark.parametrize(
    ("selection", "inputs"),
    [
        ("from relu, %a to abs", {"x": "x", "c": "c", "b": "b", "a_0": "a"}),
        ("from relu, branch, %i to abs", {"x": "x", "c": "c", "b": "b", "i_0": "i"}),
        ("from relu, %a to branch; tap relu", {"x": "x", "c": "c", "b": "b", "a_0": "a"}),
    ],
)
def test_an_input_has_its_own_name_where_the_maker_of_its_tensor_is_kept(
    selection: str, inputs: dict[str, str], tmp_path: Path
) -> None:
    path = save("captured", tmp_path)
    _, manifest = cut(path, selection, tmp_path / "out")
    assert {edge["name"]: edge["tensor"] for edge in manifest["inputs"]} == inputs
    assert check(path, [selection], tmp_path / "cuts").verified == [selection]


def test_frozen_numbers_take_the_place_of_a_tensor_whose_maker_is_kept(tmp_path: Path) -> None:
    array = np.array([-1, 2, -3, 4], np.float32)
    np.save(tmp_path / "i.npy", array)
    selection = f'branch, abs; freeze %i = "{tmp_path}/i.npy"; tap branch'
    _, manifest = cut(save("captured", tmp_path), selection, tmp_path / "out")
    feed = {"c": np.array(True), "a": array, "b": array}
    got = run(load(tmp_path / "out/dump.onnx"), feed, ["i", "y"])
    assert [edge["name"] for edge in manifest["outputs"]] == ["i", "y"]
    assert np.array_equal(got["y"], np.abs(array))
    assert not np.array_equal(got["i"], array)


@pytest.mark.parametrize("stated", ["4xf16", "2x2xf32", "f32"])
def test_a_stated_type_that_contradicts_the_file_is_refused(stated: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="type-mismatch"):
        standard(f"relu; input %x : {stated}").run(load(save("captured", tmp_path)))


@pytest.mark.parametrize(("stated", "shape"), [("8xf32", [8]), ("?xf32", [4]), ("*xf32", [4])])
def test_a_stated_type_may_have_other_sizes(stated: str, shape: list[int], tmp_path: Path) -> None:
    _, manifest = cut(save("captured", tmp_path), f"relu; input %x : {stated}", tmp_path / "out")
    assert manifest["inputs"][0]["shape"] == shape


def test_initialisers_of_old_files_stay_inputs(tmp_path: Path) -> None:
    made, manifest = cut(save("old", tmp_path), "from add to reshape", tmp_path / "out")
    assert [one.name for one in made.graph.input] == ["a", "b", "shape"]
    assert [one.name for one in made.graph.initializer] == ["b", "shape"]
    assert [edge["name"] for edge in manifest["inputs"]] == ["a"]


def test_a_value_frozen_in_an_old_file_is_a_constant_node(tmp_path: Path) -> None:
    array = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "a.npy", array)
    made, _ = cut(save("old", tmp_path), f'from add to add; freeze %a = "{tmp_path}/a.npy"', tmp_path / "out")
    assert [node.op_type for node in made.graph.node] == ["Constant", "Add"]
    assert np.array_equal(onnx.numpy_helper.to_array(made.graph.node[0].attribute[0].t), array)


def test_only_called_functions_are_kept(tmp_path: Path) -> None:
    path = save("functions", tmp_path)
    whole, _ = cut(path, "branch", tmp_path / "branch")
    assert sorted(one.name for one in whole.functions) == ["Inner", "Leaky", "Outer"]
    assert sorted(one.domain for one in whole.opset_import) == ["", "my.lib", "other.lib"]
    one, _ = cut(path, "from leaky to sqrt", tmp_path / "leaky")
    assert [function.name for function in one.functions] == ["Leaky"]
    assert [opset.domain for opset in one.opset_import] == ["", "other.lib"]
    none, _ = cut(path, "sqrt", tmp_path / "sqrt")
    assert not none.functions
    assert [opset.domain for opset in none.opset_import] == [""]


def test_a_function_is_cut_with_types_from_its_callers(tmp_path: Path) -> None:
    made, manifest = cut(save("functions", tmp_path), "from fadd to fneg", tmp_path / "out")
    assert [edge["shape"] for edge in manifest["inputs"]] == [[4], [4]]
    assert [function.name for function in made.functions] == ["Inner"]
    ones = np.ones(4, np.float32)
    got = run(load(tmp_path / "out/dump.onnx"), {"u": ones, "v": ones}, ["o"])["o"]
    assert np.array_equal(got, -2 * ones)


def test_an_attribute_that_a_caller_sets_cannot_be_cut(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes its attribute `alpha` from the caller") as caught:
        cut(save("functions", tmp_path), "fleaky", tmp_path / "out")
    assert caught.value.code == "function-attribute"


@pytest.mark.parametrize(
    ("selection", "kind", "text"),
    [
        ("from %s to at", "sequence_type", "seq<?x4xf32>"),
        ("from %o to get", "optional_type", "optional<?x4xf32>"),
    ],
)
def test_edges_that_are_no_tensors(selection: str, kind: str, text: str, tmp_path: Path) -> None:
    made, manifest = cut(save("sequences", tmp_path), selection, tmp_path / "out")
    assert made.graph.input[0].type.HasField(kind)
    assert manifest["inputs"][0]["type"].replace("Nx4", "?x4") == text


def test_a_shape_computed_from_static_dimensions_is_folded(tmp_path: Path) -> None:
    made, manifest = cut(save("shapes", tmp_path), "from conv to abs", tmp_path / "out")
    assert [edge["name"] for edge in manifest["inputs"]] == ["a"]
    assert [edge["tensor"] for edge in manifest["folded"]] == ["target"]
    folded = next(one for one in made.graph.initializer if one.name == "target")
    assert onnx.numpy_helper.to_array(folded).tolist() == [-1, 15]
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_what_hangs_on_a_model_is_kept_for_what_is_kept(tmp_path: Path) -> None:
    made, _ = cut(save("rich", tmp_path), "from mm1 to mm2", tmp_path / "out")
    assert [one.name for one in made.graph.value_info] == ["a"]
    assert made.graph.value_info[0].doc_string == "about a"
    assert made.graph.output[0].doc_string == "about b", "a stated type moves with its tensor"
    assert [one.tensor_name for one in made.graph.quantization_annotation] == ["a"]
    assert [one.name for one in made.graph.initializer] == ["w1", "w2", "w3"], "w3 is the scale of a"
    assert [(one.key, one.value) for one in made.metadata_props] == [("author", "us")]
    assert [(one.key, one.value) for one in made.graph.metadata_props] == [("stage", "two")]
    assert [(one.key, one.value) for one in made.graph.node[0].metadata_props] == [("layer", "first")]
    assert (made.doc_string, made.graph.doc_string) == ("a model", "a graph")
    assert not made.training_info
    assert [one.domain for one in made.opset_import] == [""]
    assert (tmp_path / "out/dump.onnx").read_bytes().endswith(b"\xfa\x3f\x03abc"), "unknown fields stay"


def test_an_output_that_becomes_an_inner_tensor_keeps_its_type(tmp_path: Path) -> None:
    path = save("plain", tmp_path)
    made = onnx.load(str(path))
    made.graph.output.append(onnx.helper.make_tensor_value_info("a", 1, [2, 64]))
    onnx.save(made, str(path))
    written, _ = cut(path, "from mm1 to mm2", tmp_path / "out")
    assert [one.name for one in written.graph.value_info] == ["a"]


def test_records_of_kept_operators_are_the_very_bytes(tmp_path: Path) -> None:
    path = save("captured", tmp_path)
    made, _ = cut(path, "from relu to abs", tmp_path / "out")
    before = {node.name: node.SerializeToString() for node in onnx.load(str(path)).graph.node}
    written = (tmp_path / "out/dump.onnx").read_bytes()
    assert made.graph.node
    for node in made.graph.node:
        assert before[node.name] in written


def test_a_cut_of_a_cut_is_a_cut(tmp_path: Path) -> None:
    path = save("captured", tmp_path)
    cut(path, "from relu to abs", tmp_path / "one")
    twice, _ = cut(tmp_path / "one/dump.onnx", "branch", tmp_path / "two")
    once, _ = cut(path, "branch", tmp_path / "three")
    assert twice.graph.node == once.graph.node
    assert twice.graph.input == once.graph.input


def test_a_domain_that_nothing_else_uses(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Secret", ["x"], ["y"], name="secret", domain="com.example.ops")
    after = onnx.helper.make_node("Relu", ["y"], ["z"], name="relu")
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node, after], "g", [info("x", 1, [2])], [info("z", 1, [2])])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.example.ops", 3)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), str(tmp_path / "m.onnx"))
    with pytest.raises(UserError, match=r"`secret` .* is of a domain whose operators") as caught:
        cut(tmp_path / "m.onnx", "op com.example.ops.Secret", tmp_path / "refused")
    assert "; output %y : " in str(caught.value)
    written, _ = cut(tmp_path / "m.onnx", "op com.example.ops.Secret; output %y : 2xf32", tmp_path / "out")
    assert [(one.domain, one.version) for one in written.opset_import] == [("com.example.ops", 3)]
    with pytest.raises(UserError, match="nobody knows the element type and shape of `%y`"):
        standard("relu").run(load(tmp_path / "m.onnx"))
    stated, manifest = cut(tmp_path / "m.onnx", "relu; input %y : 2xf32", tmp_path / "stated")
    assert manifest["inputs"][0]["shape"] == [2]
    assert stated.graph.input[0].type.tensor_type.elem_type == 1


def test_a_cut_whose_types_are_stated_imports_no_framework(tmp_path: Path) -> None:
    path = save("rich", tmp_path)
    code = (
        "import sys; from subcut.compiler.cli.main import main\n"
        f"main([{str(path)!r}, 'from mm1 to mm2', '-o', {str(tmp_path / 'out')!r}, '--quiet'])\n"
        "print(*{'onnx', 'onnxruntime', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert (tmp_path / "out/dump.onnx").exists()


def test_a_type_that_is_stated_in_parts(tmp_path: Path) -> None:
    """A message that occurs twice where one is expected is one, merged (protobuf, encoding, "Last One Wins")."""
    nodes = [onnx.helper.make_node("Relu", [a], [b], name=b) for a, b in ("xy", "yz")]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(nodes, "g", [info("x", 1, [2])], [info("z", 1, [2])])
    kind, shape = (onnx.TypeProto() for _ in range(2))
    kind.tensor_type.elem_type = 1
    shape.tensor_type.shape.dim.add().dim_value = 2
    parts = [onnx.ValueInfoProto(name="y", type=kind), onnx.ValueInfoProto(type=shape)]
    stated = b"".join(part.SerializeToString() for part in parts)
    whole = graph.SerializeToString() + bytes([13 << 3 | 2, len(stated)]) + stated
    model = onnx.helper.make_model(onnx.GraphProto(), ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ClearField("graph")
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString() + bytes([7 << 3 | 2, len(whole)]) + whole)
    read = load(path)
    read.dialect.annotate(read)
    assert str(read.main.ops[0].results[0].type) == "2xf32"
    _, manifest = cut(path, "z", tmp_path / "out")
    (entering,) = manifest["inputs"]
    assert (entering["tensor"], entering["element"], entering["shape"]) == ("y", "f32", [2])
