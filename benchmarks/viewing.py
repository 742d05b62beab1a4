"""How long it takes until a model is seen, and how smoothly it moves: `subcut view`, Netron and Model Explorer.

In headless Chromium, driven by Playwright. A part of what `run.py` reports; `run.py --viewing` measures it alone.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import networks
import onnx_file
import transformer
from measure import Failed
from models import FOLDER, SEED
from networks import Node
from viewers import OTHERS, OURS, Viewer, prepare, serving

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
LIMIT = {"1k": 30.0, "10k": 60.0, "100k": 180.0}
"""Seconds after which a graph is given up, by size."""
LAYER = 29
"""Operators of one layer of the transformer."""
SIZE: Any = {"width": 1280, "height": 800}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
FRAMES, TRIES = 60, 7
DRAG = 60, 10.0
"""Steps of a drag, and seconds after which it ends anyway."""
KEYS = """async ({ key, prepare, count }) => {
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const times = [];
  for (let n = 0; n < count; n++) {
    const begun = performance.now();
    const target = document.activeElement ?? document.body;
    if (key === "search") {
      const field = document.getElementById("search");
      field.value = "conv_relu".slice(0, 1 + (n % 4));
      field.dispatchEvent(new Event("input", { bubbles: true }));
    } else target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await new Promise((resolve) => requestAnimationFrame(resolve));
    times.push(performance.now() - begun);
    await wait(250);
  }
  return times;
}"""


@dataclass
class Seen:
    """What one program did with one model; seconds, milliseconds and bytes."""

    opened: float = 0
    memory: int = 0
    rate: float = 0
    """Frames per second while the graph is dragged."""
    blank: float = 0
    frame: float = 0
    highlight: float = 0
    keystroke: float = 0
    failure: str = ""


def resnet(count: int) -> Iterator[Node]:
    """Bottleneck blocks of four channels, one behind the other: `count` operators or a few more."""
    shape = (1, 4, 8, 8)
    yield Node("conv", "stem", ("data",), shape, 3)
    x, made = "stem", 1
    while made < count:
        nodes = list(networks.block(f"b{made}", x, 4, 1, 8, 1))
        yield from nodes
        x, made = nodes[-1].name, made + len(nodes)


def build(kind: str, size: str) -> Path:
    """The model of a kind and size, made once."""
    path = FOLDER / f"viewed-{kind}-{size}.onnx"
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    if kind == "resnet":
        onnx_file.write(list(resnet(SIZES[size])), path, SEED)
    else:
        transformer.write(round(SIZES[size] / LAYER), 128, path, SEED, numbers=False)
    return path


def renderer_memory() -> int:
    """Resident bytes of the largest page process of this program's browser."""
    largest = 0
    for folder in Path("/proc").iterdir():
        try:
            if b"--type=renderer" in (folder / "cmdline").read_bytes():
                status = dict(line.partition(":")[::2] for line in (folder / "status").read_text().splitlines())
                largest = max(largest, int(status["VmRSS"].split()[0]) * 1024)
        except (OSError, KeyError):
            continue
    return largest


def look(viewer: Viewer, path: Path, limit: float) -> Seen:
    """Open a model in a fresh browser: the time runs from the command to the picture."""
    from playwright.sync_api import sync_playwright

    seen = Seen()
    prepare(viewer, path)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            tab = browser.new_page(viewport=SIZE)
            tab.context.add_cookies(_agreed())
            tab.goto("about:blank")
            start = time.perf_counter()
            with serving(viewer, path, limit) as address:
                _open(tab, address, viewer.drawn, start + limit)
                seen.opened = time.perf_counter() - start
                seen.memory = renderer_memory()
                seen.rate = _dragged(tab)
                if viewer is OURS:
                    _use(tab, seen)
        except Failed as failure:
            seen.failure = str(failure)
        finally:
            browser.close()
    return seen


def _agreed() -> Any:
    """Netron asks first whether it may report on its users, and waits for the answer."""
    return [{"name": "consent", "value": str(int(time.time() * 1000)), "url": "http://localhost/"}]


def _open(tab: Any, address: str, drawn: str, end: float) -> None:
    """Go to a page and wait until its graph is there, by the debugger: Netron turns `eval` off."""
    from playwright.sync_api import Error

    begun = time.perf_counter()
    try:
        tab.goto(address, wait_until="commit", timeout=max(end - begun, 1) * 1000)
        debugger = tab.context.new_cdp_session(tab)
        while time.perf_counter() < end:
            found = debugger.send("Runtime.evaluate", {"expression": drawn, "timeout": 1000})
            if found["result"].get("value") is True:
                return
            tab.wait_for_timeout(10)
    except Error as error:
        raise Failed(str(error).splitlines()[0]) from None
    raise Failed("not drawn in time")


