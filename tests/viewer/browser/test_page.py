"""The page as a whole: for everybody, light and dark, in two languages, with whatever names and sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from support.browsing import Opened, View, lacking
from support.chains import chain
from support.hostile import HOSTILE, NAMES, SCRIPT
from support.models import ROOT, digits

ENDINGS = ["prototxt", "pb", "onnx"]
TEXT = "from pool1 to res2a_relu"
AXE = ROOT / "tests" / "viewer" / "node_modules" / "axe-core" / "axe.min.js"


def faults(view: View) -> list[str]:
    """What axe-core finds that is serious."""
    if not AXE.exists():
        lacking("axe-core: run `npm ci --ignore-scripts` in tests/viewer")
    view.until(lambda: not view.tab.locator(".stale").count(), "details that are those of the operator")
    found: Any = view.tab.evaluate(f"async () => {{ {AXE.read_text('utf-8')}; return (await axe.run()).violations; }}")
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}" for one in serious]


@pytest.mark.parametrize(("asked", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_who_asks_for_these_tests_is_told_what_is_missing(
    asked: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SUBCUT_REQUIRE_BROWSER", asked)
    monkeypatch.setitem(faults.__globals__, "AXE", tmp_path / "none.js")
    with pytest.raises(outcome, match="axe-core"):
        faults(cast("View", None))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(opened: Opened, ending: str, scheme: str) -> None:
    view, _ = opened(digits(ending), selection=TEXT, context={"color_scheme": scheme})
    assert faults(view) == []
    view.says(TEXT)
    view.look("pool1")
    assert faults(view) == []
    view.search("conv")
    view.tab.get_by_role("option").first.wait_for()
    assert faults(view) == []
    view.tab.keyboard.press("Escape")
    for press in ("#settings", "#help", "#export", "#save"):
        view.tab.locator(press).click()
        view.tab.locator("dialog").wait_for()
        assert faults(view) == [], press
        view.tab.keyboard.press("Escape")
        view.tab.locator("dialog").wait_for(state="detached")
    view.point("pool1", "right")
    assert faults(view) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_light_and_dark(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), context={"color_scheme": "dark"})

    def brightness() -> float:
        return float(view.picture(view.box("conv1").around(40)).mean())

    dark = brightness()
    view.tab.emulate_media(color_scheme="light")
    view.tab.wait_for_timeout(200)
    light = brightness()
    assert dark < 90 < 160 < light, "as the system says"
    view.tab.locator("#settings").click()
    view.tab.locator("#theme").select_option("dark")
    view.tab.keyboard.press("Escape")
    assert brightness() == pytest.approx(dark, abs=12)
    view.tab.reload()
    view.tab.locator(".pane [role=treeitem]").first.wait_for(state="attached")
    assert brightness() < 90, "what was chosen is remembered"


@pytest.mark.parametrize("ending", ENDINGS)
def test_english_and_chinese(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), context={"locale": "zh-CN"})
    assert view.tab.locator("html").get_attribute("lang") == "zh-CN"
    view.point("conv1")
    view.chosen("conv1")
    said = view.tab.locator("body").inner_text()
    assert len(re.findall(r"[\u4e00-\u9fff]", said)) > 30
    for word in ("Inputs", "Outputs", "Export", "Verify", "Nothing is selected"):
        assert word not in said
    view.tab.locator("#settings").click()
    view.tab.locator("#language").select_option("en")
    view.tab.keyboard.press("Escape")
    view.tab.get_by_role("button", name="Verify").wait_for()
    left = re.sub(r"中文", "", view.tab.locator("body").inner_text())
    assert not re.findall(r"[\u4e00-\u9fff]", left)


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_are_text(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, page = opened(HOSTILE[ending](tmp_path))
    assert set(NAMES) <= set(page.post("/api/graph")["names"]), "read as they were written"
    view.tab.on("dialog", lambda dialog: view.faults.append(f"a name ran: {dialog.message}"))
    unfold = view.tab.get_by_role("button", name="Unfold all scopes")
    unfold.click() if unfold.count() else None
    view.search("onerror")
    view.tab.get_by_role("option").first.wait_for()
    view.tab.keyboard.press("Enter")
    view.tab.locator("#info .op-name").get_by_text(SCRIPT, exact=True).wait_for()
    view.tab.locator("#info .section").first.wait_for()
    if ending != "onnx":
        assert SCRIPT in view.section("attributes").inner_text()
    assert "onerror" in view.section("record").locator("pre").text_content()
    view.tab.keyboard.press("s")
    view.until(lambda: "onerror" in view.text, "the name in the text")
    view.tab.locator("#selection-text").fill(f'from "{SCRIPT}" to "no {SCRIPT}"')
    view.tab.locator(".problem").first.wait_for()
    view.tab.locator("[role=tree]").focus()
    view.tab.keyboard.press("m")
    view.tab.keyboard.press("Escape")
    if ending == "pb":
        view.look("words")
        view.section("constants").get_by_text("onerror").first.wait_for()
    assert view.tab.locator("img").count() == 0
    assert view.tab.locator("body script").count() == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_ten_thousand_operators(opened: Opened, ending: str, tmp_path: Path) -> None:
    count = 10_000
    view, page = opened(chain(ending, tmp_path, count))
    data = 0 if ending == "onnx" else 1  # in the other formats what is fed is an operator
    assert len(page.post("/api/graph")["names"]) == count + data
    assert f"{count + data:,} operators" in view.tab.locator("#bar").inner_text()
    for name, key in (("stage2/op1234", "s"), ("stage18/op9000", "e")):
        view.look(name)
        assert view.boxed(name)
        view.tab.keyboard.press(key)
    view.says("from stage2/op1234 to stage18/op9000")
    assert view.blue("stage18/op9000")
    assert f"{9000 - 1234 + 1:,}" in view.tab.locator("#status").inner_text()
    elements = view.tab.locator("[role=treeitem]").count()
    assert elements <= 210, "the page has what is in sight, not the model"


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_link_opens_once(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending))
    context = view.tab.context.browser.new_context()
    tab = context.new_page()
    link = page.server.link
    tab.goto(link)
    tab.locator(".pane [role=treeitem]").first.wait_for(state="attached")
    assert tab.url.endswith(f":{page.server.port}/"), "nothing secret stays in the address"
    context.clear_cookies()
    answer = tab.goto(link)
    assert answer is not None
    assert answer.status == 401
    context.close()
