"""Edges of a cut: ports, names that are taken, control inputs, colocation, variables, constants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import shared
from support.tensorflow_graphs import built, cut, definition, imported, normal, records, run_file, written

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.formats.tensorflow.dialect import TensorFlowDialect
from subcut.compiler.ir.graph import Constant
from subcut.compiler.ir.types import TensorType


def ports(tf: Any) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [2, 6], name="x")
    a, b, c = tf.split(x, 3, axis=1, name="parts")
    left = tf.add(a, b, name="left")
    with tf.control_dependencies([left]):
        right = tf.multiply(b, c, name="right")
    tf.subtract(left, right, name="end")
    tf.identity(x, name="parts_1")


def test_readers_of_a_first_port_keep_their_records(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    _, manifest = cut(path, "from left to end plus right", tmp_path / "cut")
    before, after = records(path), records(tmp_path / "cut" / "dump.pb")
    assert before["left"] != after["left"]  # reads parts:1 too
    assert before["right"] != after["right"]
    assert before["end"] == after["end"]
    assert [edge["name"] for edge in manifest["inputs"]] == ["parts:0", "parts_1_1:0", "parts_2:0"]
    assert manifest["rewired"] == [
        {"operator": "left", "operand": "1", "from": "parts:1", "to": "parts_1_1"},
        {"operator": "right", "operand": "0", "from": "parts:1", "to": "parts_1_1"},
        {"operator": "right", "operand": "1", "from": "parts:2", "to": "parts_2"},
    ]


def test_a_new_name_takes_none_of_the_original_graph(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    _, manifest = cut(path, "from %parts:1 to end", tmp_path / "cut")
    assert "parts_1_1:0" in [edge["name"] for edge in manifest["inputs"]]


def test_everything_else_in_a_rewired_record_stays(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    cut(path, "from left to end plus right", tmp_path / "cut")
    before = {node.name: node for node in definition(path).node}
    for node in definition(tmp_path / "cut" / "dump.pb").node:
        if node.op != "Placeholder":
            was = before[node.name]
            del was.input[:], node.input[:]
            assert was == node


def test_control_inputs_on_what_is_kept_stay_and_others_go(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    model, _ = cut(path, "from left to end plus right", tmp_path / "with")
    assert [op.controls[0].name for op in model.main.ops if op.controls] == ["left"]
    model, _ = cut(path, "right", tmp_path / "without")
    assert not any(op.controls for op in model.main.ops)


def test_a_frozen_tensor_whose_maker_is_kept_gets_another_name(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    np.save(tmp_path / "left.npy", normal(2, 2))
    model, manifest = cut(path, f'from x to end plus right; freeze %left = "{tmp_path}/left.npy"', tmp_path / "cut")
    stored = next(op for op in model.main.ops if op.name == "left_0")
    assert "left" in [op.name for op in model.main.ops]
    value = stored.attributes["value"]
    assert isinstance(value, Constant)
    np.testing.assert_array_equal(value.numpy(), normal(2, 2))
    assert {"operator": "end", "operand": "0", "from": "left", "to": "left_0"} in manifest["rewired"]


def colocated() -> Any:
    from support.tensorflow_graphs import tf

    graph = tf().compat.v1.GraphDef()
    for name, kind, inputs in (
        ("a", "Placeholder", []),
        ("b", "Relu", ["a"]),
        ("c", "Relu", ["b"]),
        ("d", "Relu", ["c"]),
    ):
        node = graph.node.add(name=name, op=kind, input=inputs)
        node.attr["dtype" if kind == "Placeholder" else "T"].type = 1
    graph.node[3].attr["_class"].list.s.extend([b"loc:@a", b"loc:@c", b"group"])
    graph.node[2].attr["_class"].list.s.extend([b"loc:@a"])
    graph.node[2].attr["mine"].i = 7
    return graph


def test_colocation_with_what_is_left_out_is_dropped_and_nothing_else(tmp_path: Path) -> None:
    graph = colocated()
    cut(written(graph, tmp_path / "m.pb"), "from c to d", tmp_path / "cut")
    after = {node.name: node for node in definition(tmp_path / "cut" / "dump.pb").node}
    assert list(after["d"].attr["_class"].list.s) == [b"loc:@c", b"group"]
    assert "_class" not in after["c"].attr
    assert after["c"].attr["mine"].i == 7
    assert imported(tmp_path / "cut" / "dump.pb")


def test_unknown_fields_of_nodes_and_of_the_graph_stay(tmp_path: Path) -> None:
    graph = colocated()
    path = tmp_path / "m.pb"
    extra = b"\xc2\x3e\x03abc"  # field 1000, of four bytes on the wire and three of content
    parts = []
    for node in graph.node:
        raw = node.SerializeToString(deterministic=True) + extra
        parts.append(b"\n" + bytes([len(raw)]) + raw)
    path.write_bytes(b"".join(parts) + extra)
    cut(path, "from c to d", tmp_path / "cut")
    written_bytes = (tmp_path / "cut" / "dump.pb").read_bytes()
    assert written_bytes.endswith(extra)
    assert written_bytes.count(extra) == 3


def test_a_placeholder_says_type_and_shape(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    cut(path, "right", tmp_path / "cut")
    first = next(n for n in definition(tmp_path / "cut" / "dump.pb").node if n.op == "Placeholder")
    assert first.attr["dtype"].type == 1
    assert [d.size for d in first.attr["shape"].shape.dim] == [2, 2]


@pytest.mark.parametrize("kind", ["reference", "resource"])
def test_unfrozen_variables_are_refused_with_the_way_out(kind: str, tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [2, 3], name="x")
        w = tf.compat.v1.Variable(np.ones((3, 2), np.float32), name="w", use_resource=kind == "resource")
        tf.nn.relu(tf.matmul(x, w, name="m"), name="r")

    path = built(build, tmp_path / "m.pb")
    for selection in ("from m to r", "to r"):
        with pytest.raises(UserError) as caught:
            cut(path, selection, tmp_path / "cut")
        assert caught.value.code == "unfrozen-variable"
        assert "`w`" in str(caught.value)
        assert "SavedModel" in str(caught.value)
    cut(path, "r", tmp_path / "fine")


def test_a_table_that_nothing_fills_is_refused(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        words = tf.compat.v1.placeholder(tf.string, [2], name="words")
        filler = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0])
        found = tf.lookup.StaticHashTable(filler, 0.0).lookup(words, name="found")
        tf.nn.relu(found, name="r")

    path = built(build, tmp_path / "m.pb")
    filling = next(node.name for node in definition(path).node if node.op.startswith("LookupTableImport"))
    with pytest.raises(UserError, match="empty-table") as caught:
        cut(path, "to r", tmp_path / "cut")
    assert f'plus "{filling}"' in str(caught.value)
    cut(path, f'(to r) plus "{filling}"', tmp_path / "filled")
    cut(path, "r", tmp_path / "beside")


def test_random_numbers_are_no_constants(tmp_path: Path) -> None:
    model = load(shared("ascend/hh/hh.pb"))
    random = next(op for op in model.main.ops if op.type == "RandomStandardNormal")
    assert not model.dialect.is_pure(random)
    reader = random.results[0].consumers()[0]
    _, manifest = cut(shared("ascend/hh/hh.pb"), f"{reader.name}", tmp_path / "cut")
    assert f"{random.name}:0" in [edge["tensor"] for edge in manifest["inputs"]]


@pytest.mark.parametrize(
    "op_type",
    ["Placeholder", "PlaceholderWithDefault", "VariableV2", "RandomUniform", "ReadFile", "PyFunc", "Switch", "Unheard"],
)
def test_what_is_no_function_of_its_operands_is_not_pure(op_type: str) -> None:
    from subcut.compiler.ir.graph import Op

    assert not TensorFlowDialect().is_pure(Op(op_type))
    assert TensorFlowDialect().is_pure(Op("Identity"))


def test_a_cut_of_a_cut_is_a_cut(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    cut(path, "from left to end plus right", tmp_path / "one")
    _, manifest = cut(tmp_path / "one" / "dump.pb", "right", tmp_path / "two")
    assert [edge["name"] for edge in manifest["inputs"]] == ["parts_1_1:0", "parts_2:0"]


def test_the_same_cut_gives_the_same_bytes(tmp_path: Path) -> None:
    path = built(ports, tmp_path / "ports.pb")
    for name in ("one", "two"):
        cut(path, "from left to end plus right", tmp_path / name)
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]
    assert json.loads(files[0]["manifest.json"])


def test_edges_of_every_element_type(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [3], name="x")
        for dtype in (tf.float16, tf.float64, tf.bfloat16, tf.int8, tf.uint16, tf.int64, tf.bool, tf.complex64):
            one = tf.cast(x, dtype, name=f"to_{dtype.name}")
            tf.identity(one, name=f"of_{dtype.name}")
        tf.strings.lower(tf.strings.as_string(x, name="to_string"), name="of_string")

    path = built(build, tmp_path / "m.pb")
    golden = run_file(path, {"x": normal(3)}, [op.results[0].name for op in load(path).main.ops])
    for op in load(path).main.ops:
        if op.name.startswith("of_"):
            folder = tmp_path / op.name
            _, manifest = cut(path, op.name, folder)
            (edge,) = manifest["inputs"]
            got = run_file(folder / "dump.pb", {edge["name"]: golden[edge["tensor"]]}, [f"{op.name}:0"])
            assert got[f"{op.name}:0"].tolist() == golden[f"{op.name}:0"].tolist()


def test_the_added_node_is_shown_as_text() -> None:
    from google.protobuf import text_format
    from support.tensorflow_graphs import tf

    from subcut.compiler.ir.graph import Graph, Model, Op

    dialect = TensorFlowDialect()
    graph = Graph(Model(dialect))
    op = graph.append(Op("Placeholder", 'a"b'))
    value = op.add_result('a"b:0', TensorType("f32", (1, None, 3)))
    parsed = text_format.Parse(dialect.input_text(value), tf().compat.v1.GraphDef())
    assert parsed.node[0].name == 'a"b'
    assert [d.size for d in parsed.node[0].attr["shape"].shape.dim] == [1, -1, 3]
