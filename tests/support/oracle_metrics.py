"""Runs in a process of its own: the metrics of the vendor's accuracy tool, of pairs of arrays.

    python oracle_metrics.py FOLDER PAIRS.npz       # arrays `<n>.left` and `<n>.right`

Imported, it runs itself.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

LEFT, RIGHT = "left file", "right 'file'"
"""What its messages call the two sides."""


def metrics(pairs: list[tuple[Any, Any]]) -> tuple[list[str], list[tuple[list[str], list[str]]]]:
    """The names of its metrics, and for each pair of arrays their values and messages."""
    from support.oracle import oracle

    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "pairs.npz"
        sides = {f"{n}.left": left for n, (left, _) in enumerate(pairs)}
        np.savez(said, **sides, **{f"{n}.right": right for n, (_, right) in enumerate(pairs)})
        command = [sys.executable, "-B", __file__, str(oracle()), str(said)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    names, results = json.loads(done.stdout.splitlines()[-1])
    return names, [(values, messages) for values, messages in results]


def main(pairs_file: str) -> None:
    from algorithm_manager.algorithm_manager import AlgorithmManager
    from cmp_utils import utils

    with redirect_stdout(io.StringIO()), np.load(pairs_file) as pairs:
        manager = AlgorithmManager("", "all", "")
        results = []
        for number in range(len(pairs.files) // 2):
            left, right = pairs[f"{number}.left"], pairs[f"{number}.right"]
            about = {"my_output_dump_file": LEFT, "ground_truth_dump_file": RIGHT}
            about["shape_type"] = utils.get_shape_type(left.shape)
            results.append(manager.compare(left.flatten(), right.flatten(), about))
    print(json.dumps([manager.get_result_title(), results]))


if __name__ == "__main__":
    sys.path.insert(1, sys.argv[1])
    main(sys.argv[2])
