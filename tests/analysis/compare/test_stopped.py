"""Ctrl-C while tensors are compared: nothing is left, no process, no folder; the bar counted pieces of work."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.commands import names
from support.compared import TIME

COUNT = 80
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drives a terminal")


def sparse(folder: Path) -> Path:
    """Tensors of zeros that take a while and no room on the disk."""
    folder.mkdir()
    for k in range(COUNT):
        with open(folder / f"op{k}.0.{TIME}.npy", "wb") as file:
            head = {"descr": "<f4", "fortran_order": False, "shape": (1_000_000,)}
            np.lib.format.write_array_header_1_0(file, head)
            file.truncate(file.tell() + 4_000_000)
    return folder


@pytest.mark.parametrize("executor", ["serial", "processes", "dask"])
def test_ctrl_c_leaves_nothing(executor: str, tmp_path: Path) -> None:
    golden, temp = sparse(tmp_path / "golden"), tmp_path / "temp"
    temp.mkdir()
    terminal, side = os.openpty()
    command = [sys.executable, "-m", "subcut", "compare", golden, golden, "-o", "out", "-j", 2, "--executor", executor]
    env = {**os.environ, "TMPDIR": str(temp), "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    words = [str(word) for word in command]
    process = subprocess.Popen(words, cwd=tmp_path, env=env, stderr=side, start_new_session=True)
    os.close(side)
    said = read_until(terminal, rf"[1-9][0-9]?/{COUNT}\b")
    assert "comparing" in said
    assert "bytes" not in said
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process of the command hears it
    said += read_until(terminal, "interrupted\r?\n")
    assert process.wait(30) == 130
    os.close(terminal)
    assert "Traceback" not in said
    assert names(tmp_path) == ["golden", "temp"]
    assert names(temp) == []
    with pytest.raises(ProcessLookupError):
        gone(process.pid)


def gone(group: int) -> None:
    """Raises ProcessLookupError as soon as no process of the group is left."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        os.killpg(group, 0)
        time.sleep(0.05)


def read_until(terminal: int, pattern: str) -> str:
    """What is written to the terminal, up to the pattern."""
    said, end = "", time.monotonic() + 30
    while not re.search(pattern, said):
        assert time.monotonic() < end, said
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 1 << 16).decode("utf-8", "replace")
    return said
