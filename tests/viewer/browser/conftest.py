"""One browser for these tests, a fresh page for each; screenshots of failed ones stay under `build/screenshots`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.broken import Broken, broken
from support.browsing import Opened, View, lacking
from support.models import ROOT
from support.viewing import Page, viewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # what is asked outside is not even looked up
]
CONTEXT: Any = {"viewport": {"width": 1400, "height": 900}, "locale": "en-GB", "color_scheme": "light"}
SCREENSHOTS = ROOT / "build" / "screenshots"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Lets fixtures see how the test went."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


# Not for the whole session: as long as it lives, its event loop counts as the thread's own, and other tests run theirs.
@pytest.fixture(scope="package")
def browser() -> Generator[Browser, None, None]:
    """The system's Chromium, driven by Playwright."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None or importlib.util.find_spec("playwright") is None:
        lacking("Chromium on the PATH (`apt install chromium`) and Playwright (`pip install playwright`)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Broken]:
    """The digits of a format beside a device that computes one operator wrongly; made once for all processes."""
    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return lambda ending: broken(ending, root)


@pytest.fixture
def opened(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Opened, None, None]:
    """Serves a model and opens it: `opened(path, **given)` for `viewing`, `context={…}` for the browser's.

    With `infers`, types that the file does not state are looked for, as for a user.
    """
    with ExitStack() as stack:
        views: list[View] = []

        def opening(
            path: Path, context: dict[str, Any] | None = None, infers: bool = False, **given: Any
        ) -> tuple[View, Page]:
            page = stack.enter_context(viewing(path, given.pop("output", tmp_path / "out"), **given))
            page.session.typed |= not infers  # a framework that is imported beside every test takes seconds of each
            own = browser.new_context(**{**CONTEXT, **(context or {})})
            stack.callback(own.close)
            own.set_default_timeout(10_000)
            view = View(own.new_page())
            views.append(view)
            name, _, value = page.cookie.partition("=")
            address = f"http://127.0.0.1:{page.server.port}/"
            own.add_cookies([{"name": name, "value": value, "url": address}])
            view.tab.goto(f"{address}?test=1")
            view.tab.locator(".pane [role=treeitem]").first.wait_for(state="attached", timeout=30_000)
            return view, page

        yield opening
        if request.node.stash.get(FAILED, True):
            _keep(views, request.node.nodeid)
        else:
            for view in views:
                view.check()


def _keep(views: list[View], test: str) -> None:
    """Screenshots of a failed test, and what its pages complained of."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w\[\]-]+", "-", test.rpartition("/")[2])
    for number, view in enumerate(views):
        view.tab.screenshot(path=SCREENSHOTS / f"{name}-{number}.png")
        print("\n".join(view.faults))
