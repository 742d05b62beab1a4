"""What `repro.sh` ends with: the outputs of a run beside the expected ones; exit code 1 while one is wrong.

python -m subcut.analysis.locate.check EXPECTED OUTPUTS RELATIVE ABSOLUTE
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from subcut.analysis.locate.judge import Tolerance, compare
from subcut.analysis.locate.tensors import read_archive, read_folder, tensor_name
from subcut.compiler.number_files import read_npy


def main(arguments: Sequence[str]) -> int:
    """Compare, and say a line a tensor."""
    folder, outputs = Path(arguments[0]), Path(arguments[1])
    tolerance = Tolerance(float(arguments[2]), float(arguments[3]))
    expected = {path.name: read_npy(path) for path in sorted(folder.glob("*.npy"))}
    if outputs.is_dir():
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
