"""A model as a picture: what is drawn, what opens, the details of an operator (rows S1, S3, S4, S6)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.browsing import BLUE, Box, Opened
from support.models import digits
from support.onnx_graphs import save as written
from support.scoped import INNER, SCOPED
from support.tensorflow_graphs import built, calls

if TYPE_CHECKING:
    from playwright.sync_api import Route

ENDINGS = ["prototxt", "pb", "onnx"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_operators_are_drawn_in_order_and_by_kind(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), infers=True)
    name = "conv1_relu"
    boxes = [view.box(name) for name in ("conv1", "conv1_relu", "pool1", "res2a_branch1")]
    assert [box.y for box in boxes] == sorted(box.y for box in boxes)
    assert len({view.colour(name) for name in ("conv1", "conv1_relu", "pool1")}) == 3
    assert view.colour("conv1") == view.colour("res2a_branch1")
    # Shapes on the edges; those that no file states are found while the picture is there already.
    label = "NHWC" if ending == "pb" else "8,8"
    view.until(lambda: any(f" {name} f32" in said and label in said for said in view.names()), "shapes", 40)
    box = view.box(name)
    between = Box(box.x, box.y + box.height + 2, 2 * box.width, 28)
    assert view.picture(between).reshape(-1, 3).min() < 150, "a line with its label"


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_whole_is_moved_by_mouse_and_keys(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    before = view.box("conv1")
    view.tab.mouse.move(500, 500)
    view.tab.mouse.wheel(0, 120)
    assert view.box("conv1").y == pytest.approx(before.y - 120, abs=2)
    view.tab.keyboard.down("Control")
    view.tab.mouse.wheel(0, -100)
    view.tab.keyboard.up("Control")
    assert view.box("pool1").width > before.width
    view.tab.mouse.move(380, 700)
    view.tab.mouse.down()
    start = view.box("pool1")
    view.tab.mouse.move(420, 660, steps=4)
    view.tab.mouse.up()
    assert view.box("pool1").x == pytest.approx(start.x + 40, abs=2)
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("Home")
    assert view.box("conv1") == before
    view.tab.keyboard.press("0")
    view.tab.wait_for_timeout(300)
    assert any("res2a_relu" in name for name in view.names()), "all of it fits"
    view.tab.keyboard.press("Home")
    view.tab.keyboard.press("-")
    assert view.box("conv1").width < before.width
    assert "80 %" in view.tab.locator("#status").inner_text()


@pytest.mark.parametrize("ending", ENDINGS)
def test_arrows_follow_the_edges(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.point("conv1")
    view.chosen("conv1")
    scale = ["scale_conv1"] if ending == "prototxt" else []  # Caffe has a layer of its own for that
    down = [("ArrowDown", name) for name in ("bn_conv1", *scale, "conv1_relu")]
    for key, name in (*down, *(("ArrowUp", name) for name in (*scale, "bn_conv1"))):
        view.tab.keyboard.press(key)
        view.chosen(name)
    tree = view.tab.locator("[role=tree]")

    def active() -> str:
        return tree.evaluate("(one) => document.getElementById(one.ariaActiveDescendantElement?.id)?.ariaLabel ?? ''")

    view.until(lambda: "bn_conv1" in active(), "the operator, for who does not see it")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_minimap_goes_where_it_is_clicked(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    before = view.names()
    area = view.tab.locator(".pane").bounding_box()
    assert area is not None
    strip = Box(area["x"] + area["width"] - 90, area["y"] + 10, 80, area["height"] - 20)
    pixels = view.picture(strip).reshape(-1, 3)
    assert len({tuple(pixel) for pixel in pixels}) > 4, "the operators in their colours"
    view.tab.mouse.click(strip.x + 45, strip.y + 190)
    view.until(lambda: view.names() != before, "another part of the graph")


@pytest.mark.parametrize("format", SCOPED)
def test_scopes_fold_and_unfold(opened: Opened, format: str, tmp_path: Path) -> None:
    view, _ = opened(SCOPED[format](tmp_path))
    tools = view.tab.locator(".pane-tools")
    tools.get_by_role("button", name="Fold all scopes", exact=True).click()
    scope = view.tab.locator("[role=treeitem][aria-expanded=false]").filter(has=view.tab.locator("xpath=.")).first
    scope.wait_for(state="attached")
    view.until(lambda: not any("sigmoid" in name for name in view.names()), "the scope is folded")
    tools.get_by_role("button", name="Unfold all scopes").click()
    view.until(lambda: any("sigmoid" in name for name in view.names()), "the scope is open")
    for name in INNER:
        view.look(name)
        assert view.boxed(name)
    # A hit in a folded scope opens what is around it.
    tools.get_by_role("button", name="Fold all scopes", exact=True).click()
    view.until(lambda: not any("sigmoid" in name for name in view.names()), "the scope is folded again")
    view.look("mixed/right/sigmoid")
    assert view.boxed("mixed/right/sigmoid")


@pytest.mark.parametrize("format", SCOPED)
def test_one_scope_opens_by_double_click_and_by_key(opened: Opened, format: str, tmp_path: Path) -> None:
    view, _ = opened(SCOPED[format](tmp_path))
    view.tab.get_by_role("button", name="Fold all scopes", exact=True).click()
    folded = view.tab.locator("[role=treeitem][aria-expanded=false][aria-label*=mixed]")
    folded.wait_for(state="attached")
    view.tab.wait_for_timeout(300)
    box = folded.bounding_box()
    assert box is not None
    view.tab.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    view.tab.locator("[role=treeitem][aria-expanded=true][aria-label*=mixed]").first.wait_for(state="attached")
    view.until(lambda: any("sum" in name for name in view.names()), "what is inside")
    view.tab.keyboard.press("Enter")
    folded.wait_for(state="attached")


@pytest.mark.parametrize("format", ["onnx", "tensorflow"])
def test_the_details_of_a_scope(opened: Opened, format: str, tmp_path: Path) -> None:
    view, _ = opened(SCOPED[format](tmp_path), infers=True)
    view.tab.get_by_role("button", name="Fold all scopes", exact=True).click()
    folded = view.tab.locator("[role=treeitem][aria-expanded=false][aria-label*=mixed]")
    folded.wait_for(state="attached")
    view.tab.wait_for_timeout(300)
    box = folded.bounding_box()
    assert box is not None
    view.tab.mouse.click(box["x"] + 60, box["y"] + box["height"] / 2)
    view.chosen("mixed")
    info = view.tab.locator("#info")
    assert "4 operators" in info.locator(".op-type").inner_text()
    rows = [row.split() for row in view.section("types").locator("tr").all_inner_texts()]
    assert sorted(rows) == [["Add", "1"], ["Sigmoid", "1"], ["Tanh", "2"]]
    assert rows[0] == ["Tanh", "2"], "the most frequent first"
    ports = [view.section(key).locator("li") for key in ("inputs", "outputs")]
    tensor = ":0" if format == "tensorflow" else ""
    told = [port.locator(".tensor").all_inner_texts() for port in ports]
    assert told == [[f"stem/relu{tensor}"], [f"mixed/sum{tensor}"]]
    assert ports[0].get_by_role("button").all_inner_texts() == ["stem/relu", "mixed/left/tanh", "mixed/right/sigmoid"]
    view.until(lambda: "f32" in ports[0].locator(".type").inner_text(), "types, when they are known", 40)
    # The same by keys, opened: the panel stays with the scope.
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("Enter")
    info.get_by_role("button", name="Fold this scope").wait_for()
    view.chosen("mixed")
    info.get_by_role("button", name="End here").click()
    view.says("to mixed/sum")
    info.get_by_role("button", name="Fold this scope").click()
    folded.wait_for(state="attached")
    info.get_by_role("button", name="Start here").click()
    view.until(lambda: view.tab.locator("#info .roles [aria-pressed=true]").count() == 2, "start and end")
    assert view.share(view.box("stem/relu"), BLUE) < 0.1
    ports[0].get_by_role("button", name="mixed/right/sigmoid").click()
    view.chosen("mixed/right/sigmoid")


@pytest.mark.parametrize("format", ["onnx", "tensorflow"])
def test_bodies_are_graphs_inside_their_operator(opened: Opened, format: str, tmp_path: Path) -> None:
    """Not on a Caffe model: that format has neither control flow nor functions."""
    tensorflow = format == "tensorflow"
    path = built(calls, tmp_path / "calls.pb", control_flow_v2=True) if tensorflow else written("captured", tmp_path)
    owner, inside, outside = ("cond", "Sub", "strided_slice") if tensorflow else ("branch", "Mul", "relu")
    view, _ = opened(path)
    view.look(owner)
    assert {"bodies"} <= set(view.sections())
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("Enter")
    view.until(lambda: any(name.startswith(inside) for name in view.names()), "the body within the box")
    assert owner in view.tab.locator("#info .op-name").inner_text()
    assert "Body of" in view.tab.locator("#info .op-type").inner_text()
    view.section("bodies").get_by_role("button", name="Open this graph").wait_for()
    assert view.section("bodies").locator(".op-link").inner_text() == owner
    view.tab.keyboard.press("Enter")
    view.chosen(owner)  # whose body is closed again
    boxes = view.tab.locator(f"[aria-expanded=true][aria-label*={'cond_' if tensorflow else '_branch'}]")
    for state in ("attached", "detached", "attached"):  # opens the one of two branches that is closed, closes both
        view.tab.keyboard.press("Enter")
        boxes.nth(1).wait_for(state=state)
        assert boxes.count() == (2 if state == "attached" else 0)
        view.look(owner)
        view.tab.locator("[role=tree]").focus()
    view.section("bodies").get_by_role("button").first.click()
    title = view.tab.locator(".pane-title")
    title.get_by_text("cond" if tensorflow else "branch").first.wait_for()
    view.until(lambda: not any(outside in name for name in view.names()), "the body alone")
    title.get_by_role("button").click()
    view.until(lambda: any(outside in name for name in view.names()), "the main graph again")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_details_of_an_operator(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending), infers=True)
    view.point("conv1")
    view.chosen("conv1")
    sections = view.sections()
    assert {"attributes", "inputs", "outputs", "record"} <= set(sections)
    view.until(lambda: "8,8" in view.section("outputs").inner_text(), "the type of the result", 40)
    record = view.section("record")
    record.locator("summary").click()
    assert "conv1" in record.locator("pre").inner_text()
    names = page.post("/api/graph")["names"]
    told = page.post("/api/op", op=names.index("conv1"))
    for one in told["attributes"]:
        assert one["name"] in view.section("attributes").inner_text()
    constants = view.section("constants")
    if ending == "pb":  # its weights are operators of their own, and are shown by going to them
        view.section("inputs").get_by_role("button", name="conv1/weights_0").click()
        view.chosen("conv1/weights_0")
    first = constants.locator(".constant").first
    assert "3" in first.locator(".type").inner_text()
    assert first.locator("svg rect, svg path").count() > 3, "a histogram"
    numbers = next(iter(told["constants"] or page.post("/api/op", op=names.index("conv1/weights_0"))["constants"]))
    shown = first.inner_text()
    assert f"{numbers['preview']['first'][0]:.2}"[:5] in shown.replace("−", "-")


@pytest.mark.parametrize("ending", ENDINGS)
def test_sections_fold_one_by_one_and_all_at_once(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.point("conv1")
    view.chosen("conv1")
    assert view.sections()["inputs"]
    view.section("inputs").locator("summary").click()
    assert not view.sections()["inputs"]
    assert view.sections()["outputs"]
    view.tab.get_by_role("button", name="Close all sections").click()
    assert not any(view.sections().values())
    view.point("pool1")
    view.chosen("pool1")
    assert not any(view.sections().values()), "what is closed stays closed at the next operator"
    view.tab.get_by_role("button", name="Open all sections").click()
    assert all(view.sections().values())


@pytest.mark.parametrize("ending", ENDINGS)
def test_finding_inside_the_details(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.point("conv1")
    view.chosen("conv1")
    view.tab.keyboard.press("f")
    view.tab.keyboard.type("conv1")
    marks = view.tab.locator("#info mark")
    count = marks.count()
    assert count > 1
    places: list[int] = []
    for _ in range(count):
        places.append(marks.evaluate_all("all => all.findIndex((one) => one.classList.contains('current'))"))
        view.tab.keyboard.press("Enter")
    assert places == list(range(count)), "one by one, in order"
    assert f"1 of {count}" in view.tab.locator("#info .find").inner_text(), "and from the start again"
    current = view.tab.locator("#info mark.current")
    assert current.is_visible()
    view.tab.locator("#find").fill("no such thing")
    assert "not found" in view.tab.locator("#info .find").inner_text()


@pytest.mark.parametrize("ending", ["pb", "onnx"])
def test_nothing_moves_when_types_become_known(opened: Opened, ending: str) -> None:
    """Not on Caffe, whose shapes are known at once."""
    view, page = opened(digits(ending))
    page.session.typed = False
    held: list[Route] = []
    view.tab.route("**/api/events", lambda route: held.append(route))  # by which the page is told of the types
    view.tab.reload()
    view.tab.locator(".pane [role=treeitem]").first.wait_for(state="attached", timeout=30_000)
    names = ("conv1", "conv1_relu", "pool1")
    view.point("conv1_relu")
    view.chosen("conv1_relu")
    view.tab.mouse.move(500, 500)
    view.tab.mouse.wheel(0, 90)
    before = [view.box(name) for name in names]
    shape = "NHWC" if ending == "pb" else "8,8"

    def typed() -> bool:
        return any(" conv1_relu f32" in said and shape in said for said in view.names())

    assert not typed(), "no types as yet"
    for route in held:
        route.continue_()
    view.until(typed, "types", 40)
    assert [view.box(name) for name in names] == before


@pytest.mark.parametrize("ending", ["pb", "onnx"])
def test_a_web_page_of_many_operators_tells_how_far_it_is(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    held: list[Route] = []
    view.tab.route("**/api/op", lambda route: held.append(route))
    view.tab.get_by_role("button", name="Save picture").click()
    view.tab.get_by_role("menuitem", name="Web page that works without a server").click()
    notice = view.tab.locator(".toast.saving")
    notice.wait_for()
    view.until(lambda: len(held) == 6, "several questions at a time")
    held.pop(0).continue_()
    view.until(lambda: re.search(r"^1 / \d{2,}$", notice.inner_text(), re.M), "how far it is")
    assert notice.get_by_role("progressbar").get_attribute("aria-valuenow") == "1"
    notice.get_by_role("button", name="Cancel").click()
    view.tab.locator(".toast", has_text="was not saved").wait_for()
    assert notice.count() == 0
    view.tab.unroute("**/api/op")
    with view.tab.expect_download() as download:
        view.tab.get_by_role("button", name="Save picture").click()
        view.tab.get_by_role("menuitem", name="Web page that works without a server").click()
    assert download.value.suggested_filename.endswith(".html")
