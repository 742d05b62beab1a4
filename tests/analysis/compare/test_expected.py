"""Verdicts by what a precision must cost: a healthy device passes, and an error that fixed limits miss is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import subcut
from support.models import DIGITS, digits

from subcut.analysis.compare import compare
from subcut.analysis.compare.expected import Expected, expect
from subcut.analysis.compare.rows import Row
from subcut.analysis.golden import golden
from subcut.compiler.device.dumps.names import escape
from subcut.compiler.errors import UserError
from subcut.compiler.number_files import read_npz
from subcut.emulator import emulate

INPUTS = DIGITS / "samples.npz"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return golden(digits("onnx"), str(INPUTS), tmp_path_factory.mktemp("truth") / "golden").folder


def verdicts(truth: Path, folder: Path, expected: Expected | None, **how: Any) -> dict[str, str]:
    made = emulate(digits("onnx"), read_npz(INPUTS), folder, **how)
    found = compare(made.dumps, truth, om=made.om, quantised=made.quantised)
    for row in found.rows if expected else ():
        assert expected is not None
        expected.judge(row)
    return {row.tensor: row.verdict for row in found.rows if row.was_compared}


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_a_healthy_device_is_fine(truth: Path, precision: str, tmp_path: Path) -> None:
    expected = expect(digits("onnx"), truth, precision)
    assert len(expected.errors) > 5
    found = verdicts(truth, tmp_path / "device", expected, precision=precision)
    assert set(found.values()) == {"ok"}


def test_a_loss_of_precision_is_found_that_fixed_limits_miss(truth: Path, tmp_path: Path) -> None:
    faults = ["res2a_branch2a:int8"]
    classic = verdicts(truth, tmp_path / "one", None, faults=faults)
    assert set(classic.values()) == {"ok"}
    found = verdicts(truth, tmp_path / "two", expect(digits("onnx"), truth, "fp16"), faults=faults)
    bad = [tensor for tensor, verdict in found.items() if verdict == "bad"]
    assert bad
    assert all(
        "res2a_branch2a" in tensor or not tensor.startswith(("conv1", "pool1", "res2a_branch1")) for tensor in bad
    )


def test_the_limit_is_never_below_one_rounding() -> None:
    expected = Expected("fp16", 2, {"a:0": 0.0, "b:0": 0.01})
    assert expected.limit("a:0") == 2 * 2**-11
    assert expected.limit("b:0") == 0.02
    assert expected.limit("c:0") is None
    row = Row(0, "Relu", "b", "b", left_type="float16", original="b:0")
    for distance, verdict in (("0.019999", "ok"), ("0.020000", "bad"), ("nan", "bad")):
        row.compared.values["RelativeEuclideanDistance"] = distance
        expected.judge(row)
        assert (row.verdict, row.limit) == (verdict, 0.02)


def test_what_cannot_be_expected(truth: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`fp8` is no precision"):
        expect(digits("onnx"), truth, "fp8")
    np.save(tmp_path / "a.0.1700000000000000.npy", np.zeros(3))
    with pytest.raises(UserError, match="does not say what the model was fed"):
        expect(digits("onnx"), tmp_path, "fp16")


def test_the_command(truth: Path, tmp_path: Path) -> None:
    made = emulate(digits("onnx"), read_npz(INPUTS), tmp_path / "device", faults=["res2a_branch2a:int8"])
    sides = (made.dumps, truth, "--om", made.om)
    assert "give it with `--model`" in subcut("compare", *sides, "--precision", "fp16", code=1).stderr
    subcut("compare", *sides)
    done = subcut("compare", *sides, "--precision", "fp16", "--model", digits("onnx"), "--json", code=1)
    rows = json.loads(done.stdout)["rows"]
    assert any(row["verdict"] == "bad" and 0 < row["limit"] < 0.05 for row in rows)
    subcut("compare", *sides, "--precision", "fp16", "--model", digits("onnx"), "--factor", "1000")


def test_another_precision_than_the_one_stated(truth: Path, tmp_path: Path) -> None:
    bf16, fp16 = (expect(digits("onnx"), truth, precision) for precision in ("bf16", "fp16"))
    assert "bad" not in verdicts(truth, tmp_path / "one", bf16).values()
    assert list(verdicts(truth, tmp_path / "two", fp16, precision="bf16").values()).count("bad") > 5


def test_rows_of_ground_truth_are_in_the_order_of_the_model(truth: Path) -> None:
    listed = [escape(entry["operator"]) for entry in json.loads((truth / "manifest.json").read_text())["tensors"]]
    assert [row.left for row in compare(truth, truth).rows] == listed
    assert listed != sorted(listed)
