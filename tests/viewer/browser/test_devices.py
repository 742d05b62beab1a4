"""Beside the original: the device's fused operators and dumps, errors as colours, and a second graph in step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browsing import FUSED, Opened
from support.commands import contents
from support.in_process import subcut
from support.models import digits

from subcut.compiler.alignment.twin import TwinOptions
from subcut.emulator.emulate import Emulated, emulate

TEXT = "from pool1 to res2a_relu"


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Emulated:
    return emulate(digits("prototxt"), folder=tmp_path_factory.mktemp("device") / "made")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What `compare` and `locate` say of a device of which `res2a_branch2b` is wrong."""
    root = tmp_path_factory.mktemp("broken")
    subcut("emulate", digits("prototxt"), "-o", root / "device", "--fault", "res2a_branch2b:scale")
    om, dumps = root / "device" / "digits.om", root / "device" / "dumps"
    subcut("run", digits("prototxt"), "-o", root / "golden", code=None)
    subcut("compare", dumps, root / "golden", "--om", om, "-o", root / "compare", code=None)
    subcut("locate", digits("prototxt"), "--om", om, "--dump", dumps, "-o", root / "locate", code=None)
    return {"compare": root / "compare", "locate": root / "locate"}


def given(device: Emulated) -> Any:
    return TwinOptions(device.om, device.dumps)


def test_fused_operators_are_outlined_and_dumps_told(opened: Opened, device: Emulated) -> None:
    view, _ = opened(digits("prototxt"), device=given(device))
    box = view.box("conv1").around(16)
    box.height += 30
    assert view.share(box, FUSED) > 0.005, "an outline around what the device fused"
    view.point("conv1_relu")
    view.chosen("conv1_relu")
    told = view.section("offline").inner_text()
    assert re.search(r"Conv2D\.\S*conv1\S*\.\d+", told), told
    view.point("conv1")
    view.chosen("conv1")
    assert "never stored" in view.section("offline").inner_text()


def test_an_export_beside_a_device(opened: Opened, device: Emulated, tmp_path: Path) -> None:
    view, _ = opened(digits("prototxt"), device=given(device), selection=TEXT)
    view.says(TEXT)
    folder = view.export()
    subcut(digits("prototxt"), TEXT, "--om", device.om, "--dump", device.dumps, "-o", tmp_path / "command")
    assert contents(folder) == contents(tmp_path / "command")
    view.tab.locator("dialog.export summary", has_text="Details").click()
    log = view.tab.locator("dialog.export").get_by_label("Log").inner_text()
    for word in ("Add Layer Into Prototxt:", "Output Dump Path:", "Dump Layer:[", "Output File:", "Input File:"):
        assert word in log
    assert f"{folder}/dump_data" in log


@pytest.mark.parametrize("goes", [True, False])
def test_another_model_s_name_is_asked_about(opened: Opened, device: Emulated, tmp_path: Path, goes: bool) -> None:
    for ending in ("prototxt", "caffemodel"):
        raw = digits(ending).read_bytes().replace(b'name: "digits"', b'name: "other_"')
        (tmp_path / f"elsewhere.{ending}").write_bytes(raw)
    view, _ = opened(tmp_path / "elsewhere.prototxt", device=given(device))
    dialog = view.tab.locator("dialog.question")
    dialog.wait_for()
    assert "digits" in dialog.inner_text()
    assert "elsewhere.prototxt" in dialog.inner_text()
    dialog.get_by_role("button", name="Go on" if goes else "Do not use the offline model").click()
    dialog.wait_for(state="detached")
    assert (view.tab.locator("#toggle-pair").count() > 0) == goes


