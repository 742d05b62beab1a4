"""The vendor's own accuracy tool reads what is written here, and finds and joins the same."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.dumps import TIME, plant, write_pieces, write_threads
from support.models import ROOT, shared
from support.oracle import oracle

from subcut.compiler.device.dumps.names import make_name
from subcut.compiler.device.dumps.overflow import MAGIC, read_overflows
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import Origin
from subcut.compiler.device.dumps.slices import combine
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.enums import GE_TYPES, IR_TYPES, layout_number

TYPES: dict[str, Any] = {
    "FLOAT": "<f4", "FLOAT16": "<f2", "DOUBLE": "<f8", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "BOOL": "?", "COMPLEX64": "<c8",
    "COMPLEX128": "<c16",
}  # fmt: skip
"""The element types that the tool reads as they lie in the file."""


def ask(tmp_path: Path, jobs: list[list[str]]) -> tuple[list[Any], dict[str, np.ndarray[Any, Any]]]:
    """What the tool says to each job, and the arrays that it read."""
    said, made = tmp_path / "jobs.json", tmp_path / "results.npz"
    said.write_text(json.dumps(jobs))
    command = [
        sys.executable,
        "-B",
        str(ROOT / "tests" / "support" / "oracle_dumps.py"),
        str(oracle()),
        str(said),
        str(made),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(made) as results:
        arrays = {key: results[key] for key in results.files if key != "said"}
        return json.loads(str(results["said"])), arrays


def random_tensor(seed: random.Random, name: str) -> NewTensor:
    shape = tuple(seed.randint(1, 4) for _ in range(seed.randint(0, 4)))
    width = np.dtype(TYPES[name]).itemsize
    raw = seed.randbytes(int(np.prod(shape, dtype=int)) * width)
    if name == "BOOL":
        raw = bytes(byte & 1 for byte in raw)
    layout = seed.choice(["ND", "NC1HWC0", "FRACTAL_NZ", "NCHW"])
    return NewTensor(
        raw, name, layout, shape, shape, seed.randint(0, 3), Origin("o", 0, "f32", "NCHW"), seed.randint(0, 99)
    )


@pytest.mark.parametrize("form", ["big", "nano"])
def test_every_tensor_is_read_alike(tmp_path: Path, form: str) -> None:
    seed = random.Random(form)
    folder = tmp_path / "dumps"
    folder.mkdir()
    paths = []
    for number in range(40):
        names = list(TYPES)
        inputs, outputs = ([random_tensor(seed, seed.choice(names)) for _ in range(seed.randint(0, 4))] for _ in "io")
        path = folder / make_name("Conv2D", f"scope/op{number}", number, TIME + number)
        buffers = [("l1buffer", b"abc"), ("space", b"de")] if form == "big" else []
        write_dump(path, NewDump(f"scope/op{number}", inputs, outputs, TIME, buffers), form)
        paths.append(path)
    said, arrays = ask(tmp_path, [["file", str(path)] for path in paths])
    table = IR_TYPES
    compared = 0
    for number, (path, told) in enumerate(zip(paths, said, strict=True)):
        read = read_dump(path)
        assert read.problems == []
        assert form == "nano" or told["op_name"] == read.op_name
        for tensor in (*read.inputs, *read.outputs):
            kind, layout, shape, group = told[tensor.direction][tensor.index]
            assert table[kind] == tensor.type_name
            # The tool leaves a nano file's layout and group in one number.
            whole = layout_number(tensor.layout) | (tensor.group << 8 if form == "nano" else 0)
            assert (layout, group) == (whole, 0 if form == "nano" else tensor.group)
            assert form == "nano" or tuple(shape) in (tensor.shape, (tensor.size,))
            mine = np.frombuffer(tensor.data.bytes(), TYPES[tensor.type_name])
            theirs = arrays[f"{number}.{tensor.direction}.{tensor.index}"]
            assert mine.tobytes() == theirs.tobytes()
            compared += 1
        assert len(told["input"]) == len(read.inputs)
        assert len(told["output"]) == len(read.outputs)
    assert compared > 100


def test_the_real_nano_file_is_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "ConcatV2D.concatv2.0.0.550288648"
    shutil.copy(shared("ascend/nano_concatV2D.dump"), path)
    (told,), arrays = ask(tmp_path, [["file", str(path)]])
    read = read_dump(path)
    for tensor in (*read.inputs, *read.outputs):
        kind, layout, shape, _ = told[tensor.direction][tensor.index]
        assert (IR_TYPES[kind], layout, tuple(shape)) == (tensor.type_name, layout_number(tensor.layout), tensor.shape)
        assert arrays[f"0.{tensor.direction}.{tensor.index}"].tobytes() == tensor.data.bytes()
    assert GE_TYPES[1] == "FLOAT16"


def test_the_same_files_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    names = ["scope/conv1", "scope.conv2", "conv3", "a-b"]
    for name in names:
        for time in (TIME + 30, TIME, TIME + 4):
            plant(folder, name, time)
    for stream in (None, 5):
        plant(folder, f"conv_of_{stream}", stream=stream)
    names += ["conv_of_None", "conv_of_5"]
    said, _ = ask(tmp_path, [["find", str(folder), name] for name in names])
    tree = DumpTree.open(folder)
    for name, found in zip(names, said, strict=True):
        assert [str(entry.path) for entry in tree.find(name)] == found


def test_threads_are_joined_alike(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).random((6, 4, 3), np.float32)
    folder = tmp_path / "dumps"
    folder.mkdir()
    boxes = [((0, 6), (low, high), (0, 3)) for low, high in ((0, 1), (1, 3), (3, 4))]
    write_threads(folder, whole, boxes, [1, 3, 1])
    (told,), arrays = ask(tmp_path, [["slices", str(folder), "x"]])
    (mine,) = combine(DumpTree.open(folder).find("x")[0]).outputs
    assert tuple(told["output"][0][2]) == mine.shape == whole.shape
    assert arrays["0.output.0"].tobytes() == mine.buffer().tobytes() == whole.tobytes()


def test_pieces_are_joined_alike(tmp_path: Path) -> None:
    """The tool joins the compiler's pieces only where it takes their names for one operator's."""
    whole = np.random.default_rng(0).random((2, 9)).astype(np.float16)
    folder = tmp_path / "dumps"
    folder.mkdir()
    write_pieces(folder, [whole[:, :2], whole[:, 2:3], whole[:, 3:]], [1, 3], 3)
    (mine,) = combine(DumpTree.open(folder).find("x")[0]).outputs
    assert mine.buffer().tobytes() == whole.tobytes()
    joined = tmp_path / "joined"
    joined.mkdir()
    for path in folder.iterdir():
        number = path.name.split("_lxslice")[1][0]
        kind, _, *rest = path.name.split(".")
        shutil.copy(path, joined / ".".join([kind, "x", *rest[:-2], number, rest[-1]]))
    (told,), arrays = ask(tmp_path, [["slices", str(joined), "x"]])
    assert tuple(told["output"][0][2]) == mine.shape
    assert arrays["0.output.0"].tobytes() == whole.tobytes()


def test_overflow_records_are_read_alike(tmp_path: Path) -> None:
    seed = random.Random(4)
    folder = tmp_path / "dumps"
    folder.mkdir()
    records = [bytes(512) + seed.randbytes(1536)]
    for accelerator, count in ((0, 11), (1, 11), (2, 8), (3, 10)):
        for version in (0, 1):
            words = count + 3 if version and accelerator < 2 else count
            head = np.array([MAGIC, version, 1, accelerator, 7, 8 * words], "<u4").tobytes()
            records.append(head + seed.randbytes(8 * words) + bytes(40))
    paths = []
    for number, raw in enumerate(records):
        path = folder / make_name("Opdebug", "Node_OpDebug", number, TIME)
        write_dump(path, NewDump("Node_OpDebug", [], [NewTensor(raw, "UINT8", "ND", (len(raw),))]))
        paths.append(path)
    said, _ = ask(tmp_path, [["overflow", str(path)] for path in paths])
    for path, (name, told) in zip(paths, said, strict=True):
        assert name == f"{path.name}.output.0.json"
        (record,) = read_overflows(path)
        assert record.as_json() == told
        assert json.dumps(record.as_json()) == json.dumps(told)
