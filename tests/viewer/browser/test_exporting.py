"""Export and Verify from the page: the very files of the command, progress, the log, and what is said at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.browsing import Opened, View
from support.chains import chain, name_of
from support.commands import contents, untimed
from support.in_process import subcut
from support.models import digits, fetched, shared
from support.slow_work import Held, slowed

if TYPE_CHECKING:
    from playwright.sync_api import Locator

ENDINGS = ["prototxt", "pb", "onnx"]
TEXT = "from pool1 to res2a_relu"
ADDED = {"prototxt": "Add Layer Into Prototxt:", "pb": "Add Node Into GraphDef:", "onnx": "Add Input Into Graph:"}
KWS = "StatefulPartitionedCall/StatefulPartitionedCall/functional_1"
STACKING, CONTOURS = "model_1/harmonic-stacking-diff/concat", "model_1/contours-reduced/Sigmoid"
OTHERS: dict[str, tuple[Callable[[], Path], tuple[str, str]]] = {
    "caffe": (lambda: shared("caffe/mtcnn/det3.prototxt"), ("conv2", "conv4")),
    "tensorflow": (
        lambda: shared("tensorflow/kws_ref_model"),
        (f"{KWS}/activation_2/Relu", f"{KWS}/activation_5/Relu"),
    ),
    "onnx": (
        lambda: fetched("basic_pitch/nmp.onnx"),
        (f"{STACKING};{STACKING}", f"{CONTOURS};{CONTOURS}"),
    ),
}
"""Real models, and where a cut starts and ends."""


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_folder_is_the_command_s_byte_for_byte(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, page = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    folder = view.export()
    assert folder.parent == page.session.output
    assert folder.name.startswith("dump_result_")
    done = subcut(digits(ending), TEXT, "-o", tmp_path / "command")
    made, expected = contents(folder), contents(tmp_path / "command")
    assert any(name.startswith("dump.") for name in made)
    assert made == expected
    dialog = view.tab.locator("dialog.export")
    assert "Exported" in dialog.inner_text()
    for name in made:
        dialog.get_by_text(name, exact=True).wait_for()
    dialog.locator("summary", has_text="Details").click()
    log = dialog.get_by_label("Log").inner_text()
    assert "Export Layer:pool1,res2a_branch1," in log
    spoken = untimed(done.stdout + done.stderr).replace(str(tmp_path / "command"), str(folder))
    for line in spoken.splitlines():
        if line.startswith("<time> ") and "Output Path" not in line:
            assert line in untimed(log)
    dialog.get_by_role("button", name="Close").last.click()
    assert str(folder) in view.tab.locator("#cut .job").inner_text(), "the folder stays in sight"


@pytest.mark.parametrize("format", OTHERS)
def test_a_model_of_others_is_cut_as_by_the_command(opened: Opened, format: str, tmp_path: Path) -> None:
    find, (start, end) = OTHERS[format]
    path = find()
    view, _ = opened(path, infers=True)
    view.look(start)
    view.tab.locator("#info").get_by_role("button", name="Start here").click()
    view.look(end)
    view.tab.locator("#info").get_by_role("button", name="End here").click()
    view.until(lambda: start in view.text and end in view.text, "the text of the selection")
    done = subcut(path, view.text, "-o", tmp_path / "command")
    assert done.returncode == 0, done.stderr
    assert contents(view.export()) == contents(tmp_path / "command")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_added_input_is_logged(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    view.export()
    texts = [event["text"] for event in page.events() if event["kind"] == "log"]
    assert any(text.startswith("Add ") and "conv1" in text for text in texts), texts


WATCH = """() => {
  window.seen = [];
  const look = () => {
    const job = document.querySelector('dialog.export .job.running');
    const bar = job?.querySelector('[role=progressbar][aria-valuenow]');
    if (!bar) return;
    const [stage, now, most] = [job.querySelector('.hint').textContent, bar.ariaValueNow, bar.ariaValueMax];
    const row = [stage, Number(now), Number(most), bar.firstElementChild.style.width];
    if (String(row) !== String(window.seen.at(-1))) window.seen.push(row);
  };
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true, attributes: true });
}"""
"""Collects what the bar in the dialog says, whenever it changes."""


def begin(view: View) -> Locator:
    """Start an export; the dialog that shows it."""
    view.tab.locator("#export").click()
    dialog = view.tab.locator("dialog.export")
    dialog.get_by_role("button", name="Export", exact=True).click()
    return dialog


def runs(view: View, held: Held) -> None:
    """Wait until the job is held where it is to be, and the page says that it works."""
    view.until(lambda: held.process is not None, "the job at the stage that it is held at", 40)
    assert held.alive
    view.tab.locator("#cut .job.running").wait_for()
    assert view.tab.locator("#export").is_disabled(), "one job at a time"


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_bar_rises_to_its_end(opened: Opened, ending: str, tmp_path: Path) -> None:
    count = 12
    text = f"from {name_of(0)} to {name_of(count - 1)}"
    view, _ = opened(chain(ending, tmp_path, count, side=256), selection=text)
    view.says(text)
    view.tab.evaluate(WATCH)
    with slowed(tmp_path / "work", "", pace=0.06):  # longer than the least time between two events
        folder = view.export()
    seen = view.tab.evaluate("seen")
    assert {(stage, most) for stage, _, most, _ in seen} == {("writing", 100)}
    assert all(width == f"{now}%" or round(float(width[:-1])) == now for _, now, _, width in seen), "drawn as said"
    values = [now for _, now, _, _ in seen]
    last = values[1:] if ending == "prototxt" else values  # the net's text comes first, in one piece, then the weights
    assert (folder / f"dump.{ending}").exists()
    assert len(last) >= 8, values
    assert last == sorted(last)
    assert values[-1] == 100


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_export_that_runs_is_cancelled(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, page = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    with slowed(tmp_path / "work") as held:
        dialog = begin(view)
        runs(view, held)
        assert [path.name for path in page.session.output.rglob("dump.*")], "something is written already"
        dialog.get_by_role("button", name="Cancel").click()
        dialog.locator(".job.cancelled").wait_for()
        assert dialog.get_by_role("status").inner_text() == "Cancelled"
        assert "nothing was written" in dialog.inner_text()
        assert not dialog.get_by_role("progressbar").count()
        assert not held.alive
        assert not page.session.output.exists(), "nothing is left, nor the folder that was made for it"
        held.go()
        dialog.get_by_role("button", name="Close").last.click()
        assert view.export().is_dir(), "and the next one can begin"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_verification_that_runs_is_cancelled(
    opened: Opened, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    view, _ = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    with slowed(tmp_path / "work", "verifying") as held:
        view.tab.get_by_role("button", name="Verify").click()
        runs(view, held)
        assert list(temporary.rglob(f"dump.{ending}")), "the cut that is verified"
        job = view.tab.locator("#cut .job")
        assert "verifying" in job.inner_text()
        job.get_by_role("button", name="Cancel").click()
        view.tab.locator("#cut .job.cancelled").wait_for()
        assert not held.alive
    assert not list(temporary.iterdir()), "nothing is left"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_dialog_that_is_closed_leaves_the_work_going_on(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, page = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    with slowed(tmp_path / "work") as held:
        dialog = begin(view)
        runs(view, held)
        dialog.get_by_role("button", name="Go on in the background").click()
        dialog.wait_for(state="detached")
        job = view.tab.locator("#cut .job")
        assert job.get_by_role("progressbar").count() == 1
        assert held.alive
        view.point("pool1")
        view.chosen("pool1")
        assert "Exporting" in job.inner_text()
        held.go()
        view.tab.locator("#cut .job.done").wait_for(timeout=30_000)
    (folder,) = page.session.output.iterdir()
    view.tab.get_by_role("status").filter(has_text=str(folder)).first.wait_for()
    subcut(digits(ending), TEXT, "-o", tmp_path / "command")
    assert contents(folder) == contents(tmp_path / "command")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_reload_comes_back_to_the_work(opened: Opened, ending: str, tmp_path: Path) -> None:
    view, page = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    with slowed(tmp_path / "work") as held:
        begin(view)
        runs(view, held)
        bar = view.tab.locator("#cut .job").get_by_role("progressbar")
        before = bar.get_attribute("aria-valuenow")
        assert before is not None
        view.tab.reload()
        view.tab.locator("#cut .job.running").wait_for()
        assert held.alive
        job = view.tab.locator("#cut .job")
        assert "Exporting" in job.inner_text()
        view.until(lambda: "writing" in job.inner_text(), "the stage")
        assert bar.get_attribute("aria-valuenow") == before
        assert view.tab.locator("#export").is_disabled()
        held.go()
        view.tab.locator("#cut .job.done").wait_for(timeout=30_000)
    (folder,) = page.session.output.iterdir()
    job.get_by_text(str(folder)).first.wait_for()
    for name in contents(folder):
        job.get_by_text(name, exact=True).wait_for()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_reload_shows_the_work_that_was_done(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    folder = view.export()
    view.tab.reload()
    view.tab.locator("#cut .job.done").get_by_text(str(folder)).first.wait_for()


@pytest.mark.parametrize("ending", ENDINGS)
def test_verify(opened: Opened, ending: str) -> None:
    view, _ = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    view.tab.get_by_role("button", name="Verify").click()
    view.tab.locator("#cut .job.done, #cut .job.failed").wait_for(timeout=90_000)
    job = view.tab.locator("#cut .job")
    assert "Verified" in job.inner_text(), job.inner_text()
    view.tab.get_by_role("status").filter(has_text="Verified").first.wait_for()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_cannot_be_cut_is_not_exported(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending))
    assert view.tab.locator("#export").is_disabled()
    view.tab.locator("#selection-text").fill("from conv1 to nowhere")
    view.tab.locator(".problem").first.wait_for()
    assert view.tab.locator("#export").is_disabled()
    assert not list(page.session.output.glob("dump_result_*"))
