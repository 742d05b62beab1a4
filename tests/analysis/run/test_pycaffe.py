"""`--framework pycaffe`: a process with Caffe's Python interface, here a stand-in, saves each layer's tops in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.golden import arrays
from support.models import ROOT

from subcut.analysis.golden import Request, golden
from subcut.compiler.errors import UserError

NET = """
layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }
layer { name: "scale" type: "Power" bottom: "x" top: "y" power_param { scale: -1 shift: 0.25 } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "half" type: "Power" bottom: "y" top: "y" power_param { scale: 0.5 } }
layer { name: "half" type: "Power" bottom: "y" top: "z" power_param { shift: 1 } }
layer { name: "cut" type: "Slice" bottom: "z" top: "a" top: "b" slice_param { axis: 1 slice_point: 1 } }
layer { name: "one" type: "ReLU" bottom: "a" top: "c" }
layer { name: "two" type: "ReLU" bottom: "a" top: "d" }
"""
STAND_IN = ROOT / "tests" / "support" / "caffe_stand_in"
CAFFE = Request(framework="pycaffe", time=1_700_000_000_000_000)


@pytest.fixture(autouse=True)
def _this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUBCUT_PYCAFFE", raising=False)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def test_every_layer_is_what_the_lowered_net_has(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    x = {"x": np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)}
    caffe = golden(net, x, tmp_path / "caffe", request=CAFFE)
    lowered = golden(net, x, tmp_path / "lowered", request=Request(time=CAFFE.time))
    assert caffe.manifest["framework"] == "caffe 1.0.0-stand-in"
    files = sorted(path.name for path in caffe.folder.iterdir())
    assert files == sorted(path.name for path in lowered.folder.iterdir())
    assert "half_same_1.0.1700000000000000.npy" in files
    mine, theirs = arrays(lowered), arrays(caffe)
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        np.testing.assert_allclose(theirs[name], array, rtol=1e-6, atol=1e-7)
    some = golden(net, x, tmp_path / "some", request=Request(framework="pycaffe", only=("relu",)))
    assert arrays(some).keys() == {"x", "y:1"}


def test_without_caffe(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "caffe.py").write_text("raise ModuleNotFoundError('none here', name='caffe')")
    with pytest.raises(UserError, match="`caffe` is needed to run the net in Caffe itself") as caught:
        golden(net, None, tmp_path / "golden", request=CAFFE)
    assert caught.value.code == "missing-extra"
    assert "SUBCUT_PYCAFFE" in str(caught.value)
    monkeypatch.setenv("SUBCUT_PYCAFFE", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"nowhere` \(SUBCUT_PYCAFFE\) cannot be started"):
        golden(net, None, tmp_path / "golden", request=CAFFE)
    assert not (tmp_path / "golden").exists()


def test_what_caffe_objects_to(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    net.write_text("# BROKEN\n" + NET)
    with pytest.raises(UserError, match="Caffe does not run the net: RuntimeError: Check failed: it is broken"):
        golden(net, None, tmp_path / "golden", request=CAFFE)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("raise ImportError('no _caffe')", "`.*` has a Caffe that cannot be imported: ImportError: no _caffe"),
        ("import no_such_module", "has a Caffe that cannot be imported: ModuleNotFoundError"),
        ("import os; os.kill(os.getpid(), 9)", "Caffe does not run the net: it ended with signal 9"),
        ("import os; os._exit(7)", "Caffe does not run the net: it ended with exit code 7"),
    ],
)
def test_a_caffe_that_dies(module: str, said: str, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "caffe.py").write_text(module)
    with pytest.raises(UserError, match=said):
        golden(net, None, tmp_path / "golden", request=CAFFE)
    assert not (tmp_path / "golden").exists()


def test_weights_are_not_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    net = tmp_path / "net.prototxt"
    net.write_text(
        NET + 'layer { name: "ip" type: "InnerProduct" bottom: "c" top: "i" inner_product_param { num_output: 2 } }'
    )
    with pytest.raises(UserError, match=r"layer `ip` \(InnerProduct\) needs 2 stored blobs to run and has 0"):
        golden(net, None, tmp_path / "golden", request=CAFFE)
