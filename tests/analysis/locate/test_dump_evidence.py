"""What is given besides the dump may be wrong, of another run or missing: the device's own numbers still judge it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.in_process import subcut
from support.models import digits, shared

from subcut.analysis.locate import Source
from subcut.analysis.locate.dump import Found, locate_in_dump
from subcut.compiler.alignment.twin import TwinOptions
from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions
from subcut.emulator import Emulated, emulate

FAULTY = "res2a_branch2a"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Emulated:
    return emulate(digits("onnx"), folder=tmp_path_factory.mktemp("broken") / "device", faults=[f"{FAULTY}:scale"])


def located(made: Emulated, model: Path, golden: Path | None = None) -> Found:
    return locate_in_dump(Source(model, ReadOptions()), TwinOptions(made.om, made.dumps, golden=golden))


def ground_truth(folder: Path, batch: int) -> Path:
    np.savez(folder / "x.npz", data=np.ones((batch, 1, 8, 8), np.float32))
    subcut("run", digits("onnx"), "--inputs", folder / "x.npz", "-o", folder / "golden", "-q")
    return folder / "golden"


def test_ground_truth_of_another_batch_does_not_hide_the_fault(broken: Emulated, tmp_path: Path) -> None:
    found = located(broken, digits("onnx"), ground_truth(tmp_path, 2))
    assert found.answer is not None
    assert FAULTY in found.answer.labels
    assert {row.verdict for row in found.rows} == {"ok", "culprit"}
    assert all(row.total is None for row in found.rows)
    assert found.warnings == [
        "the device was fed another `%data` than the original: (1, 1, 8, 8), and (2, 1, 8, 8)",
        "9 of 9 stored tensors have no ground truth that fits",
    ]


def test_ground_truth_under_other_names_does_not_hide_the_fault(broken: Emulated, tmp_path: Path) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    for path in ground_truth(tmp_path, 1).glob("*.npy"):
        shutil.copy(path, folder / f"other_{path.name}")
    found = located(broken, digits("onnx"), folder)
    assert [row.unit.labels[0] for row in found.culprits] == [FAULTY]
    assert found.warnings == ["9 of 9 stored tensors have no ground truth that fits"]


def test_ground_truth_that_is_not_there_is_said(broken: Emulated, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder of ground truth"):
        located(broken, digits("onnx"), tmp_path / "nothing")


def test_a_device_that_ran_another_model_is_said_to(broken: Emulated) -> None:
    with pytest.raises(UserError, match="the offline model was made of `digits`"):
        located(broken, shared("caffe/mtcnn/det1.prototxt"))


@pytest.mark.parametrize("what", ["device", "golden"])
def test_what_is_read_is_not_replaced(what: str, broken: Emulated, tmp_path: Path) -> None:
    shutil.copytree(broken.om.parent, tmp_path / "device")
    golden = ground_truth(tmp_path, 1)
    before = sorted(tmp_path.rglob("*"))
    done = subcut(
        "locate", digits("onnx"), "--om", tmp_path / "device/digits.om", "--dump", tmp_path / "device/dumps",
        "--golden", golden, "-o", tmp_path / what, "--force", code=1,
    )  # fmt: skip
    assert "is not replaced" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_an_operator_that_passes_on_what_overflowed_is_not_blamed(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device", precision="bf16", faults=["pool5:overflow"], seed=2)
    assert [row.unit.labels for row in located(made, digits("onnx")).culprits] == [["pool5"]]


def test_what_could_not_be_judged_is_not_called_right(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device")
    for path in made.dumps.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:200])
    np.savez(tmp_path / "x.npz", data=np.ones((1, 1, 8, 8), np.float32))
    done = subcut(
        "locate", digits("onnx"), "--om", made.om, "--dump", made.dumps, "--inputs", tmp_path / "x.npz",
        "-o", tmp_path / "found", code=None,
    )  # fmt: skip
    assert "every difference" not in done.stdout