def _dragged(tab: Any) -> float:
    """Frames per second that the page draws while the mouse drags its graph upwards."""
    debugger = tab.context.new_cdp_session(tab)
    count = "window.__frames = 0; requestAnimationFrame(function one() { __frames++; requestAnimationFrame(one); }); 0"
    tab.wait_for_timeout(1000)
    tab.mouse.move(500, 600)
    tab.mouse.down()
    debugger.send("Runtime.evaluate", {"expression": count})
    begun = time.perf_counter()
    for step in range(DRAG[0]):
        tab.mouse.move(500, 600 - 5 * step)
        tab.wait_for_timeout(10)
        if time.perf_counter() > begun + DRAG[1]:
            break
    drawn = debugger.send("Runtime.evaluate", {"expression": "__frames"})["result"]["value"]
    rate = drawn / (time.perf_counter() - begun)
    tab.mouse.up()
    return float(rate)


def _use(tab: Any, seen: Seen) -> None:
    """Highlight, search and move: medians of what stands on the page until the next frame is drawn."""
    tab.locator("[role=tree]").focus()
    for key, place in (("s", "Home"), ("e", "End")):
        tab.keyboard.press(place)
        tab.wait_for_timeout(400)
        item = tab.locator("[role=treeitem]")
        box = (item.nth(2) if key == "s" else item.nth(item.count() - 3)).bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 8)
        tab.wait_for_timeout(300)
        tab.keyboard.press(key)
        tab.wait_for_timeout(1500)
    seen.highlight = median(tab.evaluate(KEYS, {"key": "e", "count": TRIES}))
    tab.locator("#search").focus()
    seen.keystroke = median(tab.evaluate(KEYS, {"key": "search", "count": TRIES}))
    seen.memory = max(seen.memory, renderer_memory())
    tab.goto(tab.url.partition("?")[0] + "?test=1")  # a page that can tell how long its frames take
    tab.wait_for_function("() => window.__subcut && document.querySelector('.pane [role=treeitem]')", timeout=60_000)
    tab.wait_for_timeout(1500)
    seen.blank = median(tab.evaluate(f"() => __subcut.blankTimes({FRAMES})"))
    seen.frame = median(tab.evaluate(f"() => __subcut.frameTimes({FRAMES})"))


TABLE = """\
| model | operators | drawn | drag | frame, blank | blue | key | memory | Netron: drawn, drag, memory | Model Explorer |
|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass
class Row:
    """One model in every program."""

    kind: str
    size: str
    ours: Seen
    others: dict[str, Seen] = field(default_factory=dict)

    def text(self) -> str:
        ours = self.ours
        own = (
            f"{ours.failure} | | | | |"
            if ours.failure
            else (
                f"{ours.opened:.2f} s | {ours.rate:.0f} | {ours.frame:.0f}, {ours.blank:.0f} ms"
                f" | {ours.highlight:.0f} ms | {ours.keystroke:.0f} ms | {ours.memory / 1e6:,.0f} MB"
            )
        )
        cells = " | ".join(_cell(self.others.get(viewer.name)) for viewer in OTHERS)
        return f"| {self.kind} | {SIZES[self.size]:,} | {own} | {cells} |"


def _cell(seen: Seen | None) -> str:
    if seen is None:
        return "not run"
    return seen.failure or f"{seen.opened:.1f} s, {seen.rate:.0f}, {seen.memory / 1e6:,.0f} MB"


def table(sizes: Sequence[str], peers: Sequence[str], runs: int) -> str:
    """A row for each model; the other programs are tried once, and only at the sizes in `peers`."""
    lines: list[str] = []
    for size in sizes:
        for kind in ("resnet", "transformer"):
            path = build(kind, size)
            tries = [look(OURS, path, LIMIT[size]) for _ in range(runs)]
            good = sorted((one for one in tries if not one.failure), key=lambda one: one.opened)
            row = Row(kind, size, good[len(good) // 2] if good else tries[0])
            if size in peers:
                row.others = {viewer.name: _tried(viewer, path, LIMIT[size]) for viewer in OTHERS}
            lines.append(row.text())
            print(lines[-1], file=sys.stderr, flush=True)
    return TABLE + "\n".join([*lines, ""])


def _tried(viewer: Viewer, path: Path, limit: float) -> Seen:
    seen = look(viewer, path, limit)
    if seen.failure == "not drawn in time":
        seen.failure = f"not drawn in {limit:.0f} s"
    return seen
