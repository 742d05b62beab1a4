"""What a device answered, as files of the outputs, against the original: there are no dumps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import subcut
from support.compared import ground_truth
from support.models import DIGITS, digits, shared

from subcut.analysis.compare import compare
from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.number_files import read_npz
from subcut.emulator import Emulated, emulate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Emulated, Path]:
    folder = tmp_path_factory.mktemp("run")
    inputs: dict[str, Any] = read_npz(DIGITS / "samples.npz")
    return emulate(digits("onnx"), inputs, folder / "device"), ground_truth(digits("onnx"), inputs, folder / "golden")


def last(golden: Path) -> np.ndarray[Any, Any]:
    """What the original answers."""
    [file] = golden.glob("prob.0.*.npy")
    array: np.ndarray[Any, Any] = np.load(file)
    return array


@pytest.mark.parametrize("kind", ["f4", "f2", "npy"])
def test_a_file_is_read_as_the_offline_model_says_or_its_size(
    run: tuple[Emulated, Path], kind: str, tmp_path: Path
) -> None:
    made, golden = run
    answer = last(golden)
    path = tmp_path / ("answer.npy" if kind == "npy" else "answer.bin")
    if kind == "npy":
        np.save(path, answer)
    else:
        answer.astype(kind).tofile(path)
    found = compare(None, golden, om=made.om, answers=[path])
    [row] = found.rows
    assert (row.verdict, row.original, row.left_path) == ("ok", "prob:0", str(path))
    assert row.tensor.endswith(":output:0")
    distance = row.value("RelativeEuclideanDistance")
    assert distance is not None
    assert (distance == 0) == (kind != "f2")
    assert row.left_type == {"f4": "float32", "f2": "float16", "npy": "float32"}[kind]


def test_another_answer_is_bad(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    last(golden)[::-1].tofile(tmp_path / "answer.bin")
    done = subcut("compare", golden, "--om", made.om, "--answer", tmp_path / "answer.bin", code=1)
    assert "1 rows, 1 bad" in done.stdout


def test_a_file_of_another_size_is_said(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    for content in (b"", b"12345"):
        (tmp_path / "answer.bin").write_bytes(content)
        found = compare(None, golden, om=made.om, answers=[tmp_path / "answer.bin"])
        [row] = found.rows
        assert row.verdict == "not compared"
        assert ("5 bytes" if content else "empty") in row.note


def test_what_does_not_go_together(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    answer = tmp_path / "answer.bin"
    with pytest.raises(ModelError, match="no such file"):
        compare(None, golden, om=made.om, answers=[answer])
    last(golden).tofile(answer)
    with pytest.raises(UserError, match="given 2 times, and the offline model has 1 outputs"):
        compare(None, golden, om=made.om, answers=[answer, answer])
    with pytest.raises(UserError, match="only the offline model says"):
        compare(None, golden, answers=[answer])
    with pytest.raises(UserError, match="holds a device's dumps"):
        compare(None, made.dumps, om=made.om, answers=[answer])
    with pytest.raises(UserError, match="one of the two"):
        compare(made.dumps, golden, om=made.om, answers=[answer])
    assert "RIGHT is missing" in subcut("compare", golden, code=1).stderr
    assert "give RIGHT only" in subcut("compare", golden, golden, "--answer", answer, code=1).stderr


def test_the_real_answer_differs_and_why_is_said(tmp_path: Path) -> None:
    """All that is left of an NPU's run is its answer, and the original draws random numbers."""
    model, om, fed, answer = (shared(f"ascend/hh/{name}") for name in ("hh.pb", "hh_om.om", "hh.bin", "hh_output0.bin"))
    given = [model, "--om", om, "--answer", answer, "--inputs", fed, "-o", tmp_path / "out"]
    done = subcut("compare", *given, code=1)
    assert "nondeterministic: the original draws random numbers in `random_normal/RandomStandardNormal`" in done.stderr
    assert "1 of the tensors compared are or follow from these" in done.stderr
    [row] = json.loads((tmp_path / "out/report.json").read_text())["rows"]
    assert (row["verdict"], row["original"]) == ("bad", "generation/output:0")
    assert row["shape"] == "[100,28,28,1]"
    assert "inherited: it follows from `random_normal/RandomStandardNormal`" in row["note"]
    assert float(row["metrics"]["CosineSimilarity"]) > 0.9  # the same digits, drawn otherwise
