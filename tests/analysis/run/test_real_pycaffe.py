"""`--framework pycaffe` with a real Caffe: every tensor is what the net lowered to ONNX computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_models import caffemodel
from support.golden import arrays
from support.models import digits, fetched, shared
from support.pycaffe import PYTHON, pycaffe

from subcut.analysis.golden import Request, golden
from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions

CLOSE = 1e-5
"""Of the largest magnitude of a tensor: the two add up in another order."""
TIME = 1_700_000_000_000_000
INPUT = 'layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }\n'
IN_PLACE = (
    INPUT
    + """
layer { name: "scale" type: "Power" bottom: "x" top: "y" power_param { scale: -1 shift: 0.25 } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "half" type: "Power" bottom: "y" top: "y" power_param { scale: 0.5 } }
layer { name: "half" type: "Power" bottom: "y" top: "z" power_param { shift: 1 } }
layer { name: "cut" type: "Slice" bottom: "z" top: "a" top: "b" slice_param { axis: 1 slice_point: 1 } }
layer { name: "one" type: "ReLU" bottom: "a" top: "c" }
layer { name: "two" type: "Power" bottom: "b" top: "b" power_param { shift: -1 } }
layer { name: "three" type: "Sigmoid" bottom: "b" top: "b" }
"""
)
OLD = """
input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4
layers { name: "ip" type: INNER_PRODUCT bottom: "x" top: "y" inner_product_param { num_output: 5 } }
layers { name: "act" type: SIGMOID bottom: "y" top: "y" }
"""
STATES = (
    INPUT
    + """
layer { name: "l" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } include { stage: "fast" } }
layer { name: "l" type: "Power" bottom: "x" top: "y" power_param { scale: 3 } exclude { stage: "fast" } }
layer { name: "deep" type: "ReLU" bottom: "y" top: "z" include { min_level: 2 } }
"""
)


@pytest.fixture(autouse=True)
def _caffe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON, pycaffe())


def check(net: Path, folder: Path, inputs: dict[str, Any] | None = None, **read: Any) -> dict[str, Any]:
    """Both write the same files, with numbers that are close; returns Caffe's."""
    options = ReadOptions(**read)
    caffe = golden(net, inputs, folder / "caffe", request=Request(framework="pycaffe", time=TIME), read=options)
    lowered = golden(net, inputs, folder / "lowered", request=Request(time=TIME), read=options)
    assert caffe.manifest["framework"].startswith("caffe ")
    names = [sorted(path.name for path in made.folder.iterdir()) for made in (caffe, lowered)]
    assert names[0] == names[1]
    theirs, mine = arrays(caffe), arrays(lowered)
    assert list(theirs) == list(mine)
    for name, array in mine.items():
        np.testing.assert_allclose(theirs[name], array, rtol=0, atol=CLOSE * np.abs(array).max(), err_msg=name)
    return theirs


@pytest.mark.parametrize("name", ["mtcnn/det1", "mtcnn/det2", "mtcnn/det3"])
def test_face_detectors(name: str, tmp_path: Path) -> None:
    check(shared(f"caffe/{name}.prototxt"), tmp_path)


def test_digits(tmp_path: Path) -> None:
    check(digits("prototxt"), tmp_path)


def test_super_resolution(tmp_path: Path) -> None:
    check(fetched("wechat_qr/sr.prototxt"), tmp_path)


def test_a_residual_net(tmp_path: Path) -> None:
    net, weights = fetched("open_nsfw/deploy.prototxt"), fetched("open_nsfw/resnet_50_1by2_nsfw.caffemodel")
    found = check(net, tmp_path, weights=weights)
    assert {"conv_1:0", "conv_1:1", "conv_1"} <= found.keys()  # convolution, scale and ReLU in one blob


def test_what_is_written_in_place(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(IN_PLACE)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)  # two pictures, where one is stated
    found = check(net, tmp_path, {"x": x})
    np.testing.assert_array_equal(found["y:1"], np.maximum(found["y:0"], 0))
    np.testing.assert_array_equal(found["b:1"], found["b:0"] - 1)
    some = golden(net, {"x": x}, tmp_path / "some", request=Request(framework="pycaffe", only=("relu",)))
    assert arrays(some).keys() == {"x", "y:1"}


def test_an_old_net(tmp_path: Path) -> None:
    net, random = tmp_path / "net.prototxt", np.random.default_rng(1)
    net.write_text(OLD)
    blobs = [random.standard_normal(shape).astype(np.float32) for shape in ((5, 48), (5,))]
    net.with_suffix(".caffemodel").write_bytes(caffemodel("net", {"ip": ("InnerProduct", blobs)}))
    check(net, tmp_path)


@pytest.mark.parametrize(("state", "factor"), [({}, 3), ({"stages": ("fast",)}, 2), ({"level": 2}, 3)])
def test_rules_of_layers(state: dict[str, Any], factor: float, tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(STATES)
    found = check(net, tmp_path, **state)
    np.testing.assert_array_equal(found["y"], factor * found["x"])
    assert ("z" in found) == ("level" in state)


def test_what_caffe_refuses(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(INPUT + 'layer { name: "s" type: "Slice" bottom: "x" top: "a" top: "b" slice_param { axis: 1 } }')
    with pytest.raises(UserError, match=r"Caffe does not run the net: Check failed: .*slice_layer.cpp:\d+") as caught:
        golden(net, None, tmp_path / "golden", request=Request(framework="pycaffe"))
    assert caught.value.code == "run-failed"
    assert not (tmp_path / "golden").exists()
