"""Emulated dumps and ground truth for comparisons, and the file that the vendor's accuracy tool makes of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from subcut.compiler.device.dumps.names import escape
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import runner
from support.models import ROOT
from support.oracle import oracle

TIME = 1_700_000_000_000_000


def ground_truth(path: Path, inputs: dict[str, Any], folder: Path) -> Path:
    """What the original computes, a file for each operator in the order of the file."""
    folder.mkdir()
    model = load(path)
    names = model.dialect.compiled_names(model.main)
    wanted = {op: op.results[0].name for op in model.main.ops if op in names and op.operands}
    feeds = {value.name: inputs[value.name.removesuffix(":0")] for value in model.dialect.feeds(model)}
    golden = runner(FORMAT_OF[model.dialect.name]).run(model, feeds, list(wanted.values()))
    return write_truth(folder, inputs | {names[op]: golden[name] for op, name in wanted.items()})


def write_truth(folder: Path, arrays: dict[str, Any]) -> Path:
    """Files as the tools name them: `<operator>.<output>.<time>.npy`; a name may end in the number of the output."""
    folder.mkdir(exist_ok=True)
    for k, (name, array) in enumerate(arrays.items()):
        op, _, output = name.partition(":")
        np.save(folder / f"{escape(op)}.{output or 0}.{TIME + k}.npy", array)
    return folder


def tool_compares(left: Path, right: Path, out: Path, *rules: Path) -> bytes:
    """The tool's result file; without `rules` it compares two dump trees."""
    out.mkdir()
    first, *more = rules or [""]
    command = [sys.executable, "-B", ROOT / "tests/support/oracle_compare.py", oracle(), left, right, first, out, *more]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 2), done.stdout + done.stderr  # 2: something has no dump
    [table] = out.glob("result_*.csv")
    return table.read_bytes()
