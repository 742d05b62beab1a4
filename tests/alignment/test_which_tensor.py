"""Which file's which tensor is taken: what a device leaves out, runs elsewhere, or passes on changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from support.offline import Offline, Out, om
from support.onnx_graphs import model as onnx_model

import subcut
from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.stored import places
from subcut.compiler.alignment.twin import Twin, TwinOptions, attach
from subcut.compiler.device.dumps.names import make_name
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.errors import UserError
from subcut.compiler.ir.alignment import ABSENT, AMBIGUOUS, EXACT, Row
from subcut.compiler.ir.graph import Model
from subcut.compiler.pipeline import standard

SHAPE = (1, 2, 3, 4)
ND = {"layout": "NCHW", "shape": SHAPE, "origin_shape": SHAPE}
DATA = Offline("Data", "x", [""], outputs=[Out(**ND)])
T0 = 1_700_000_000_000_000


def network(folder: Path, *nodes: tuple[str, Sequence[str], Sequence[str]]) -> Path:
    """An ONNX model of nodes (type, inputs, outputs), each named as its first output."""
    made = [helper.make_node(type, inputs, outputs, name=outputs[0]) for type, inputs, outputs in nodes]
    ends = [helper.make_tensor_value_info(name, 1, None) for name in nodes[-1][2]]
    graph = helper.make_graph(made, "net", [helper.make_tensor_value_info("x", 1, SHAPE)], ends)
    onnx.save(onnx_model(graph), folder / "net.onnx")
    return folder / "net.onnx"


def tensor(number: float, shape: tuple[int, ...] = SHAPE, type_name: str = "FLOAT16") -> NewTensor:
    dtype = {"FLOAT16": np.float16, "FLOAT": np.float32, "INT32": np.int32}[type_name]
    return NewTensor(np.full(shape, number, dtype), type_name, "NCHW", shape, shape)


def dump(folder: Path, op: str, inputs: Sequence[NewTensor], outputs: Sequence[NewTensor], time: int = T0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_dump(folder / make_name("T", op, 1, time), NewDump(op, list(inputs), list(outputs), time))


def aligned(folder: Path, model: Path, ops: list[Offline], dumps: Path | None = None) -> tuple[dict[str, Row], Twin]:
    twin = attach(subcut.load(model), TwinOptions(om(folder / "net.om", ops), dumps))
    return {value.name: row for value in twin.rows if (row := twin.row(value)) is not None}, twin


def test_an_output_that_is_never_dumped_moves_the_numbers_of_the_others(tmp_path: Path) -> None:
    """The runtime leaves out outputs that are always empty, and those in L1."""
    model = network(tmp_path, ("Split", ["x"], ["a", "b", "c"]), ("Concat", ["a", "b", "c"], ["y"]))
    shapes = [(1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3, 6)]
    outs = [Out(None, layout="NCHW", shape=shape, origin_shape=shape) for shape in shapes]
    dump(tmp_path / "d", "a", [], [tensor(10, shapes[0]), tensor(30, shapes[2])])
    found, twin = aligned(tmp_path, model, [DATA, Offline("Split", "a", ["x"], outputs=outs)], tmp_path / "d")
    assert read_numbers(found["a"], twin.dumps).max() == 10
    assert read_numbers(found["c"], twin.dumps).max() == 30
    assert (found["b"].stored, found["b"].missing) == (None, "the dump of `a` has no output 1")


def test_a_place_in_a_dump_is_known_or_not_given(tmp_path: Path) -> None:
    from subcut.compiler.device.dumps.reader import read_dump
    from subcut.compiler.formats.ascend.offline import read_offline

    def known(dumped: Sequence[tuple[int, ...]], described: Sequence[tuple[int, ...]]) -> dict[int, int]:
        path = tmp_path / "T.a.1.1.1700000000000000"
        path.unlink(missing_ok=True)
        write_dump(path, NewDump("a", [], [tensor(1, shape) for shape in dumped], T0))
        outs = [Out(None, layout="ND", shape=shape, origin_shape=None) for shape in described]
        op = read_offline(om(tmp_path / "a.om", [Offline("T", "a", outputs=outs)])).ops[0]
        return places(read_dump(path).outputs, op.outputs)

    assert known([(2,), (3,)], [(2,), (3,)]) == {0: 0, 1: 1}
    assert known([(3,)], [(2,), (3,)]) == {1: 0}
    assert known([(2,)], [(2,), (2,)]) == {}
    assert known([(2,), (4,)], [(2,), (2,), (4,)]) == {2: 1}
    assert known([(2,), (2,)], [(2,), (3,), (2,)]) == {0: 0, 2: 1}
    assert known([(5,)], [(-1,), (3,)]) == {0: 0}
    assert known([(5,)], [(-2,), (3,)]) == {0: 0}
    assert known([(5,)], [(2,), (3,)]) == {}
    assert known([(5,)], []) == {0: 0}


def test_what_reads_a_cast_to_integers_does_not_have_the_floats(tmp_path: Path) -> None:
    model = network(tmp_path, ("Relu", ["x"], ["a"]), ("Cast", ["a"], ["b"]), ("Abs", ["b"], ["c"]))
    cast = {"layout": "NCHW", "shape": SHAPE, "origin_shape": SHAPE}
    for type_name, kind in (("INT32", "INT32"), ("FLOAT", "FLOAT")):
        ops = [
            DATA,
            Offline("Relu", "a", ["x"], outputs=[Out(**ND)]),
            Offline("Cast", "b", ["a"], outputs=[Out(type_name=type_name, **cast)]),
            Offline("Abs", "c", ["b"], outputs=[Out(type_name=type_name, **cast)]),
        ]
        dumps = tmp_path / type_name
        dump(dumps, "c", [tensor(3, SHAPE, kind)], [tensor(3, SHAPE, kind)])
        found, _ = aligned(tmp_path, model, ops, dumps)
        assert found["b"].stored is not None
        assert (found["a"].stored is None) == (type_name == "INT32")


def test_a_tensor_without_elements_is_stored(tmp_path: Path) -> None:
    model = network(tmp_path, ("Relu", ["x"], ["a"]))
    out = Out(layout="ND", shape=(0, 4), origin_shape=(0, 4), origin_layout="ND")
    dump(tmp_path / "d", "a", [], [tensor(0, (0, 4))])
    found, twin = aligned(tmp_path, model, [DATA, Offline("Relu", "a", ["x"], outputs=[out])], tmp_path / "d")
    assert read_numbers(found["a"], twin.dumps).shape == (0, 4)


def test_l1_is_said_where_it_is_why(tmp_path: Path) -> None:
    model = network(tmp_path, ("Relu", ["x"], ["a"]), ("Abs", ["a"], ["b"]))
    ops = [DATA, Offline("R", "a", ["x"], outputs=[Out(**ND)], l1="4"), Offline("A", "b", ["a"], l1="4")]
    dump(tmp_path / "d", "a", [tensor(1)], [])
    found, _ = aligned(tmp_path, model, ops, tmp_path / "d")
    assert found["a"].missing == "the dump of `a` has no output 0: tensors inside L1 fusion 4 stay in L1"


def gears(*numbers: int) -> list[Offline]:
    """`x → a → b` compiled for several sizes, `a` unchanged and `b` fused."""
    ops = [DATA, Offline("Case", "ascend_mbatch_shape_case", ["x"], [])]
    for n in numbers:
        mark = f"_ascend_mbatch_batch_{n}"
        fused = [f"b{mark}", f"c{mark}"]
        ops += [
            Offline("Data", f"x{mark}", [""], outputs=[Out(**ND)]),
            Offline("Relu", f"a{mark}", [f"x{mark}"], outputs=[Out(**ND)]),
            Offline("Abs", "".join(fused), [f"a{mark}"], fused, [Out(f"c{mark}", **ND)]),
        ]
    return ops


def geared(folder: Path, ops: list[Offline]) -> Path:
    """As `om`, every gear in a graph of its own."""
    from support.offline import definition

    from subcut.compiler.formats.ascend.container import write_om

    made = definition(ops)
    whole = list(made.graph[0].op)
    del made.graph[0].op[:]
    graphs = {"": made.graph[0]}
    for op in whole:
        gear = op.name.rpartition("_batch_")[2] if "_batch_" in op.name else ""
        if gear not in graphs:
            graphs[gear] = made.graph.add(name=f"gear_{gear}")
        graphs[gear].op.add().CopyFrom(op)
    path = folder / "geared.om"
    path.unlink(missing_ok=True)
    write_om(path, name="net", definition=made.SerializeToString())
    return path


def test_the_gear_that_ran_is_the_one_that_was_dumped(tmp_path: Path) -> None:
    model = network(tmp_path, ("Relu", ["x"], ["a"]), ("Abs", ["a"], ["b"]), ("Neg", ["b"], ["c"]))
    path = geared(tmp_path, gears(0, 1, 2))
    twin = attach(subcut.load(model), TwinOptions(path))
    found = {value.name: twin.row(value) for value in twin.rows}
    kinds = [(row.kind, row.holder) for name in "xac" if (row := found[name])]
    assert kinds == [(EXACT, "x"), (AMBIGUOUS, ""), (AMBIGUOUS, "")]
    dump(tmp_path / "d", "a_ascend_mbatch_batch_1", [tensor(1)], [tensor(7)])
    twin = attach(subcut.load(model), TwinOptions(path, tmp_path / "d"))
    found = {value.name: twin.row(value) for value in twin.rows}
    kinds = [(row.kind, row.holder) for name in "xac" if (row := found[name])]
    both = "b_ascend_mbatch_batch_1c_ascend_mbatch_batch_1"
    assert kinds == [(EXACT, "x"), (EXACT, "a_ascend_mbatch_batch_1"), (EXACT, both)]
    row = found["a"]
    assert row is not None
    assert read_numbers(row, twin.dumps).max() == 7
    assert [group.holder for group in twin.groups(list(twin.model.main.ops))] == ["a_ascend_mbatch_batch_1", both]


def test_a_blob_of_the_header_that_is_written_in_place_is_still_the_input(tmp_path: Path) -> None:
    net = 'name: "n" input: "x" input_dim: 1 input_dim: 16 input_dim: 4 input_dim: 4\n'
    net += 'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }\n'
    (tmp_path / "net.prototxt").write_text(net)
    found, _ = aligned(tmp_path, tmp_path / "net.prototxt", [DATA, Offline("Relu", "r", ["x"])])
    assert [(name, row.kind, row.holder) for name, row in found.items()] == [("x:0", EXACT, "x"), ("x", EXACT, "r")]


def test_operators_of_one_name_are_not_told_apart(tmp_path: Path) -> None:
    """A node may be called as ATC calls another one that has no name, and two nodes alike."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"], name="Relu_0"),
        helper.make_node("Abs", ["b"], ["c"], name="c"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "net", [info("x", 1, SHAPE)], [info("c", 1, SHAPE)])
    onnx.save(onnx_model(graph), tmp_path / "net.onnx")
    ops = [DATA, Offline("Relu", "Relu_0", ["x"]), Offline("Abs", "c", ["Relu_0"])]
    found, _ = aligned(tmp_path, tmp_path / "net.onnx", ops)
    assert [(found[name].kind) for name in "abc"] == [AMBIGUOUS, AMBIGUOUS, EXACT]
    assert found["a"].reason == "ambiguous: 2 operators or inputs of the model are called `Relu_0`"


