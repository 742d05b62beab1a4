"""The result file: byte for byte the one that the vendor's accuracy tool writes of the same data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.compared import ground_truth, tool_compares
from support.models import DIGITS, digits

from subcut.analysis.compare import Comparison, compare
from subcut.compiler.number_files import read_npz
from subcut.emulator import emulate

FORMATS = ["prototxt", "onnx", "pb"]


def samples(ending: str) -> dict[str, Any]:
    return read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))


def same(found: Comparison, expected: bytes) -> None:
    for ours, theirs in zip(found.csv.splitlines(), expected.decode().splitlines(), strict=False):
        assert ours == theirs
    assert found.csv.encode() == expected


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        *((ending, how) for ending in FORMATS for how in ({}, {"precision": "int8"})),
        ("onnx", {"faults": ["res2a_branch2a:nan"]}),
        ("prototxt", {"faults": ["res2a_branch2a:zero"]}),
        ("pb", {"precision": "bf16"}),
    ],
    ids=str,
)
def test_a_whole_net(ending: str, how: dict[str, Any], tmp_path: Path) -> None:
    made = emulate(digits(ending), samples(ending), tmp_path / "out", **how)
    truth = ground_truth(digits(ending), samples(ending), tmp_path / "truth")
    rules = [made.json, *([made.quantised] if made.quantised else [])]
    expected = tool_compares(made.dumps, truth, tmp_path / "told", *rules)
    same(compare(made.dumps, truth, om=made.om, quantised=made.quantised), expected)
    same(compare(made.dumps, truth, om=made.json, quantised=made.quantised), expected)


def test_two_devices(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), samples("onnx"), tmp_path / "one")
    other = emulate(digits("onnx"), samples("onnx"), tmp_path / "two", faults=["res2a_branch2a:scale"])
    files = sorted(made.dumps.iterdir())
    files[3].unlink()
    sorted(other.dumps.iterdir())[5].unlink()
    same(compare(made.dumps, other.dumps), tool_compares(made.dumps, other.dumps, tmp_path / "told"))


def test_ground_truth_that_does_not_fit(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), samples("onnx"), tmp_path / "out")
    truth = ground_truth(digits("onnx"), samples("onnx"), tmp_path / "truth")
    files = sorted(truth.iterdir())
    changes: list[Any] = [
        lambda a: a[..., :-1],
        lambda a: np.concatenate([a, a], axis=1),
        lambda a: a.reshape(-1),
        lambda a: np.moveaxis(a, 1, -1) if a.ndim == 4 else a.astype(np.float64),
        lambda a: a.astype(np.float16),
        np.zeros_like,
        lambda a: a > 0,
        lambda a: np.where(a > 1, np.nan, a),
        lambda a: a[:0],
        lambda a: a[:1, :1].sum().reshape(()),
    ]
    for file, change in zip(files, changes, strict=False):
        np.save(file, change(np.load(file)))
    files[len(changes)].unlink()
    shutil.copy(files[0], truth / "nobody.0.1700000000000000.npy")
    found = compare(made.dumps, truth, om=made.om)
    same(found, tool_compares(made.dumps, truth, tmp_path / "told", made.json))
    assert "nobody.0" in found.extra
    assert found.counts["missing on the right"] > 0
