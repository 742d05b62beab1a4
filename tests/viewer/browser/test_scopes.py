"""A cut that starts or ends at a folded scope (rows S7 to S9); two fingers; forced colours; refusals in Chinese."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import BLUE, ORANGE, Opened, View
from support.commands import contents
from support.in_process import subcut
from support.models import digits
from support.scoped import INNER, SCOPED

if TYPE_CHECKING:
    from playwright.sync_api import Locator

BLOCKS = 4
ENDINGS = ["prototxt", "pb", "onnx"]


def blocks(folder: Path) -> Path:
    """Residual blocks one below the other, each in a scope, with its weights."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = [helper.make_node("Relu", ["x"], ["r0"], name="stem/relu")]
    weights: list[Any] = []
    for at in range(BLOCKS):
        scope = f"block{at}"
        weights.append(numpy_helper.from_array(np.ones((4, 4, 1, 1), np.float32), f"{scope}/w"))
        nodes += [
            helper.make_node("Conv", [f"r{at}", f"{scope}/w"], [f"c{at}"], name=f"{scope}/conv"),
            helper.make_node("Sigmoid", [f"c{at}"], [f"s{at}"], name=f"{scope}/act"),
            helper.make_node("Add", [f"s{at}", f"r{at}"], [f"r{at + 1}"], name=f"{scope}/add"),
        ]
    shape = helper.make_tensor_value_info
    ends = [shape(name, TensorProto.FLOAT, [1, 4, 2, 2]) for name in ("x", f"r{BLOCKS}")]
    graph = helper.make_graph(nodes, "blocks", ends[:1], ends[1:], weights)
    path = folder / "blocks.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def folded(opened: Opened, folder: Path) -> View:
    """The blocks, each as one node."""
    view, _ = opened(blocks(folder))
    view.tab.get_by_role("button", name="Fold all scopes", exact=True).click()
    scope(view, "block1").wait_for(state="attached")
    return view


def scope(view: View, name: str) -> Locator:
    return view.tab.locator(f"[role=treeitem][aria-expanded=false][aria-label^='{name}']")


def click(view: View, name: str, button: Any = "left") -> None:
    """A place of the folded scope that does not unfold it, once nothing moves."""
    boxes: list[Any] = []

    def rests() -> bool:
        view.tab.wait_for_timeout(140)  # longer than the elements lag behind a movement
        boxes.append(scope(view, name).bounding_box())
        return len(boxes) > 1 and boxes[-1] is not None and boxes[-1] == boxes[-2]

    view.until(rests, f"{name} at rest")
    box = boxes[-1]
    view.tab.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], button=button)


def entry(view: View, name: str) -> Locator:
    return view.tab.get_by_role("menuitem", name=re.compile(f"^{name}"))


def test_a_folded_scope_by_right_click(opened: Opened, tmp_path: Path) -> None:
    view = folded(opened, tmp_path)
    click(view, "block1", "right")
    entry(view, "Start here").click()
    view.says("from block1/conv, block1/add")
    click(view, "block2", "right")
    entry(view, "End here").click()
    view.says("from block1/conv, block1/add to block2/add")
    assert view.tab.get_by_text("6 operators").count(), "both blocks whole"
    assert view.tab.evaluate("__subcut.state().between") == 6
    click(view, "block1", "right")
    entry(view, "No longer a start").click()
    view.says("to block2/add")


def test_a_folded_scope_by_keys(opened: Opened, tmp_path: Path) -> None:
    view = folded(opened, tmp_path)
    click(view, "block1")
    view.tab.keyboard.press("s")
    view.says("from block1/conv, block1/add")
    view.tab.keyboard.press("e")  # the same scope, which has kept the focus: the block alone
    view.says("from block1/conv, block1/add to block1/add")
    view.tab.keyboard.press("ArrowDown")
    view.tab.keyboard.press("Shift+E")
    view.says("from block1/conv, block1/add to block1/add, block2/add")
    view.tab.keyboard.press("m")
    entry(view, "No longer an end").wait_for()
    view.tab.keyboard.press("Escape")
    # An operator that is chosen afterwards has the keys again.
    view.look("stem/relu")
    view.tab.keyboard.press("s")
    view.says("from stem/relu to block1/add, block2/add")


@pytest.mark.parametrize("format", SCOPED)
@pytest.mark.parametrize("fold", ["Fold", "Unfold"])
def test_a_scope_of_every_format_is_cut_as_by_the_command(
    opened: Opened, format: str, fold: str, tmp_path: Path
) -> None:
    path = SCOPED[format](tmp_path)
    view, _ = opened(path)
    view.tab.get_by_role("button", name=f"{fold} all scopes", exact=True).click()
    expanded = str(fold == "Unfold").lower()
    mixed = view.tab.locator(f"[role=treeitem][aria-expanded={expanded}][aria-label^='mixed']").first
    mixed.wait_for(state="attached")
    view.tab.wait_for_timeout(400)  # longer than the elements lag behind a movement
    box = mixed.bounding_box()
    assert box is not None
    view.tab.mouse.click(box["x"] + 60, box["y"] + 14)
    view.chosen("mixed")
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("s")
    view.tab.keyboard.press("e")
    text = "from mixed/left/tanh, mixed/right/sigmoid to mixed/sum"
    view.says(text)
    assert view.tab.evaluate("__subcut.state().between") == len(INNER)
    if fold == "Unfold":
        assert all(view.share(view.box(name).around(4), BLUE) > 0.02 for name in INNER)
    done = subcut(path, text, "-o", tmp_path / "command")
    assert done.returncode == 0, done.stderr
    assert contents(view.export()) == contents(tmp_path / "command")


