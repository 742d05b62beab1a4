"""Real nets, lowered and run, against OpenCV's Caffe importer: every tensor that OpenCV can tell.

OpenCV computes convolutions by other algorithms (Winograd, blocked sums), so the sums differ in their last bits, and
the differences grow with depth: the tolerance is relative to the biggest number of a tensor.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_models import caffemodel, random_weights
from support.models import fetched, shared

from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe.run import run
from subcut.compiler.ir.graph import Model

cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless")

TOLERANCE = 1e-5


def opencv_net(prototxt: Path, weights: Path) -> Any:
    # OpenCV reads `Axpy` as a Y + X; its definition (SENet, axpy_layer.hpp) is a X + Y.
    axpy = rb'(type: "Axpy"\s+bottom: "[^"]*"\s+)(bottom: "[^"]*"\s+)(bottom: "[^"]*"\s+)'
    text = re.sub(axpy, rb"\1\3\2", prototxt.read_bytes())
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(text, np.uint8), np.fromfile(weights, np.uint8))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    net.enableFusion(False)
    net.enableWinograd(False)
    return net


def compare(prototxt: Path, weights: Path, feeds: dict[str, np.ndarray]) -> int:
    """Compare every layer's first top; returns how many there were."""
    model: Model = package("caffe").read(prototxt, ReadOptions(weights=weights))
    net = opencv_net(prototxt, weights)
    for name, array in feeds.items():
        net.setInput(array, name.removesuffix(":0"))
    there = set(net.getLayerNames())
    ops = [op for op in model.main.ops if op.name in there and op.results and op.operands]
    expected = dict(zip([op.name for op in ops], net.forward([op.name for op in ops]), strict=True))
    found = run(model, feeds, [op.results[0].name for op in ops])
    for op in ops:
        theirs, ours = expected[op.name], found[op.results[0].name]
        if op.type == "DetectionOutput":
            theirs, ours = detections(theirs), detections(ours)
        assert theirs.size == ours.size, op
        scale = max(float(np.abs(theirs).max(initial=0)), 1e-20)
        worst = float(np.abs(theirs.reshape(ours.shape) - ours).max(initial=0)) / scale
        assert worst <= TOLERANCE, (op, worst)
    return len(ops)


def detections(rows: np.ndarray) -> np.ndarray:
    """The rows by class and falling score: OpenCV has another order, and fills up with rows of zeros."""
    rows = rows.reshape(-1, 7)
    rows = rows[rows.any(axis=1)]
    return rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))]


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "size", "layers"),
    [("det1", (1, 3, 31, 45), 10), ("det2", (2, 3, 24, 24), 13), ("det3", (2, 3, 48, 48), 18)],
)
def test_mtcnn(name: str, size: tuple[int, ...], layers: int) -> None:
    folder = shared("caffe/mtcnn")
    count = compare(folder / f"{name}.prototxt", folder / f"{name}.caffemodel", {"data": picture(*size)})
    assert count >= layers


def test_open_nsfw() -> None:
    folder = fetched("open_nsfw")
    weights = folder / "resnet_50_1by2_nsfw.caffemodel"
    # The net's numbers do not shrink towards the end as trained on pictures with a mean of 104 to 123.
    feeds = {"data": picture(1, 3, 224, 224) * 50}
    assert compare(folder / "deploy.prototxt", weights, feeds) >= 225


def test_res10_ssd() -> None:
    folder = fetched("res10_ssd")
    weights = folder / "res10_300x300_ssd_iter_140000.caffemodel"
    assert compare(folder / "deploy.prototxt.txt", weights, {"data": picture(1, 3, 300, 300) * 60}) >= 112


def test_wechat_detector() -> None:
    folder = fetched("wechat_qr")
    feeds = {"data:0": picture(1, 1, 384, 384)}
    assert compare(folder / "detect.prototxt", folder / "detect.caffemodel", feeds) >= 150


def test_wechat_super_resolution() -> None:
    folder = fetched("wechat_qr")
    feeds = {"data": picture(1, 1, 64, 48)}
    assert compare(folder / "sr.prototxt", folder / "sr.caffemodel", feeds) >= 15


DEPLOY = {
    "BVLC_examples_mnist_lenet": 8,
    "BVLC_models_bvlc_alexnet_deploy": 22,
    "BVLC_models_bvlc_googlenet_deploy": 140,
    "BVLC_models_bvlc_reference_rcnn_ilsvrc13_deploy": 22,
    "DenseNet_121": 420,
    "age_net_definitions_deploy": 18,
    "mobilenet_v2_deploy": 150,
    "models_SE-ResNet-50": 250,
    "prototxt_ResNet-50-deploy": 220,
    "voc_MobileNetSSD_deploy": 100,
}


@pytest.mark.parametrize("name", DEPLOY)
def test_deploy_nets_with_random_weights(name: str, tmp_path: Path) -> None:
    prototxt = shared(f"caffe/prototxt/{name}.prototxt")
    model = package("caffe").read(prototxt, ReadOptions())
    layers, shapes = random_weights(model, 1.0 if "SE-" in name else 2.0)
    weights = tmp_path / "net.caffemodel"
    weights.write_bytes(caffemodel(name, layers))
    feeds = {tensor: picture(*shape) for tensor, shape in shapes.items()}
    assert compare(prototxt, weights, feeds) >= DEPLOY[name]
