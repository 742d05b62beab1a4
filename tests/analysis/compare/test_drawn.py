"""The real pair: why an NPU's answer differs from the original's, which draws random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support.commands import subcut
from support.compared import write_truth
from support.models import shared

from subcut.analysis.compare.drawn import note_random
from subcut.analysis.compare.rows import Row


def test_the_real_answer_differs_and_why_is_said(tmp_path: Path) -> None:
    model, fed = shared("ascend/hh/hh.pb"), shared("ascend/hh/hh.bin")
    subcut("run", model, "--inputs", fed, "-o", tmp_path / "golden")
    answer = np.fromfile(shared("ascend/hh/hh_output0.bin"), "f4").reshape(100, 28, 28, 1)
    left = write_truth(tmp_path / "answer", {"generation/output": answer})
    sides = (left, tmp_path / "golden")
    assert "draws random numbers in `random_normal/RandomStandardNormal`" in subcut("compare", *sides, code=1).stderr
    done = subcut("compare", *sides, "--model", model, "-o", tmp_path / "out", code=1)
    assert "1 of the tensors compared are or follow from these" in done.stderr
    [row] = [row for row in json.loads((tmp_path / "out/report.json").read_text())["rows"] if row["verdict"] == "bad"]
    assert row["original"] == "generation_output:0"
    assert "inherited: it follows from `random_normal/RandomStandardNormal`" in row["note"]
    rows = [
        Row(0, "", "", "", left_type="float32", original=f"{name}:0")
        for name in ("random_normal/RandomStandardNormal", "recognition/w_mean/MatMul", "random_normal/mul")
    ]
    assert note_random(rows, ["random_normal/RandomStandardNormal"], model) == 2
    assert rows[0].note == "nondeterministic: it draws random numbers"
    assert rows[1].note == ""
    assert rows[2].note.startswith("inherited")
