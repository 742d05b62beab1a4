"""An export with dumps: which files it takes along, whose numbers it gives out, and what it says comes next."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import names
from support.in_process import subcut
from support.models import digits

import subcut as public
from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.formats import runner
from subcut.compiler.ir.alignment import EXACT
from subcut.emulator.emulate import Emulated, emulate
from subcut.emulator.recorder import DumpOptions

FORMATS = ["prototxt", "pb", "onnx"]
RUNNERS = {"prototxt": "caffe", "pb": "tensorflow", "onnx": "onnx"}
BLOCK = "from pool1 to res2a_relu"
HOLDERS = [
    "conv1conv1_relu",
    "pool1",
    "res2a_branch1",
    "res2a_branch2ares2a_branch2a_relu",
    "res2a_branch2bres2ares2a_relu",
]
"""The one with the start's input, and those that cover the block."""

Devices = dict[str, Emulated]


def export(device: Emulated, ending: str, out: Path, *more: object, selection: str = BLOCK, code: int = 0) -> str:
    given = ["--om", device.om, "--dump", device.dumps, "-o", out, *more]
    done = subcut(digits(ending), selection, *given, code=code)
    return done.stdout if code == 0 else done.stderr


def manifest(out: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((out / "manifest.json").read_text("utf-8"))
    return result


@pytest.mark.parametrize("ending", FORMATS)
def test_the_dump_files_of_the_block_and_of_its_input(ending: str, devices: Devices, tmp_path: Path) -> None:
    export(devices[ending], ending, tmp_path / "out")
    found = sorted(path.name.split(".")[1] for path in (tmp_path / "out/dump_data").iterdir())
    assert found == HOLDERS
    for path in (tmp_path / "out/dump_data").iterdir():
        assert path.read_bytes() == (devices[ending].dumps / path.name).read_bytes()
        assert path.stat().st_nlink == 1
    assert manifest(tmp_path / "out")["dump_data"] == [
        path.name for name in [*HOLDERS[1:], HOLDERS[0]] for path in devices[ending].dumps.glob(f"*.{name}.*")
    ]


@pytest.mark.parametrize("ending", FORMATS)
def test_the_log_names_every_fused_group(ending: str, devices: Devices, tmp_path: Path) -> None:
    told = [line[20:] for line in export(devices[ending], ending, tmp_path / "out").splitlines()]
    scale = "scale2a_branch1" if ending == "prototxt" else ""
    group = ", ".join(filter(None, ["res2a_branch1", "bn2a_branch1", scale]))
    at = told.index(f"Dump Layer:[{group}]")
    assert told[at + 1].startswith("Output File:Conv2D.res2a_branch1.")
    assert told[at + 2].split(".")[1] == "pool1"
    assert told[at + 2].startswith("Input File:")
    assert told.count(f"Output Dump Path:{tmp_path}/out/dump_data") == 1


@pytest.mark.parametrize("ending", FORMATS)
def test_every_aligned_tensor_is_near_the_original_s(ending: str, devices: Devices) -> None:
    """The strongest test of an alignment: the device computed in halves what the framework computes in floats."""
    device, model = devices[ending], public.load(digits(ending))
    twin = attach(model, TwinOptions(device.om, device.dumps))
    aligned = {value.name: row for value in twin.rows if (row := twin.row(value)) and row.kind == EXACT}
    assert all(row.stored for row in aligned.values())
    fed = {value.name: read_numbers(aligned[value.name], twin.dumps) for value in model.dialect.feeds(model)}
    assert len(fed) == 1
    wanted = [name for name in aligned if name not in fed]
    assert len(wanted) >= 8
    results = runner(RUNNERS[ending]).run(public.load(digits(ending)), fed, wanted)
    for name in wanted:
        found = read_numbers(aligned[name], twin.dumps)
        assert found.size == results[name].size
        found = found.reshape(results[name].shape)  # the compiler keeps axes that the original's `Squeeze` drops
        assert np.abs(found - results[name]).max() <= 0.01 * max(1.0, np.abs(results[name]).max()), name


@pytest.mark.parametrize("ending", FORMATS)
def test_the_exported_input_drives_the_cut_to_the_exported_output(
    ending: str, devices: Devices, tmp_path: Path
) -> None:
    export(devices[ending], ending, tmp_path / "out")
    told = manifest(tmp_path / "out")
    cut = public.load(tmp_path / "out" / told["files"][0])
    given, taken = (
        next(record for record in told["numbers"] if record["npy"].startswith(side)) for side in ("inputs", "outputs")
    )
    fed = {given["name"]: np.load(tmp_path / "out" / given["npy"])}
    found = runner(RUNNERS[ending]).run(cut, fed, [taken["name"]])[taken["name"]]
    assert np.abs(found - np.load(tmp_path / "out" / taken["npy"])).max() < 0.02


@pytest.mark.parametrize("ending", FORMATS)
def test_raw_files_have_the_type_that_is_asked_for(ending: str, devices: Devices, tmp_path: Path) -> None:
    for name, dtype in (("float16", np.float16), ("float32", np.float32), ("original", np.float32)):
        export(devices[ending], ending, tmp_path / name, "--bin-dtype", name)
        for record in manifest(tmp_path / name)["numbers"]:
            plain = np.load(tmp_path / name / record["npy"])
            raw = np.fromfile(tmp_path / name / record["bin"], dtype)
            assert np.array_equal(raw, plain.astype(dtype).ravel())
            assert record["bin_type"] == np.dtype(dtype).name
        half = [c for c in manifest(tmp_path / name)["commands"] if "--input_fp16_nodes" in c]
        assert bool(half) == (name == "float16")


def words(command: str) -> dict[str, str]:
    return dict(word.removeprefix("--").split("=", 1) for word in shlex.split(command) if word.startswith("--"))


EXPECTED = {
    "prototxt": {
        "model": "dump.prototxt",
        "weight": "dump.caffemodel",
        "framework": "0",
        "input_format": "NCHW",
        "input_shape": "pool1_input_0:10,16,8,8",
        "input_fp16_nodes": "pool1_input_0",
    },
    "pb": {
        "model": "dump.pb",
        "framework": "3",
        "input_format": "NHWC",
        "input_shape": "conv1_relu:1,8,8,16",
        "input_fp16_nodes": "conv1_relu",
        "out_nodes": "res2a_relu:0",
    },
    "onnx": {
        "model": "dump.onnx",
        "framework": "5",
        "input_format": "NCHW",
        "input_shape": "conv1_relu:1,16,8,8",
        "input_fp16_nodes": "conv1_relu",
    },
}


@pytest.mark.parametrize("ending", FORMATS)
def test_the_commands_that_come_next(ending: str, devices: Devices, tmp_path: Path) -> None:
    export(devices[ending], ending, tmp_path / "out")
    atc, infer = manifest(tmp_path / "out")["commands"]
    assert words(atc) == {**EXPECTED[ending], "output": "dump", "soc_version": "Ascend310"}
    files = infer.split("--input ")[1].split()[0].split(",")
    assert [(tmp_path / "out" / file).is_file() for file in files] == [True]


def test_linked_dump_files_are_the_same_files(devices: Devices, tmp_path: Path) -> None:
    device = devices["prototxt"]
    export(device, "prototxt", tmp_path / "out", "--link")
    for path in (tmp_path / "out/dump_data").iterdir():
        assert os.path.samefile(path, device.dumps / path.name)


def test_numbers_of_another_model_are_an_error_under_strict(devices: Devices, tmp_path: Path) -> None:
    other = tmp_path / "other/dumps"
    other.mkdir(parents=True)
    for path in devices["onnx"].dumps.glob("*.conv1conv1_relu.*"):
        shutil.copy(path, other / path.name.replace("conv1conv1_relu", "pool1"))
    given = [digits("onnx"), "from pool1 to pool1", "--om", devices["onnx"].om, "--dump", other, "-o", tmp_path / "out"]
    assert "`%pool1` cannot be exported" in subcut(*given).stdout
    shutil.rmtree(tmp_path / "out")
    for path in devices["onnx"].dumps.glob("*.conv1conv1_relu.*"):
        shutil.copy(path, other)
    assert "error[not-aligned]: `%pool1` cannot be exported" in subcut(*given, "--strict", code=1).stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", [[], ["--link"]])
def test_what_is_called_like_a_dump_and_is_no_file(link: list[str], devices: Devices, tmp_path: Path) -> None:
    shutil.copytree(devices["onnx"].dumps, tmp_path / "dumps")
    (pool,) = (tmp_path / "dumps").glob("*.pool1.*")
    pool.unlink()
    pool.symlink_to("nowhere")
    (tmp_path / "dumps/123456789").write_bytes(b"")
    given = ["--om", devices["onnx"].om, "--dump", tmp_path / "dumps"]
    log = subcut(digits("onnx"), BLOCK, *given, "-o", tmp_path / "out", *link).stdout
    assert f"Warning:{pool.name}: " in log
    assert "Warning:`123456789` looks like a hashed name" in log
    assert pool.name not in [*names(tmp_path / "out/dump_data"), *manifest(tmp_path / "out")["dump_data"]]
    assert "warning: `123456789` looks like a hashed name" in subcut("align", digits("onnx"), *given).stderr


def test_align_is_strict_of_the_whole_model_too(devices: Devices) -> None:
    given = ["align", digits("onnx"), "--om", devices["onnx"].om]
    assert subcut(*given, "--dump", devices["onnx"].dumps, "--strict").stdout
    assert subcut(*given[:2], "--om", devices["pb"].om, "--strict", code=1).stderr.startswith("error[not-aligned]")


def test_an_empty_dump_file_costs_only_its_own_numbers(devices: Devices, tmp_path: Path) -> None:
    shutil.copytree(devices["onnx"].dumps, tmp_path / "dumps")
    (pool,) = (tmp_path / "dumps").glob("*.pool1.*")
    pool.write_bytes(b"")
    log = subcut(
        digits("onnx"), BLOCK, "--om", devices["onnx"].om, "--dump", tmp_path / "dumps", "-o", tmp_path / "out"
    )
    assert f"Warning:{pool.name}: " in log.stdout
    assert (tmp_path / "out/dump_data" / pool.name).read_bytes() == b""
    assert len(manifest(tmp_path / "out")["numbers"]) == 2


def test_outputs_only_dumps_are_enough(tmp_path: Path) -> None:
    device = emulate(digits("onnx"), folder=tmp_path / "device", dump=DumpOptions(mode="output"))
    export(device, "onnx", tmp_path / "out")
    assert manifest(tmp_path / "out")["coverage"].endswith("5 stored")


def test_inputs_only_dumps_give_the_tensors_by_who_reads_them(tmp_path: Path) -> None:
    whole = emulate(digits("onnx"), folder=tmp_path / "whole")
    device = emulate(digits("onnx"), folder=tmp_path / "device", dump=DumpOptions(mode="input"))
    export(whole, "onnx", tmp_path / "expected")
    export(device, "onnx", tmp_path / "out")
    for name in ("inputs/conv1_relu.npy", "outputs/res2a_relu.npy"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()
    notes = [row["note"] for row in manifest(tmp_path / "out")["alignment"] if row["file"]]
    assert notes
    assert all("as the stored input" in note for note in notes)


def test_an_input_inside_a_fused_operator_is_refused_with_ways_out(devices: Devices, tmp_path: Path) -> None:
    told = export(devices["prototxt"], "prototxt", tmp_path / "out", selection="from bn2a_branch1 to res2a", code=1)
    assert told.startswith(
        "error[inside-fused]: the input `%res2a_branch1:0` of `bn2a_branch1` is inside fused operator"
    )
    assert "`; snap outward` cuts at `%pool1`" in told
    assert not (tmp_path / "out").exists()
    for direction in ("outward", "inward"):
        selection = f"from bn2a_branch1 to pool5; snap {direction}"
        export(devices["prototxt"], "prototxt", tmp_path / direction, selection=selection)
        edges = [*manifest(tmp_path / direction)["inputs"], *manifest(tmp_path / direction)["outputs"]]
        stored = {row["tensor"]: row["file"] for row in manifest(tmp_path / direction)["alignment"]}
        assert all(stored[edge["tensor"]] for edge in edges)


def test_strict_makes_an_error_of_what_is_a_warning(devices: Devices, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(digits("onnx").read_bytes())
    device = devices["onnx"]
    common = [other, BLOCK, "--om", device.om, "--dump", device.dumps, "-o"]
    told = subcut(*common, tmp_path / "out").stdout
    assert "Warning:the offline model was made of `digits`" in told
    refused = subcut(*common, tmp_path / "strict", "--strict", code=1).stderr
    assert refused.startswith("error[not-aligned]: the offline model was made of `digits`")
    assert names(tmp_path) == ["other.onnx", "out"]


def test_an_edge_that_is_not_stored_is_an_error_under_strict(devices: Devices, tmp_path: Path) -> None:
    device = devices["onnx"]
    some = tmp_path / "20260101000000/0/digits/1/0"
    some.mkdir(parents=True)
    for path in device.dumps.glob("*pool1*"):
        (some / path.name).write_bytes(path.read_bytes())
    given = [digits("onnx"), BLOCK, "--om", device.om, "--dump", tmp_path / "20260101000000"]
    loose = subcut(*given, "-o", tmp_path / "out").stdout
    assert "Warning:no numbers of `%res2a_relu`: no dump file of" in loose
    assert names(tmp_path / "out") == ["dump.onnx", "dump_data", "inputs", "manifest.json"]
    told = subcut(*given, "-o", tmp_path / "strict", "--strict", code=1).stderr
    assert "error[not-aligned]: no numbers of `%res2a_relu`: no dump file of `res2a_branch2bres2ares2a_relu`" in told


def test_a_selection_file_names_offline_model_and_dumps(devices: Devices, tmp_path: Path) -> None:
    device = devices["onnx"]
    (tmp_path / "digits.onnx").write_bytes(digits("onnx").read_bytes())
    text = f'subcut 1\nmodel "digits.onnx"\noffline "{device.om}" dumps "{device.dumps}"\n'
    (tmp_path / "a.subcut").write_text(text + f'cut {BLOCK} as "block" {{\n    snap outward\n}}\n')
    subcut("apply", tmp_path / "a.subcut", "-o", tmp_path)
    assert names(tmp_path / "block") == ["dump.onnx", "dump_data", "inputs", "manifest.json", "outputs"]


def test_a_device_without_an_offline_model_is_the_user_s_mistake(devices: Devices, tmp_path: Path) -> None:
    told = subcut(digits("onnx"), BLOCK, "--dump", devices["onnx"].dumps, "-o", tmp_path / "out", code=1).stderr
    assert told.startswith("error[no-offline-model]: `--dump` needs the offline model too")
    told = subcut(devices["onnx"].om, "all", "--om", devices["onnx"].om, "-o", tmp_path / "out", code=1).stderr
    assert told.startswith("error[not-an-original]")


@pytest.mark.parametrize("option", ["--fed", "--answer"])
def test_files_of_the_ends_that_are_not_there(option: str, devices: Devices, tmp_path: Path) -> None:
    given = ["align", digits("onnx"), "--om", devices["onnx"].om, option]
    assert subcut(*given, tmp_path / "none.bin", code=2).stderr.startswith("error[bad-model]: no such file")
    assert subcut(*given, tmp_path, code=2).stderr.startswith("error[bad-model]: is not a file")


@pytest.mark.parametrize("option", ["--golden", "--dump-model-id"])
def test_options_of_dumps_want_dumps(option: str, devices: Devices) -> None:
    told = subcut("align", digits("onnx"), "--om", devices["onnx"].om, option, "7", code=1).stderr
    assert told.startswith(f"error[bad-arguments]: `{option}` needs the device's dumps too")


def test_align_lists_every_tensor(devices: Devices) -> None:
    given = ["--om", devices["onnx"].om, "--dump", devices["onnx"].dumps]
    told = subcut("align", digits("onnx"), *given).stdout
    model = public.load(digits("onnx"))
    assert [line.split()[0] for line in told.splitlines()[:-2]] == [f"%{value.name}" for value in model.main.values()]
    rows = json.loads(subcut("align", digits("onnx"), BLOCK, *given, "--json").stdout)
    assert {row["tensor"] for row in rows} >= {"conv1_relu", "res2a_relu"}
    assert all(row["reason"] for row in rows)


def test_the_manifest_s_shapes_are_those_of_the_files(devices: Devices, tmp_path: Path) -> None:
    export(devices["prototxt"], "prototxt", tmp_path / "out")
    for record in manifest(tmp_path / "out")["numbers"]:
        assert list(np.load(tmp_path / "out" / record["npy"]).shape) == record["shape"]


def test_a_quantised_device_and_what_it_was_made_of(tmp_path: Path) -> None:
    """The original float net, an int8 offline model, and AMCT's file between them."""
    device = emulate(digits("prototxt"), folder=tmp_path / "device", precision="int8")
    quant = device.folder / "digits_quant.json"
    export(device, "prototxt", tmp_path / "out", "--quant", quant)
    rows = {row["tensor"]: row for row in manifest(tmp_path / "out")["alignment"]}
    assert rows["res2a_branch1"]["holder"] == "res2a_branch1_dequant_layer:0"
    assert rows["res2a_branch1:0"]["reason"].startswith("inside operators `res2a_branch1_quant_layer`, `res2a_branch1`")
    assert rows["conv1"]["file"].startswith("AscendDequant.conv1_dequant_layerconv1_relu.")
    plain = json.loads(subcut("align", digits("prototxt"), "--om", device.om, "--json").stdout)
    reasons = {row["tensor"]: row["reason"] for row in plain}
    assert reasons["conv1:0"] == "quantised before dequant: `conv1` holds INT32"


def test_what_is_read_of_the_device_is_never_replaced(tmp_path: Path) -> None:
    """`--force` replaces result folders; one that the device's files lie in is none to replace."""
    made = emulate(digits("onnx"), folder=tmp_path / "device")
    device = ["--om", made.om, "--dump", made.dumps]
    before = sorted(path.name for path in made.folder.rglob("*"))
    commands = [
        [digits("onnx"), "from pool1 to res2a_relu", *device, "-o", made.folder],
        ["run", digits("onnx"), *device, "-o", made.folder],
        ["locate", digits("onnx"), *device, "-o", made.folder],
        ["compare", made.dumps, digits("onnx"), "--om", made.om, "-o", made.folder],
    ]
    for command in commands:
        assert "model-in-folder" in subcut(*command, "--force", code=1).stderr
        assert sorted(path.name for path in made.folder.rglob("*")) == before
    subcut("run", digits("onnx"), *device, "-o", tmp_path / "golden")
    same = ["compare", tmp_path / "golden", tmp_path / "golden", "-o", tmp_path / "golden", "--force"]
    assert "it is read" in subcut(*same, code=1).stderr
