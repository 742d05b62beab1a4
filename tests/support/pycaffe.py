"""Where a real Caffe is, for tests that hold `--framework pycaffe` against it.

`SUBCUT_PYCAFFE` may name its Python; else it is looked for in `build/pycaffe` (docs/run.md has the command that makes
it) and in this Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

from support.models import ROOT

PYTHON = "SUBCUT_PYCAFFE"
MADE = ROOT / "build" / "pycaffe" / "bin" / "python"


@cache
def _found() -> str:
    named = os.environ.get(PYTHON)
    for python in [named] if named else [str(MADE), sys.executable]:
        command = [python, "-c", "import caffe; caffe.Net"]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return python
    return ""


def pycaffe() -> str:
    """A Python that has Caffe."""
    if not _found():
        pytest.skip(f"needs a real Caffe: docs/run.md says how to make build/pycaffe, or {PYTHON} names its Python")
    return _found()
