"""Beside the original: the device's fused operators and dumps, the question whose they are, and a second graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.broken import Broken
from support.browsing import Box, Opened, View
from support.commands import contents
from support.in_process import subcut
from support.models import digits

ENDINGS = ["prototxt", "pb", "onnx"]
TEXT = "from pool1 to res2a_relu"
Device = Callable[[str], Broken]


def outline(view: View) -> int:
    """How many pixels around `conv1` are those of a fused group, which is drawn in thin lines of one hue."""
    first, last = view.box("conv1"), view.box("conv1_relu")
    box = Box(first.x - 60, first.y - 20, first.width + 120, last.y - first.y + 10)  # not the dot of `conv1_relu`
    red, green, blue = view.picture(box).astype(int).transpose(2, 0, 1)
    return int(((green - red > 40) & (blue - red > 40) & (abs(green - blue) < 15)).sum())


@pytest.mark.parametrize("ending", ENDINGS)
def test_fused_operators_are_outlined_and_dumps_told(opened: Opened, device: Device, ending: str) -> None:
    made = device(ending)
    view, page = opened(digits(ending), device=made.options)
    assert outline(view) > 200, "an outline around what the device fused"
    files = {path.name for path in made.dumps.rglob("*") if path.is_file()}
    columns = page.post("/api/graph")
    dumped = {columns["names"][op] for op in columns["dumped"]}
    assert {"conv1_relu", "pool1"} <= dumped
    view.point("conv1_relu")
    view.chosen("conv1_relu")
    told = view.section("offline").inner_text()
    file = re.search(r"Conv2D\.\S*conv1\S*\.\d+", told)
    assert file is not None, told
    assert file[0] in files, "a file that is there"
    assert "conv1" not in dumped
    view.point("conv1")
    view.chosen("conv1")
    assert "never stored" in view.section("offline").inner_text()


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_outlined_without_a_device(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    assert outline(view) == 0
    view.point("conv1")
    view.chosen("conv1")
    assert "offline" not in view.sections()


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_export_beside_a_device(opened: Opened, device: Device, ending: str, tmp_path: Path) -> None:
    made = device(ending)
    view, _ = opened(digits(ending), device=made.options, selection=TEXT)
    view.says(TEXT)
    folder = view.export()
    subcut(digits(ending), TEXT, "--om", made.om, "--dump", made.dumps, "-o", tmp_path / "command")
    assert any(name.startswith("dump_data/") for name in contents(folder))
    assert contents(folder) == contents(tmp_path / "command")
    view.tab.locator("dialog.export summary", has_text="Details").click()
    log = view.tab.locator("dialog.export").get_by_label("Log").inner_text()
    added = {"prototxt": "Add Layer Into Prototxt:", "pb": "Add Node Into GraphDef:", "onnx": "Add Input Into Graph:"}
    for word in (added[ending], "Output Dump Path:", "Dump Layer:[", "Output File:", "Input File:"):
        assert word in log
    assert f"{folder}/dump_data" in log


def renamed(ending: str, folder: Path) -> Path:
    """The same net under another name, in the file where the format has one there."""
    for part in ("prototxt", "caffemodel") if ending == "prototxt" else (ending,):
        raw = digits(part).read_bytes().replace(b'name: "digits"', b'name: "other_"')
        (folder / f"elsewhere.{part}").write_bytes(raw.replace(b"\x12\x06digits", b"\x12\x06other_"))
    return folder / f"elsewhere.{ending}"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("goes", [True, False])
def test_another_model_s_name_is_asked_about(
    opened: Opened, device: Device, ending: str, tmp_path: Path, goes: bool
) -> None:
    view, _ = opened(renamed(ending, tmp_path), device=device(ending).options)
    dialog = view.tab.locator("dialog.question")
    dialog.wait_for()
    assert "digits" in dialog.inner_text()
    assert f"elsewhere.{ending}" in dialog.inner_text()
    dialog.get_by_role("button", name="Go on" if goes else "Do not use the offline model").click()
    dialog.wait_for(state="detached")
    assert (view.tab.locator("#toggle-pair").count() > 0) == goes


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_model_s_own_name_is_not_asked_about(opened: Opened, device: Device, ending: str) -> None:
    view, page = opened(digits(ending), device=device(ending).options)
    view.tab.locator("#toggle-pair").wait_for()
    assert "question" not in page.get("/api/session")
    assert view.tab.locator("dialog").count() == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_two_graphs_side_by_side_in_step(opened: Opened, ending: str, tmp_path: Path) -> None:
    subcut(digits(ending), TEXT, "-o", tmp_path / "cut")
    view, _ = opened(digits(ending), other=tmp_path / "cut" / f"dump.{ending}")
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


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_original_beside_the_offline_model(opened: Opened, device: Device, ending: str) -> None:
    view, page = opened(digits(ending), device=device(ending).options)
    view.tab.get_by_role("button", name="Side by side").click()
    view.tab.locator(".pane[data-model='1'] [role=treeitem]").first.wait_for(state="attached")
    view.point("pool1")
    names = page.post("/api/graph", model=1)["names"]
    assert "pool1" in names
    view.until(lambda: view.item("pool1", 1).count() > 0, "the device's operator")
    view.point("pool1", "right", pane=1)
    view.tab.get_by_role("menuitem", name="Copy name").wait_for()
    assert not view.tab.get_by_role("menuitem", name="Start here").count(), "only the original can be cut"
