"""What is not needed is not imported: a cut starts at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.cuts import quote
from support.models import digits, fetched

from subcut.compiler.export import load

FRAMEWORKS = {"onnx", "onnxruntime", "tensorflow", "keras", "cv2"}
HEAVY = {*FRAMEWORKS, "numpy", "ml_dtypes", "rich", "google", "asyncio", "multiprocessing", "email", "unittest"}


def imported(*arguments: str, cwd: Path) -> set[str]:
    """The packages that Python imports for `subcut ARGUMENTS`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = set(re.findall(r"(?m)^import time:.*\| +([\w]+)", done.stderr))
    assert "subcut" in found
    return found


def test_importing_subcut_and_asking_for_help(tmp_path: Path) -> None:
    assert not imported("-c", "import subcut", cwd=tmp_path) & {*HEAVY, "lark", "argparse", "json"}
    assert not imported("-m", "subcut", "--help", cwd=tmp_path) & {*HEAVY, "lark"}


@pytest.mark.parametrize("command", ["cut", "list", "show", "explain", "verify", "apply", "check", "fmt"])
def test_help_of_each_command(command: str, tmp_path: Path) -> None:
    assert not imported("-m", "subcut", command, "--help", cwd=tmp_path) & HEAVY


def test_a_cut_of_a_net_of_caffe_imports_no_numbers(tmp_path: Path) -> None:
    arguments = (str(digits("prototxt")), "from pool1 to res2a_relu", "-o", "out")
    assert not imported("-m", "subcut", *arguments, cwd=tmp_path) & HEAVY


def test_a_cut_whose_types_are_stated_imports_no_framework(tmp_path: Path) -> None:
    model = str(fetched("ddddocr/common_det.onnx"))
    names = [op.label for op in load(model).main.ops if op.type == "Conv"]
    arguments = (model, f"from {quote(names[2])} to {quote(names[4])}", "-o", "out")
    assert not imported("-m", "subcut", *arguments, cwd=tmp_path) & FRAMEWORKS


@pytest.mark.parametrize("ending", ["pb", "onnx"])
def test_a_cut_of_all_imports_no_framework(ending: str, tmp_path: Path) -> None:
    found = imported("-m", "subcut", str(digits(ending)), "all", "-o", "out", cwd=tmp_path)
    assert not found & FRAMEWORKS
