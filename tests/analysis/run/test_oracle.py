"""The vendor's accuracy tool finds every file that `golden` writes, and reads the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import read
from support.models import DIGITS, ROOT, digits
from support.onnx_graphs import F, Info, Node, helper, model
from support.oracle import oracle

from subcut.analysis.golden import Golden, Request, golden


def ask(made: Golden, folder: Path, wanted: list[tuple[str, int]]) -> tuple[list[str], dict[str, Any]]:
    """The files that the tool takes for these operators and outputs, and what it reads in them."""
    jobs, results = folder / "jobs.json", folder / "results.npz"
    truth = ["truth", str(made.folder), *(str(word) for pair in wanted for word in pair)]
    jobs.write_text(json.dumps([truth]))
    command = [sys.executable, "-B", ROOT / "tests" / "support" / "oracle_dumps.py", oracle(), jobs, results]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(results) as found:
        [names] = json.loads(str(found["said"]))
        return names, {key: found[key] for key in found.files if key != "said"}


def check(made: Golden, folder: Path) -> None:
    entries = made.manifest["tensors"]
    names, numbers = ask(made, folder, [(entry["operator"], entry["output"]) for entry in entries])
    assert names == [entry["file"] for entry in entries]
    for entry in entries:
        mine = read(made, entry)
        theirs = numbers[f"{entry['operator']}:{entry['output']}"]
        assert theirs.tobytes() == mine.tobytes(), entry["operator"]


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_every_tensor_is_found(ending: str, tmp_path: Path) -> None:
    samples = DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz")
    check(golden(digits(ending), samples, tmp_path / "golden"), tmp_path)


def test_awkward_names_are_found(tmp_path: Path) -> None:
    """Scopes, dots, no name at all, several outputs, and names that no file system takes."""
    nodes = [
        Node("Relu", ["x"], ["a"], name="scope/sub.layer-1/Relu"),
        Node("Neg", ["a"], ["b"]),
        Node("Split", ["b"], ["c", "d"], name="split", axis=1),
        Node("Abs", ["c"], ["e"], name="deep/" * 60 + "abs"),
        Node("Abs", ["d"], ["f"], name="deep/" * 60 + "other"),
        Node("Add", ["e", "f"], ["y"], name="add.1"),
    ]
    graph = helper.make_graph(nodes, "g", [Info("x", F, [2, 4])], [Info("y", F, [2, 2])])
    path = tmp_path / "m.onnx"
    path.write_bytes(model(graph, opset=12).SerializeToString())
    made = golden(path, None, tmp_path / "golden", request=Request(seed=1))
    hashed = [line.split(",")[0] for line in (made.folder / "mapping.csv").read_text().splitlines()]
    assert len(hashed) == 2
    check(made, tmp_path)
