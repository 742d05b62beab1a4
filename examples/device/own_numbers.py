"""Cut the part of a network that a device computed, feed it what the device was fed, and compare with what it gave.

python own_numbers.py ../digits/digits.onnx device/digits.om device/dumps part
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime

import subcut
from subcut import AddInputs, Align, Cut, Fold, Pipeline, Prune, Select, Snap, TwinOptions

SELECTION = "from bn2a_branch1 to pool5; snap outward"


def export(model: Path, offline: Path, dumps: Path, folder: Path) -> list[dict[str, str]]:
    """Cut, and export the device's numbers of inputs and outputs; a record for each of these tensors."""
    loaded = subcut.load(model)
    subcut.attach(loaded, TwinOptions(offline, dumps))
    Pipeline(Select(SELECTION), Snap(), Cut(), Fold(), AddInputs(), Prune(), Align()).run(loaded)
    records: list[dict[str, str]] = subcut.save(loaded, folder)["numbers"]
    return records


def main(model: str, offline: str, dumps: str, folder: str) -> None:
    """Say how far the device is from the original, fed with the same numbers."""
    out = Path(folder)
    records = export(Path(model), Path(offline), Path(dumps), out)
    numbers = {record["name"]: np.load(out / record["npy"]) for record in records}
    session = onnxruntime.InferenceSession(out / "dump.onnx", providers=["CPUExecutionProvider"])
    fed = {given.name: numbers[given.name] for given in session.get_inputs()}
    names = [taken.name for taken in session.get_outputs()]
    for name, expected in zip(names, session.run(names, fed), strict=True):
        off = np.abs(numbers[name] - expected).max() / np.abs(expected).max()
        print(f"{name}: the device is off by at most {off:.1e} of the largest number")


if __name__ == "__main__":
    main(*sys.argv[1:])
