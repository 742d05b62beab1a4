"""The vendor's accuracy tool takes what the emulator writes for a device's, and finds the operator that is wrong."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import DIGITS, ROOT, digits
from support.oracle import oracle

from subcut.compiler.device.dumps.names import escape
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import runner
from subcut.compiler.number_files import read_npz
from subcut.emulator import Emulated, emulate

SCRIPT = ROOT / "tests" / "support" / "oracle_compare.py"
FORMATS = ["prototxt", "onnx", "pb"]


def samples(ending: str) -> dict[str, Any]:
    return read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))


def ground_truth(path: Path, inputs: dict[str, Any], folder: Path) -> Path:
    """What the original computes, a file for each operator, as the tool wants it."""
    folder.mkdir()
    model = load(path)
    names = model.dialect.compiled_names(model.main)
    wanted = {op: op.results[0].name for op in model.main.ops if op in names and op.operands}
    feeds = {value.name: inputs[value.name.removesuffix(":0")] for value in model.dialect.feeds(model)}
    golden = runner(FORMAT_OF[model.dialect.name]).run(model, feeds, list(wanted.values()))
    arrays = {names[op]: golden[name] for op, name in wanted.items()} | inputs
    for name, array in arrays.items():
        np.save(folder / f"{escape(name)}.0.1700000000000000.npy", array)
    return folder


def compared(made: Emulated, truth: Path, folder: Path) -> list[dict[str, str]]:
    """The rows of the tool's table that compare two tensors, in the order in which the device ran."""
    folder.mkdir()
    files = [made.dumps, truth, made.json, folder, *([made.quantised] if made.quantised else [])]
    command = [sys.executable, "-B", SCRIPT, oracle(), *files]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 2), done.stdout + done.stderr  # 2: constants have no dump
    [table] = folder.glob("result_*.csv")
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if not math.isnan(float(row["CosineSimilarity"].strip() or "nan"))]


@pytest.mark.parametrize("ending", FORMATS)
def test_every_operator_is_compared_and_right(ending: str, tmp_path: Path) -> None:
    made = emulate(digits(ending), samples(ending), tmp_path / "out")
    rows = compared(made, ground_truth(digits(ending), samples(ending), tmp_path / "truth"), tmp_path / "told")
    outputs = {row["NPUDump"] for row in rows if ":output:" in row["TensorIndex"]}
    assert made.groups.keys() <= outputs
    assert all(float(row["CosineSimilarity"]) > 0.9999 for row in rows)
    assert all(float(row["RelativeEuclideanDistance"]) < 0.01 for row in rows)


@pytest.mark.parametrize("ending", FORMATS)
def test_the_wrong_operator_is_found(ending: str, tmp_path: Path) -> None:
    made = emulate(digits(ending), samples(ending), tmp_path / "out", faults=["res2a_branch2a:weights"])
    rows = compared(made, ground_truth(digits(ending), samples(ending), tmp_path / "truth"), tmp_path / "told")
    wrong = [row["TensorIndex"] for row in rows if float(row["RelativeEuclideanDistance"]) > 0.05]
    assert wrong[0] == "res2a_branch2ares2a_branch2a_relu:output:0"
    assert not [name for name in wrong if name.startswith(("conv1", "pool1", "res2a_branch1"))]


@pytest.mark.parametrize("ending", FORMATS)
def test_quantised_layers_are_compared_where_they_are_real_again(ending: str, tmp_path: Path) -> None:
    made = emulate(digits(ending), samples(ending), tmp_path / "out", precision="int8")
    rows = compared(made, ground_truth(digits(ending), samples(ending), tmp_path / "truth"), tmp_path / "told")
    assert all(float(row["CosineSimilarity"]) > 0.99 for row in rows)
    types = [row["OpType"] for row in rows if ":output:" in row["TensorIndex"]]
    assert types.count("AscendDequant") == 5
    assert not {"AscendQuant", "Conv2D"} & set(types)
