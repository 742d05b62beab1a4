"""Start and end by mouse and key, what lies between, what is refused, the text in step with it (rows S7 to S9)."""

from __future__ import annotations

import re

import pytest
from support.browsing import ORANGE, SIDE, Opened, View
from support.commands import contents
from support.in_process import subcut
from support.models import digits

ENDINGS = ["prototxt", "pb", "onnx"]
TEXT = "from pool1 to res2a_relu"


def choose(view: View) -> None:
    """`TEXT`, by the right button."""
    view.look("pool1")
    view.menu("pool1", "Start here")
    view.look("res2a_relu")
    view.menu("res2a_relu", "End here")
    view.says(TEXT)
    view.tab.keyboard.press("Escape")


@pytest.mark.parametrize("ending", ENDINGS)
def test_by_right_click(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    plain = view.colour("pool1")
    choose(view)
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("0")  # all of it in sight
    for name in ("pool1", "res2a_branch1", "res2a_branch2b", "res2a_relu"):
        assert view.blue(name), name
    for name in ("conv1_relu", "pool5"):
        assert not view.blue(name), name
    assert view.tab.get_by_role("list", name="Starts").inner_text().strip().startswith("pool1")
    assert view.tab.get_by_role("list", name="Ends").inner_text().strip().startswith("res2a_relu")
    # Another start recolours at once, and what it was takes its own colour again.
    view.menu("res2a_branch2b", "Start here")
    assert not view.blue("pool1")
    assert view.colour("pool1") == plain
    assert view.blue("res2a_branch2b")
    view.says("from res2a_branch2b to res2a_relu")
    view.tab.keyboard.press("Control+z")
    view.says(TEXT)
    assert view.blue("pool1")


@pytest.mark.parametrize("ending", ENDINGS)
def test_by_keyboard_alone(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    for name, key in (("pool1", "s"), ("res2a_relu", "e")):
        view.tab.keyboard.press("/")
        view.tab.keyboard.type(name)
        view.tab.keyboard.press("Enter")
        view.chosen(name)
        view.tab.keyboard.press(key)
    view.says(TEXT)
    assert view.blue("res2a_relu")
    view.tab.keyboard.press("m")
    view.tab.get_by_role("menuitem", name="End here").wait_for()
    for _ in range(2):
        view.tab.keyboard.press("ArrowDown")
    view.tab.keyboard.press("Escape")
    assert view.tab.get_by_role("menu").count() == 0
    view.tab.keyboard.press("x")
    view.until(lambda: view.text == "", "nothing is selected any more")
    assert not view.blue("res2a_relu")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_end_above_the_start_is_refused_with_the_reason(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.look("pool1")
    view.menu("pool1", "Start here")
    view.says("from pool1")
    view.point("conv1_relu", "right")
    entry = view.tab.get_by_role("menuitem", name=re.compile("^End here"))
    assert entry.get_attribute("aria-disabled") == "true"
    assert "comes before the start pool1" in entry.inner_text().replace("`", "")
    entry.click(force=True)
    assert view.text == "from pool1"
    view.tab.keyboard.press("Escape")
    view.tab.keyboard.press("e")
    notice = view.tab.get_by_role("alert")
    assert "comes before the start" in notice.inner_text()
    assert view.text == "from pool1"
    assert not view.blue("conv1_relu")
    notice.get_by_role("button", name="Swap them").click()
    view.says("from conv1_relu to pool1")
    assert view.blue("conv1_relu")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_end_that_no_path_leads_to_is_refused(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.look("res2a_branch1")
    view.tab.keyboard.press("s")
    view.look("res2a_branch2a")
    view.tab.keyboard.press("e")
    assert "No path leads" in view.tab.get_by_role("alert").inner_text()
    view.says("from res2a_branch1")


@pytest.mark.parametrize("ending", ENDINGS)
def test_several_starts_and_ends(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending))
    view.look("bn2a_branch1")
    view.menu("bn2a_branch1", "Start here")
    view.menu("bn2a_branch2a", "Add as another start")
    view.look("res2a")
    view.tab.keyboard.press("e")
    view.look("res2a_relu")
    view.tab.keyboard.press("Shift+E")
    for name in ("bn2a_branch1", "bn2a_branch2a", "res2a", "res2a_relu"):
        view.until(lambda name=name: name in view.text, f"{name} in the text")
    view.tab.locator("#export:not([disabled])").wait_for()
    names = page.post("/api/graph")["names"]
    found = page.post("/api/select", text=view.text)
    assert {names[at] for at in found["starts"]} == {"bn2a_branch1", "bn2a_branch2a"}
    assert {names[at] for at in found["ends"]} == {"res2a", "res2a_relu"}
    for name in ("res2a", "res2a_relu"):
        assert view.blue(name)
    view.tab.get_by_role("button", name="Remove bn2a_branch1", exact=True).click()
    view.until(lambda: "bn2a_branch1" not in view.text, "one start less")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_inputs_of_the_cut_are_marked_with_their_reasons(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending))
    choose(view)
    found = page.post("/api/select", text=TEXT)
    edges = view.tab.locator("#cut .edge.in")
    assert edges.count() == len(found["inputs"]) == 1
    for edge, told in zip(edges.all(), found["inputs"], strict=True):
        assert told["tensor"] in edge.inner_text()
        assert told["reason"] in edge.inner_text()
        assert told["type"] in edge.inner_text()
    assert view.tab.locator("#cut .edge.out").count() == len(found["outputs"])
    view.look("pool1")
    view.tab.keyboard.press("Escape")
    box = view.box("pool1")
    assert view.share(box.around(14), ORANGE) > 0.002, "a disc where it enters"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_side_input_is_told_apart(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.look("bn2a_branch1")
    view.tab.keyboard.press("s")
    view.look("res2a_relu")
    view.tab.keyboard.press("e")
    view.says("from bn2a_branch1 to res2a_relu")
    beside = view.tab.locator("#cut .edge.in.beside")
    beside.get_by_text("side input").wait_for()
    view.look("res2a")
    view.tab.keyboard.press("Escape")
    assert view.share(view.box("res2a").around(14), SIDE) > 0.002
    view.look("bn2a_branch1")
    view.tab.keyboard.press("Escape")
    assert view.share(view.box("bn2a_branch1").around(14), ORANGE) > 0.002


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_text_and_the_graph_are_in_step(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    choose(view)
    field = view.tab.locator("#selection-text")
    field.fill("from res2a_branch2b to res2a")
    view.tab.get_by_role("list", name="Starts").get_by_text("res2a_branch2b").wait_for()
    view.tab.keyboard.press("Escape")
    view.look("res2a")
    view.tab.keyboard.press("Escape")
    assert view.blue("res2a")
    view.look("res2a_relu")
    view.tab.keyboard.press("Escape")
    assert not view.blue("res2a_relu")
    field.fill("from res2a_branch2b to res3")
    problem = view.tab.locator("#selection-problems")
    problem.get_by_text("res3").first.wait_for()
    assert view.tab.locator(".editor-copy .wrong").inner_text() == "res3"
    assert view.tab.locator("#export").is_disabled()
    field.fill("from")
    problem.locator(".problem").first.wait_for()
    field.fill("all")
    view.says("all")
    assert view.blue("res2a_relu")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_selection_is_saved_as_a_file_that_apply_takes(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending))
    view.forgiven.append("409")
    choose(view)
    for again in (False, True):
        view.tab.get_by_role("button", name="Save…").click()
        dialog = view.tab.locator("dialog.save")
        dialog.locator("#save-name").fill("block")
        dialog.get_by_role("button", name="Save", exact=True).click()
        if again:
            dialog.get_by_text("is already there").wait_for()
            dialog.get_by_role("button", name="Replace it").click()
        dialog.wait_for(state="detached")
    folder = page.session.output
    assert [path.name for path in folder.iterdir()] == ["block.subcut"]
    subcut("apply", folder / "block.subcut", "-o", folder / "applied")
    subcut(digits(ending), TEXT, "-o", folder / "command")
    made = next((folder / "applied").rglob("manifest.json")).parent
    dump = next(path for path in sorted(contents(made)) if path.startswith("dump."))
    assert contents(made)[dump] == contents(folder / "command")[dump]
    view.tab.get_by_role("button", name="Save…").click()
    view.tab.locator("#save-name").fill("../out")
    view.tab.get_by_role("button", name="Save", exact=True).click()
    view.tab.get_by_text("A name without slashes").wait_for()
    assert not (folder.parent / "out.subcut").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_selection_of_the_command_line_is_shown_at_once(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    assert view.blue("pool1")
