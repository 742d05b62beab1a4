"""SSD's evaluation of detections against its definition written out, over random detections and labelled boxes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.caffe_boxes import boxes, heads, overlap
from support.caffe_models import read_net

from subcut.compiler.errors import UserError
from subcut.compiler.formats.caffe.run import run


def evaluated(params: dict[str, object], found: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """The definition of DetectionEvaluate; sizes of images are not given."""
    every, enough = params["evaluate_difficult_gt"], params["overlap_threshold"]
    rows = list(truth)
    rows = rows[: next((i for i, r in enumerate(rows) if r[0] == -1), len(rows))]
    out = [[-1, c, sum(r[1] == c and bool(every or not r[7]) for r in rows), -1, -1] for c in range(1, classes)]
    detections = [d for d in found if d[0] != -1 and d[1] != -1]
    groups = sorted({(d[0], d[1]) for d in detections})
    for group in groups:
        boxes = [r for r in rows if (r[0], r[1]) == group]
        mine = [d for d in detections if (d[0], d[1]) == group]
        seen: set[int] = set()
        for d in sorted(mine, key=lambda d: -d[2]) if boxes else mine:
            values = [overlap(d[3:], r[3:7]) for r in boxes]
            best = int(np.argmax(values)) if values else -1
            verdict = (0, 1)
            if values and values[best] >= np.float32(enough):
                verdict = (0, 0)
                if every or not boxes[best][7]:
                    verdict = (0, 1) if best in seen else (1, 0)
                    seen.add(best)
            out.append([*d[:3], *verdict])
    out += [[0] * 5] * sum(d[0] == -1 and d[1] != -1 for d in found)
    return np.array(out, np.float32)[None, None]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    enough=st.sampled_from([0.05, 0.3, 0.5]),
    every=st.booleans(),
    classes=st.integers(2, 4),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 8)),
    ends=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_detection_evaluate(
    enough: float, every: bool, classes: int, sizes: tuple[int, int], ends: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    found, truth = np.zeros((sizes[0], 7), np.float32), np.zeros((sizes[1], 8), np.float32)
    found[:, 0], found[:, 1] = random.integers(-1, 3, sizes[0]), random.choice([-1, *range(1, classes)], sizes[0])
    found[:, 2], found[:, 3:] = (random.permutation(sizes[0]) + 1) / (sizes[0] + 1), boxes(random, sizes[0])
    truth[:, 0], truth[:, 1] = random.integers(0, 2, sizes[1]), random.integers(1, classes, sizes[1])
    truth[:, 3:7], truth[:, 7] = boxes(random, sizes[1]), random.integers(0, 3, sizes[1]) == 0
    if ends:
        truth[random.integers(0, sizes[1]), 0] = -1
    params: dict[str, object] = {"overlap_threshold": enough, "evaluate_difficult_gt": every}
    text = f"num_classes: {classes} " + " ".join(f"{k}: {str(v).lower()}" for k, v in params.items())
    tail = 'layer { name: "e" type: "DetectionEvaluate" bottom: "d" bottom: "t" top: "y" '
    shapes = {"d": (1, 1, *found.shape), "t": (1, 1, *truth.shape)}
    net = "\n".join([*heads(shapes), f"{tail} detection_evaluate_param {{ {text} }} }}"])
    feeds = {"d": found.reshape(shapes["d"]), "t": truth.reshape(shapes["t"])}
    with tempfile.TemporaryDirectory() as folder:
        rows = run(read_net(Path(folder), net), feeds, ["y"])["y"]
    np.testing.assert_array_equal(rows, evaluated(params, found, truth, classes))


SIZES = {
    None: "the sizes of its images are in `sizes.txt`, which is neither beside the net nor in the current folder",
    "a 3 4 b 5": "`sizes.txt` must have lines of name, height and width",
    "a 3 x": "`sizes.txt` must have lines of name, height and width",
    "a 0 4": "`sizes.txt` must have lines of name, height and width",
}


@pytest.mark.parametrize("sizes", SIZES)
def test_sizes_of_images_that_cannot_be_read(sizes: str | None, tmp_path: Path) -> None:
    if sizes is not None:
        (tmp_path / "sizes.txt").write_text(sizes)
    tail = 'layer { name: "e" type: "DetectionEvaluate" bottom: "d" bottom: "t" top: "y" detection_evaluate_param {'
    net = [*heads({"d": (1, 1, 2, 7), "t": (1, 1, 2, 8)}), f'{tail} num_classes: 2 name_size_file: "sizes.txt" }} }}']
    with pytest.raises(UserError, match=SIZES[sizes]) as caught:
        run(read_net(tmp_path, "\n".join(net)), {"d": np.ones((1, 1, 2, 7)), "t": np.ones((1, 1, 2, 8))}, ["y"])
    assert caught.value.code == "not-lowerable"
