"""Shape rules: real nets, layers that bring data, unknown shapes, refusals, and random windows against a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.caffe_models import random_weights, read_net
from support.models import shared

from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe.layer import Dims
from subcut.compiler.formats.caffe.run import run
from subcut.compiler.formats.caffe.shapes import RULES, infer_layer, required_blobs
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.types import TensorType

# Shapes as the papers and the nets' own comments state them.
KNOWN: dict[str, dict[str, Dims]] = {
    "BVLC_models_bvlc_alexnet_deploy": {
        "conv1": (10, 96, 55, 55), "pool1": (10, 96, 27, 27), "pool2": (10, 256, 13, 13), "pool5": (10, 256, 6, 6),
        "fc6": (10, 4096), "prob": (10, 1000),
    },
    "BVLC_models_bvlc_googlenet_deploy": {
        "conv1/7x7_s2": (10, 64, 112, 112), "pool1/3x3_s2": (10, 64, 56, 56), "pool2/3x3_s2": (10, 192, 28, 28),
        "inception_3a/output": (10, 256, 28, 28), "inception_4a/output": (10, 512, 14, 14),
        "inception_5b/output": (10, 1024, 7, 7), "pool5/7x7_s1": (10, 1024, 1, 1), "prob": (10, 1000),
    },
    "prototxt_ResNet-50-deploy": {
        "conv1": (1, 64, 112, 112), "pool1": (1, 64, 56, 56), "res2c": (1, 256, 56, 56), "res3d": (1, 512, 28, 28),
        "res4f": (1, 1024, 14, 14), "res5c": (1, 2048, 7, 7), "pool5": (1, 2048, 1, 1), "prob": (1, 1000),
    },
    "prototxt_ResNet-152-deploy": {"res4b35": (1, 1024, 14, 14), "prob": (1, 1000)},
    "voc_MobileNetSSD_deploy": {
        "conv0": (1, 32, 150, 150), "conv11": (1, 512, 19, 19), "conv17_2": (1, 128, 1, 1),
        "mbox_loc": (1, 7668), "mbox_conf_reshape": (1, 1917, 21), "mbox_priorbox": (1, 2, 7668),
        "detection_out": (1, 1, None, 7),
    },
    "models_SE-ResNet-50": {"conv2_1_global_pool": (1, 256, 1, 1), "pool5/7x7_s1": (1, 2048, 1, 1)},
    "DenseNet_121": {"concat_2_6": (1, 256, 56, 56), "concat_5_16": (1, 1024, 7, 7), "fc6": (1, 1000, 1, 1)},
    "mobilenet_v2_deploy": {"conv6_4": (1, 1280, 7, 7), "fc7": (1, 1000, 1, 1)},
    "age_net_definitions_deploy": {"conv1": (1, 96, 56, 56), "pool5": (1, 384, 7, 7), "prob": (1, 8)},
}  # fmt: skip


def all_shapes(model: Model, known: dict[str, Dims] | None = None) -> dict[str, Dims | None]:
    shapes: dict[str, Dims | None] = {**(known or {})}
    for value in model.main.inputs:
        shapes.setdefault(value.name, value.type.shape if isinstance(value.type, TensorType) else None)
    for op in model.main.ops:
        bottoms = [shapes.get(v.name) for v in op.operands if v is not None]
        tops = infer_layer(op.type, op.attributes, bottoms, tops=len(op.results))
        for value, shape in zip(op.results, tops, strict=True):
            shapes.setdefault(value.name, shape)
            shapes[value.name] = shapes[value.name] or shape
    return shapes


@pytest.mark.parametrize("name", KNOWN)
def test_real_nets(name: str) -> None:
    model = package("caffe").read(shared(f"caffe/prototxt/{name}.prototxt"), ReadOptions())
    shapes = all_shapes(model)
    assert all(shape is not None for shape in shapes.values())
    for tensor, shape in KNOWN[name].items():
        found = shapes[tensor]
        assert found is not None
        assert found[1:] == shape[1:]
        assert tensor != "prob" or found == shape


def test_inferred_is_what_a_run_gives() -> None:
    prototxt = shared("caffe/mtcnn/det3.prototxt")
    model = package("caffe").read(prototxt, ReadOptions(weights=prototxt.with_suffix(".caffemodel")))
    shapes = all_shapes(model)
    x = np.zeros(shapes["data"], np.float32)
    for name, array in run(model, {"data": x}, list(shapes)).items():
        assert array.shape == shapes[name]


@pytest.mark.parametrize(
    ("layer", "tops"),
    [
        ('type: "Input" input_param { shape { dim: 1 dim: 2 } shape { dim: 3 } }', [(1, 2), (3,)]),
        ('type: "Input" input_param { shape { dim: 4 } }', [(4,), (4,)]),
        ('type: "Input"', [None, None]),
        ('type: "Data" data_param { batch_size: 7 } transform_param { crop_size: 5 }', [None, (7,)]),
        (
            'type: "ImageData" image_data_param { batch_size: 7 new_height: 3 new_width: 4 }',
            [(7, 3, 3, 4), (7,)],
        ),
        (
            'type: "ImageData" image_data_param { is_color: false new_height: 3 new_width: 4 }'
            " transform_param { crop_size: 2 }",
            [(1, 1, 2, 2), (1,)],
        ),
        ('type: "ImageData" image_data_param { batch_size: 7 }', [None, (7,)]),
        (
            'type: "WindowData" window_data_param { batch_size: 2 } transform_param { crop_size: 9 }',
            [(2, 3, 9, 9), (2,)],
        ),
        ('type: "WindowData" window_data_param { batch_size: 2 crop_size: 9 }', [(2, 3, 9, 9), (2,)]),
        (
            'type: "MemoryData" memory_data_param { batch_size: 2 channels: 1 height: 4 width: 5 }',
            [(2, 1, 4, 5), (2,)],
        ),
        ('type: "HDF5Data" hdf5_data_param { batch_size: 2 }', [None, None]),
        ('type: "AnnotatedData"', [None, (1, 1, None, 8)]),
        ('type: "Python"', [None, None]),
        ('type: "NobodysOwn"', [None, None]),
        (
            'type: "DummyData" dummy_data_param { num: 3 channels: 2 height: 1 height: 4 width: 5 }',
            [(3, 2, 1, 5), (3, 2, 4, 5)],
        ),
    ],
)  # fmt: skip
def test_layers_that_bring_data(layer: str, tops: list[Dims | None], tmp_path: Path) -> None:
    model = read_net(tmp_path, f'layer {{ name: "l" top: "a" top: "b" {layer} }}\n')
    op = model.main.ops[0]
    assert infer_layer(op.type, op.attributes, [], tops=2) == tops


CONV: dict[str, Any] = {"convolution_param": {"num_output": 8, "kernel_size": 3}}
POOL: dict[str, Any] = {"pooling_param": {"kernel_size": 3, "stride": 2}}


def test_what_is_unknown_stays_unknown() -> None:
    assert infer_layer("Convolution", CONV, [None]) == [None]
    assert infer_layer("ReLU", {}, [None]) == [None]
    assert infer_layer("EuclideanLoss", {}, [None, None]) == [()]
    assert infer_layer("SoftmaxWithLoss", {}, [None, None], tops=2) == [None, None]
    assert infer_layer("EuclideanLoss", {}, [(2, 3), (2, 3)], tops=0) == []


def test_what_does_not_depend_on_an_unknown_dimension_is_known() -> None:
    assert infer_layer("Convolution", CONV, [(None, 3, 8, 9)]) == [(None, 8, 6, 7)]
    assert infer_layer("Convolution", CONV, [(2, 3, None, 9)]) == [(2, 8, None, 7)]
    assert infer_layer("InnerProduct", {"inner_product_param": {"num_output": 4}}, [(None, 5)]) == [(None, 4)]
    assert infer_layer("Pooling", {"pooling_param": {"global_pooling": True}}, [(1, 2, None, None)]) == [(1, 2, 1, 1)]
    assert infer_layer("Eltwise", {}, [(None, 5), (None, 5)]) == [(None, 5)]
    assert infer_layer("Flatten", {}, [(None, 5, 2)]) == [(None, 10)]
    assert infer_layer("Flatten", {"flatten_param": {"axis": 0}}, [(None, 5, 2)]) == [(None,)]
    reshape: dict[str, Any] = {"reshape_param": {"shape": {"dim": [0, -1, 2]}}}
    assert infer_layer("Reshape", reshape, [(None, 5, 4)]) == [(None, 10, 2)]


@pytest.mark.parametrize(
    ("kind", "attributes", "bottoms", "message"),
    [
        ("Convolution", CONV, [(1, 3, 2, 9)], "a kernel of 3 does not fit into 2"),
        ("Convolution", {"convolution_param": {"kernel_size": 3}}, [(1, 3, 9, 9)], "`num_output` must be positive"),
        ("Convolution", {"convolution_param": {"num_output": 4}}, [(1, 3, 9, 9)], "given 0 times for 2"),
        (
            "Convolution",
            {"convolution_param": {"num_output": 4, "kernel_size": 1, "group": 2}},
            [(1, 3, 9, 9)],
            "3 channels and 4 outputs do not divide into 2 groups",
        ),
        (
            "Convolution",
            {"convolution_param": {"num_output": 4, "kernel_h": 1, "kernel_w": 1}},
            [(1, 3, 9)],
            "need 2 spatial axes, and there are 1",
        ),
        (
            "Convolution",
            {"convolution_param": {"num_output": 4, "kernel_size": 3, "kernel_h": 1}},
            [(1, 3, 9, 9)],
            "not both",
        ),
        ("Convolution", {"convolution_param": {"num_output": "many"}}, [(1, 3, 9, 9)], "given 0 times"),
        (
            "Deconvolution",
            {"convolution_param": {"num_output": 4, "kernel_size": 1, "pad": 3}},
            [(1, 3, 2, 2)],
            "nothing",
        ),
        ("Pooling", POOL, [(1, 3, 9)], "needs a bottom of 4 axes"),
        ("Pooling", {"pooling_param": {"kernel_size": 2, "pad": 2}}, [(1, 3, 9, 9)], "smaller than the kernel"),
        ("Pooling", {"pooling_param": {"kernel_size": 7}}, [(1, 3, 5, 5)], "a kernel of 7 does not fit"),
        ("Pooling", {"pooling_param": {}}, [(1, 3, 9, 9)], "must be positive"),
        ("Pooling", {"pooling_param": {"kernel_size": 2, "pool": "MEDIAN"}}, [(1, 3, 9, 9)], "one of MAX, AVE"),
        ("SPP", {"spp_param": {"pyramid_height": 3}}, [(1, 3, 5, 5)], "smaller than the kernel"),
        ("Eltwise", {}, [(1, 3), (1, 4)], "must have one shape"),
        ("Eltwise", {"eltwise_param": {"coeff": [1, 2, 3]}}, [(1, 3), (1, 3)], "3 coefficients"),
        ("Concat", {}, [(1, 3), (2, 3)], "differ on another axis"),
        ("Concat", {"concat_param": {"axis": 1, "concat_dim": 1}}, [(1, 3), (1, 3)], "not both"),
        ("Slice", {"slice_param": {"slice_point": [3, 2]}}, [(1, 9)], "slice points make 3 slices, not 1"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [-1, -1]}}}, [(1, 9)], "more than one dimension is -1"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [2, -1]}}}, [(1, 9)], "do not divide"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [2, 2]}}}, [(1, 9)], "holds 9 numbers"),
        ("Flatten", {"flatten_param": {"axis": 2, "end_axis": 1}}, [(1, 2, 3)], "comes before"),
        ("Softmax", {"softmax_param": {"axis": -3}}, [(1, 2)], "axis -3 is out of range"),
        ("Crop", {"crop_param": {"offset": 3}}, [(1, 1, 4, 4), (1, 1, 2, 2)], "leaves the bottom's 4"),
        ("Tile", {}, [(1, 2)], "`tiles` must be positive"),
        ("LRN", {"lrn_param": {"local_size": 4}}, [(1, 2, 3, 4)], "must be odd"),
        ("LSTM", {"recurrent_param": {"num_output": 2}}, [(4, 3, 2), (4, 2)], "must be 4x3"),
        ("MVN", {}, [(1, 2, 3, 4, 5)], "more than 4 axes"),
        ("ArgMax", {"argmax_param": {"top_k": 9}}, [(1, 8)], "there are 8 to choose from"),
        ("SoftmaxWithLoss", {}, [(4, 8), (5,)], "differ in their first dimension"),
        ("Permute", {"permute_param": {"order": [0, 0]}}, [(1, 2, 3)], "no order of the 3 axes"),
        ("PriorBox", {}, [(1, 2, 3, 4)], "`min_size` must be given"),
        ("DetectionOutput", {}, [None, None, None], "`num_classes` must be positive"),
        (
            "DetectionOutput",
            {"detection_output_param": {"num_classes": 2}},
            [(1, 8), (1, 6), (1, 2, 8)],
            "2 priors do not match",
        ),
        ("ShuffleChannel", {"shuffle_channel_param": {"group": 2}}, [(1, 3, 2, 2)], "do not divide into 2 groups"),
        ("Reorg", {}, [(1, 3, 3, 2)], "does not divide into squares of 2"),
        ("Scale", {"scale_param": {"num_axes": 3}}, [(1, 2, 3)], "reach beyond the bottom"),
        ("Scale", {}, [(1, 2, 3), (3,)], "does not match"),
        ("Filter", {}, [(1, 2), (1, 2), (1,)], "needs 2 tops and has 1"),
        ("Axpy", {}, [(1, 2), (1, 3, 2, 2), (1, 3, 2, 2)], "do not match"),
        ("Concat", {"concat_param": "x"}, [(1, 2)], "must be a message"),
        ("Embed", {}, [(1,)], "must be positive"),
        ("InnerProduct", {"inner_product_param": {"num_output": 1.5}}, [(1, 2)], "must be a whole number"),
        ("Eltwise", {}, [], "needs at least 1 bottom"),
    ],
)  # fmt: skip
def test_refusals(kind: str, attributes: dict[str, Any], bottoms: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        infer_layer(kind, attributes, bottoms)


def test_text_formats_other_spellings_of_booleans_and_enums() -> None:
    for word in (True, 1, "t", "true", "True"):
        assert infer_layer("Pooling", {"pooling_param": {"global_pooling": word}}, [(1, 2, 3, 4)]) == [(1, 2, 1, 1)]
    for word in (1, "FLOOR"):
        pool: dict[str, Any] = {"pooling_param": {"kernel_size": 2, "stride": 2, "round_mode": word}}
        assert infer_layer("Pooling", pool, [(1, 2, 5, 5)]) == [(1, 2, 2, 2)]
    with pytest.raises(ValueError, match="true or false"):
        infer_layer("Pooling", {"pooling_param": {"global_pooling": "maybe"}}, [(1, 2, 3, 4)])


@pytest.mark.parametrize("kind", RULES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_rule_answers_or_says_why_not(kind: str, data: st.DataObject) -> None:
    """Whatever the bottoms, a rule gives as many shapes as there are tops or raises ValueError, never anything else."""
    dims = st.lists(st.integers(1, 9) | st.none(), max_size=5).map(tuple) | st.none()
    bottoms = data.draw(st.lists(dims, max_size=4))
    tops = data.draw(st.integers(0, 3))
    try:
        found = infer_layer(kind, {}, bottoms, tops=tops)
    except ValueError:
        return
    assert len(found) == tops


def test_blobs_that_must_be_stored() -> None:
    plain: dict[str, Any] = {"convolution_param": {"bias_term": False}}
    assert required_blobs("Convolution", {}) == 2
    assert required_blobs("Convolution", plain) == 1
    assert required_blobs("ConvolutionDepthwise", plain) == 1
    assert required_blobs("Scale", {}) == 1
    assert required_blobs("Scale", {"scale_param": {"bias_term": True}}, 2) == 1
    assert required_blobs("Bias", {}, 2) == 0
    assert required_blobs("LSTM", {}, 2) == 3
    assert required_blobs("LSTM", {}, 3) == 4
    assert required_blobs("LSTM", {"recurrent_param": {"expose_hidden": True}}, 4) == 3
    assert required_blobs("RNN", {"recurrent_param": {"expose_hidden": True}}, 4) == 6
    assert required_blobs("ReLU", {}) == required_blobs("NobodysOwn", {}) == 0


SIZES = st.integers(1, 12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(size=SIZES, kernel=st.integers(1, 5), stride=st.integers(1, 5), pad=st.integers(0, 4), floor=st.booleans())
def test_pooling_as_the_source_computes_it(size: int, kernel: int, stride: int, pad: int, floor: bool) -> None:
    """pooling_layer.cpp in its own terms: single precision, ceil or floor, then the clip."""
    if pad >= kernel:
        return
    rounded = math.floor if floor else math.ceil
    expected = int(rounded(float(np.float32(size + 2 * pad - kernel) / np.float32(stride)))) + 1
    if pad and (expected - 1) * stride >= size + pad:
        expected -= 1
    mode = "FLOOR" if floor else "CEIL"
    param: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "pad": pad, "round_mode": mode}
    if expected <= 0:
        with pytest.raises(ValueError, match="does not fit"):
            infer_layer("Pooling", {"pooling_param": param}, [(1, 1, size, size)])
        return
    assert infer_layer("Pooling", {"pooling_param": param}, [(1, 1, size, size)]) == [(1, 1, expected, expected)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    size=st.tuples(SIZES, SIZES),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 4),
    pad=st.integers(0, 3),
    dilation=st.integers(1, 3),
    kind=st.sampled_from(["Convolution", "Deconvolution", "Im2col", "AVE", "MAX"]),
)
def test_windows_against_a_run(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    pad: int,
    dilation: int,
    kind: str,
    tmp_path_factory: Any,
) -> None:
    """The lowered layer, whose sizes onnxruntime works out by itself, gives the shape that was inferred."""
    window = f"kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride: {stride} pad: {pad}"
    if kind in ("AVE", "MAX"):
        layer = f'type: "Pooling" pooling_param {{ {window} pool: {kind} }}'
    else:
        layer = f'type: "{kind}" convolution_param {{ {window} dilation: {dilation} num_output: 2 }}'
    text = (
        f'layer {{ name: "i" type: "Input" top: "x" input_param {{ shape {{ dim: [1, 2, {size[0]}, {size[1]}] }} }} }}'
        f'layer {{ name: "l" bottom: "x" top: "y" {layer} }}'
    )
    folder = tmp_path_factory.mktemp("net")
    model = read_net(folder, text)
    try:
        shape = all_shapes(model)["y"]
    except ValueError:
        assume(False)
    layers, _ = random_weights(model)
    x = np.ones((1, 2, *size), np.float32)
    assert run(read_net(folder, text, layers), {"x": x}, ["y"])["y"].shape == shape
