"""The result folder when processes are interrupted, race or are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.folders import fill, names, result

from subcut.compiler.storage.folder import ResultFolder, is_result_folder
from subcut.compiler.storage.interrupts import Terminated

SCRIPT = """
import os, sys, time
from pathlib import Path
from subcut.compiler.errors import UserError
from subcut.compiler.storage.folder import ResultFolder, is_result_folder
{setup}
try:
    with ResultFolder(sys.argv[1], force={force}) as temp:
        (temp / "dump.onnx").write_text("x" * 1000)
        (temp / "manifest.json").write_text('{{"subcut": 1}}')
        print("ready", flush=True)
        {body}
except UserError as error:
    print(error.code, flush=True)
    sys.exit(1)
"""


def start(path: Path, body: str = "pass", setup: str = "", force: bool = False) -> subprocess.Popen[str]:
    text = SCRIPT.format(body=body, setup=setup, force=force)
    return subprocess.Popen(
        [sys.executable, "-c", text, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_no_permission(tmp_path: Path) -> None:
    """As an unprivileged user: root drops its rights in a process of its own."""
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 1 and os.geteuid() == 0 and parent.owner() == "root":
            parent.chmod(parent.stat().st_mode | 0o111)
    drop = "os.setgid(65534); os.setuid(65534)" if os.geteuid() == 0 else ""
    process = start(tmp_path / "out", setup=drop)
    out, err = process.communicate()
    tmp_path.chmod(0o755)
    assert (process.returncode, out) == (1, "cannot-write\n"), err
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1)]
)
def test_signals_leave_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    # Under nohup or behind a shell's `&` the tests themselves, and what they start, would ignore the signal.
    heeded = "signal.default_int_handler" if number == signal.SIGINT else "signal.SIG_DFL"
    heeds = f"import signal; signal.signal({int(number)}, {heeded})"
    process = start(tmp_path / "a/out", body="time.sleep(60)", setup=heeds)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate()
    assert process.returncode == code
    assert names(tmp_path) == []


def test_signal_while_renaming_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.rename

    def rename(a: Path, b: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        real(a, b)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(Terminated) as caught:
        result(tmp_path / "out")
    assert caught.value.code == 128 + signal.SIGTERM
    assert is_result_folder(tmp_path / "out")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_handlers_of_others_stay(tmp_path: Path) -> None:
    old = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with ResultFolder(tmp_path / "out") as temp:
            fill(temp)
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, old)
    assert is_result_folder(tmp_path / "out")


@pytest.mark.parametrize("force", [False, True])
def test_processes_racing(tmp_path: Path, force: bool) -> None:
    """Of several at once exactly one wins, or with force each in turn; the result is whole and nothing is left."""
    if force:
        result(tmp_path / "out", "old")
    processes = [start(tmp_path / "out", "time.sleep(0.2)", force=force) for _ in range(5)]
    codes = [(process.communicate(timeout=60)[0].split()[-1], process.returncode) for process in processes]
    won = [("ready", 0)] * (5 if force else 1)
    assert sorted(codes, reverse=True) == won + [("folder-exists", 1)] * (5 - len(won))
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out/dump.onnx").read_text() == "x" * 1000


def killed(path: Path) -> Path:
    """What a process that was killed leaves beside `path`."""
    process = start(path, body="time.sleep(60)")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    (left,) = [p for p in path.parent.iterdir() if p.name.startswith(".out.subcut-tmp-")]
    return left


def age(path: Path) -> None:
    os.utime(path, (time.time() - 3600, time.time() - 3600))


def test_leftovers_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    left = killed(tmp_path / "out")
    result(tmp_path / "first")
    assert left.exists()  # too young to be sure
    age(left)
    result(tmp_path / "second")
    assert names(tmp_path) == ["first", "second"]


def test_folder_of_a_live_process_is_not_swept(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "slow") as temp:
        fill(temp)
        age(temp)
        result(tmp_path / "fast")
    assert names(tmp_path) == ["fast", "slow"]


def test_result_that_a_killed_process_had_moved_is_put_back(tmp_path: Path) -> None:
    result(tmp_path / ".out.subcut-old-01234567", "old")
    age(tmp_path / ".out.subcut-old-01234567")
    result(tmp_path / "other")
    assert (tmp_path / "out/dump.onnx").read_text() == "old"


def test_other_hidden_folders_are_not_swept(tmp_path: Path) -> None:
    for name in [".git", ".out.subcut-tmp-1234", ".subcut-tmp-01234567", "x.subcut-tmp-01234567"]:
        (tmp_path / name).mkdir()
        age(tmp_path / name)
    result(tmp_path / "out")
    assert len(names(tmp_path)) == 5
