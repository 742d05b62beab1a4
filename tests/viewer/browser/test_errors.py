"""A report of `compare` or `locate` on the graph: errors as colours, the threshold, the way to who is to blame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.broken import LAST, WRONG, Broken
from support.browsing import Opened, View
from support.models import digits
from support.viewing import Page

ENDINGS = ["prototxt", "pb", "onnx"]
KINDS = ["compare", "locate"]
PASSED_ON = ["pool5", "fc10", "prob"]
"""What follows the wrong operator, and is right by itself."""
Device = Callable[[str], Broken]


def judged(page: Page, verdict: str) -> list[str]:
    """The operators of which the report says this, in its order of depth."""
    report, names = page.get("/api/report"), page.post("/api/graph")["names"]
    return [names[report["op"][at]] for at in report["curve"] if report["verdict"][at] == verdict]


def coloured(view: View) -> Any:
    """Switch the colours on; the panel."""
    view.tab.locator("#toggle-errors").click()
    panel = view.tab.locator(".compare")
    panel.wait_for()
    view.tab.locator("[role=tree]").first.focus()
    view.tab.keyboard.press("0")  # all of it in sight
    return panel


def steps(view: View, panel: Any, button: str, count: int) -> list[str]:
    """Where a button leads, so many times."""
    seen: list[str] = []
    name = view.tab.locator("#info .op-name")
    for _ in range(count):
        last = name.inner_text() if name.count() else ""
        panel.get_by_role("button", name=button).click()
        view.until(lambda last=last: name.count() and name.inner_text() != last, "another operator")
        seen.append(name.inner_text())
        view.chosen(seen[-1])
    return seen


@pytest.mark.parametrize("ending", ENDINGS)
def test_compare_leads_to_the_wrong_operator_and_what_follows(opened: Opened, device: Device, ending: str) -> None:
    view, page = opened(digits(ending), report=device(ending).report("compare"))
    bad = judged(page, "bad")
    assert bad == [LAST, *PASSED_ON], f"the first stored tensor after `{WRONG}`, and all behind it"
    panel = coloured(view)
    assert panel.get_by_label("Own error").count() == 0, "a comparison knows no own error"
    assert panel.locator("p[role=status]").inner_text().startswith("4 of ")
    assert steps(view, panel, "Next culprit", 5) == [*bad, LAST], "each, in order, and the first again"
    assert "bad" in view.section("report").inner_text()
    assert steps(view, panel, "Previous culprit", 2) == ["prob", "fc10"]
    view.tab.locator("[role=tree]").first.focus()
    view.tab.keyboard.press("n")
    view.chosen("prob")


@pytest.mark.parametrize("ending", ENDINGS)
def test_locate_tells_own_from_inherited_by_colours(opened: Opened, device: Device, ending: str) -> None:
    view, page = opened(digits(ending), report=device(ending).report("locate"))
    assert judged(page, "culprit") == [LAST]
    names = ["pool1", LAST, "prob"]
    panel = coloured(view)
    assert panel.get_by_label("Own error").is_checked()
    assert steps(view, panel, "Next culprit", 1) == [LAST]
    assert "culprit" in view.section("report").inner_text()
    view.tab.locator("[role=tree]").first.focus()
    view.tab.keyboard.press("0")
    own = {name: view.colour(name) for name in names}
    assert own[LAST] != own["pool1"]
    panel.get_by_label("With what it inherits").check()
    view.until(lambda: view.colour("prob") != own["prob"], "what is inherited shows")
    total = {name: view.colour(name) for name in names}
    assert total["prob"] != total["pool1"]
    assert int(panel.locator("p[role=status]").inner_text().split()[0]) > 1
    panel.get_by_label("Own error").check()
    view.until(lambda: {name: view.colour(name) for name in names} == own, "as before")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_those_of_errors_only_when_asked_for(
    opened: Opened, device: Device, ending: str, kind: str
) -> None:
    view, _ = opened(digits(ending), report=device(ending).report(kind))
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("0")
    plain = {name: view.colour(name) for name in ("pool1", LAST)}
    coloured(view)
    view.until(lambda: view.colour(LAST) != plain[LAST], "the error of the operator as its colour")
    assert view.colour("pool1") != plain["pool1"]
    view.tab.locator("#toggle-errors").click()
    view.tab.locator(".compare").wait_for(state="hidden")
    view.until(lambda: {name: view.colour(name) for name in plain} == plain, "the colours of their kinds")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_threshold_slides(opened: Opened, device: Device, ending: str) -> None:
    view, page = opened(digits(ending), report=device(ending).report("compare"))
    panel = coloured(view)
    slider, said = view.tab.locator("#threshold"), panel.locator("p[role=status]")

    def beyond(key: str) -> int:
        slider.press(key)
        text = said.inner_text()
        return 0 if text.startswith("No ") else int(text.split()[0])

    before = view.colour("conv1_relu")
    assert beyond("Home") == len([one for one in page.get("/api/report")["total"] if one]) - 1, "all but the least"
    view.until(lambda: view.colour("conv1_relu") != before, "what is beyond now has the colour of that")
    assert beyond("End") == 0
    assert view.tab.locator("svg.curve circle").count() == 0
    view.point("conv1")
    view.chosen("conv1")
    for key in ("n", "Shift+N"):
        view.tab.keyboard.press(key)
        view.tab.locator("#toasts").get_by_text("No operator lies beyond").wait_for()
        view.chosen("conv1")
        view.tab.locator("#toasts").get_by_role("button").last.click()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_curve_leads_to_the_operator(opened: Opened, device: Device, ending: str) -> None:
    view, page = opened(digits(ending), report=device(ending).report("compare"))
    coloured(view)
    curve = view.tab.locator("svg.curve")
    assert curve.locator("circle").count() == len([LAST, *PASSED_ON]), "a point for each beyond the threshold"
    box = curve.bounding_box()
    assert box is not None
    report, names = page.get("/api/report"), page.post("/api/graph")["names"]
    rows = len(report["curve"])
    for at in (1, rows - 1):
        y = box["y"] + 6 + (box["height"] - 12) * at / (rows - 1)
        view.tab.mouse.click(box["x"] + box["width"] / 2, y - 1)
        view.chosen(names[report["op"][report["curve"][at]]])
    assert curve.locator(".curve-here").count() == 1
