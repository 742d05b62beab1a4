"""The one real case there is: a TensorFlow model, what ATC made of it for an Ascend 310, and what the NPU answered."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.device import dump_random
from support.in_process import subcut
from support.models import shared

import subcut as public
from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.twin import Twin, TwinOptions, attach
from subcut.compiler.device.dumps.writer import FORMS
from subcut.compiler.device.layouts import to_origin
from subcut.compiler.formats.ascend.offline import read_offline
from subcut.compiler.ir.alignment import CONSTANT, EXACT, INSIDE


def case(name: str) -> Path:
    return shared(f"ascend/hh/{name}")


def twin(dumps: Path | None = None) -> Twin:
    model = public.load(case("hh.pb"))
    return attach(model, TwinOptions(case("hh_om.om"), dumps, fed=(case("hh.bin"),), answers=(case("hh_output0.bin"),)))


def test_every_node_is_accounted_for() -> None:
    aligned = twin()
    assert len(aligned.rows) == 68
    assert all(row.reason for row in aligned.rows.values())
    kinds = Counter(row.kind for row in aligned.rows.values())
    assert kinds == {CONSTANT: 36, EXACT: 18, INSIDE: 14}
    assert aligned.warnings() == []


def test_what_the_compiler_fused_and_removed() -> None:
    rows = {value.name: row for value, row in twin().rows.items()}
    fused = "recognition/lrelu/Absrecognition/lrelu/mulrecognition/lrelu/mul_1recognition/lrelu/add"
    assert rows["recognition/lrelu/add:0"].holder == fused
    assert rows["recognition/lrelu/mul:0"].reason == f"inside fused operator `{fused}`: never stored"
    assert (rows["mul:0"].holder, rows["mul:0"].reason) == (
        "recognition/w_stddev/MatMulmul",
        "exact: origin name and index",
    )
    assert rows["recognition/Reshape:0"].holder == "recognition/lrelu_1/Abs" + fused.removeprefix(
        "recognition/lrelu/Abs"
    ).replace("lrelu/", "lrelu_1/")
    assert "the compiler removed `generation/Reshape`" in rows["generation/Reshape:0"].reason


def test_every_offline_operator_is_accounted_for() -> None:
    """What covers no original is what the compiler inserts, and nothing else."""
    aligned = twin()
    without = {op.type for op in read_offline(case("hh_om.om")).ops if not aligned.members(op.name)}
    assert without == {"AtomicAddrClean", "Cast", "Const", "NetOutput", "Recv", "Send", "TransData"}


def test_the_decoder_with_what_the_npu_answered(tmp_path: Path) -> None:
    selection = "from generation/z_matrix/MatMul to generation/output"
    given = ["--om", case("hh_om.om"), "--answer", case("hh_output0.bin"), "-o", tmp_path / "out"]
    told = subcut(case("hh.pb"), selection, *given).stdout
    answer = np.load(tmp_path / "out/outputs/generation_output_0.npy")
    assert answer.shape == (100, 28, 28, 1)
    assert answer.tobytes() == case("hh_output0.bin").read_bytes()
    half = np.fromfile(tmp_path / "out/outputs/generation_output_0.bin", np.float16)
    assert np.array_equal(half, answer.astype(np.float16).ravel())
    assert "Dump Layer:[generation/z_matrix/MatMul, generation/z_matrix/add]" in told
    assert "--soc_version=Ascend310" in told
    assert "--input_shape=add:100,20 --out_nodes=generation/output:0" in told


@pytest.mark.parametrize("form", FORMS)
def test_dumped_numbers_come_back_in_the_original_s_layout(form: str, tmp_path: Path) -> None:
    """Every offline operator dumps random numbers; each aligned tensor must get the very ones of its holder."""
    offline = read_offline(case("hh_om.om"))
    written = dump_random(offline, tmp_path / "20261123120000/0/hh_om/1/0", form=form)
    aligned = twin(tmp_path)
    checked = 0
    for value in aligned.rows:
        row = aligned.row(value)
        assert row is not None
        if row.kind != EXACT or row.stored is None or row.stored.direction != "output":
            continue
        layout, array, shape = written[row.holder, row.output]
        expected = to_origin(array, layout, "ND" if len(shape) != 4 else "NHWC", shape)
        found = read_numbers(row, aligned.dumps)
        assert found.dtype == np.float32
        assert np.array_equal(found.ravel(), expected.astype(np.float32).ravel()), value.name
        checked += 1
    assert checked == 15  # three more are in the files of what the device was fed and answered


def test_more_dump_files_than_a_process_may_open(tmp_path: Path) -> None:
    dump_random(read_offline(case("hh_om.om")), tmp_path / "dumps")
    command = [sys.executable, "-m", "subcut", "align", case("hh.pb"), "--om", case("hh_om.om"), "--dump", "dumps"]
    limited = f"ulimit -n 24; exec {shlex.join(map(str, command))}"
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "18 of 32 tensors aligned, 18 stored"
