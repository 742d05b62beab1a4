"""Runs in a process of its own, which has Caffe: one pass over a net, a file for every tensor that is asked for.

    python pycaffe_worker.py JOB.json

Imports nothing of subcut: Caffe may live in an older Python. Exit codes: 3 there is no Caffe, 4 Caffe refuses, 5 it
cannot be imported.
"""

import importlib
import json
import os
import sys
from typing import Any, Dict, Iterable, List, Tuple  # noqa: UP035 - for older Pythons

Top = Tuple[int, str]  # noqa: UP006


def main(path: str) -> int:
    """Run the job; the last line of the output is Caffe's version."""
    with open(path) as file:
        job = json.load(file)
    try:
        caffe: Any = importlib.import_module("caffe")
    except Exception as error:  # an installation can be broken in any way
        sys.stderr.write(f"\n{type(error).__name__}: {error}\n")
        return 3 if isinstance(error, ModuleNotFoundError) and error.name == "caffe" else 5
    try:
        _run(job, caffe, importlib.import_module("numpy"))
    except Exception as error:  # told to the user by the process that waits
        sys.stderr.write(f"\n{type(error).__name__}: {error}\n")
        return 4
    print(getattr(caffe, "__version__", "of unknown version"))
    return 0


def _run(job: Any, caffe: Any, numpy: Any) -> None:
    caffe.set_mode_cpu()
    net = caffe.Net(job["net"], getattr(caffe, job["phase"]), **job["state"])
    if job["weights"]:
        net.copy_from(job["weights"])
    fed = {blob: numpy.load(file) for blob, file in job["inputs"].items()}
    for blob, array in fed.items():
        if blob not in net.blobs:
            raise ValueError(f"the net has no blob `{blob}` for an input")
        net.blobs[blob].reshape(*array.shape)
    net.reshape()
    blobs = list(net.blobs.keys())
    _feed(net, fed, blobs)
    wanted: Dict[Tuple[str, int], List[Top]] = {(name, n): tops for name, n, tops in job["layers"]}  # noqa: UP006
    seen: Dict[str, int] = {}  # noqa: UP006
    for index, name in enumerate(net._layer_names):
        net._forward(index, index)
        tops = [blobs[one] for one in net._top_ids(index)]
        _feed(net, fed, tops)
        number = seen[name] = seen.get(name, -1) + 1
        for top, file in wanted.pop((name, number), []):
            numpy.save(os.path.join(job["folder"], file), net.blobs[tops[top]].data)
    if wanted:
        raise ValueError(f"Caffe has no layer `{min(wanted)[0]}`")


def _feed(net: Any, fed: Any, blobs: Iterable[str]) -> None:
    for blob in blobs:
        if blob in fed:
            net.blobs[blob].data[...] = fed[blob]


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, whose other modules are subcut's
    sys.exit(main(sys.argv[1]))
