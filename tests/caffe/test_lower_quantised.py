"""AMCT's layers that simulate quantisation, against their source written out in numpy, number by number.

Source: suyuan32/atlas_200dk_caffe, src/caffe/layers/{quant,dequant,anti_quant,search_n}_layer.cpp; `ClipAndQuant` of
hicann/amct, ifmr.cpp. All is in single precision; C's `round` takes halves away from zero.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.caffe_models import read_net

from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe.run import run
from subcut.compiler.storage.wire import bytes_field, varint

EDGES = [0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, 0.49999997, -0.49999997, 127.5, -128.5, 126.5, 1e6, -1e6, 8388609.0]


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def c_round(x: np.float32) -> float:
    whole = math.floor(abs(float(x)))
    return math.copysign(whole + (abs(float(x)) - whole >= 0.5), x)


def compute(folder: Path, layer: str, x: np.ndarray, *blobs: np.ndarray) -> np.ndarray:
    """Run one layer named `l`, given without its bottom and top."""
    dims = " ".join(f"dim: {d}" for d in x.shape)
    head = f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}\n'
    text = f'{head}layer {{ name: "l" bottom: "x" top: "y" type: {layer} }}\n'
    kind = layer.split('"')[1]
    model = read_net(folder, text, {"l": (kind, blobs)} if blobs else None)
    return run(model, {"x": x}, ["y"])["y"]


def quantised(x: np.ndarray, stored: float, offset: int) -> np.ndarray:
    scale = np.float32(1 / float(np.float32(stored)))
    out = np.zeros(x.shape, np.float32)
    for i, value in enumerate(x.ravel()):
        step = int(c_round(value / scale)) + offset
        out.flat[i] = np.float32(min(max(step, -128), 127) - offset) * scale
    return out


OFFSETS = {r"\000": 0, r"\003": 3, "A": 65, r"\177": 127, r"\200": -128, r"\xfd": -3, r"\303\251": -61, "": 0}


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("stored", [1.0, 32.25, 0.37])
def test_quant(stored: float, offset: str, tmp_path: Path) -> None:
    x = np.concatenate([numbers(60) * 40, np.array(EDGES, np.float32), np.arange(-140, 140, dtype=np.float32) / 2])
    layer = f'"Quant" quant_param {{ with_offset: true scale: {stored} offset: "{offset}" }}'
    found = compute(tmp_path, layer, x)
    np.testing.assert_array_equal(found, quantised(x, stored, OFFSETS[offset]))


def test_quant_gives_values_that_8_bits_can_say(tmp_path: Path) -> None:
    x = np.linspace(-9, 9, 5000, dtype=np.float32)
    found = compute(tmp_path, r'"Quant" quant_param { scale: 16 offset: "\012" }', x)
    assert len(np.unique(found)) == 256
    assert (found.min(), found.max()) == ((-128 - 10) / 16, (127 - 10) / 16)


@pytest.mark.parametrize("scale", ["", "scale: 0", "scale: -2", "scale: inf", "scale: nan", "scale: 1e-17"])
def test_quant_without_a_scale_is_refused(scale: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`quant_param.scale` must be a positive number") as caught:
        compute(tmp_path, f'"Quant" quant_param {{ {scale} }}', numbers(3))
    assert caught.value.code == "not-lowerable"


def dequantised(x: np.ndarray, scale: np.ndarray, shift: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """`channel` has the number of the scale that each number of `x` takes."""
    out = np.zeros(x.shape, np.float32)
    for i, value in enumerate(x.ravel()):
        c = int(channel.flat[i])
        total = np.float32(c_round(value / scale[c]))
        total = np.float32(c_round(np.float32(float(total) / 2.0 ** float(shift[c]))))
        total = np.float32(min(max(float(total), -(2.0**15)), 2.0**15 - 1))
        out.flat[i] = np.float32(float(total * scale[c]) * 2.0 ** float(shift[c]))
    return out


def test_dequant_by_channel(tmp_path: Path) -> None:
    x = numbers(2, 3, 4, 5) * 400
    x.flat[: len(EDGES)] = EDGES
    scale, shift = np.array([0.013, 0.5, 1.75], np.float32), np.array([1, 16, 5], np.float32)
    layer = '"DeQuant" dequant_param { channel_wise: true }'
    found = compute(tmp_path, layer, x, scale, shift, np.zeros(3))
    channel = np.broadcast_to(np.arange(3).reshape(1, 3, 1, 1), x.shape)
    np.testing.assert_array_equal(found, dequantised(x, scale, shift, channel))


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4, 5)])
def test_dequant_of_all_channels_alike(shape: tuple[int, ...], tmp_path: Path) -> None:
    x = numbers(*shape) * 5000
    scale, shift = np.array([0.02], np.float32), np.array([3], np.float32)
    found = compute(tmp_path, '"DeQuant" dequant_param { }', x, scale, shift, np.zeros(1))
    np.testing.assert_array_equal(found, dequantised(x, scale, shift, np.zeros(shape)))


@given(
    data=st.lists(st.floats(-3e6, 3e6, width=32), min_size=1, max_size=20),
    scale=st.floats(np.float32(1e-3), 8, width=32),
    shift=st.integers(1, 16),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_dequant_of_any_numbers(data: list[float], scale: float, shift: int, tmp_path: Path) -> None:
    x, scales, shifts = np.array(data, np.float32), np.array([scale], np.float32), np.array([shift], np.float32)
    found = compute(tmp_path, '"DeQuant"', x, scales, shifts, np.zeros(1))
    np.testing.assert_array_equal(found, dequantised(x, scales, shifts, np.zeros(x.shape)))


def test_dequant_without_a_shift_is_what_it_reads(tmp_path: Path) -> None:
    x, zero = numbers(2, 3, 4, 5) * 1e6, np.zeros(3)
    layer = '"DeQuant" dequant_param { channel_wise: true }'
    np.testing.assert_array_equal(compute(tmp_path, layer, x, np.ones(3), zero, zero), x)


@pytest.mark.parametrize(("kind", "shape"), [("LSTM_X", (3, 2, 8)), ("LSTM_H", (1, 2, 8)), ("LSTM_S", (2, 8))])
def test_dequant_by_gate(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = numbers(*shape) * 900
    scale, shift = np.array([0.01, 0.02, 0.3, 0.4], np.float32), np.array([1, 2, 3, 4], np.float32)
    lists = [("deqscale", scale), ("shift_bit", shift), ("offset", np.zeros(4))]
    params = " ".join(f"{name}: {float(value)!r}" for name, values in lists for value in values)
    found = compute(tmp_path, f'"DeQuant" dequant_param {{ layer_type: "{kind}" {params} }}', x)
    gate = np.broadcast_to(np.arange(8) // 2, shape)
    np.testing.assert_array_equal(found, dequantised(x, scale, shift, gate))


@pytest.mark.parametrize(
    ("blobs", "reason"),
    [
        ([np.ones(3)], "stores 1 blobs, not 3"),
        ([np.ones(3), np.ones(3), np.ones(1)], "as many as each other"),
        ([np.ones(3), np.array([1, 0, 2]), np.ones(3)], "all be 0, or all from 1 to 16"),
        ([np.ones(3), np.array([1, 17, 2]), np.ones(3)], "all be 0, or all from 1 to 16"),
        ([np.ones(2), np.ones(2), np.ones(2)], "2 scales for a bottom of 2x3x4x5"),
    ],
)
def test_dequant_that_makes_no_sense_is_refused(blobs: list[np.ndarray], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        compute(tmp_path, '"DeQuant" dequant_param { channel_wise: true }', numbers(2, 3, 4, 5), *blobs)
    assert caught.value.code == "not-lowerable"


@pytest.mark.parametrize("kind", ["AntiQuant", "SearchN"])
def test_layers_that_pass_on_what_they_read(kind: str, tmp_path: Path) -> None:
    x = numbers(2, 3, 4, 5)
    np.testing.assert_array_equal(compute(tmp_path, f'"{kind}"', x), x)


def test_a_quantised_convolution(tmp_path: Path) -> None:
    """The layers as AMCT writes them around a convolution whose weights were rounded."""
    x, weights, bias = numbers(1, 2, 5, 5), numbers(3, 2, 3, 3, seed=2), numbers(3, seed=3)
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 5 dim: 5 } } }\n'
        'layer { name: "c_quant_layer" type: "Quant" bottom: "x" top: "q" quant_param { scale: 20 offset: "\\002" } }\n'
        'layer { name: "c" type: "Convolution" bottom: "q" top: "c"'
        " convolution_param { num_output: 3 kernel_size: 3 } }\n"
        'layer { name: "c_dequant_layer" type: "DeQuant" bottom: "c" top: "c" dequant_param { channel_wise: true } }\n'
    )
    scale, shift = np.array([0.01, 0.02, 0.03], np.float32), np.array([2, 3, 4], np.float32)
    stored = {
        "c": ("Convolution", [weights, bias]),
        "c_dequant_layer": ("DeQuant", [scale, shift, np.zeros(3)]),
    }
    found = run(read_net(tmp_path, text, stored), {"x": x}, ["q", "c:0", "c"])
    np.testing.assert_array_equal(found["q"], quantised(x, 20, 2))
    channel = np.broadcast_to(np.arange(3).reshape(1, 3, 1, 1), found["c"].shape)
    np.testing.assert_array_equal(found["c"], dequantised(found["c:0"], scale, shift, channel))


@pytest.mark.parametrize("field", [10, 11, 12])
def test_a_net_for_the_device_is_refused(field: int, tmp_path: Path) -> None:
    """AMCT's deployed net has weights of 8 bits in fields of their own; Caffe cannot run it either."""
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }\n'
        'layer { name: "i" type: "InnerProduct" bottom: "x" top: "y"'
        " inner_product_param { num_output: 1 bias_term: false } }\n"
    )
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    blob = bytes_field(7, bytes_field(1, varint(1) + varint(2))) + bytes_field(field, b"\x01\x02")
    record = bytes_field(1, "i") + bytes_field(2, "InnerProduct") + bytes_field(7, blob)
    path.with_suffix(".caffemodel").write_bytes(bytes_field(100, record))
    with pytest.raises(UserError, match="its weights are whole numbers for the device") as caught:
        run(package("caffe").read(path, ReadOptions()), {"x": numbers(1, 2)}, ["y"])
    assert caught.value.code == "not-lowerable"
