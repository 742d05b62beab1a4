"""What a terminal user does: looks at a bar, presses Ctrl-C, pipes into `head`."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import names, subcut
from support.models import digits, fetched
from support.sabotage import SLOW_COPIES, sabotage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drives a terminal and slows copies as Linux has them")

MODEL = "rapidocr/ch_PP-OCRv4_det_infer.onnx"
"""4.7 MB, which take three seconds when copies are slowed down."""


def started(
    *arguments: object, env: dict[str, str], cwd: Path, stderr: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "subcut", *map(str, arguments)]
    env = {**os.environ, **env}
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=stderr, preexec_fn=_attended)


def _attended() -> None:
    """Under `nohup`, as tests may run, a process is told to ignore that its terminal went away."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_for_bytes(folder: Path) -> None:
    """Wait until something is being written somewhere below `folder`."""
    for _ in range(1000):
        if any(f.stat().st_size > 1 << 16 for f in folder.rglob("dump.onnx")):
            return
        time.sleep(0.01)
    pytest.fail("nothing was written in ten seconds")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stop_in_the_middle_of_writing_leaves_nothing(number: int, code: int, tmp_path: Path) -> None:
    model, env = fetched(MODEL), sabotage(tmp_path / "site", SLOW_COPIES)
    work = tmp_path / "work"
    work.mkdir()
    process = started(model, "all", "-o", "deep/out", env=env, cwd=work)
    wait_for_bytes(work)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == b""
    assert err == (b"interrupted\n" if number == signal.SIGINT else b"")
    assert names(work) == []


def test_a_stop_keeps_the_result_that_was_to_be_replaced(tmp_path: Path) -> None:
    model, env = fetched(MODEL), sabotage(tmp_path / "site", SLOW_COPIES)
    work = tmp_path / "work"
    subcut(digits("prototxt"), "all", "-o", work / "out")
    process = started(model, "all", "-o", "out", "--force", env=env, cwd=work)
    wait_for_bytes(work)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert names(work) == ["out"]
    assert names(work / "out") == ["dump.caffemodel", "dump.prototxt", "manifest.json"]


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show"]], ids=" ".join)
def test_a_reader_that_has_seen_enough(arguments: list[str], tmp_path: Path) -> None:
    model = fetched("onnx_light/light_densenet121.onnx")
    with started(*arguments, model, env={}, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) in (0, 1)


def watched(*arguments: object, env: dict[str, str], cwd: Path) -> tuple[int, bytes, bytes]:
    """Run with standard error on a terminal; the exit code, standard output, and what the terminal was sent."""
    import pty

    ours, theirs = pty.openpty()
    process = started(*arguments, env={"TERM": "xterm", "COLUMNS": "100", **env}, cwd=cwd, stderr=theirs)
    os.close(theirs)
    shown = b"".join(_read_all(ours))
    os.close(ours)
    out, _ = process.communicate(timeout=30)
    return process.returncode, out, shown


def _read_all(terminal: int) -> Iterator[bytes]:
    while select.select([terminal], [], [], 60)[0]:
        try:
            yield os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            return


def test_slow_work_shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    env = sabotage(tmp_path / "site", SLOW_COPIES)
    code, out, shown = watched(fetched(MODEL), "all", "-o", "out", env=env, cwd=tmp_path)
    assert code == 0
    assert b"writing" in shown
    done = [float(n) for n in re.findall(rb"([\d.]+)/4\.7 MB", shown)]
    assert len(set(done)) > 3
    assert done == sorted(done)
    assert shown.rstrip().endswith(b"\x1b[2K")  # the bar is wiped away
    assert re.match(r"\S+ \S+ Export Layer:", out.decode())
    assert b"\x1b" not in out


@pytest.mark.parametrize("options", [["--quiet"], ["--json"]])
def test_no_bar_where_none_is_wanted(options: list[str], tmp_path: Path) -> None:
    env = sabotage(tmp_path / "site", SLOW_COPIES)
    assert watched(fetched(MODEL), "all", "-o", "out", *options, env=env, cwd=tmp_path)[2] == b""


def test_no_bar_for_quick_work(tmp_path: Path) -> None:
    assert watched(digits("prototxt"), "all", "-o", "out", env={}, cwd=tmp_path)[2] == b""


def test_no_bar_without_a_terminal(tmp_path: Path) -> None:
    env = sabotage(tmp_path / "site", SLOW_COPIES)
    assert subcut(fetched(MODEL), "all", "-o", "out", env=env, cwd=tmp_path).stderr == ""


def test_errors_are_coloured_on_a_terminal_unless_asked_not_to(tmp_path: Path) -> None:
    arguments = (digits("prototxt"), "from pool_1 to res2a")
    shown = watched(*arguments, env={}, cwd=tmp_path)[2]
    assert b"\x1b[1;31merror[unknown-operator]" in shown
    plain = watched(*arguments, env={"NO_COLOR": "1"}, cwd=tmp_path)[2]
    assert b"\x1b" not in plain
    assert re.sub(rb"\x1b\[[\d;]*m", b"", shown) == plain
