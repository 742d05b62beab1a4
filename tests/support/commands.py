"""The command line as a user meets it: a process of its own, its output, and what it leaves in a folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def subcut(
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    code: int | None = 0,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m subcut` and check its exit code (None: any)."""
    done = subprocess.run(
        [sys.executable, "-m", "subcut", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert code is None or done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def untimed(log: str) -> str:
    """A log without the times of its entries."""
    return re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "<time> ", log)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too, by its path in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def names(folder: Path) -> list[str]:
    """Everything that lies directly in a folder, hidden things too."""
    return sorted(os.listdir(folder))
