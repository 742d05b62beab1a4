"""`subcut emulate` as a user meets it: files, options, the same bytes twice, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import contents, names, subcut
from support.emulated import Node, net, normal
from support.models import DIGITS, digits, fetched, shared

from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import UserError
from subcut.emulator import DumpOptions, emulate

SAMPLES = DIGITS / "samples.npz"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    nodes = [
        Node("Conv", ["x", "w"], ["a"], "block/a.b", kernel_shape=[1, 1]),
        Node("Sigmoid", ["a"], ["y"], "y"),
    ]
    return net(tmp_path / "small.onnx", nodes, (1, 3, 2, 2), ["y"], {"w": normal(1, 4, 3, 1, 1)})


def test_what_is_written_and_said(tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = subcut("emulate", digits("prototxt"), "--input", SAMPLES, "-o", out).stdout
    assert "res2a_branch1  <-  res2a_branch1, bn2a_branch1, scale2a_branch1\n" in told
    assert told.endswith(f"Offline model: {out / 'digits.om'}\nDumps: {out}/dumps/20231114221320/0/digits/1/0\n")
    assert names(out) == ["digits.json", "digits.om", "dumps", "manifest.json"]
    listed = subcut("list", out / "digits.om").stdout
    assert "conv1conv1_relu" in listed


def test_the_same_command_writes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    one, two, three = (
        emulate(small, None, tmp_path / name, seed=seed) for name, seed in zip("abc", (1, 1, 2), strict=True)
    )
    assert contents(one.folder) == contents(two.folder)
    assert contents(one.folder).keys().isdisjoint({name for name in contents(three.folder) if name.startswith("dumps")})
    told = subcut("emulate", small, "--seed", 1, "-o", tmp_path / "d", "-q").stdout
    assert told == ""
    assert contents(tmp_path / "d") == contents(one.folder)


def test_inputs_by_name_and_without(small: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", normal(5, 1, 3, 2, 2))
    np.savez(tmp_path / "x.npz", x=normal(5, 1, 3, 2, 2))
    for number, given in enumerate([tmp_path / "x.npy", f"x={tmp_path / 'x.npy'}", tmp_path / "x.npz"]):
        subcut("emulate", small, "--input", given, "-o", tmp_path / f"{number}", "-q")
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "2")


def test_json(small: Path, tmp_path: Path) -> None:
    told = json.loads(subcut("emulate", small, "-o", tmp_path / "out", "--json", "--name", "other").stdout)
    assert told["om"] == str(tmp_path / "out" / "other.om")
    assert told["groups"] == {"block/a.b": ["block/a.b"], "y": ["y"]}


def test_an_existing_folder_is_only_replaced_when_told_to(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subcut("emulate", small, "-o", out, "-q")
    assert "error[folder-exists]" in subcut("emulate", small, "-o", out, code=1).stderr
    subcut("emulate", small, "-o", out, "-q", "--force", "--name", "again")
    assert "again.om" in names(out)
    assert "small.om" not in names(out)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "file").touch()
    assert "error[not-a-result-folder]" in subcut("emulate", small, "-o", tmp_path / "own", "--force", code=1).stderr


@pytest.mark.parametrize(("mode", "inputs", "outputs"), [("all", 2, 1), ("input", 2, 0), ("output", 0, 1)])
def test_dump_modes(mode: str, inputs: int, outputs: int, small: Path, tmp_path: Path) -> None:
    made = emulate(small, None, tmp_path / "out", dump=DumpOptions(mode=mode))
    [entry] = DumpTree.open(made.dumps).find("block/a.b")
    dump = read_dump(entry.path)
    assert (len(dump.inputs), len(dump.outputs)) == (inputs, outputs)
    assert dump.op_name == "block/a.b"
    assert entry.path.name == "Conv2D.block_a_b.3.0.1700000000003000"


@pytest.mark.parametrize("form", ["big", "protobuf", "nano"])
def test_dump_forms_hold_the_same(form: str, small: Path, tmp_path: Path) -> None:
    made = emulate(small, None, tmp_path / "out", dump=DumpOptions(form=form))
    plain = emulate(small, None, tmp_path / "plain")
    for file in DumpTree.open(made.dumps).files():
        dump, other = read_dump(file.path), read_dump(plain.dumps / file.path.name)
        assert dump.form == form
        for one, two in zip([*dump.inputs, *dump.outputs], [*other.inputs, *other.outputs], strict=True):
            assert one.data.bytes() == two.data.bytes()
            assert (one.type_name, one.layout, one.shape, one.original_shape) == (
                two.type_name, two.layout, two.shape, two.original_shape
            )  # fmt: skip


def test_names_of_older_devices_and_hashed_names(small: Path, tmp_path: Path) -> None:
    made = emulate(small, None, tmp_path / "out", dump=DumpOptions(stream=False, hashed=36))
    tree = DumpTree.open(made.dumps)
    assert "mapping.csv" in names(made.dumps)
    [entry] = tree.find("block/a.b")
    assert entry.name.stream is None
    [hashed] = tree.find("trans_TransData_1")
    assert hashed.path.name.isdigit()
    assert read_dump(hashed.path).op_name == "trans_TransData_1"


def test_refused(small: Path, tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("unknown-input", {"inputs": {"y": normal(0, 1)}}),
        ("wrong-input", {"inputs": {"x": normal(0, 3, 2)}}),
        ("wrong-input", {"inputs": {"x": np.array([["a"]])}}),
        ("bad-arguments", {"precision": "fp8"}),
        ("bad-arguments", {"dump": DumpOptions(mode="some")}),
        ("bad-arguments", {"dump": DumpOptions(form="xml")}),
        ("bad-arguments", {"seed": -1}),
        ("bad-name", {"name": "../up"}),
        ("bad-name", {"name": ".."}),
    ]
    for code, given in cases:
        with pytest.raises(UserError) as caught:
            emulate(small, folder=tmp_path / "out", **given)
        assert caught.value.code == code
    assert names(tmp_path) == ["small.onnx"]


def test_what_is_an_offline_model_already(small: Path, tmp_path: Path) -> None:
    made = emulate(small, None, tmp_path / "out")
    for path in (made.om, made.json):
        told = subcut("emulate", path, "-o", tmp_path / "again", code=1).stderr
        assert "error[not-an-original]" in told


def test_sizes_that_the_model_leaves_open_must_be_given(tmp_path: Path) -> None:
    path = net(tmp_path / "net.onnx", [Node("Relu", ["x"], ["y"], "y")], ("n", "k"), ["y"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a device runs models of fixed sizes") as caught:
        emulate(path, None, tmp_path / "out")
    assert caught.value.code == "cannot-feed"
    assert emulate(path, {"x": normal(0, 2, 5)}, tmp_path / "out").outputs["y"].shape == (2, 5)


def test_control_flow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`If_0` \(If\) decides while it runs") as caught:
        emulate(fetched("silero_vad/silero_vad.onnx"), None, tmp_path / "out")
    assert caught.value.code == "not-emulated"
    with pytest.raises(UserError) as caught:
        emulate(shared("tensorflow/CRNN_S.pb"), None, tmp_path / "out")
    assert caught.value.code == "not-emulated"
    assert names(tmp_path) == []


def test_a_cut_takes_its_tensors_from_the_emulated_device(tmp_path: Path) -> None:
    made = tmp_path / "emulated"
    subcut("emulate", digits("prototxt"), "--input", SAMPLES, "-o", made, "-q")
    options = ["--om", made / "digits.om", "--dump", made / "dumps", "-o", tmp_path / "cut"]
    told = subcut(digits("prototxt"), "from pool1 to res2a_relu", *options).stdout
    assert "Dump Layer:[res2a_branch2b, bn2a_branch2b, scale2a_branch2b, res2a, res2a_relu]" in told
    assert "Output File:Conv2D.res2a_branch2bres2ares2a_relu.7.0.1700000000007000" in told
    assert np.load(tmp_path / "cut" / "inputs" / "conv1.npy").shape == (10, 16, 8, 8)
