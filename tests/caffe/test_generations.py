"""Old records are decoded with the names of today; the expectations are those of Caffe's own upgrade test.

Source of the pairs: the rules of `upgrade_proto.cpp` in BVLC Caffe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_nets import blob, by_name, caffemodel, layer, net, v0_layer, wiring

from subcut.compiler.formats import runner

V1 = {
    "type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 convolution_param { pad: 2 }": (
        "Convolution",
        {"param": [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}], "convolution_param": {"pad": 2}},
    ),
    'type: 4 param: "w" param: "b" blobs_lr: 3': (
        "Convolution",
        {"param": [{"name": "w", "lr_mult": 3}, {"name": "b"}]},
    ),
    "type: INNER_PRODUCT blob_share_mode: PERMISSIVE": ("InnerProduct", {"param": {"share_mode": "PERMISSIVE"}}),
    'type: DATA data_param { source: "s" scale: 0.5 mirror: true crop_size: 7 mean_file: "m" }': (
        "Data",
        {
            "data_param": {"source": "s"},
            "transform_param": {"scale": 0.5, "mirror": True, "crop_size": 7, "mean_file": "m"},
        },
    ),
    "type: IMAGE_DATA image_data_param { scale: 2 } transform_param { mirror: true }": (
        "ImageData",
        {"image_data_param": {}, "transform_param": {"mirror": True, "scale": 2}},
    ),
    "type: SOFTMAX_LOSS loss_weight: 0.3": ("SoftmaxWithLoss", {"loss_weight": 0.3}),
    "type: SIGMOID_CROSS_ENTROPY_LOSS": ("SigmoidCrossEntropyLoss", {}),
    "type: 39": ("Deconvolution", {}),
    "type: MY_OWN my_param { a: 1 }": ("MY_OWN", {"my_param": {"a": 1}}),
}

V0 = {
    'type: "conv" num_output: 9 biasterm: false pad: 1 kernelsize: 3 group: 2 stride: 4 weight_filler { type: "x" }': (
        "Convolution",
        {
            "convolution_param": {
                "num_output": 9,
                "bias_term": False,
                "pad": 1,
                "kernel_size": 3,
                "group": 2,
                "stride": 4,
                "weight_filler": {"type": "x"},
            }
        },
    ),
    'type: "innerproduct" num_output: 5 blobs_lr: 1 blobs_lr: 2': (
        "InnerProduct",
        {"inner_product_param": {"num_output": 5}, "param": [{"lr_mult": 1}, {"lr_mult": 2}]},
    ),
    'type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1': (
        "Pooling",
        {"pooling_param": {"pool": "AVE", "kernel_size": 3, "stride": 2, "pad": 1}},
    ),
    'type: "lrn" local_size: 3 alpha: 2 beta: 4 k: 7': (
        "LRN",
        {"lrn_param": {"local_size": 3, "alpha": 2, "beta": 4, "k": 7}},
    ),
    'type: "data" source: "s" batchsize: 8 rand_skip: 3 scale: 0.5 meanfile: "m" cropsize: 9 mirror: true': (
        "Data",
        {
            "data_param": {"source": "s", "batch_size": 8, "rand_skip": 3},
            "transform_param": {"scale": 0.5, "mean_file": "m", "crop_size": 9, "mirror": True},
        },
    ),
    'type: "images" source: "s" batchsize: 8 new_height: 5 new_width: 6 shuffle_images: true': (
        "ImageData",
        {"image_data_param": {"source": "s", "batch_size": 8, "new_height": 5, "new_width": 6, "shuffle": True}},
    ),
    'type: "window_data" det_fg_threshold: 0.25 det_bg_threshold: 0.5 det_fg_fraction: 0.75 det_context_pad: 9 '
    'det_crop_mode: "c"': (
        "WindowData",
        {
            "window_data_param": {
                "fg_threshold": 0.25,
                "bg_threshold": 0.5,
                "fg_fraction": 0.75,
                "context_pad": 9,
                "crop_mode": "c",
            }
        },
    ),
    'type: "hdf5_data" source: "s" batchsize: 2': ("HDF5Data", {"hdf5_data_param": {"source": "s", "batch_size": 2}}),
    'type: "infogain_loss" source: "s"': ("InfogainLoss", {"infogain_loss_param": {"source": "s"}}),
    'type: "dropout" dropout_ratio: 0.25': ("Dropout", {"dropout_param": {"dropout_ratio": 0.25}}),
    'type: "concat" concat_dim: 2': ("Concat", {"concat_param": {"concat_dim": 2}}),
    'type: "hdf5_output" hdf5_output_param { file_name: "f" }': (
        "HDF5Output",
        {"hdf5_output_param": {"file_name": "f"}},
    ),
    'type: "padding" pad: 2': ("Padding", {"padding_param": {"pad": 2}}),
}


@pytest.mark.parametrize("fields", V1)
def test_a_v1_layer(tmp_path: Path, fields: str) -> None:
    expected: Any = V1[fields]
    op = by_name(net(tmp_path, f'input: "x" layers {{ name: "a" {fields} bottom: "x" top: "y" }}'))["a"]
    assert (op.type, dict(op.attributes)) == expected


@pytest.mark.parametrize("fields", V0)
def test_a_v0_layer(tmp_path: Path, fields: str) -> None:
    expected: Any = V0[fields]
    text = f'input: "x" layers {{ layer {{ name: "a" {fields} }} bottom: "x" top: "y" }}'
    op = by_name(net(tmp_path, text))["a"]
    assert (op.type, dict(op.attributes)) == expected


def test_a_v0_net_is_wired_by_its_outer_records(tmp_path: Path) -> None:
    text = """
    name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
    layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
    layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 } bottom: "pad1" top: "conv1" }
    layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
    """
    model = net(tmp_path, text)
    assert wiring(model) == {"pad1": ["%data"], "conv1": ["pad1"], "relu1": ["conv1"]}
    model.dialect.infer(model, [v for op in model.main.ops for v in op.results])
    shapes = {v.name: str(v.type) for op in model.main.ops for v in op.results}
    assert shapes == {"pad1": "1x3x12x12xf32", "conv1:0": "1x4x10x10xf32", "conv1": "1x4x10x10xf32"}


def test_a_current_layer_keeps_every_field_of_every_fork(tmp_path: Path) -> None:
    text = """input: "x" layer { name: "a" type: "Strange" bottom: "x" top: "y" include { phase: TEST }
      strange_param { p: [1, 2] q: 1e-3 r { s: "t" } u: true v: SOME w: inf } more: 1 more: "z" }"""
    assert dict(by_name(net(tmp_path, text))["a"].attributes) == {
        "include": {"phase": "TEST"},
        "strange_param": {"p": [1, 2], "q": 1e-3, "r": {"s": "t"}, "u": True, "v": "SOME", "w": float("inf")},
        "more": [1, "z"],
    }


def test_a_padding_layer_and_the_padding_of_todays_layer_compute_the_same(tmp_path: Path) -> None:
    """Caffe's upgrade joins the two; so their results must be the same."""
    head = 'input: "x" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 5\n'
    weights = np.random.default_rng(0).standard_normal((3, 2, 3, 3)).astype(np.float32)
    stored = blob(weights.ravel().tolist(), weights.shape)
    (tmp_path / "old").mkdir()
    old = net(
        tmp_path / "old",
        head + 'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "p" }\n'
        'layers { layer { name: "c" type: "conv" num_output: 3 kernelsize: 3 biasterm: false } bottom: "p" top: "y" }',
        caffemodel(v0_layer("c", stored)),
    )
    new = net(
        tmp_path,
        head + 'layer { name: "c" type: "Convolution" bottom: "x" top: "y" '
        "convolution_param { num_output: 3 kernel_size: 3 pad: 2 bias_term: false } }",
        caffemodel(layer("c", stored)),
    )
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 2, 6, 5)).astype(np.float32)}
    one, other = (runner("caffe").run(model, feeds, ["y"])["y"] for model in (old, new))
    assert one.shape == (1, 3, 8, 7)
    assert np.array_equal(one, other)
