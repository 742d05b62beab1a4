"""A run fails when a test skips without saying why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"


def run(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_it.py").write_text(f"import pytest\n\n{test}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(
    "test",
    [
        "@pytest.mark.skip\ndef test_a(): ...",
        "def test_a(): pytest.skip()",
        "pytest.skip(allow_module_level=True)",
    ],
)
def test_silent_skip_fails_the_run(tmp_path: Path, test: str) -> None:
    done = run(tmp_path, test)
    assert done.returncode == 1
    assert "skipped without a reason" in done.stdout


@pytest.mark.parametrize(
    "test",
    [
        "@pytest.mark.skip(reason='no such machine')\ndef test_a(): ...\ndef test_b(): ...",
        "def test_a(): pytest.skip('no such file')",
        "def test_a(): ...",
    ],
)
def test_a_skip_with_a_reason_is_fine(tmp_path: Path, test: str) -> None:
    assert run(tmp_path, test).returncode == 0
