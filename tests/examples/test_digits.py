"""The network the project carries: small, good at its job, and the same in Caffe, TensorFlow and ONNX."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.models import DIGITS, digits

FILES = ("digits.prototxt", "digits.caffemodel", "digits.pb", "digits.onnx", "samples.npz", "samples_nhwc.npz")
TOLERANCE = 2e-6
"""Largest difference of two probabilities. Float32 carries 24 bits (6e-8); the longest sum has 288 terms."""


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """The pictures training did not see, exactly as the training script parts them."""
    pytest.importorskip("sklearn", reason="needs scikit-learn, which carries the digits")
    sys.path.insert(0, str(DIGITS))
    try:
        import train
    finally:
        sys.path.remove(str(DIGITS))
    return train.data()[2:]


def run_onnx(pictures: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    session = runtime.InferenceSession(digits("onnx"), providers=["CPUExecutionProvider"])
    return session.run(None, {"data": pictures})[0]


def run_caffe(pictures: np.ndarray) -> np.ndarray:
    cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless")
    net = cv2.dnn.readNetFromCaffe(str(digits("prototxt")), str(digits("caffemodel")))
    net.setInput(pictures)
    return net.forward()


def run_tensorflow(pictures: np.ndarray) -> np.ndarray:
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    definition = tf.compat.v1.GraphDef.FromString(digits("pb").read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run("prob:0", {"data:0": pictures.transpose(0, 2, 3, 1)})


RUN = {"onnx": run_onnx, "caffe": run_caffe, "tensorflow": run_tensorflow}


def test_under_500_kilobytes_together() -> None:
    assert sum((DIGITS / name).stat().st_size for name in FILES) < 500_000


@pytest.mark.parametrize("form", RUN)
def test_recognises_digits_it_has_not_seen(form: str) -> None:
    pictures, labels = held_out()
    assert len(labels) == 400
    assert (RUN[form](pictures).argmax(1) == labels).mean() > 0.97


def test_the_three_forms_answer_alike() -> None:
    pictures, _ = held_out()
    answers = {form: run(pictures) for form, run in RUN.items()}
    assert np.abs(answers["onnx"] - answers["tensorflow"]).max() < TOLERANCE
    assert np.abs(answers["onnx"] - answers["caffe"]).max() < TOLERANCE
    assert np.ptp(answers["onnx"], axis=0).min() > 0.9  # the answers do depend on the picture


def test_samples_are_one_unseen_picture_of_each_digit() -> None:
    pictures, labels = held_out()
    first, last = np.load(DIGITS / "samples.npz")["data"], np.load(DIGITS / "samples_nhwc.npz")["data"]
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)
    for digit, picture in enumerate(first):
        at = [i for i, seen in enumerate(pictures) if np.array_equal(seen, picture)]
        assert [labels[i] for i in at] == [digit]


def test_the_weights_are_the_same_numbers() -> None:
    """Every stored tensor of the ONNX form is, transposed or not, one of the TensorFlow form, and in the caffemodel."""
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    tf = pytest.importorskip("tensorflow", reason="needs tensorflow")
    definition = tf.compat.v1.GraphDef.FromString(digits("pb").read_bytes())
    constants = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in definition.node if n.op == "Const"}
    caffemodel = digits("caffemodel").read_bytes()
    stored = onnx.load(digits("onnx")).graph.initializer
    assert len(stored) == 4 * 5 + 2
    for tensor in stored:
        array = onnx.numpy_helper.to_array(tensor)
        layer, index = tensor.name.split(".")
        other = constants[f"{layer}/weights_{index}"]
        other = other.transpose(3, 2, 0, 1) if other.ndim == 4 else other.T
        np.testing.assert_array_equal(array, other)
        assert array.tobytes() in caffemodel


def test_the_writers_write_what_is_here(tmp_path: Path) -> None:
    """Fed with the weights of the ONNX form, the Caffe and ONNX writers give the files that are committed."""
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    weights: dict[str, list[np.ndarray]] = {}
    for tensor in onnx.load(digits("onnx")).graph.initializer:
        weights.setdefault(tensor.name.split(".")[0], []).append(onnx.numpy_helper.to_array(tensor))
    sys.path.insert(0, str(DIGITS))
    try:
        import caffe_net
        import onnx_net
    finally:
        sys.path.remove(str(DIGITS))
    caffe_net.write(weights, tmp_path / "digits.prototxt", tmp_path / "digits.caffemodel")
    onnx_net.write(weights, tmp_path / "digits.onnx")
    assert (tmp_path / "digits.prototxt").read_bytes() == digits("prototxt").read_bytes()
    assert (tmp_path / "digits.caffemodel").read_bytes() == digits("caffemodel").read_bytes()
    again = onnx.load(tmp_path / "digits.onnx").graph
    assert again.node == onnx.load(digits("onnx")).graph.node
