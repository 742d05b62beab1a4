"""What `repro.sh` ends with: the outputs of a run beside the expected ones; exit code 1 while one is wrong.

python -m subcut.analysis.locate.check EXPECTED OUTPUTS RELATIVE ABSOLUTE
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.command import LIST
from subcut.analysis.locate.judge import Tolerance, compare
from subcut.analysis.locate.tensors import read_archive, read_folder, tensor_name
from subcut.compiler.number_files import read_npy

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def main(arguments: Sequence[str]) -> int:
    """Compare, and say a line a tensor."""
    folder, outputs = Path(arguments[0]), Path(arguments[1])
    tolerance = Tolerance(float(arguments[2]), float(arguments[3]))
    expected = {path.name: read_npy(path) for path in sorted(folder.glob("*.npy"))}
    raw = outputs.is_dir() and not any(outputs.glob("*.npy")) and (folder.parent / LIST).is_file()
    if raw:
        actual, problem = _raw(outputs, folder.parent / LIST, expected)
    elif outputs.is_dir():
        actual, problem = read_folder(outputs, [tensor_name(name) for name in expected])
    else:
        actual, problem = read_archive(outputs)
    if problem:
        print(problem)
        return 1
    failed = False
    for file, array in expected.items():
        name = tensor_name(file)
        outcome = compare({name: array}, actual, tolerance)
        failed = failed or not outcome.passed
        print(f"{name}: {outcome.kind}" + (f" ({outcome.note})" if outcome.note else ""))
    return int(failed)


def _raw(outputs: Path, listed: Path, expected: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """The outputs of an inference tool, in the order that is written down beside the expected ones."""
    from subcut.analysis.locate.plan_answers import Wanted, Wrong, read_outputs

    entries = json.loads(listed.read_text("utf-8"))["outputs"]
    files = [entry["file"] for entry in entries]
    wanted = [Wanted(tensor_name(file), files.index(file), array) for file, array in expected.items()]
    try:
        return read_outputs(outputs, wanted), ""
    except Wrong as wrong:
        return {}, str(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