@pytest.fixture
def branching(tmp_path: Path) -> Model:
    """`y = If(c, Abs(Relu(x)), Neg(x))`, and an offline model of its input alone."""
    info = helper.make_tensor_value_info
    steps = [helper.make_node("Relu", ["x"], ["p"], name="p"), helper.make_node("Abs", ["p"], ["q"], name="q")]
    then = helper.make_graph(steps, "then", [], [info("q", 1, SHAPE)])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["r"], name="r")], "else", [], [info("r", 1, SHAPE)])
    node = helper.make_node("If", ["c"], ["y"], name="if", then_branch=then, else_branch=other)
    inputs = [info("c", onnx.TensorProto.BOOL, []), info("x", 1, SHAPE)]
    onnx.save(onnx_model(helper.make_graph([node], "net", inputs, [info("y", 1, SHAPE)])), tmp_path / "net.onnx")
    model = subcut.load(tmp_path / "net.onnx")
    attach(model, TwinOptions(om(tmp_path / "net.om", [DATA])))
    return model


def test_tensors_of_a_body_have_rows_too(branching: Model) -> None:
    standard("from p to q", align=True).run(branching)
    assert branching.alignment is not None
    found = {row.value.name: (row.kind, row.reason) for row in branching.alignment.rows}
    reason = "not looked for: it is inside a body or a function, and the main graph only is aligned"
    assert found == {"x": (EXACT, "exact: unchanged name"), "p": (ABSENT, reason), "q": (ABSENT, reason)}


