"""The viewer beside a device: fused operators, dumps, the name check, reports; and a second model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import contents
from support.in_process import subcut
from support.models import digits
from support.viewing import viewing

from subcut.compiler.alignment.twin import TwinOptions
from subcut.emulator.emulate import Emulated, emulate

SELECTION = "from pool1 to res2a_relu"


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Emulated:
    return emulate(digits("prototxt"), folder=tmp_path_factory.mktemp("device") / "made")


def options(device: Emulated) -> Any:
    return TwinOptions(device.om, device.dumps)


def test_what_a_device_made_of_it(device: Emulated, tmp_path: Path) -> None:
    with viewing(digits("prototxt"), tmp_path / "out", device=options(device)) as page:
        told = page.get("/api/session")
        assert [model["side"] for model in told["models"]] == ["original", "offline"]
        assert (told["offline"], told["dumps"], "question" in told) == (True, True, False)
        columns = page.post("/api/graph")
        names = columns["names"]
        fused = {entry["name"]: [names[at] for at in entry["ops"]] for entry in columns["fused"]}
        assert fused.items() >= {name: group for name, group in device.groups.items() if group}.items()
        info = page.post("/api/op", op=names.index("conv1_relu"))["offline"]
        assert "conv1" in info["group"]
        assert info["rows"][0]["file"] in {path.name for path in device.dumps.rglob("*")}
        inside = page.post("/api/op", op=names.index("conv1"))["offline"]
        assert "never stored" in inside["rows"][0]["reason"]
        assert inside["rows"][0]["file"] is None
        assert names.index("conv1_relu") in columns["dumped"]
        assert page.post("/api/graph", model=1)["count"] == told["models"][1]["count"]
        page.post("/api/graph", 400, model=2)
        done = page.ended(page.post("/api/export", text=SELECTION, options={"bin_type": "float32"})["job"])
        arguments = ["--om", device.om, "--dump", device.dumps, "--bin-dtype", "float32"]
        subcut(digits("prototxt"), SELECTION, *arguments, "-o", tmp_path / "command")
        assert contents(Path(done["folder"])) == contents(tmp_path / "command")
        said = [event["text"].partition(":")[0] for event in page.events() if event["kind"] == "log"]
        assert {"Output Dump Path", "Dump Layer", "Output File", "Input File", "Export Layer"} <= set(said)
        refused = page.post("/api/select", text="from conv1_relu to pool5")
        assert refused["ok"] or refused["diagnostics"][0]["code"] == "inside-fused"


def test_another_name_is_asked_about(device: Emulated, tmp_path: Path) -> None:
    for ending in ("prototxt", "caffemodel"):
        (tmp_path / f"elsewhere.{ending}").write_bytes(
            digits(ending).read_bytes().replace(b'name: "digits"', b'name: "other_"')
        )
    with viewing(tmp_path / "elsewhere.prototxt", tmp_path / "out", device=options(device)) as page:
        told = page.get("/api/session")
        assert told["question"]["original"] == "elsewhere.prototxt"
        assert "digits" in told["question"]["recorded"]
        assert any("elsewhere.prototxt" in warning for warning in told["warnings"])


def test_a_comparison_colours_operators(device: Emulated, tmp_path: Path) -> None:
    subcut("run", digits("prototxt"), "-o", tmp_path / "golden")
    subcut("compare", device.dumps, tmp_path / "golden", "--om", device.om, "-o", tmp_path / "report", code=None)
    with viewing(digits("prototxt"), tmp_path / "out", report=tmp_path / "report") as page:
        assert page.get("/api/session")["report"] is True
        report = page.get("/api/report")
        names = page.post("/api/graph")["names"]
        record = json.loads((tmp_path / "report" / "report.json").read_text())
        stored = {row["original"].rpartition(":")[0] for row in record["rows"] if row["original"]}
        assert {names[at] for at in report["op"]} == stored & set(names)
        assert len(report["op"]) == len(report["total"]) == len(report["verdict"]) > 3
        assert all(value is None or value >= 0 for value in report["total"])
        depths = [report["op"][row] for row in report["curve"]]
        assert depths == sorted(depths)
        info = page.post("/api/op", op=report["op"][0])["report"]
        assert info["total"] == report["total"][0]


@pytest.mark.parametrize("ending", ["prototxt", "pb", "onnx"])
def test_a_culprit_is_told_from_what_it_passes_on(ending: str, tmp_path: Path) -> None:
    made = emulate(digits(ending), folder=tmp_path / "device", faults=["res2a_branch2a:scale"])
    arguments = ["--om", made.om, "--dump", made.dumps, "-o", tmp_path / "found"]
    subcut("locate", digits(ending), *arguments, code=None)
    with viewing(digits(ending), tmp_path / "out", report=tmp_path / "found") as page:
        report = page.get("/api/report")
        names = page.post("/api/graph")["names"]
        rows = {names[op]: row for row, op in enumerate(report["op"])}
        (culprit,) = [name for name, row in rows.items() if report["verdict"][row] == "culprit"]
        assert culprit.startswith("res2a_branch2a")
        last = rows["prob"]
        assert (report["inherited"][rows[culprit]], report["inherited"][last]) == (False, True)
        assert report["own"][rows[culprit]] > report["limit"][rows[culprit]]
        assert report["own"][last] < report["total"][last]
        info = page.post("/api/op", op=report["op"][rows[culprit]])["report"]
        assert (info["verdict"], info["own"]) == ("culprit", report["own"][rows[culprit]])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": 3}', '{"rows": [3]}', "[" * 100_000])
def test_what_is_no_report_is_said(content: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(content)
    told = subcut("view", digits("onnx"), "--no-browser", "--report", tmp_path, code=2).stderr
    assert "report.json" in told


def test_a_cut_beside_the_original(tmp_path: Path) -> None:
    subcut(digits("onnx"), SELECTION, "-o", tmp_path / "cut")
    with viewing(digits("onnx"), tmp_path / "out", other=tmp_path / "cut" / "dump.onnx") as page:
        assert [model["side"] for model in page.get("/api/session")["models"]] == ["original", "other"]
        names = page.post("/api/graph", model=1)["names"]
        assert "pool1" in names
        assert "conv1" not in names
        assert page.post("/api/op", model=1, op=names.index("pool1"))["type"] == "MaxPool"
