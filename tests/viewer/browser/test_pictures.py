"""The picture as a file: SVG, PNG, and a page that shows graph and details without a server."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.browsing import Opened, View
from support.hostile import HOSTILE, SCRIPT
from support.models import digits

ENDINGS = ["prototxt", "pb", "onnx"]
DRAWN = {
    "svg",
    "defs",
    "marker",
    "style",
    "g",
    "rect",
    "path",
    "text",
    "title",
    "circle",
    "polygon",
    "line",
    "clipPath",
}
"""The elements that a picture is made of."""
OWN_SCRIPTS = 2
"""Of a page without a server: its numbers, and what draws them."""


def saved(view: View, entry: str, folder: Path) -> Path:
    view.tab.locator("#pictures").click()
    with view.tab.expect_download() as coming:
        view.tab.get_by_role("menuitem", name=entry, exact=True).click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_svg(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, _ = opened(digits(ending))
    text = saved(view, "Whole graph as SVG", tmp_path).read_text("utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    words = "".join(root.itertext())
    for name in ("conv1", "pool1", "res2a_branch2b", "res2a_relu"):
        assert name in words
    assert not re.search(r"(href|src)=.https?:", text)
    part = ElementTree.fromstring(saved(view, "What is in view as SVG", tmp_path).read_text("utf-8"))
    assert len(list(part.iter())) < len(list(root.iter()))


@pytest.mark.parametrize("ending", ENDINGS)
def test_png(opened: Opened, ending: str, tmp_path: Path) -> None:
    import cv2

    view, _ = opened(digits(ending))
    whole = cv2.imread(str(saved(view, "Whole graph as PNG", tmp_path)))
    part = cv2.imread(str(saved(view, "What is in view as PNG", tmp_path)))
    assert whole.shape[0] > part.shape[0] > 400
    assert len({tuple(pixel) for pixel in whole[::3, ::3].reshape(-1, 3)}) > 5


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_page_without_a_server(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, _ = opened(digits(ending))
    path = saved(view, "Web page that works without a server", tmp_path)
    assert not re.search(r"(href|src)=.https?:", path.read_text("utf-8"))
    alone = View(view.tab.context.new_page())
    alone.tab.goto(path.as_uri())
    item = alone.tab.locator("[role=treeitem]").and_(alone.tab.get_by_label(re.compile(r"^\S+ pool1( |$)")))
    item.wait_for(state="attached")
    alone.tab.wait_for_timeout(400)
    box = item.bounding_box()
    assert box is not None
    alone.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    alone.tab.get_by_text("kernel_size" if ending == "prototxt" else "strides", exact=False).first.wait_for()
    colours = {tuple(p) for p in alone.picture(view.box("pool1").around(60)).reshape(-1, 3)}
    assert len(colours) > 5
    alone.check()


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_are_text_in_every_file(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, _ = opened(HOSTILE[ending](tmp_path))
    unfold = view.tab.get_by_role("button", name="Unfold all scopes")
    unfold.click() if unfold.count() else None
    path = saved(view, "Whole graph as SVG", tmp_path)
    root = ElementTree.fromstring(path.read_bytes())
    assert {part.tag.rpartition("}")[2] for part in root.iter()} <= DRAWN
    assert not [key for part in root.iter() for key in part.attrib if key.startswith("on") or "href" in key]
    assert "<img" in "".join(root.itertext())
    alone = View(view.tab.context.new_page())
    alone.tab.on("dialog", lambda dialog: alone.faults.append(f"a name ran: {dialog.message}"))
    alone.tab.goto(path.as_uri())
    alone.tab.goto(saved(view, "Web page that works without a server", tmp_path).as_uri())
    alone.tab.locator("[role=tree]").focus()
    alone.tab.get_by_role("searchbox").fill("onerror")
    alone.tab.keyboard.press("Enter")
    alone.tab.locator("aside").get_by_text(SCRIPT, exact=True).first.wait_for()
    assert alone.tab.locator("img").count() == 0
    assert alone.tab.locator("body script").count() == OWN_SCRIPTS
    alone.check()