@pytest.mark.parametrize("more", ["from p to q; snap outward", "from p to q"])
def test_a_cut_in_a_body_is_not_taken_for_aligned(more: str, branching: Model) -> None:
    with pytest.raises(UserError) as refused:
        standard(more, align=True, strict=True).run(branching)
    assert refused.value.code == "not-aligned"


def test_pieces_of_one_operator_are_its_whole_tensor(tmp_path: Path) -> None:
    """Cut along the height; each piece's record, like the offline model, states the piece's shape."""
    model = network(tmp_path, ("Relu", ["x"], ["a"]))
    piece = (1, 2, 2, 4)
    out = Out(layout="NCHW", shape=piece, origin_shape=piece)
    ops = [DATA, *(Offline("R", f"a_lxslice{n}", ["x"], outputs=[out]) for n in (0, 1))]
    said = {"threadMode": 0, "slice_instance_num": 2, "outputCutList": [[1, 1, 2, 1]], "inputCutList": [[1, 1, 2, 1]]}
    folder = tmp_path / "d"
    folder.mkdir()
    for n in (0, 1):
        attributes = {"_sgt_json_info": json.dumps(said)}
        made = NewDump(f"a_lxslice{n}", [], [tensor(n + 1, piece)], T0, attributes=attributes)
        write_dump(folder / make_name("R", f"a_lxslice{n}", 1, T0), made)
    found, twin = aligned(tmp_path, model, ops, folder)
    row = found["a"]
    assert row.kind == EXACT
    assert row.stored is not None
    assert twin.dumps is not None
    assert len(twin.dumps.files_of(row.stored)) == 2
    array = read_numbers(row, twin.dumps)
    assert array[0, 0, :, 0].tolist() == [1, 1, 2, 2]
    assert array.shape == (1, 2, 4, 4)
