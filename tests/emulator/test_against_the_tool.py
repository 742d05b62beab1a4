"""The vendor's accuracy tool takes what the emulator writes for a device's, and finds the operator that is wrong."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest
from support.compared import ground_truth, tool_compares
from support.models import DIGITS, digits

from subcut.compiler.number_files import read_npz
from subcut.emulator import Emulated, emulate

FORMATS = ["prototxt", "onnx", "pb"]


def samples(ending: str) -> dict[str, Any]:
    return read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))


def compared(made: Emulated, truth: Path, folder: Path) -> list[dict[str, str]]:
    """The rows of the tool's table that compare two tensors, in the order in which the device ran."""
    rules = [made.json, *([made.quantised] if made.quantised else [])]
    rows = csv.DictReader(io.StringIO(tool_compares(made.dumps, truth, folder, *rules).decode(), newline=""))
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
