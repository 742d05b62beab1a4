"""A candidate as a user writes one: run a model in onnxruntime, and get an operator wrong.

python spoiling.py OPERATOR MODEL INPUTS OUTPUTS
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import onnx
import onnxruntime

from support.locating import session, spoiled


def main(bad: str, path: str, inputs: str, outputs: str) -> None:
    model = spoiled(onnx.load(path), [bad])
    names = [one.name for one in model.graph.output]
    feeds = {unquote(file.stem): np.load(file) for file in Path(inputs).glob("*.npy")}
    results = session(model.SerializeToString()).run(names, feeds)
    for tensor, array in zip(names, results, strict=True):
        np.save(Path(outputs) / f"{quote(tensor, safe='')}.npy", array)


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    main(*sys.argv[1:])
