"""A model that leaves sizes open, and a device that was fed some: the numbers have the shape they had there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from support.onnx_graphs import model as onnx_model

import subcut
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.pipeline import standard
from subcut.emulator import emulate


def net(path: Path) -> Path:
    """`x → relu → heads → neg`, batch and length open, `heads` a reshape that the compiler removes."""
    sizes = numpy_helper.from_array(np.array([0, 0, 2, 4]), "sizes")
    nodes = [
        helper.make_node("Relu", ["x"], ["relu"], name="relu"),
        helper.make_node("Reshape", ["relu", "sizes"], ["heads"], name="heads"),
        helper.make_node("Neg", ["heads"], ["y"], name="neg"),
    ]
    x = helper.make_tensor_value_info("x", 1, ["N", "L", 8])
    y = helper.make_tensor_value_info("y", 1, ["N", "L", 2, 4])
    onnx.save(onnx_model(helper.make_graph(nodes, "net", [x], [y], [sizes])), path)
    return path


def test_several_open_sizes_are_those_that_the_device_was_fed(tmp_path: Path) -> None:
    path = net(tmp_path / "net.onnx")
    x = np.arange(48, dtype=np.float32).reshape(2, 3, 8) - 20
    device = emulate(path, {"x": x}, tmp_path / "device")
    model = subcut.load(path)
    attach(model, TwinOptions(device.om, device.dumps))
    standard("neg", align=True).run(model)
    told = subcut.save(model, tmp_path / "out")
    assert told["warnings"] == []
    heads = np.load(tmp_path / "out/inputs/heads.npy")
    assert np.array_equal(heads, np.maximum(x, 0).reshape(2, 3, 2, 4))
    assert "--input_shape=heads:2,3,2,4" in told["commands"][0]


def test_without_them_the_numbers_are_not_given_and_the_reason_is(tmp_path: Path) -> None:
    path = net(tmp_path / "net.onnx")
    device = emulate(path, {"x": np.ones((2, 3, 8), np.float32)}, tmp_path / "device")
    model = subcut.load(path)
    twin = attach(model, TwinOptions(device.om, device.dumps))
    twin.offline.ops = [op for op in twin.offline.ops if op.type != "Data"]
    standard("neg", align=True).run(model)
    told = subcut.save(model, tmp_path / "out")
    assert [record["tensor"] for record in told["numbers"]] == ["y"]
    assert any("`%heads` cannot be exported" in warning for warning in told["warnings"])
