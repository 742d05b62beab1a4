"""Split a network where only one tensor passes, run the parts one after another, and get the whole network's answer.

python stages.py ../digits/digits.onnx parts
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime

import subcut
from subcut import AddInputs, Cut, Fold, Pipeline, Prune, Select

STAGES = {
    "stem": "to pool1",
    "block": "after pool1 to res2a_relu",
    "head": "after res2a_relu",
}


def split(model: Path, folder: Path) -> list[Path]:
    """Cut every stage into a result folder of its own; the files, in order."""
    files = []
    for name, selection in STAGES.items():
        pipeline = Pipeline(Select(selection), Cut(), Fold(), AddInputs(), Prune(), verify_each=True)
        cut = pipeline.run(subcut.load(model))
        subcut.save(cut, folder / name)
        files.append(folder / name / "dump.onnx")
    return files


def answer(model: Path, tensor: np.ndarray) -> np.ndarray:
    """Run a network of one input and one output as it is written, nothing fused."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    (result,) = session.run(None, {only.name: tensor})
    return result


def main(model: Path, folder: Path) -> None:
    """Split, run the chain, compare with the whole."""
    parts = split(model, folder)
    picture = np.load(model.with_name("samples.npz"))["data"]
    tensor = picture
    for part in parts:
        tensor = answer(part, tensor)
        print(f"{part.parent.name}: {list(tensor.shape)}")
    if tensor.tobytes() != answer(model, picture).tobytes():
        sys.exit("the parts in turn answer otherwise than the whole")
    print("the parts in turn answer as the whole does, bit for bit")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
