"""Export and Verify from the page: the very files of the command, progress, the log, and what is said at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.browsing import Opened
from support.commands import contents, untimed
from support.in_process import subcut
from support.models import digits

ENDINGS = ["prototxt", "pb", "onnx"]
TEXT = "from pool1 to res2a_relu"
ADDED = {"prototxt": "Add Layer Into Prototxt:", "pb": "Add Node Into GraphDef:", "onnx": "Add Input Into Graph:"}


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


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_added_input_is_logged(opened: Opened, ending: str) -> None:
    view, page = opened(digits(ending), selection=TEXT)
    view.says(TEXT)
    view.export()
    texts = [event["text"] for event in page.events() if event["kind"] == "log"]
    assert any(text.startswith("Add ") and "conv1" in text for text in texts), texts


def test_progress_is_shown_and_the_work_is_cancelled(opened: Opened) -> None:
    view, page = opened(digits("onnx"), selection=TEXT)
    view.says(TEXT)
    view.tab.locator("#export").click()
    dialog = view.tab.locator("dialog.export")
    dialog.get_by_label("Verify afterwards").check()
    dialog.get_by_role("button", name="Export", exact=True).click()
    bar = dialog.get_by_role("progressbar")
    bar.wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.locator(".job.cancelled, .job.done").wait_for(timeout=30_000)
    if dialog.locator(".job.cancelled").count():
        assert not [path for path in page.session.output.glob("dump_result_*") if (path / "manifest.json").exists()]
    dialog.get_by_role("button", name="Close").last.click()
    view.export()


def test_a_dialog_that_is_closed_leaves_the_work_going_on(opened: Opened) -> None:
    view, page = opened(digits("onnx"), selection=TEXT)
    view.says(TEXT)
    view.tab.locator("#export").click()
    dialog = view.tab.locator("dialog.export")
    dialog.get_by_role("button", name="Export", exact=True).click()
    dialog.get_by_role("button", name="Go on in the background").or_(
        dialog.get_by_role("button", name="Close").last
    ).first.click()
    view.tab.locator("#cut .job.done").wait_for(timeout=30_000)
    assert list(page.session.output.glob("dump_result_*"))


def test_a_reload_shows_the_work_that_was_done(opened: Opened) -> None:
    view, _ = opened(digits("onnx"), selection=TEXT)
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
