"""The command `subcut convert`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.dumps_to_convert import numbers, tensor, write

from subcut.compiler.cli.main import main

NAME = "Conv2D.conv1.3.7.1600000000000000"


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return write(tmp_path / "in", NAME, [tensor(numbers((1, 20, 4, 4)), "NC1HWC0")],
                 [tensor(numbers((1, 3, 4, 4)), "NC1HWC0", original=())])  # fmt: skip


def test_one_file(dump: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(dump), "-f", "NCHW", "-o", str(out), "--input", "0"]) == 0
    assert capsys.readouterr().out == f"1 files from 1 dumps in {out}\n"
    np.testing.assert_array_equal(np.load(out / f"{NAME}.input.0.1x20x4x4.npy"), numbers((1, 20, 4, 4)))
    assert main(["convert", str(dump), "-f", "NCHW", "-o", str(out), "--output", "0", "-s", "1,3,4,4", "-q"]) == 0
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(np.load(out / f"{NAME}.output.0.1x3x4x4.npy"), numbers((1, 3, 4, 4)))


def test_failures_are_said_and_the_code_is_one(dump: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dump.parent / "Bad.bad.1.7.1600000000000000").write_bytes(b"\x14" + b"\0" * 7 + b"\xff" * 40)
    (dump.parent / "Op.op.1.7.1600000000000000.csv").write_text("statistics")
    out = tmp_path / "out"
    assert main(["convert", str(dump.parent), "-f", "NCHW", "-o", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == f"2 files from 2 dumps in {out} (1 statistics skipped)\n"
    assert f"failed: {dump.parent}/Bad.bad.1.7.1600000000000000: " in said.err
    assert said.err.endswith(f"1 failed: see {out}/convert_failed_file_list.txt\n")
    assert main(["convert", str(dump), "-o", str(out), "-f", "NCHW"]) == 1
    assert "exists: say `--force`" in capsys.readouterr().err
    assert main(["convert", str(dump), "-o", str(out), "-f", "NCHW", "--force"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-f", "NC1HWC0"], "`NC1HWC0` is no layout of an original model"),
        (["-s", "1,x"], "`1,x` is no shape"),
        (["--input", "-1"], "`-1` is no number"),
        (["--input", "a"], "`a` is no number"),
        (["--time", "2020"], "holds no execution with time `2020`"),
    ],
)
def test_mistakes(
    dump: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["convert", str(dump.parent), "-o", str(tmp_path / "out"), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(tmp_path / "nothing"), "-o", str(tmp_path / "out")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_shape_for_many_files(dump: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(dump.parent, "Op.op.1.7.1600000000000000", [], [])
    assert main(["convert", str(dump.parent), "-o", str(tmp_path / "out"), "-f", "NCHW", "-s", "1,3,4,4"]) == 1
    assert "`--shape` is that of one file, and there are 2" in capsys.readouterr().err


def test_a_killed_conversion_leaves_whole_files_only(tmp_path: Path) -> None:
    big = tensor(numbers((1, 64, 256, 256)), "NC1HWC0")
    for i in range(12):
        write(tmp_path / "in", f"Op.op{i}.1.7.1600000000000000", [], [big] * 4)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "subcut", "convert", str(tmp_path / "in"), "-o", str(out), "-f", "NCHW", "-j", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (out.is_dir() and any(path.suffix == ".npy" for path in out.iterdir())):
        assert process.poll() is None
        time.sleep(0.005)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    made = list(out.iterdir())
    assert 0 < len(made) < 48
    assert {path.stat().st_size for path in made} == {128 + 2 * 64 * 256 * 256}
