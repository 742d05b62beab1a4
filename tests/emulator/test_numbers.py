"""The numbers of the emulator: one rounding an operator, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support.emulated import Node, cosine, net, normal, offline, tensors
from support.models import DIGITS, digits, fetched, shared

from subcut.compiler.device.layouts import decode, to_origin
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import ReadOptions, runner
from subcut.compiler.formats.ascend import load as ascend
from subcut.compiler.number_files import read_npz
from subcut.emulator import DumpOptions, Emulated, emulate

SILENT = DumpOptions(mode="none")


def rounded(array: Any, dtype: Any = np.float16) -> Any:
    return np.asarray(array, np.float32).astype(dtype).astype(np.float32)


def convolved(x: Any, w: Any) -> Any:
    """A convolution of stride 1 with a border of zeros, term by term, in float64."""
    _, _, high, wide = x.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((x.shape[0], w.shape[0], high, wide))
    for i in range(3):
        for j in range(3):
            part = padded[:, :, i : i + high, j : j + wide]
            y += np.einsum("nchw,oc->nohw", part, w[:, :, i, j].astype(np.float64))
    return y


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_equal_to_a_loop_that_rounds_after_every_operator(precision: str, dtype: Any, tmp_path: Path) -> None:
    """Small whole numbers over 64, of which any order of adding gives the same sum, but not the same rounding."""
    random = np.random.default_rng(0)
    w, v = (random.integers(-64, 64, shape).astype(np.float32) / 64 for shape in ((20, 3, 3, 3), (7, 20 * 4 * 4)))
    b, c = (random.integers(-64, 64, size).astype(np.float32) / 64 for size in (20, 7))
    x = random.integers(-999, 999, (2, 3, 8, 8)).astype(np.float32) / 128
    nodes = [
        Node("Conv", ["x", "w", "b"], ["a"], "a", kernel_shape=[3, 3], pads=[1] * 4),
        Node("Relu", ["a"], ["r"], "r"),
        Node("MaxPool", ["r"], ["p"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        Node("Mul", ["p", "p"], ["q"], "q"),
        Node("Flatten", ["q"], ["f"], "f"),
        Node("Gemm", ["f", "v", "c"], ["y"], "y", transB=1),
    ]
    path = net(tmp_path / "net.onnx", nodes, x.shape, ["y"], {"w": w, "b": b, "v": v, "c": c})
    made = emulate(path, {"x": x}, tmp_path / "out", precision=precision)
    one = rounded(
        np.maximum(convolved(rounded(x, dtype), rounded(w, dtype)) + rounded(b, dtype).reshape(20, 1, 1), 0), dtype
    )
    two = rounded(one.reshape(2, 20, 4, 2, 4, 2).max((3, 5)), dtype)
    three = rounded(two * two, dtype)
    four = rounded(
        three.reshape(2, -1).astype(np.float64) @ rounded(v, dtype).T.astype(np.float64) + rounded(c, dtype), dtype
    )
    found = tensors(made)
    for name, expected in (("ar", one), ("p", two), ("q", three)):
        np.testing.assert_array_equal(np.asarray(found[name, "output", 0], np.float32), expected)
    np.testing.assert_allclose(made.outputs["y"], four, rtol=2**-7 if precision == "bf16" else 2**-10)


def test_what_one_operator_made_is_what_the_next_one_reads(tmp_path: Path) -> None:
    made = emulate(digits("onnx"), read_npz(DIGITS / "samples.npz"), tmp_path / "out")
    found, checked = tensors(made), 0
    for op in offline(made).ops:
        for slot, edge in enumerate(op.inputs):
            producer, _, index = edge.rpartition(":")
            if (op.name, "input", slot) in found and (producer, "output", int(index)) in found:
                left, right = found[op.name, "input", slot], found[producer, "output", int(index)]
                np.testing.assert_array_equal(left.ravel(), right.ravel())
                checked += 1
    assert checked >= 13


def test_the_stored_weights_are_those_that_were_multiplied(tmp_path: Path) -> None:
    """Of a convolution with a batch norm folded into it."""
    made = emulate(digits("prototxt"), read_npz(DIGITS / "samples.npz"), tmp_path / "out")
    found, weights = tensors(made), constants(made)
    layer = next(op for op in offline(made).ops if op.name == "res2a_branch2ares2a_branch2a_relu")
    kernel, bias = (weights[edge.partition(":")[0]] for edge in layer.inputs[1:3])
    x = found[layer.name, "input", 0].astype(np.float32)
    y = np.maximum(convolved(x, kernel.astype(np.float32)) + bias.astype(np.float32).reshape(-1, 1, 1), 0)
    ours = found[layer.name, "output", 0].astype(np.float64)
    np.testing.assert_allclose(ours, y, rtol=2**-10, atol=1e-6)
    np.testing.assert_array_equal(found[layer.name, "input", 1], kernel)


def constants(made: Emulated) -> dict[str, Any]:
    """The numbers of the offline model's constants, in their original layout."""
    model = ascend.load(made.om)
    found: dict[str, Any] = {}
    told = {op.name: op.outputs[0] for op in offline(made).ops if op.type == "Const"}
    for op in model.main.ops:
        if op.type == "Const":
            desc = told[op.name]
            raw = op.attributes["value"].numpy()  # type: ignore[union-attr]
            array = np.asarray(raw).reshape(desc.shape)
            layout = desc.origin_layout or "ND"
            found[op.name] = to_origin(array, desc.layout, layout, desc.origin_shape, group=desc.group)
    return found


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_close_to_the_original_tensor_by_tensor(ending: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    close_to_original(digits(ending), samples, tmp_path, 0.9999)


def test_a_real_caffe_net(tmp_path: Path) -> None:
    path = shared("caffe/mtcnn/det1.prototxt")
    random = np.random.default_rng(0).uniform(-1, 1, (1, 3, 12, 12)).astype(np.float32)
    close_to_original(path, {"data": random}, tmp_path, 0.9999)


def test_a_real_resnet_50(tmp_path: Path) -> None:
    path = fetched("open_nsfw/deploy.prototxt")
    read = ReadOptions(weights=fetched("open_nsfw/resnet_50_1by2_nsfw.caffemodel"))
    random = np.random.default_rng(0).uniform(-1, 1, (1, 3, 224, 224)).astype(np.float32)
    made = close_to_original(path, {"data": random}, tmp_path, 0.999, read)
    assert len(made.groups) == 57


def test_a_real_onnx_resnet_50(tmp_path: Path) -> None:
    path = fetched("onnx_light/light_resnet50.onnx")
    random = np.random.default_rng(0).uniform(-1, 1, (1, 3, 224, 224)).astype(np.float32)
    made = close_to_original(path, {"gpu_0/data_0": random}, tmp_path, 0.999, dump=SILENT)
    assert len(made.groups) == 57


def close_to_original(
    path: Path,
    inputs: dict[str, Any],
    folder: Path,
    least: float,
    read: ReadOptions | None = None,
    dump: DumpOptions | None = None,
) -> Emulated:
    """Check every dumped tensor, or only the outputs, against what the original's framework computes."""
    made = emulate(path, inputs, folder / "out", read=read, dump=dump)
    model = load(path, read)
    names = model.dialect.compiled_names(model.main)
    values = {names[op]: op.results[0].name for op in model.main.ops if op in names and op.results}
    wanted = {name: values[originals[-1]] for name, originals in made.groups.items()}
    fetch = list(dict.fromkeys([*wanted.values(), *made.outputs]))
    feeds = {
        value.name: inputs[n] for value in model.dialect.feeds(model) for n in inputs if value.name in (n, f"{n}:0")
    }
    golden = runner(FORMAT_OF[model.dialect.name]).run(model, feeds, fetch)
    for name, array in made.outputs.items():
        assert array.shape == golden[name].shape
        assert cosine(array, golden[name]) > least, name
    if dump is None:
        found = tensors(made)
        for name, tensor in wanted.items():
            array = found[name, "output", 0]
            assert array.shape == golden[tensor].shape, name
            assert cosine(array, golden[tensor]) > least, name
    return made


def test_grouped_and_depthwise_convolutions(tmp_path: Path) -> None:
    x = normal(0, 1, 12, 5, 5)
    stored = {"w": normal(1, 12, 4, 3, 3), "d": normal(2, 12, 1, 3, 3)}
    nodes = [
        Node("Conv", ["x", "w"], ["a"], "a", kernel_shape=[3, 3], group=3),
        Node("Conv", ["a", "d"], ["b"], "b", kernel_shape=[3, 3], group=12),
    ]
    path = net(tmp_path / "net.onnx", nodes, x.shape, ["b"], stored)
    made = emulate(path, {"x": x}, tmp_path / "out")
    kernels = {op.name: op.outputs[0] for op in offline(made).ops if op.type == "Const"}
    assert [(one.layout, one.group) for one in kernels.values()] == [("FRACTAL_Z", 3), ("FRACTAL_Z", 12)]
    for array, name in zip(constants(made).values(), "wd", strict=True):
        np.testing.assert_array_equal(array, stored[name].astype(np.float16))


def test_numbers_out_of_range_are_saturated(tmp_path: Path) -> None:
    path = net(tmp_path / "net.onnx", [Node("Mul", ["x", "x"], ["y"], "y")], (1, 2), ["y"])
    made = emulate(path, {"x": np.array([[300, -2]], np.float32)}, tmp_path / "out")
    assert made.outputs["y"].tolist() == [[65504, 4]]


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_eight_bits(ending: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    made = emulate(digits(ending), samples, tmp_path / "int8", precision="int8")
    plain = emulate(digits(ending), samples, tmp_path / "fp16", dump=SILENT)
    [(name, array)], [exact] = made.outputs.items(), plain.outputs.values()
    assert name.startswith("prob")
    assert cosine(array, exact) > 0.999
    assert not np.array_equal(array, exact)
    found, types = tensors(made), {op.name: op.type for op in offline(made).ops}
    quantised = [name for name, kind in types.items() if kind == "AscendQuant"]
    behind = [name for name, kind in types.items() if kind == "AscendDequant"]
    assert len(quantised) == len(behind) == 5
    assert all(found[name, "output", 0].dtype == np.int8 for name in quantised)
    for op in offline(made).ops:
        if op.type != "AscendDequant":
            continue
        sums, packed = found[op.name, "input", 0], found[op.name, "input", 1]
        assert sums.dtype == np.int32
        factor = decode((packed & 0xFFFFFFFF).astype(np.uint32).tobytes(), "FLOAT", packed.shape)
        along = (-1, 1, 1) if ending != "pb" and sums.ndim == 4 else (-1,)
        result = found[op.name, "output", 0]
        if len(op.original_names or ()) < 2:
            np.testing.assert_array_equal(result, (sums * factor.reshape(along)).astype(np.float16))