def test_an_end_above_the_start_is_refused_for_a_scope_too(opened: Opened, tmp_path: Path) -> None:
    view = folded(opened, tmp_path)
    click(view, "block2", "right")
    entry(view, "Start here").click()
    view.says("from block2/conv, block2/add")
    click(view, "block0", "right")
    refused = entry(view, "End here")
    assert refused.get_attribute("aria-disabled") == "true"
    assert "block0 comes before the start block2/conv" in refused.inner_text().replace("`", "")
    view.tab.keyboard.press("Escape")
    view.tab.keyboard.press("e")
    notice = view.tab.get_by_role("alert")
    assert "comes before the start" in notice.inner_text()
    view.says("from block2/conv, block2/add")
    notice.get_by_role("button", name="Swap them").click()
    view.says("from block0/conv, block0/add to block2/conv, block2/add")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_input_of_the_cut_keeps_its_colour_while_its_reader_is_selected(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.look("pool1")
    view.tab.keyboard.press("s")
    view.says("from pool1")
    box = view.box("pool1")
    box.y, box.height = box.y - 40, 26  # the line alone, above the disc
    chosen = view.share(box, ORANGE)
    view.tab.keyboard.press("Escape")
    view.tab.wait_for_timeout(200)
    assert 0.7 * view.share(box, ORANGE) < chosen > 0.005


@pytest.mark.parametrize("ending", ENDINGS)
def test_two_fingers_zoom_and_one_moves(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), context={"has_touch": True})
    view.look("pool1")
    tree = view.tab.get_by_role("tree").bounding_box()
    assert tree is not None
    x, y = tree["x"] + tree["width"] / 2, tree["y"] + tree["height"] / 2
    hands = view.tab.context.new_cdp_session(view.tab)

    def touch(kind: Any, *points: tuple[float, float]) -> None:
        given = [{"x": at[0], "y": at[1], "id": number} for number, at in enumerate(points)]
        hands.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})

    def viewport() -> Any:
        return view.tab.evaluate("__subcut.state().viewport")

    before = viewport()
    touch("touchStart", (x, y - 50), (x, y + 50))
    for step in range(1, 11):
        touch("touchMove", (x, y - 50 - 5 * step), (x, y + 50 + 5 * step))
    touch("touchEnd")
    view.until(lambda: abs(viewport()["zoom"] / before["zoom"] - 2) < 0.15, f"twice as large as {before}")
    assert view.tab.evaluate("visualViewport.scale") == 1, "the page itself is not zoomed"
    after = viewport()
    touch("touchStart", (x, y))
    for step in range(1, 11):
        touch("touchMove", (x, y - 10 * step))
    touch("touchEnd")
    view.until(lambda: abs((viewport()["y"] - after["y"]) * after["zoom"] - 100) < 15, "moved by a finger")


@pytest.mark.parametrize("ending", ENDINGS)
def test_colours_of_the_system_are_taken_where_they_are_forced(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.look("pool1")
    view.tab.keyboard.press("s")
    view.says("from pool1")
    view.tab.emulate_media(forced_colors="active")
    view.tab.wait_for_timeout(300)
    probe = """(name) => {
      const it = document.createElement('i');
      it.style.color = name;
      document.body.append(it);
      const found = getComputedStyle(it).color;
      it.remove();
      return found.match(/\\d+/g).slice(0, 3).map(Number);
    }"""
    highlight, canvas, text = (view.tab.evaluate(probe, name) for name in ("Highlight", "Canvas", "CanvasText"))
    assert view.share(view.box("pool1").head, tuple(highlight)) > 0.5, "between start and end"
    assert view.share(view.box("conv1_relu").head, tuple(text)) > 0.4, "a head"
    box = view.box("conv1_relu")
    box.x, box.width = box.x - 60, 40
    assert view.share(box, tuple(canvas)) > 0.9, "the ground"
    view.tab.emulate_media(forced_colors="none")
    view.until(lambda: view.blue("pool1"), "its own colours again")


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_wrong_with_a_text_is_said_in_chinese_with_the_message_below(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), context={"locale": "zh-CN"})
    for text, headline, said in (
        ("from nowhere", "模型中没有这个算子", "nowhere"),
        ("from pool1 to conv1_relu", "终点在起点之前", "conv1_relu"),
        ("from", "语法错误", "must follow"),
    ):
        view.tab.locator("#selection-text").fill(text)
        problem = view.tab.locator("#selection-problems .problem")
        problem.get_by_text(headline).wait_for()
        assert said in problem.locator("[lang=en]").first.inner_text()
