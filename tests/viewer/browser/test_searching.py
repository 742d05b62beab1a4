"""The field at the top: operators, tensors, types and attributes while typing, and the selection language (row S5)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.browsing import Opened
from support.models import digits
from support.onnx_graphs import save
from support.slow_work import slowed
from support.tensorflow_graphs import built, calls

ENDINGS = ["prototxt", "pb", "onnx"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_hit_is_centred_in_a_green_box_with_its_details(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.tab.keyboard.press("/")
    view.tab.keyboard.type("pool5")
    options = view.tab.get_by_role("option")
    options.first.wait_for()
    assert any(text.startswith("pool5") for text in options.all_inner_texts())
    view.tab.keyboard.press("Enter")
    view.chosen("pool5")
    assert view.boxed("pool5")
    area, box = view.tab.locator(".pane").bounding_box(), view.box("pool5")
    assert area is not None
    assert box.y + box.height / 2 == pytest.approx(area["y"] + area["height"] / 2, abs=60)
    view.tab.keyboard.press("Escape")
    assert not view.boxed("pool5"), "the box goes with the search"


@pytest.mark.parametrize("ending", ENDINGS)
def test_hits_are_stepped_through(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.search("res2a_branch")
    view.tab.get_by_role("option").first.wait_for()
    view.tab.keyboard.press("Enter")
    view.tab.locator(".search .hit-count").wait_for()
    count = int(view.tab.locator(".search .hit-count").inner_text().split()[-1])
    seen: set[str] = set()
    for _ in range(count):
        name = view.tab.locator("#info .op-name").inner_text()
        view.chosen(name)
        seen.add(name)
        view.tab.keyboard.press("n")
        view.tab.wait_for_timeout(60)
    assert len(seen) == count > 3
    assert all("res2a_branch" in name for name in seen)


@pytest.mark.parametrize("ending", ENDINGS)
def test_types_tensors_and_attributes_are_searched(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    results = view.tab.locator(".results")
    view.search("type:FusedBatchNorm" if ending == "pb" else "type:BatchNorm")
    results.get_by_role("option").first.click()
    view.tab.locator(".search .hit-count").wait_for()
    view.chosen("bn_conv1")
    view.search("tensor:res2a" if ending == "prototxt" else "tensor:res2a_relu")  # a blob that is written over
    results.get_by_role("option").first.click()
    view.chosen("res2a_relu")
    view.search("attr:kernel_size" if ending == "prototxt" else "attr:strides")
    results.get_by_role("option").first.wait_for()
    assert {"pool1"} <= {name.split("\n")[0] for name in results.get_by_role("option").all_inner_texts()}
    view.search("/^res2a_branch2[ab]$/")
    names = {text.split("\n")[0] for text in results.get_by_role("option").all_inner_texts()}
    assert {"res2a_branch2a", "res2a_branch2b"} <= names
    assert "res2a_branch1" not in names
    view.search("no such operator")
    results.get_by_text("Nothing matches").wait_for()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_selection_in_the_same_field(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending))
    view.search("from pool1 to res2a_relu")
    view.tab.get_by_role("option", name="Select").wait_for()
    view.tab.keyboard.press("Enter")
    view.says("from pool1 to res2a_relu")
    assert view.blue("pool1")
    assert view.blue("res2a_branch2a")
    view.search("op Conv")
    view.tab.wait_for_timeout(600)
    view.search("conv1")
    view.tab.get_by_role("option").first.wait_for()
    view.tab.keyboard.press("Enter")
    view.chosen("conv1")
    assert not view.blue("conv1")


@pytest.mark.parametrize("ending", ["pb", "onnx"])
def test_types_that_are_found_meanwhile_disturb_nobody(opened: Opened, ending: str, tmp_path: Path) -> None:
    with slowed(tmp_path / "work", "types") as held:
        view, page = opened(digits(ending), infers=True)
        view.until(lambda: held.process is not None, "types that are found but not told", 40)
        assert not page.session.typed
        view.search("pool5")
        view.tab.get_by_role("option", name="Select").wait_for()  # the server's own word, which comes last
        offered, place, said = view.tab.get_by_role("option").all_inner_texts(), view.box("conv1"), view.names()
        held.go()
        view.until(lambda: page.session.typed, "all types", 40)
        view.until(lambda: view.names() != said, "types on the edges")
    assert view.tab.locator("#search").input_value() == "pool5"
    assert view.tab.locator("#search").evaluate("(one) => one === document.activeElement")
    assert view.tab.get_by_role("option").all_inner_texts() == offered
    box = view.box("conv1")
    assert (box.x + box.width / 2, box.y) == (place.x + place.width / 2, place.y), "wider for its label, in its place"
    view.tab.keyboard.press("Enter")
    view.chosen("pool5")


def test_types_of_caffe_models_are_there_at_once(opened: Opened) -> None:
    """Its layers tell them without a framework: nothing is looked for meanwhile."""
    view, page = opened(digits("prototxt"), infers=True)
    assert page.session.typed
    assert any(re.match(r"\S+ pool1 .*f32.*4,4", said) for said in view.names()), view.names()


@pytest.mark.parametrize("format", ["onnx", "tensorflow"])
def test_what_is_in_bodies_is_found_and_shown(opened: Opened, format: str, tmp_path: Path) -> None:
    """Not on a Caffe model: that format has neither control flow nor functions."""
    tensorflow = format == "tensorflow"
    path = built(calls, tmp_path / "calls.pb", control_flow_v2=True) if tensorflow else save("captured", tmp_path)
    view, _ = opened(path)
    view.search("type:Sub" if tensorflow else "type:Mul")
    view.tab.get_by_text("In other graphs of the model").wait_for()
    name = view.tab.get_by_role("option").first.locator(".result-name").inner_text()
    view.tab.keyboard.press("Enter")
    view.chosen(name)
    assert view.tab.locator(".pane-title").is_visible(), "the body itself"
    view.until(lambda: any(said.startswith("Sub" if tensorflow else "Mul") for said in view.names()), "what is in it")
