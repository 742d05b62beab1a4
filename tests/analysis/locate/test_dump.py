"""The operator to blame is found in one dump, for every format, with a proof that others can run."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.in_process import subcut
from support.models import digits, shared

from subcut.analysis.locate import Source
from subcut.analysis.locate.dump import Found, Settings, locate_in_dump
from subcut.analysis.locate.dump.windows import gallop, worst_case
from subcut.compiler.alignment.twin import TwinOptions
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions
from subcut.emulator import DumpOptions, Emulated, emulate

FORMATS = ("prototxt", "pb", "onnx")
FAULTY = "res2a_branch2a"


def located(made: Emulated, model: Path, quantised: Path | None = None, **settings: Any) -> Found:
    device = TwinOptions(made.om, made.dumps, quantised)
    return locate_in_dump(Source(model, ReadOptions()), device, Settings(**settings))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["scale", "weights", "zero", "nan", "overflow", "layout", "int8"])
def test_the_faulty_operator_is_the_first_culprit(form: str, kind: str, tmp_path: Path) -> None:
    made = emulate(digits(form), folder=tmp_path / "device", faults=[f"{FAULTY}:{kind}"])
    found = located(made, digits(form))
    assert found.answer is not None
    assert FAULTY in found.answer.labels
    assert [row.unit.name for row in found.culprits] == [found.answer.name]
    assert found.tests == 0


HINTS = {
    "scale": "every number is 1.5 times what is right",
    "weights": "only place 0 of 32 along axis",
    "zero": "zero throughout",
    "nan": "1 of 512 numbers are not a number (NaN)",
    "overflow": "at the largest of float16",
}


@pytest.mark.parametrize("kind", HINTS)
def test_it_says_what_kind_of_wrong_it_is(kind: str, tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device", faults=[f"{FAULTY}:{kind}"])
    assert HINTS[kind] in located(made, digits("onnx")).culprits[0].note


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_a_device_that_is_right_is_not_blamed(form: str, precision: str, tmp_path: Path) -> None:
    made = emulate(digits(form), folder=tmp_path / "device", precision=precision)
    found = located(made, digits(form), made.quantised)
    assert found.precision == precision
    assert found.answer is None
    assert {row.verdict for row in found.rows} == {"ok"}


@pytest.mark.parametrize("name", ["mtcnn/det1.prototxt", "mtcnn/det2.prototxt", "mtcnn/det3.prototxt"])
def test_nets_of_others(name: str, tmp_path: Path) -> None:
    model = shared(f"caffe/{name}")
    assert located(emulate(model, folder=tmp_path / "right"), model).answer is None
    made = emulate(model, folder=tmp_path / "wrong", faults=["conv2:weights"])
    answer = located(made, model).answer
    assert answer is not None
    assert "conv2" in answer.labels


def test_errors_are_those_of_a_run_by_hand(tmp_path: Path) -> None:
    """Own, inherited and total error of one operator, from the framework itself and the dumped numbers."""
    import onnx
    import onnxruntime
    from support.emulated import tensors

    made = emulate(digits("onnx"), folder=tmp_path / "device", faults=["pool1:scale"])
    found = located(made, digits("onnx"))
    row = next(row for row in found.rows if row.value.name == "bn2a_branch1")
    onnx.utils.extract_model(str(digits("onnx")), str(tmp_path / "cut.onnx"), ["pool1"], ["bn2a_branch1"])
    stored = {key[0]: array.astype(np.float32) for key, array in tensors(made).items() if key[1] == "output"}
    session = onnxruntime.InferenceSession(str(tmp_path / "cut.onnx"), providers=["CPUExecutionProvider"])
    [right] = session.run(None, {"pool1": stored["pool1"]})
    own = np.linalg.norm(stored["res2a_branch1"] - right) / np.linalg.norm(right)
    assert row.own is not None
    assert row.own.euclidean == pytest.approx(own, rel=1e-4)
    assert row.own.euclidean < 1e-3
    assert row.entering == pytest.approx(0.5, rel=1e-2)  # what `pool1` added
    assert row.inherited is not None
    assert row.total is not None
    assert row.inherited.euclidean == pytest.approx(row.total.euclidean, rel=1e-2)
    assert row.amplification == pytest.approx(row.inherited.euclidean / row.entering)


def test_the_result_shows_the_fault_to_whoever_has_it(tmp_path: Path) -> None:
    emulate(digits("onnx"), folder=tmp_path / "device", faults=[f"{FAULTY}:weights"])
    arguments = [
        "locate", digits("onnx"), "--om", tmp_path / "device/digits.om", "--dump", tmp_path / "device/dumps",
        "-o", tmp_path / "found",
    ]  # fmt: skip
    assert f"Located: `{FAULTY}`" in subcut(*arguments).stdout
    folder = tmp_path / "found"
    content = json.loads((folder / "manifest.json").read_text())
    assert content["locate"]["answer"]["operators"][0] == FAULTY
    assert {path.name for path in folder.iterdir()} >= {"dump.onnx", "inputs", "outputs", "expected", "dump_data"}
    assert any(command.startswith("atc ") for command in content["commands"])
    rows = list(csv.DictReader(io.StringIO((folder / "errors.csv").read_text())))
    assert [row["tensor"] for row in rows if row["verdict"] == "culprit"] == [f"{FAULTY}_relu"]
    assert len(json.loads((folder / "report.json").read_text())["tensors"]) == len(rows)
    wrong = shown(folder)
    assert wrong.returncode == 1, wrong.stderr
    assert "WRONG (only place 0 of 32 along axis 1 is wrong)" in wrong.stdout
    right = shown(folder, folder / "expected")
    assert right.returncode == 0, right.stderr
    raw = tmp_path / "raw"
    raw.mkdir()
    np.load(folder / "expected" / f"{FAULTY}_relu.npy").astype(np.float16).tofile(raw / f"{FAULTY}_relu.bin")
    assert shown(folder, raw).returncode == 0  # as an inference tool writes it
    assert shown(folder, tmp_path / "nothing").returncode == 1


@pytest.mark.parametrize("form", ["prototxt", "pb"])
def test_the_proof_runs_in_every_format(form: str, tmp_path: Path) -> None:
    emulate(digits(form), folder=tmp_path / "device", faults=[f"{FAULTY}:scale"])
    arguments = [
        "locate", digits(form), "--om", tmp_path / "device/digits.om", "--dump", tmp_path / "device/dumps",
        "-o", tmp_path / "found", "-q",
    ]  # fmt: skip
    subcut(*arguments)
    assert shown(tmp_path / "found").returncode == 1
    assert shown(tmp_path / "found", tmp_path / "found/expected").returncode == 0


def shown(folder: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([folder / "repro.sh", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", ["input", "output"])
def test_dumps_of_one_side_are_enough(mode: str, tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device", faults=[f"{FAULTY}:scale"], dump=DumpOptions(mode))
    inputs = tmp_path / "x.npz"
    emulated = emulate(digits("onnx"), folder=tmp_path / "other")
    assert emulated.dumps
    np.savez(inputs, **fed(digits("onnx")))
    device = TwinOptions(made.om, made.dumps)
    found = locate_in_dump(Source(digits("onnx"), ReadOptions(), inputs), device)
    assert found.answer is not None
    assert FAULTY in found.answer.labels


def fed(model: Path) -> dict[str, Any]:
    """What the emulator draws for seed 0."""
    from subcut.compiler.export import load

    loaded = load(model)
    loaded.dialect.annotate(loaded)
    [value] = loaded.dialect.feeds(loaded)
    shape = [dim if isinstance(dim, int) else 1 for dim in value.type.shape]  # type: ignore[union-attr]
    return {value.name: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}


def test_where_dumps_are_missing_a_larger_piece_is_judged(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device", faults=[f"{FAULTY}:scale"], dump=DumpOptions("output"))
    for file in DumpTree.open(made.dumps).files():
        if FAULTY in file.path.name:
            file.path.unlink()
    np.savez(tmp_path / "x.npz", **fed(digits("onnx")))
    device = TwinOptions(made.om, made.dumps)
    found = locate_in_dump(Source(digits("onnx"), ReadOptions(), tmp_path / "x.npz"), device)
    assert found.answer is not None
    assert {FAULTY, "res2a_branch2b", "res2a"} <= set(found.answer.labels)
    assert "conv1" not in found.answer.labels


def test_a_damaged_dump_is_told_and_the_rest_judged(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device", faults=["fc10:scale"])
    victim = dump_of(made, FAULTY)
    victim.write_bytes(victim.read_bytes()[:40])
    found = located(made, digits("onnx"))
    assert found.answer is not None
    assert "fc10" in found.answer.labels
    assert any(victim.name in warning for warning in found.warnings)


def test_what_changes_between_two_operators_is_blamed(tmp_path: Path) -> None:
    """The operator is right by what it read, and what it read is not what was made."""
    made = emulate(digits("onnx"), folder=tmp_path / "device")
    other = emulate(digits("onnx"), folder=tmp_path / "other", faults=["pool1:scale"])
    name = dump_of(made, FAULTY).name
    shutil.copy(other.dumps / name, made.dumps / name)
    found = located(made, digits("onnx"))
    row = found.judged
    assert row is not None
    assert FAULTY in row.unit.labels
    assert "read something else than was stored of `%pool1`" in row.note
    assert "every number is 1.5 times what is right" in row.note


def test_an_input_that_was_written_over_later_is_no_fault(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device")
    path = dump_of(made, FAULTY)
    content = path.read_bytes()
    read = read_dump(path).inputs[0].data.bytes()
    assert content.count(bytes(read)) == 1
    path.write_bytes(content.replace(bytes(read), bytes(len(read))))
    found = located(made, digits("onnx"))
    assert found.answer is None
    row = next(row for row in found.rows if FAULTY in row.unit.labels)
    assert row.verdict == "ok"
    assert "written over later" in row.note


def dump_of(made: Emulated, operator: str) -> Path:
    return next(file.path for file in DumpTree.open(made.dumps).files() if operator in file.path.name)


def test_the_npu_that_drew_other_numbers_is_not_blamed() -> None:
    """A real network, a real input, and what the real device answered."""
    folder = shared("ascend/hh/hh.pb").parent
    device = TwinOptions(folder / "hh_om.om", fed=(folder / "hh.bin",), answers=(folder / "hh_output0.bin",))
    found = locate_in_dump(Source(folder / "hh.pb", ReadOptions()), device)
    assert found.answer is None
    assert found.random == ["random_normal/RandomStandardNormal"]
    last = next(row for row in found.rows if row.value.name == "generation/output:0")
    assert last.verdict == "nondeterministic"
    assert last.value.name in found.inherited
    assert last.total is not None
    assert last.total.euclidean > 0.1
    assert last.total.euclidean < 2 * found.spread[last.value.name]


def test_two_that_are_wrong_only_together(tmp_path: Path) -> None:
    faults = ["conv1:drift", "pool1:drift"]
    for fault in faults:
        made = emulate(digits("prototxt"), folder=tmp_path / "alone", faults=[fault], force=True)
        assert located(made, digits("prototxt")).culprits == []
    made = emulate(digits("prototxt"), folder=tmp_path / "both", faults=faults)
    found = located(made, digits("prototxt"))
    assert found.culprits == []
    assert found.answer is not None
    assert {"conv1", "pool1"} <= set(found.answer.labels)
    assert 0 < found.tests <= found.bound


@given(st.integers(2, 2000), st.data())
def test_galloping_finds_the_smallest_window_within_its_bound(count: int, data: st.DataObject) -> None:
    wanted = data.draw(st.integers(2, count + 1))
    found, tests = gallop(count, lambda last: last >= wanted)
    assert found == (wanted if wanted <= count else None)
    assert tests <= worst_case(min(wanted, count))


def test_what_is_asked_for_is_checked(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), folder=tmp_path / "device", dump=DumpOptions("none"))
    with pytest.raises(UserError, match="no precision"):
        located(made, digits("onnx"), precision="fp61")
    said = subcut("locate", digits("onnx"), "--om", made.om, "-o", tmp_path / "found", code=1).stderr
    assert "`--dump`" in said
    assert not (tmp_path / "found").exists()
