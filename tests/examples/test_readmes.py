"""Every command that an example's README shows is run, in a copy of the examples."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.models import ROOT

READMES = sorted((ROOT / "examples").glob("*/README.md"))


def blocks(readme: Path) -> list[str]:
    """The text of each block marked `sh`."""
    return re.findall(r"^```sh\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_every_example_has_commands_to_run() -> None:
    folders = [f for f in (ROOT / "examples").iterdir() if f.is_dir() and f.name != "__pycache__"]
    assert sorted(f / "README.md" for f in folders) == READMES
    assert all(blocks(readme) for readme in READMES)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_the_commands_of_a_readme_run(readme: Path, tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", examples, ignore=shutil.ignore_patterns("__pycache__"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = "set -euo pipefail\n" + "\n".join(blocks(readme))
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=examples / readme.parent.name,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
