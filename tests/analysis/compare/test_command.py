"""`subcut compare` as a user meets it: files, exit codes, and what it says of sides that do not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import contents, subcut
from support.compared import ground_truth, write_truth
from support.models import DIGITS, digits

from subcut.analysis.compare import compare
from subcut.compiler.number_files import read_npz
from subcut.emulator import Emulated, emulate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Emulated, Path]:
    folder = tmp_path_factory.mktemp("run")
    inputs: dict[str, Any] = read_npz(DIGITS / "samples.npz")
    made = emulate(digits("onnx"), inputs, folder / "device", faults=["res2a_branch2a:scale"])
    return made, ground_truth(digits("onnx"), inputs, folder / "golden")


def test_a_report(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    done = subcut("compare", made.dumps, golden, "--om", made.om, "-o", tmp_path / "out", "--further", code=1)
    assert "The first beyond the limits: res2a_branch2ares2a_branch2a_relu:output:0" in done.stdout
    files = contents(tmp_path / "out")
    [table] = [name for name in files if name.startswith("result_")]
    assert sorted(files) == ["manifest.json", "report.html", "report.json", table]
    assert files[table].decode() == compare(made.dumps, golden, om=made.om).csv
    record = json.loads(files["report.json"])
    assert record["counts"]["bad"] == sum(row["verdict"] == "bad" for row in record["rows"]) > 0
    further = [row["further"] for row in record["rows"] if row["verdict"] == "ok"]
    assert all((one["mismatch_ratio"] < 0.5 and one["snr"] is None) or one["snr"] > 30 for one in further)
    again = subcut("compare", made.dumps, golden, "--om", made.om, "-o", tmp_path / "out", code=1)
    assert "folder-exists" in again.stderr
    assert (
        "bad"
        in subcut("compare", made.dumps, golden, "--om", made.om, "-o", tmp_path / "out", "--force", code=1).stdout
    )


def test_json(run: tuple[Emulated, Path]) -> None:
    made, golden = run
    record = json.loads(subcut("compare", made.dumps, golden, "--om", made.json, "--json", code=1).stdout)
    assert record["counts"]["rows"] == len(record["rows"])


def test_processes_say_the_same(run: tuple[Emulated, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made, golden = run
    alone = compare(made.dumps, golden, om=made.om, jobs=1)
    monkeypatch.setattr("subcut.analysis.compare.executors._FEW", 0)
    done: list[tuple[int, int]] = []
    together = compare(made.dumps, golden, om=made.om, jobs=2, done=lambda n, count: done.append((n, count)))
    assert together.csv == alone.csv
    assert done[-1][0] == done[-1][1] == len(done)


def test_processes_compare_devices_and_truth(run: tuple[Emulated, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made, golden = run
    monkeypatch.setattr("subcut.analysis.compare.executors._FEW", 0)
    for side in (made.dumps, golden):
        found = compare(side, side, jobs=2)
        assert found.counts["ok"] == found.counts["rows"] > 10


def test_two_folders_of_truth(tmp_path: Path) -> None:
    ramp = np.arange(12, dtype="f4").reshape(1, 3, 4)
    same = {"a/b": ramp, "lost": ramp, "shape": ramp, "nan": ramp, "empty": ramp[:0], "text": ramp}
    left = write_truth(tmp_path / "left", same)
    other = {"a/b:0": ramp, "shape": ramp[0], "nan": ramp * np.nan, "empty": ramp[:0], "more": ramp, "text": ramp}
    right = write_truth(tmp_path / "right", other)
    [broken] = right.glob("text.*")
    broken.write_text("this is no array")
    found = compare(left, right)
    rows = {row.original: row for row in found.rows}
    assert rows["a_b:0"].verdict == "ok"
    assert rows["lost:0"].missing == "right"
    assert rows["more:0"].missing == "left"
    assert "does not match ((1, 3, 4) vs (3, 4))" in rows["shape:0"].reason
    assert rows["nan:0"].verdict == "bad"
    assert "cannot be read" in rows["text:0"].note
    counts = found.counts
    assert (counts["missing on the left"], counts["missing on the right"], counts["empty"]) == (1, 1, 1)
    assert counts["with no number"] == 2
    assert subcut("compare", left, right, code=1).stdout
    assert subcut("compare", left, left, "-q", code=1).stdout == ""


def test_equal_sides_are_fine(tmp_path: Path) -> None:
    left = write_truth(tmp_path / "left", {"a": np.arange(6.0)})
    assert "1 rows, 1 ok" in subcut("compare", left, left).stdout


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("golden", "dumps"), "give them the other way"),
        (("dumps", "golden"), "give it, or its JSON, with `--om`"),
        (("golden", "golden", "--om", "om"), "no offline model is needed"),
        (("nowhere", "golden"), "cannot be read"),
        (("golden", "golden", "--rtol", "-1"), "is no tolerance"),
    ],
)
def test_sides_that_do_not_go_together(run: tuple[Emulated, Path], sides: tuple[str, ...], said: str) -> None:
    made, golden = run
    places: dict[str, object] = {"dumps": made.dumps, "golden": golden, "om": made.om}
    done = subcut("compare", *(places.get(side, side) for side in sides), code=None)
    assert done.returncode in (1, 2)
    assert said in done.stderr


def test_a_damaged_dump_is_one_row(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    folder = tmp_path / "dumps"
    folder.mkdir()
    for file in made.dumps.iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[:20] if ".pool1." in file.name else content)
    before, found = compare(made.dumps, golden, om=made.om), compare(folder, golden, om=made.om)
    [row] = [row for row in found.rows if row.left == "pool1"]
    assert row.verdict == "not compared"
    assert "pool1" in row.note
    assert len(found.rows) == len(before.rows) - 1


def test_what_neither_side_asks_for_is_extra(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    dumps = shutil.copytree(made.dumps, tmp_path / "dumps")
    [pool] = dumps.glob("*.pool1.*")
    shutil.copy(pool, dumps / pool.name.replace(".pool1.", ".pool9."))
    assert compare(made.dumps, golden, om=made.om).extra_left == []
    found = compare(dumps, golden, om=made.om)
    assert found.extra_left == ["pool9"]
    assert found.counts["extra on the left"] == 1
    done = subcut("compare", dumps, golden, "--om", made.om, "-o", tmp_path / "out", code=1)
    assert "1 extra on the left" in done.stdout
    assert "the offline model does not have: pool9" in (tmp_path / "out/report.html").read_text()


def test_both_sides_are_models() -> None:
    given = ["--inputs", DIGITS / "samples.npz", "--json"]
    record = json.loads(subcut("compare", digits("onnx"), digits("onnx"), *given).stdout)
    assert record["counts"]["ok"] == record["counts"]["rows"] == 18
    other = json.loads(subcut("compare", digits("onnx"), digits("prototxt"), *given, code=None).stdout)
    rows = {row["original"]: row for row in other["rows"]}
    assert rows["conv1:0"]["verdict"] == rows["pool1:0"]["verdict"] == "ok"
    assert rows["scale_conv1:0"]["missing"] == "left"  # in the ONNX model it is a part of its neighbour


def test_a_side_is_a_model(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    inputs = ["--inputs", DIGITS / "samples.npz"]
    done = subcut("compare", digits("onnx"), golden, *inputs, "-o", tmp_path / "out")
    assert "18 rows, 18 ok" in done.stdout
    given = subcut("compare", made.dumps, digits("onnx"), "--om", made.om, *inputs, code=1).stdout
    fed = subcut("compare", made.dumps, digits("onnx"), "--om", made.om, code=1).stdout
    assert given == subcut("compare", made.dumps, golden, "--om", made.om, code=1).stdout
    assert fed.splitlines()[-2:] == given.splitlines()[-2:]
