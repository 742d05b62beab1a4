"""The models that are measured are models: their frameworks accept small ones of the same make and run them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.models import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import caffe_file
import graphdef_file
import networks
import onnx_file
import transformer

sys.path.remove(str(ROOT / "benchmarks"))

TABLES = {"resnet": list(networks.resnet(4)), "chain": list(networks.chain(20))}


@pytest.fixture(params=TABLES)
def nodes(request: pytest.FixtureRequest) -> list[networks.Node]:
    return TABLES[request.param]


def picture(nodes: list[networks.Node]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(networks.data_shape(nodes), dtype=np.float32)


def test_onnx_is_valid_and_runs(nodes: list[networks.Node], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    onnx_file.write(nodes, tmp_path / "net.onnx", 1)
    onnx.checker.check_model(tmp_path / "net.onnx", full_check=True)
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {"data": picture(nodes)})[0].shape == nodes[-1].shape


def test_graphdef_is_valid_and_runs(nodes: list[networks.Node], tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    graphdef_file.write(nodes, tmp_path / "net.pb", 1)
    definition = tf.compat.v1.GraphDef.FromString((tmp_path / "net.pb").read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            feed = picture(nodes).transpose(0, 2, 3, 1)
            if nodes[-1].kind == "dense":
                assert session.run("fc:0", {"data:0": feed}).shape == (1, networks.CLASSES)
            else:
                assert session.run(f"{nodes[-1].name}:0", {"data:0": feed}).shape == feed.shape


def test_caffe_is_valid_and_runs(nodes: list[networks.Node], tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless")
    caffe_file.write(nodes, tmp_path / "net.prototxt", 1)
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    net.setInput(picture(nodes))
    assert net.forward().shape == nodes[-1].shape


def test_transformer_is_valid_and_runs(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    transformer.write(2, 256, tmp_path / "net.onnx", 1)
    onnx.checker.check_model(tmp_path / "net.onnx", full_check=True)
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    data = np.zeros((1, transformer.TOKENS, 256), np.float32)
    assert session.run(None, {"data": data})[0].shape == data.shape


def test_a_resnet_has_the_size_that_was_asked_for() -> None:
    width = networks.resnet_width(10**8)
    assert networks.weight_bytes(networks.resnet(width)) <= 10**8
    assert networks.weight_bytes(networks.resnet(width + 1)) > 10**8


def test_weights_leave_no_hole_and_do_not_repeat(tmp_path: Path) -> None:
    onnx_file.write(TABLES["resnet"], tmp_path / "a.onnx", 1)
    onnx_file.write(TABLES["resnet"], tmp_path / "b.onnx", 1)
    data = (tmp_path / "a.onnx").read_bytes()
    assert data == (tmp_path / "b.onnx").read_bytes()
    assert (tmp_path / "a.onnx").stat().st_blocks * 512 >= len(data)
    import zlib

    assert len(zlib.compress(data, 1)) > 0.9 * len(data)
