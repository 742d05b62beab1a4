"""The viewer in a real browser, as somebody sees and uses it: elements, keys, the mouse, colours."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Locator, Request
    from playwright.sync_api import Page as Tab

    from support.viewing import Page

Opened = Callable[..., "tuple[View, Page]"]
"""The fixture that opens a model: what the browser shows, and the server behind it."""

LOCAL = ("127.0.0.1", "localhost", "")
"""Hosts that the page may ask; the last is that of data, blobs and files."""

BLUE, GREEN = (0x1A, 0x6F, 0xE0), (0x12, 0x92, 0x4A)
"""What is between start and end, and the box around a hit, in the light theme."""
ORANGE, SIDE = (0xC2, 0x57, 0x0C), (0x8A, 0x3F, 0xFC)
"""The inputs of the cut, and those from the side."""


def lacking(what: str) -> NoReturn:
    """End a test for what is not installed: a skip, but where `SUBCUT_REQUIRE_BROWSER=1` asks for these tests."""
    reason = f"needs {what}"
    if os.environ.get("SUBCUT_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Box:
    """A rectangle on the page, in its pixels."""

    x: float
    y: float
    width: float
    height: float

    def around(self, more: float) -> Box:
        return Box(self.x - more, self.y - more, self.width + 2 * more, self.height + 2 * more)

    @property
    def head(self) -> Box:
        """Part of the coloured bar of an operator, without its corners."""
        return Box(self.x + 0.15 * self.width, self.y + 0.06 * self.height, 0.7 * self.width, 0.14 * self.height)


@dataclass
class View:
    """A page of the viewer. Whatever goes wrong in it is collected in `faults`."""

    tab: Tab
    faults: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)
    """Parts of messages that a test provokes."""

    def __post_init__(self) -> None:
        self.tab.on("pageerror", lambda error: self.faults.append(f"error in the page: {error}"))
        self.tab.on("console", self._console)
        self.tab.context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in (*LOCAL, None):
            self.faults.append(f"a request outside: {request.url}")

    def check(self) -> None:
        """Nothing went wrong that no test has asked for."""
        left = [fault for fault in self.faults if not any(part in fault for part in self.forgiven)]
        assert left == []

    def until(self, holds: Callable[[], object], what: str, seconds: float = 8) -> None:
        """Wait for something that no element tells."""
        for _ in range(int(seconds * 20)):
            if holds():
                return
            self.tab.wait_for_timeout(50)
        raise AssertionError(f"not in {seconds} s: {what}")

    # The graph

    def item(self, name: str, pane: int = 0) -> Locator:
        """The element that stands for an operator in sight."""
        items = self.tab.locator(f".pane[data-model='{pane}'] [role=treeitem]")
        return items.and_(self.tab.get_by_label(re.compile(rf"^\S+ {re.escape(name)}( |$)")))

    def names(self, pane: int = 0) -> list[str]:
        """What the elements of the graph in sight say, from top to bottom."""
        items = self.tab.locator(f".pane[data-model='{pane}'] [role=treeitem]")
        return items.evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")

    def box(self, name: str, pane: int = 0) -> Box:
        """Where an operator in sight is, once nothing moves."""
        last: Box | None = None
        for _ in range(60):
            found = self._box(name, pane)
            if found is not None and found == last:
                return found
            last = found
            self.tab.wait_for_timeout(140)  # longer than the elements lag behind a movement
        raise AssertionError(f"`{name}` is not drawn, or does not come to rest; {self.names(pane)} are")

    def _box(self, name: str, pane: int) -> Box | None:
        if pane == 0:
            found = self.tab.evaluate("(name) => __subcut.nodeBox(__subcut.idOf(name))", name)
            return found and Box(found["x"], found["y"], found["w"], found["h"])
        found = self.item(name, pane).bounding_box() if self.item(name, pane).count() else None
        return found and Box(**found)

    def point(self, name: str, button: Any = "left", pane: int = 0) -> None:
        """Click the head of an operator."""
        box = self.box(name, pane).head
        self.tab.mouse.click(box.x + box.width / 2, box.y + box.height / 2, button=button)

    def look(self, name: str) -> None:
        """Make an operator the chosen one by the search field, which brings it into sight."""
        self.search(name)
        self.tab.keyboard.press("Enter")
        self.chosen(name)

    def chosen(self, name: str) -> None:
        """Wait until the details are those of an operator."""
        self.tab.locator("#info .op-name", has_text=re.compile(rf"^{re.escape(name)}$")).wait_for()
        self.tab.locator("#info .panel-body:not(.stale) .section").first.wait_for()

    def menu(self, name: str, entry: str) -> None:
        """Right-click an operator and take an entry."""
        self.point(name, "right")
        self.tab.get_by_role("menuitem", name=re.compile(rf"^{re.escape(entry)}")).click()

    # Colours

    def picture(self, box: Box) -> np.ndarray[Any, Any]:
        """What is on the screen there, as rows of red, green, blue."""
        import cv2

        clip = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
        raw = self.tab.screenshot(clip=clip)  # type: ignore[arg-type]
        return cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]

    def share(self, box: Box, colour: tuple[int, int, int]) -> float:
        """How much of it has a colour, or nearly."""
        away = np.abs(self.picture(box).astype(int) - np.array(colour)).max(axis=2)
        return float((away < 14).mean())

    def colour(self, name: str) -> tuple[int, int, int]:
        """The most frequent colour of an operator's head."""
        pixels = self.picture(self.box(name).head).reshape(-1, 3)
        found, counts = np.unique(pixels, axis=0, return_counts=True)
        red, green, blue = (int(part) for part in found[counts.argmax()])
        return red, green, blue

    def blue(self, name: str) -> bool:
        """Whether an operator is shown as lying in the cut."""
        return self.share(self.box(name), BLUE) > 0.1

    def boxed(self, name: str) -> bool:
        """Whether an operator has the green box of a hit around it."""
        return self.share(self.box(name).around(9), GREEN) > 0.01 and self.share(self.box(name).head, GREEN) < 0.4

    # Panels

    def search(self, text: str) -> None:
        """Type into the field at the top, by its key."""
        self.tab.keyboard.press("Escape") if self.tab.locator("#search:focus").count() else None
        self.tab.locator("#search").fill("")
        self.tab.locator("#search").press_sequentially(text)

    @property
    def text(self) -> str:
        """The selection text."""
        return self.tab.locator("#selection-text").input_value()

    def says(self, text: str) -> None:
        """Wait until the selection text is this one, and the server has answered it."""
        self.until(lambda: self.text == text, f"{text!r} as the selection text, which is {self.text!r}")
        self.tab.locator("#export:not([disabled])").wait_for()

    def sections(self) -> dict[str, bool]:
        """The sections of the details, and whether each is open."""
        code = "all => all.map((one) => [one.dataset.section, one.open])"
        return dict(self.tab.locator("#info details.section").evaluate_all(code))

    def section(self, name: str) -> Locator:
        return self.tab.locator(f"#info details[data-section={name}]")

    def export(self) -> Path:
        """Export what is selected by the dialog; returns the folder that it names."""
        self.tab.locator("#export").click()
        dialog = self.tab.locator("dialog.export")
        dialog.get_by_role("button", name="Export", exact=True).click()
        dialog.locator(".job.done, .job.failed").wait_for(timeout=60_000)
        assert dialog.locator(".job.done").count(), dialog.inner_text()
        return Path(dialog.locator(".folder code").inner_text())