@pytest.mark.parametrize("kind", ["compare", "locate"])
def test_errors_are_colours(opened: Opened, reports: dict[str, Path], kind: str) -> None:
    view, page = opened(digits("prototxt"), report=reports[kind])
    plain = view.colour("pool1")
    view.tab.locator("#toggle-errors").click()
    panel = view.tab.locator(".compare")
    panel.wait_for()
    assert view.colour("pool1") != plain
    report = page.get("/api/report")
    names = page.post("/api/graph")["names"]
    culprit = (
        "res2a_branch2b"
        if kind == "compare"
        else next(
            names[op] for op, verdict in zip(report["op"], report["verdict"], strict=True) if verdict == "culprit"
        )
    )
    assert panel.locator("p[role=status]").inner_text()
    if kind == "locate":
        assert panel.get_by_label("Own error").is_checked()
        panel.get_by_role("button", name="Next culprit").click()
        view.chosen(culprit)
        own = view.colour(culprit)
        panel.get_by_label("With what it inherits").check()
        view.tab.wait_for_timeout(200)
        assert panel.get_by_label("With what it inherits").is_checked()
        assert own != plain
    else:
        panel.get_by_role("button", name="Next culprit").click()
        view.tab.locator("#info .op-name").wait_for()
        first = view.tab.locator("#info .op-name").inner_text()
        panel.get_by_role("button", name="Next culprit").click()
        view.until(lambda: view.tab.locator("#info .op-name").inner_text() != first, "the next one")
        panel.get_by_role("button", name="Previous culprit").click()
        view.chosen(first)
    assert "report" in view.sections()


def test_the_threshold_slides(opened: Opened, reports: dict[str, Path]) -> None:
    view, _ = opened(digits("prototxt"), report=reports["compare"])
    view.tab.locator("#toggle-errors").click()
    slider = view.tab.locator("#threshold")
    counts: list[int] = []
    said = view.tab.locator(".compare p[role=status]")
    for key in ("Home", "End"):
        slider.press(key)
        text = said.inner_text()
        counts.append(0 if text.startswith("No ") else int(text.split()[0]))
    assert counts[0] > counts[1]
    curve = view.tab.locator("svg.curve")
    assert curve.locator("path, polyline, circle").count() > 0
    box = curve.bounding_box()
    assert box is not None
    before = view.tab.locator("#info .op-name").count()
    view.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6)
    view.tab.locator("#info .op-name").wait_for()
    assert before == 0, "the curve leads to the operator"
    view.tab.locator("#toggle-errors").click()
    assert view.tab.locator(".compare").is_hidden()


def test_two_graphs_side_by_side_in_step(opened: Opened, tmp_path: Path) -> None:
    subcut(digits("onnx"), TEXT, "-o", tmp_path / "cut")
    view, _ = opened(digits("onnx"), other=tmp_path / "cut" / "dump.onnx")
    view.tab.get_by_role("button", name="Side by side").click()
    view.tab.locator(".pane[data-model='1'] [role=treeitem]").first.wait_for(state="attached")
    view.tab.locator("#toggle-info[aria-pressed=false]").click()  # two graphs want its room
    view.look("res2a")
    view.until(lambda: view.item("res2a", 1).count() > 0, "the same operator in the other graph")
    assert view.item("res2a", 1).get_attribute("aria-selected") == "true"
    assert view.box("res2a", 0).y == pytest.approx(view.box("res2a", 1).y, abs=60)
    left, right = view.box("res2a", 0), view.box("res2a", 1)
    view.tab.mouse.move(left.x, left.y - 20)
    view.tab.mouse.wheel(0, 90)
    moved = np.array([view.box("res2a", pane).y for pane in (0, 1)]) - [left.y, right.y]
    assert moved == pytest.approx([-90, -90], abs=60)
    view.point("res2a_relu", pane=1)
    view.chosen("res2a_relu")
    view.until(lambda: view.item("res2a_relu", 0).get_attribute("aria-selected") == "true", "chosen on the left too")
    view.tab.get_by_role("button", name="Side by side").click()
    assert view.tab.locator(".pane").count() == 1


def test_the_original_beside_the_offline_model(opened: Opened, device: Emulated) -> None:
    view, page = opened(digits("prototxt"), device=given(device))
    view.tab.get_by_role("button", name="Side by side").click()
    view.tab.locator(".pane[data-model='1'] [role=treeitem]").first.wait_for(state="attached")
    view.point("pool1")
    names = page.post("/api/graph", model=1)["names"]
    assert "pool1" in names
    view.until(lambda: view.item("pool1", 1).count() > 0, "the device's operator")
    view.point("pool1", "right", pane=1)
    assert not view.tab.get_by_role("menuitem", name="Start here").count(), "only the original can be cut"
