"""The reason of a row, one rule after another, on offline models made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from support.offline import Offline, Out, om
from support.onnx_graphs import model as onnx_model

import subcut
from subcut.compiler.alignment.numbers import read_numbers, shape_is_known
from subcut.compiler.alignment.twin import Twin, TwinOptions, attach
from subcut.compiler.device.dumps.names import make_name
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.ir.alignment import ABSENT, AMBIGUOUS, CONSTANT, EXACT, GUESS, INSIDE, QUANTISED, Row
from subcut.compiler.ir.types import TensorType

DATA = Offline("Data", "x", [""], outputs=[Out(layout="NCHW", shape=(1, 16, 4, 4))])
T0 = 1_700_000_000_000_000


def chain(folder: Path, *ops: tuple[str, str], names: bool = True) -> Path:
    """An ONNX model `x → op → op …`, each operator named as its output is."""
    tensors = ["x", *(name for _, name in ops)]
    nodes = [
        helper.make_node(type, [tensors[i]], [name], name=name if names else "") for i, (type, name) in enumerate(ops)
    ]
    path = folder / "net.onnx"
    saved(nodes, tensors[-1], path)
    return path


def saved(nodes: list[Any], output: str, path: Path, weights: Sequence[Any] = ()) -> None:
    x = helper.make_tensor_value_info("x", 1, [1, 16, 4, 4])
    y = helper.make_tensor_value_info(output, 1, None)
    onnx.save(onnx_model(helper.make_graph(nodes, "net", [x], [y], list(weights))), path)


def rows(model: Path, ops: list[Offline], folder: Path, dumps: Path | None = None) -> tuple[dict[str, Row], Twin]:
    twin = attach(subcut.load(model), TwinOptions(om(folder / "net.om", ops), dumps))
    found = {value.name: row for value in twin.rows if (row := twin.row(value)) is not None}
    return found, twin


def dump(folder: Path, op: str, *, inputs: int = 0, outputs: int = 1, time: int = T0) -> Path:
    """A dump file whose tensors are full of ones (inputs) and twos (outputs)."""
    folder.mkdir(parents=True, exist_ok=True)

    def tensors(count: int, number: float) -> list[NewTensor]:
        array = np.full((1, 1, 4, 4, 16), number, np.float16)
        return [NewTensor(array, "FLOAT16", "NC1HWC0", array.shape, (1, 16, 4, 4))] * count

    path = folder / make_name("T", op, 1, time)
    write_dump(path, NewDump(op, tensors(inputs, 1), tensors(outputs, 2), time))
    return path


def test_nodes_without_a_name_are_called_as_the_compiler_calls_them(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("Abs", "b"), names=False)
    found, _ = rows(model, [DATA, Offline("Relu", "Relu_0", ["x"]), Offline("Abs", "Abs_1", ["Relu_0"])], tmp_path)
    assert [(found[name].kind, found[name].holder) for name in "xab"] == [
        (EXACT, "x"),
        (EXACT, "Relu_0"),
        (EXACT, "Abs_1"),
    ]


def test_what_only_reshapes_may_be_gone(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("Flatten", "b"), ("Abs", "c"))
    found, _ = rows(model, [DATA, Offline("Relu", "a", ["x"]), Offline("Abs", "c", ["a"])], tmp_path)
    assert found["b"].kind == EXACT
    assert found["b"].holder == "a"
    assert "the compiler removed `b`, which only reshapes it" in found["b"].reason


def test_what_was_reshaped_has_its_own_shape_or_is_not_given_out(tmp_path: Path) -> None:
    """Not that of what it was made of, which another model would be needed for."""
    model = chain(tmp_path, ("Relu", "a"), ("Flatten", "b"), ("Identity", "c"), ("Abs", "d"))
    dump(tmp_path / "dumps", "a")
    found, twin = rows(
        model, [DATA, Offline("Relu", "a", ["x"]), Offline("Abs", "d", ["a"])], tmp_path, tmp_path / "dumps"
    )
    row = found["c"]
    for shape in [(1, 256), ("N", 256), (1, None)]:
        row.value.type = TensorType("f32", shape)
        array = read_numbers(row, twin.dumps)
        assert (array.shape, shape_is_known(row, array)) == ((1, 256), True)
    for shape in [None, ("N", "C"), (7, "C")]:
        row.value.type = TensorType("f32", shape)
        assert not shape_is_known(row, read_numbers(row, twin.dumps))
    row.value.type = TensorType("f32", (10, 256))
    with pytest.raises(LayoutError):
        read_numbers(row, twin.dumps)


def test_dumps_of_another_model_are_no_numbers_of_this_one(tmp_path: Path) -> None:
    """Operators are often called alike; the dump says (1, 16, 4, 4)."""
    model = chain(tmp_path, ("Relu", "a"))
    dump(tmp_path / "dumps", "a")
    out = Out(origin_shape=(1, 24, 4, 4))
    found, twin = rows(model, [DATA, Offline("Relu", "a", ["x"], outputs=[out])], tmp_path, tmp_path / "dumps")
    with pytest.raises(LayoutError, match=r"\(1, 16, 4, 4\) is stored, and \(1, 24, 4, 4\) in the offline model"):
        read_numbers(found["a"], twin.dumps)


def test_what_is_gone_is_said_to_be(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("Abs", "b"))
    found, _ = rows(model, [DATA, Offline("Abs", "b", ["x"])], tmp_path)
    assert (found["a"].kind, found["a"].reason) == (ABSENT, "removed by the compiler: nothing offline covers `a`")


def test_the_one_tensor_that_leaves_a_fused_operator(tmp_path: Path) -> None:
    """Older compilers did not say what an output holds; where one tensor leaves, there is no doubt."""
    model = chain(tmp_path, ("Relu", "a"), ("Abs", "b"), ("Neg", "c"))
    fused = Offline("Fused", "ab", ["x"], ["a", "b"])
    found, _ = rows(model, [DATA, fused, Offline("Neg", "c", ["ab"])], tmp_path)
    assert (found["a"].kind, found["a"].reason) == (INSIDE, "inside fused operator `ab`: never stored")
    assert (found["b"].kind, found["b"].reason) == (EXACT, "exact: the one tensor that leaves `ab`")


def test_several_claims_are_ambiguous(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"))
    twice = [Offline("R", "r1", ["x"], ["a"], [Out("a")]), Offline("R", "r2", ["x"], ["a"], [Out("a")])]
    found, _ = rows(model, [DATA, *twice], tmp_path)
    assert (found["a"].kind, found["a"].reason) == (AMBIGUOUS, "ambiguous: `r1:0`, `r2:0` all claim to hold it")


def test_integers_that_stand_for_floats_are_no_tensor_of_the_original(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("Abs", "b"))
    int8 = Offline("R", "a", ["x"], outputs=[Out(type_name="INT8")])
    found, _ = rows(model, [DATA, int8, Offline("Abs", "b", ["a"])], tmp_path)
    assert (found["a"].kind, found["a"].reason) == (QUANTISED, "quantised before dequant: `a` holds INT8")


def test_sums_of_integers_before_dequantisation(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("Abs", "b"))
    sums = Offline("R", "a", ["x"], outputs=[Out(type_name="INT32")])
    ops = [DATA, sums, Offline("AscendDequant", "d", ["a"], []), Offline("A", "b", ["d"])]
    found, _ = rows(model, ops, tmp_path)
    assert (found["a"].kind, found["b"].kind) == (QUANTISED, EXACT)
    found, _ = rows(model, [DATA, sums, Offline("A", "b", ["a"])], tmp_path)
    assert found["a"].kind == EXACT


def test_a_quantised_model_wants_to_know_of_what(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"))
    _, twin = rows(model, [DATA, Offline("AscendQuant", "q", ["x"], []), Offline("Relu", "a", ["q"])], tmp_path)
    assert twin.warnings() == ["the offline model is quantised (1 AscendQuant): `--quant` says of what, exactly"]


def test_an_image_that_the_device_preprocesses(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"))
    image = Offline("Data", "x", [""], outputs=[Out(type_name="UINT8", layout="NHWC")])
    with_aipp, _ = rows(
        model, [image, Offline("Aipp", "aipp_0", ["x"], [], DATA.outputs), Offline("Relu", "a", ["aipp_0"])], tmp_path
    )
    assert (with_aipp["x"].holder, with_aipp["x"].reason) == ("aipp_0", "exact: the input after AIPP")
    assert (with_aipp["x"].layout, with_aipp["x"].shape) == ("NCHW", (1, 16, 4, 4))
    without, _ = rows(model, [image, Offline("Relu", "a", ["x"])], tmp_path)
    assert (without["x"].kind, without["x"].reason) == (
        QUANTISED,
        "the device is fed UINT8, which it preprocesses (AIPP)",
    )


def test_layers_of_one_name(tmp_path: Path) -> None:
    """The compiler numbers them; so does in-place: each write of a blob is the tensor of its own layer."""
    net = 'name: "n" input: "x" input_dim: 1 input_dim: 16 input_dim: 4 input_dim: 4\n'
    net += 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }\n'
    net += 'layer { name: "r" type: "ReLU" bottom: "y" top: "y" }\n'
    (tmp_path / "net.prototxt").write_text(net)
    ops = [DATA, Offline("Relu", "r", ["x"]), Offline("Relu", "r_same_1", ["r"])]
    found, _ = rows(tmp_path / "net.prototxt", ops, tmp_path)
    assert [(name, row.holder) for name, row in found.items()] == [("x", "x"), ("y:0", "r"), ("y", "r_same_1")]


def test_shape_says_what_no_name_does(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("GlobalAveragePool", "b"), ("Abs", "c"))
    ops = [
        DATA,
        Offline("R", "hash1", ["x"], ["gone1"]),
        Offline("P", "hash2", ["hash1"], ["gone2"], [Out(origin_shape=(1, 16, 1, 1), shape=(1, 1, 1, 1, 16))]),
        Offline("A", "c", ["hash2"], outputs=[Out(origin_shape=(1, 16, 1, 1), shape=(1, 1, 1, 1, 16))]),
    ]
    loaded = subcut.load(model)
    loaded.dialect.infer(loaded, list(loaded.main.values()))
    twin = attach(loaded, TwinOptions(om(tmp_path / "net.om", ops)))
    found = {value.name: row for value, row in twin.rows.items()}
    assert (found["a"].kind, found["a"].holder) == (GUESS, "hash1")
    assert found["a"].reason.startswith("guess: the one tensor of shape 1x16x4x4")
    assert (found["b"].kind, found["b"].holder) == (GUESS, "hash2")
    assert (found["c"].kind, found["c"].holder) == (EXACT, "c")


def test_numbers_say_what_shape_does_not(tmp_path: Path) -> None:
    model = chain(tmp_path, ("Relu", "a"), ("Abs", "b"))
    ops = [DATA, Offline("R", "h1", ["x"], ["gone1"]), Offline("A", "h2", ["h1"], ["gone2"])]
    tree, golden = tmp_path / "20260101000000/0/net/1/0", tmp_path / "golden"
    tree.mkdir(parents=True)
    golden.mkdir()
    rng = np.random.default_rng(1)
    for op, original, scale in (("h1", "b", 5.0), ("h2", "a", 1.0)):
        truth = rng.normal(scale=scale, size=(1, 16, 4, 4)).astype(np.float32)
        np.save(golden / f"{original}.0.{T0}.npy", truth)
        array = truth.transpose(0, 2, 3, 1)[:, None].astype(np.float16)
        tensor = NewTensor(np.ascontiguousarray(array), "FLOAT16", "NC1HWC0", array.shape, (1, 16, 4, 4))
        write_dump(tree / make_name("T", op, 1, T0), NewDump(op, [], [tensor], T0))
    options = TwinOptions(om(tmp_path / "net.om", ops), tmp_path / "20260101000000", golden=golden)
    twin = attach(subcut.load(model), options)
    found = {value.name: twin.row(value) for value in twin.rows}
    assert [(row.kind, row.holder) for name in "ab" if (row := found[name])] == [(GUESS, "h2"), (GUESS, "h1")]


def test_constants_have_rows_that_say_so(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((16, 16, 1, 1), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    saved([node], "y", tmp_path / "net.onnx", [weight])
    found, _ = rows(tmp_path / "net.onnx", [DATA, Offline("Conv2D", "conv", ["x"])], tmp_path)
    assert (found["w"].kind, found["y"].kind) == (CONSTANT, EXACT)


CHAIN = [
    DATA,
    Offline("TransData", "t0", ["x"], []),
    Offline("Relu", "a", ["t0"]),
    Offline("TransData", "t1", ["a"], []),
    Offline("Abs", "b", ["t1"]),
]


def stored(folder: Path, *dumps: tuple[str, int, int, int]) -> dict[str, Row]:
    model = chain(folder, ("Relu", "a"), ("Abs", "b"))
    tree = folder / "20260101000000/0/net/1/0"
    for op, inputs, outputs, time in dumps:
        dump(tree, op, inputs=inputs, outputs=outputs, time=T0 + time)
    return rows(model, CHAIN, folder, folder / "20260101000000")[0]


def test_the_producer_s_file_has_the_tensor(tmp_path: Path) -> None:
    row = stored(tmp_path, ("a", 1, 1, 0), ("b", 1, 1, 1))["a"]
    assert row.stored is not None
    assert (row.stored.path.name.split(".")[1], row.stored.direction, row.stored.note) == ("a", "output", "")


@pytest.mark.parametrize("reader", ["t1", "b"])
def test_else_the_stored_input_of_who_reads_it(reader: str, tmp_path: Path) -> None:
    """Also behind what the compiler inserted, which passes the same numbers on."""
    row = stored(tmp_path, (reader, 1, 1, 0))["a"]
    assert row.stored is not None
    assert (row.stored.path.name.split(".")[1], row.stored.direction) == (reader, "input")
    assert row.stored.note == f"as the stored input 0 of `{reader}`, which reads it"


def test_of_several_runs_the_last(tmp_path: Path) -> None:
    row = stored(tmp_path, ("a", 0, 1, 0), ("a", 0, 1, 5))["a"]
    assert row.stored is not None
    assert row.stored.path.name.endswith(str(T0 + 5))
    assert row.stored.note == "the last of 2 runs of `a`"


def test_dump_modes_are_recognised(tmp_path: Path) -> None:
    only_out = stored(tmp_path / "1", ("b", 0, 1, 0))["a"] if (tmp_path / "1").mkdir() is None else None
    assert only_out is not None
    assert only_out.missing == "no dump file of `a`, and those that read it have no inputs: dump mode was output"
    (tmp_path / "2").mkdir()
    only_in = stored(tmp_path / "2", ("a", 1, 0, 0))
    assert only_in["a"].missing == "the dump of `a` has inputs only: dump mode was input"
    assert only_in["x"].stored is not None
    assert only_in["b"].missing == "no dump file of `b`, nor of who reads it"


def test_a_damaged_dump_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "20260101000000/0/net/1/0").mkdir(parents=True)
    (tmp_path / "20260101000000/0/net/1/0" / make_name("T", "a", 1, T0)).write_bytes(b"\xff" * 64)
    row = stored(tmp_path, ("b", 0, 1, 0))["a"]
    assert row.missing == "the dump file of `a` is damaged"
