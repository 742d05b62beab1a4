"""Record what a real Caffe makes of the cases of `layer_cases.py` or `ssd_cases.py`.

Needs a pycaffe. For `layer_cases` under Python 3.7 to 3.9 that is `pip install kendryte-caffe==1.0.0.20210829 "numpy<2"
"protobuf<3.21"`:

    python3.9 tests/caffe/oracle/record.py layer_cases tests/caffe/oracle/recorded.json

`ssd_cases` wants the SSD fork (weiliu89/caffe, branch ssd) with a `Proposal` layer.

Each case runs in a process of its own, since Caffe ends the process where it refuses a net.
"""

import base64
import importlib
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

os.environ["GLOG_minloglevel"] = "3"  # noqa: SIM112  (Caffe asks for it in this spelling)
CASES = importlib.import_module(sys.argv[1])
FOLDER = os.path.dirname(os.path.abspath(__file__))


def record(case):
    """Shapes and numbers of every blob that a layer of the case makes, and the shapes of what the layers store."""
    import caffe

    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(CASES.net_text(case))
        file.flush()
        net = caffe.Net(file.name, caffe.TEST)
    types = {name: net.layers[i].type for i, name in enumerate(net._layer_names)}
    stored = {}
    for name, blobs in net.params.items():
        stored[name] = [list(blob.data.shape) for blob in blobs]
        for i, blob in enumerate(blobs):
            blob.data[...] = CASES.weights(case, name, types[name], i, tuple(blob.data.shape))
    feeds = CASES.feeds(case)
    for name, array in feeds.items():
        net.blobs[name].data[...] = array
    net.forward()
    if case.endswith("-anew"):  # what a recurrent layer kept does not count where `cont` is 0
        net.forward()
    tops = {}
    for name, blob in net.blobs.items():
        if name in feeds or "_split_" in name:
            continue
        data = np.asarray(blob.data, "<f4")
        tops[name] = {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}
    return {"tops": tops, "blobs": stored}


def main():
    """Record one case (`--case NAME`, to standard output) or all of them (to the file that is named)."""
    if sys.argv[2] == "--case":
        print("RECORD" + json.dumps(record(sys.argv[3]), sort_keys=True))
        return
    lines = []
    for case in CASES.CASES:
        command = [sys.executable, os.path.abspath(__file__), sys.argv[1], "--case", case]
        done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER)  # where the files are that nets name
        found = [line[6:] for line in done.stdout.splitlines() if line.startswith("RECORD")]
        if not found:
            print(f"{case}: refused ({done.returncode})\n{done.stderr[-600:]}", file=sys.stderr)
        lines.append(f"{json.dumps(case)}: {found[0] if found else 'null'}")
    with open(sys.argv[2], "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
