"""What `repro.sh` ends with: what a device made of a piece, beside what the reference just made of it.

python -m subcut.analysis.locate.dump.check RESULT AGAIN OUTPUTS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.dump.distance import Distance, distance
from subcut.analysis.locate.dump.hints import hint
from subcut.analysis.locate.dump.tensors import Truth
from subcut.compiler.export import load
from subcut.compiler.number_files import read_npy
from subcut.compiler.storage.folder import MANIFEST

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def main(arguments: Sequence[str]) -> int:
    """Compare, and say a line a tensor; 1 where one is beyond its limit or missing."""
    folder, again, outputs = map(Path, arguments)
    content = json.loads((folder / MANIFEST).read_text("utf-8"))
    model = load(folder / content["files"][0])
    truth = Truth(model, again)
    values = {name: value for value in model.main.values() for name in (value.name, value.name.removesuffix(":0"))}
    told = content["locate"]["answer"]["limit"]
    limit = Distance(float(told["euclidean"]), float(told["largest"]))
    failed = False
    for record in content["numbers"]:
        if "expected" not in record:
            continue
        right = truth.find(values[record["name"]])
        got = _answer(outputs, record, right)
        if got is None or right is None or got.shape != right.shape:
            print(f"{record['tensor']}: missing, or of another size")
            failed = True
            continue
        own = distance(got, right)
        bad = own.beyond(limit)
        failed = failed or bad
        why = hint(got, right) if bad else ""
        print(
            f"{record['tensor']}: {own.euclidean:.3g} off, {limit.euclidean:.3g} allowed: {'WRONG' if bad else 'right'}"
            + (f" ({why})" if why else "")
        )
    return int(failed)


def _answer(folder: Path, record: dict[str, Any], right: Array | None) -> Array | None:
    """A tensor from a `.npy`, or from raw numbers of 16 or 32 bits, told by their size."""
    import numpy as np

    name = Path(record["npy"]).name
    if (folder / name).is_file():
        return read_npy(folder / name)
    raw = folder / (Path(name).stem + ".bin")
    if right is None or not raw.is_file():
        return None
    for dtype in (right.dtype, np.dtype(np.float16)):
        if raw.stat().st_size == right.size * dtype.itemsize:
            found: Any = np.fromfile(raw, dtype)
            array: Array = found.reshape(right.shape).astype(right.dtype)
            return array
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
