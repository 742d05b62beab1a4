"""Which operators the device runs as one, and what the offline model says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.emulated import Node, net, norm, normal, offline, running
from support.models import DIGITS, digits, shared

from subcut.compiler.formats.ascend.offline import OfflineOp, read_offline
from subcut.compiler.number_files import read_npz
from subcut.emulator import DumpOptions, emulate

SILENT = DumpOptions(mode="none")


def groups(path: Path, folder: Path, inputs: dict[str, Any] | None = None) -> dict[str, list[str]]:
    """The device's operators and the original ones that each covers, as the offline model says it."""
    made = emulate(path, inputs, folder, dump=SILENT)
    found = {op.name: list(op.original_names or (op.name,)) for op in running(offline(made))}
    assert {name: sorted(names) for name, names in made.groups.items()} == {k: sorted(v) for k, v in found.items()}
    return found


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_one_network_in_three_formats(ending: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    found = groups(digits(ending), tmp_path / "out", samples)
    affine = ("bn_", "bn2a_", "scale_", "scale2a_")
    bare = [[name for name in names if not name.startswith(affine)] for names in found.values()]
    expected = [
        ["conv1", "conv1_relu"],
        ["pool1"],
        ["res2a_branch1"],
        ["res2a_branch2a", "res2a_branch2a_relu"],
        ["res2a_branch2b", "res2a", "res2a_relu"],
        ["pool5"],
        ["fc10"] if ending != "pb" else ["fc10", "fc10/product"],
        ["prob"],
    ]
    assert bare == expected
    named = [name for name in found if name.startswith(("conv", "res"))]
    assert named == [
        "conv1conv1_relu",
        "res2a_branch1",
        "res2a_branch2ares2a_branch2a_relu",
        "res2a_branch2bres2ares2a_relu",
    ]
    covered = {name for names in found.values() for name in names}
    assert {"bn_conv1", "bn2a_branch1", "bn2a_branch2b"} <= covered


def test_as_atc_fused_the_real_model(tmp_path: Path) -> None:
    made = emulate(shared("ascend/hh/hh.pb"), None, tmp_path / "hh", dump=SILENT)
    ours = {op.name: op for op in running(offline(made))}
    theirs = {op.name: op for op in running(read_offline(shared("ascend/hh/hh_om.om")))}
    theirs = {name: op for name, op in theirs.items() if op.type not in ("AtomicAddrClean", "Send", "Recv")}
    assert set(ours) == set(theirs)
    # ATC calls everything by one name that another processor runs.
    other_type = {"random_normal/RandomStandardNormal"}
    for name, op in theirs.items():
        assert ours[name].original_names == op.original_names, name
        assert (ours[name].type == op.type) == (name not in other_type), name
        read = [[(t.type_name, t.layout, t.shape) for t in one.input_tensors] for one in (ours[name], op)]
        assert read[0] == read[1], name
        for mine, real in zip(ours[name].outputs, op.outputs, strict=True):
            told = (mine.origin_name, mine.origin_index, mine.dump_layout, mine.dump_type_name, mine.fusion_name)
            assert told == (
                real.origin_name, real.origin_index, real.dump_layout, real.dump_type_name, real.fusion_name
            )  # fmt: skip
            assert (mine.type_name, mine.origin_layout, mine.origin_shape) == (
                real.type_name, real.origin_layout, real.origin_shape
            )  # fmt: skip
            assert (mine.layout, mine.shape) == (real.layout, real.shape), name


def test_the_real_models_weights_have_the_same_layouts(tmp_path: Path) -> None:
    made = emulate(shared("ascend/hh/hh.pb"), None, tmp_path / "hh", dump=SILENT)

    def stored(ops: list[OfflineOp]) -> list[Any]:
        outputs = [op.outputs[0] for op in ops if op.type == "Const"]
        return sorted((o.type_name, o.layout, o.shape, o.origin_layout) for o in outputs if len(o.shape) == 4)

    assert stored(offline(made).ops) == stored(read_offline(shared("ascend/hh/hh_om.om")).ops)


def conv(out: str, source: str = "x", weights: str = "w", **more: Any) -> Any:
    return Node("Conv", [source, weights], [out], out, kernel_shape=[3, 3], pads=[1] * 4, **more)


def branches(tmp_path: Path, nodes: list[Any], outputs: list[str], **stored: Any) -> dict[str, list[str]]:
    weights = {"w": normal(1, 8, 8, 3, 3), **stored}
    return groups(net(tmp_path / "net.onnx", nodes, (1, 8, 6, 6), outputs, weights), tmp_path / "out")


def test_of_two_branches_the_later_one_takes_the_sum(tmp_path: Path) -> None:
    nodes = [conv("a"), conv("b"), Node("Add", ["a", "b"], ["s"], "s"), Node("Relu", ["s"], ["r"], "r")]
    assert branches(tmp_path, nodes, ["r"]) == {"a": ["a"], "bsr": ["b", "s", "r"]}


def test_what_somebody_else_reads_is_not_fused(tmp_path: Path) -> None:
    nodes = [conv("a"), Node("Relu", ["a"], ["r"], "r"), Node("Sigmoid", ["a"], ["g"], "g")]
    assert branches(tmp_path, nodes, ["r", "g"]) == {"a": ["a"], "r": ["r"], "g": ["g"]}


def test_an_output_of_the_model_is_stored(tmp_path: Path) -> None:
    nodes = [conv("a"), Node("Relu", ["a"], ["r"], "r")]
    assert branches(tmp_path, nodes, ["a", "r"]) == {"a": ["a"], "r": ["r"]}


def test_a_sum_of_what_is_no_convolution_fuses_what_follows(tmp_path: Path) -> None:
    pool = Node("MaxPool", ["x"], ["p"], "p", kernel_shape=[3, 3], pads=[1] * 4)
    nodes = [pool, Node("Add", ["p", "p"], ["s"], "s"), Node("Relu", ["s"], ["r"], "r")]
    assert branches(tmp_path, nodes, ["r"]) == {"p": ["p"], "sr": ["s", "r"]}


def test_affine_operators_fold_into_the_weights(tmp_path: Path) -> None:
    per_channel = normal(3, 1, 8, 1, 1)
    nodes = [
        conv("a"),
        Node("BatchNormalization", ["a", "g", "b", "m", "v"], ["n"], "n"),
        Node("Mul", ["n", "c"], ["k"], "k"),
        Node("Add", ["c", "k"], ["d"], "d"),
        Node("Relu", ["d"], ["r"], "r"),
    ]
    bn = dict(zip("gbmv", norm(2, 8), strict=True))
    found = branches(tmp_path, nodes, ["r"], c=per_channel, **bn)
    # A sum of stored numbers is a bias, which the graph engine lists in front.
    assert found == {"ar": ["d", "a", "n", "k", "r"]}


def test_numbers_that_differ_in_place_do_not_fold(tmp_path: Path) -> None:
    nodes = [conv("a"), Node("Mul", ["a", "c"], ["k"], "k")]
    assert branches(tmp_path, nodes, ["k"], c=normal(3, 1, 8, 6, 6)) == {"ak": ["a", "k"]}


def test_shape_arithmetic_disappears(tmp_path: Path) -> None:
    nodes = [
        Node("Relu", ["x"], ["r"], "r"),
        Node("Shape", ["r"], ["shape"], "shape"),
        Node("Gather", ["shape", "zero"], ["first"], "first"),
        Node("Concat", ["first", "rest"], ["to"], "to", axis=0),
        Node("Reshape", ["r", "to"], ["flat"], "flat"),
        Node("Softmax", ["flat"], ["y"], "y"),
    ]
    stored = {"zero": np.array([0]), "rest": np.array([-1])}
    found = groups(net(tmp_path / "net.onnx", nodes, (2, 3, 4, 4), ["y"], stored), tmp_path / "out")
    assert found == {"r": ["r"], "y": ["y"]}


def test_what_no_output_needs_disappears(tmp_path: Path) -> None:
    assert branches(tmp_path, [conv("a"), conv("b"), Node("Relu", ["b"], ["r"], "r")], ["a"]) == {"a": ["a"]}


def test_nodes_without_a_name_get_one(tmp_path: Path) -> None:
    nodes = [Node("Relu", ["x"], ["a"]), Node("Sigmoid", ["a"], ["b"])]
    found = groups(net(tmp_path / "net.onnx", nodes, (1, 4), ["b"]), tmp_path / "out")
    assert found == {"Relu_0": ["Relu_0"], "Sigmoid_1": ["Sigmoid_1"]}


def test_a_bias_behind_a_matrix_product_folds_and_a_factor_does_not(tmp_path: Path) -> None:
    nodes = [
        Node("MatMul", ["x", "w"], ["a"], "a"),
        Node("Add", ["a", "b"], ["s"], "s"),
        Node("Mul", ["s", "b"], ["k"], "k"),
        Node("Relu", ["k"], ["r"], "r"),
    ]
    stored = {"w": normal(1, 5, 7), "b": normal(2, 7)}
    found = groups(net(tmp_path / "net.onnx", nodes, (3, 5), ["r"], stored), tmp_path / "out")
    assert found == {"ak": ["s", "a", "k"], "r": ["r"]}


def test_the_json_says_what_the_offline_model_says(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), read_npz(DIGITS / "samples.npz"), tmp_path / "out", dump=SILENT)
    om, text = read_offline(made.om), read_offline(made.json)
    assert [op.name for op in om.ops] == [op.name for op in text.ops]
    assert om.ops == text.ops
    assert om.framework == "Onnx"
    assert om.output_names == ("prob:0",)
    assert om.command == (
        "atc --model=digits.onnx --framework=5 --output=digits --soc_version=Ascend310 --input_shape=data:10,1,8,8"
    )
