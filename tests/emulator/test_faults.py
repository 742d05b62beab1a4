"""A fault changes what the operator that has it makes, and what follows from that, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.emulated import Node, net, normal, offline, tensors
from support.models import DIGITS, digits

from subcut.compiler.device.dumps.overflow import read_overflows
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import UserError
from subcut.compiler.number_files import read_npz
from subcut.emulator import DumpOptions, Emulated, emulate
from subcut.emulator.faults import KINDS

FAULTY = "res2a_branch2a"
"""An operator of the digits' residual block; `res2a_branch1` is beside it, `pool1` before it."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Emulated:
    return run(tmp_path_factory.mktemp("good"))


def run(folder: Path, *faults: str) -> Emulated:
    samples = read_npz(DIGITS / "samples.npz")
    return emulate(digits("onnx"), samples, folder / "out", faults=faults)


def downstream(made: Emulated, name: str) -> set[str]:
    """The device's operators that depend on one of them, itself included."""
    found = {name}
    for op in offline(made).ops:  # in the order in which they run
        if any(edge.rpartition(":")[0] in found for edge in op.inputs):
            found.add(op.name)
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "int8"])
def test_a_fault_spoils_what_follows_and_nothing_else(kind: str, good: Emulated, tmp_path: Path) -> None:
    bad = run(tmp_path, f"{FAULTY}:{kind}")
    name = next(name for name, originals in bad.groups.items() if FAULTY in originals)
    before, after = tensors(good), tensors(bad)
    assert before.keys() == after.keys()
    spoilt = {key for key in before if not np.array_equal(before[key], after[key], equal_nan=True)}
    outputs = {key for key in spoilt if key[1] == "output"}
    followers = downstream(good, name)
    assert (name, "output", 0) in spoilt
    assert {key[0] for key in outputs} <= followers
    assert {op for op in followers if "res2a" in op} <= {key[0] for key in outputs}
    weights = {(name, "input", 1)} if kind == "weights" else set()
    read = {key for key in spoilt if key[1] == "input"} - weights
    assert all(key[0] in followers - {name} for key in read)
    assert offline(good).ops == offline(bad).ops


def test_what_each_fault_does(good: Emulated, tmp_path: Path) -> None:
    name = next(name for name, originals in good.groups.items() if FAULTY in originals)
    right = tensors(good)[name, "output", 0].astype(np.float32)
    found: dict[str, Any] = {}
    for kind in ("scale", "zero", "nan", "overflow"):
        found[kind] = tensors(run(tmp_path / kind, f"{FAULTY}:{kind}"))[name, "output", 0].astype(np.float32)
    np.testing.assert_array_equal(found["scale"], (right * 1.5).astype(np.float16).astype(np.float32))
    assert not found["zero"].any()
    assert np.flatnonzero(np.isnan(found["nan"])).tolist() == [0]
    assert found["overflow"].max() == 65504


def test_the_wrong_layout_reads_the_same_numbers_in_another_order(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    path = net(tmp_path / "net.onnx", [Node("Relu", ["x"], ["y"], "y")], x.shape, ["y"])
    made = emulate(path, {"x": x}, tmp_path / "out", faults=["y:layout"])
    np.testing.assert_array_equal(made.outputs["y"].ravel(), x.transpose(0, 2, 3, 1).ravel())


def test_an_overflow_is_reported(good: Emulated, tmp_path: Path) -> None:
    bad = run(tmp_path, f"{FAULTY}:overflow")
    assert DumpTree.open(good.dumps).overflows() == []
    tree = DumpTree.open(bad.dumps)
    [entry] = tree.overflows()
    [record] = read_overflows(entry.path)
    assert record.block is not None
    name = next(name for name, originals in bad.groups.items() if FAULTY in originals)
    [dumped] = tree.find(name)
    assert record.block.task == (dumped.name.task, dumped.name.stream)


def test_one_layer_in_eight_bits(good: Emulated, tmp_path: Path) -> None:
    bad = run(tmp_path, f"{FAULTY}:int8")
    kinds = [op.type for op in offline(bad).ops]
    assert kinds.count("AscendQuant") == kinds.count("AscendDequant") == 1
    assert bad.quantised is not None
    assert good.quantised is None
    shared = tensors(good).keys() & tensors(bad).keys()
    before, after = tensors(good), tensors(bad)
    changed = {key[0] for key in shared if not np.array_equal(before[key], after[key])}
    assert changed
    assert not changed & {"conv1conv1_relu", "pool1", "res2a_branch1"}


@pytest.mark.parametrize("kind", ["weights", "layout", "scale", "zero"])
def test_faults_of_quantised_layers(kind: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / "samples.npz")
    right = emulate(digits("onnx"), samples, tmp_path / "right", precision="int8")
    wrong = emulate(digits("onnx"), samples, tmp_path / "wrong", precision="int8", faults=[f"{FAULTY}:{kind}"])
    name = f"{FAULTY}.dequant{FAULTY}_relu"
    before, after = tensors(right), tensors(wrong)
    assert not np.array_equal(before[name, "output", 0], after[name, "output", 0])
    assert np.array_equal(before["pool1", "output", 0], after["pool1", "output", 0])


def test_faults_of_a_fused_operator_by_any_of_its_names(good: Emulated, tmp_path: Path) -> None:
    bad = run(tmp_path, "bn2a_branch2a:zero")
    name = next(name for name, originals in good.groups.items() if FAULTY in originals)
    assert not tensors(bad)[name, "output", 0].any()


@pytest.mark.parametrize(
    ("fault", "code", "help"),
    [
        ("conv1:sacle", "unknown-fault", "did you mean `scale`?"),
        ("conv1", "unknown-fault", "is written `operator:kind`"),
        ("res2a_brunch2a:scale", "unknown-operator", "did you mean `res2a_branch2a`"),
        ("fc10/flat:weights", "cannot-fail", "it has no weights"),
        ("pool1:int8", "cannot-fail", "it has no weights"),
        ("fc10/flat:scale", "cannot-fail", "nothing is computed"),
        ("prob:layout", "cannot-fail", "has 2 dimensions"),
    ],
)
def test_faults_that_cannot_be(fault: str, code: str, help: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        run(tmp_path, fault)
    assert caught.value.code == code
    assert help in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_two_faults_in_one_operator(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has a fault already"):
        run(tmp_path, "conv1:scale", "bn_conv1:zero")


def test_what_is_no_number_is_quantised_to_zero(tmp_path: Path) -> None:
    samples = read_npz(DIGITS / "samples.npz")
    made = emulate(digits("onnx"), samples, tmp_path / "out", faults=["pool1:nan", f"{FAULTY}:int8"])
    found = tensors(made)[f"{FAULTY}.quant", "output", 0]
    assert found.ravel()[0] == 0
    assert found.max() == 127


def test_faults_where_nothing_is_dumped(tmp_path: Path) -> None:
    x = normal(0, 2, 3)
    path = net(tmp_path / "net.onnx", [Node("Relu", ["x"], ["y"], "y")], x.shape, ["y"])
    made = emulate(path, {"x": x}, tmp_path / "out", faults=["y:overflow"], dump=DumpOptions(mode="none"))
    assert not made.dumps.exists()
