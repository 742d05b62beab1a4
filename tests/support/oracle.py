"""The vendor's accuracy tool, run in a process of its own to compare with; a test that lacks it skips and says why."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.models import FETCHED, ROOT

SCRIPT = ROOT / "tests" / "support" / "oracle_tool.py"


def oracle() -> Path:
    """The folder that the fetch script made of the tool."""
    folder = FETCHED / "oracle"
    if not (folder / ".wheel").is_file():
        pytest.skip("needs models/oracle: run `python examples/fetch_models.py oracle`")
    return folder


@dataclass(frozen=True)
class Job:
    """One conversion: an array of layout `source` and its shape to `target`, for which `shape` is wanted."""

    source: str
    target: str
    array: np.ndarray[Any, Any]
    shape: tuple[int, ...] = ()
    group: int = 1


def convert_layouts(jobs: list[Job]) -> list[np.ndarray[Any, Any]]:
    """What the tool makes of each array."""
    with tempfile.TemporaryDirectory() as folder:
        said, made = Path(folder) / "jobs.npz", Path(folder) / "results.npz"
        stored: dict[str, Any] = {}
        for i, job in enumerate(jobs):
            what = {"from": job.source, "to": job.target, "shape_from": job.array.shape, "shape_to": job.shape}
            stored[f"{i}.job"] = json.dumps({**what, "group": job.group})
            stored[f"{i}.array"] = job.array
        np.savez(said, **stored)
        _run("layouts", str(said), str(made))
        with np.load(made) as results:
            return [results[str(i)] for i in range(len(jobs))]


def convert_dumps(headers: dict[str, Any], out: Path, *arguments: str) -> dict[str, tuple[int, str]]:
    """Run its `convert` on each dump in `headers` (see oracle_tool.py); exit code and log of each."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "headers.json"
        said.write_text(json.dumps(headers))
        lines = _run("convert", str(said), "-out", str(out), *arguments).splitlines()
    codes: dict[str, tuple[int, str]] = json.loads(lines[-1])
    return codes


def fusion_rules(*files: Path) -> list[dict[str, Any]]:
    """What the tool makes of an offline model's JSON (and AMCT's): per operator its group, relation and origins."""
    return fusion_rules_of_each([files])[0]


def fusion_rules_of_each(models: Sequence[tuple[Path, ...]]) -> list[list[dict[str, Any]]]:
    """The same of many models by one run of the tool, which is slow to start."""
    said = [",".join(map(str, files)) for files in models]
    rules: list[list[dict[str, Any]]] = json.loads(_run("fusion", *said).splitlines()[-1])
    return rules


def _run(*arguments: str) -> str:
    command = [sys.executable, "-B", str(SCRIPT), str(oracle()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
