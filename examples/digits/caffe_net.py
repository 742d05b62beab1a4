"""The network as Caffe's `.prototxt` text and `.caffemodel` weights, written without Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from network import EPSILON, LAYERS, SAMPLES, SIZE, Layer, Weights

from subcut.compiler.storage.wire import bytes_field, int_field, varint

HEADER = f"""\
# A small ResNet for scikit-learn's handwritten digits: pictures of 8x8 pixels from 0 to 1.
name: "digits"
layer {{
  name: "data"
  type: "Input"
  top: "data"
  input_param {{ shape {{ dim: {SAMPLES} dim: 1 dim: {SIZE} dim: {SIZE} }} }}
}}
"""
TYPES = {"MaxPool": "Pooling", "AvgPool": "Pooling"}


def _settings(layer: Layer) -> str:
    """The layer's parameter message; the padding keeps a convolution's size."""
    kernel, pad = layer.kernel, layer.kernel // 2
    return {
        "Convolution": f"convolution_param {{ num_output: {layer.outputs} kernel_size: {kernel} pad: {pad} "
        "bias_term: false }",
        "BatchNorm": f"batch_norm_param {{ use_global_stats: true eps: {EPSILON:g} }}",
        "Scale": "scale_param { bias_term: true }",
        "MaxPool": f"pooling_param {{ pool: MAX kernel_size: {kernel} stride: {kernel} }}",
        "AvgPool": f"pooling_param {{ pool: AVE kernel_size: {kernel} stride: {kernel} }}",
        "Eltwise": "eltwise_param { operation: SUM }",
        "InnerProduct": f"inner_product_param {{ num_output: {layer.outputs} }}",
    }.get(layer.type, "")


def _text(layer: Layer) -> str:
    bottoms = [f'bottom: "{bottom}"' for bottom in layer.bottoms]
    type_ = f'type: "{TYPES.get(layer.type, layer.type)}"'
    lines = [f'name: "{layer.name}"', type_, *bottoms, f'top: "{layer.top}"', _settings(layer)]
    return "layer {\n" + "".join(f"  {line}\n" for line in lines if line) + "}\n"


def _blob(array: np.ndarray) -> bytes:
    """A BlobProto: `data` is field 5, packed floats; `shape` is field 7, a message of packed dims (caffe.proto)."""
    dims = b"".join(varint(dim) for dim in array.shape)
    return bytes_field(5, array.astype("<f4").tobytes()) + bytes_field(7, bytes_field(1, dims))


def _record(layer: Layer, weights: Weights) -> bytes:
    """A LayerParameter: name 1, type 2, bottom 3, top 4, blobs 7, phase 10 (caffe.proto)."""
    blobs = weights.get(layer.name, [])
    if layer.type == "BatchNorm":
        blobs = [*blobs, np.ones(1, np.float32)]  # what Caffe divides both by
    fields = [bytes_field(1, layer.name), bytes_field(2, TYPES.get(layer.type, layer.type))]
    fields += [bytes_field(3, bottom) for bottom in layer.bottoms]
    fields += [bytes_field(4, layer.top), *(bytes_field(7, _blob(blob)) for blob in blobs), int_field(10, 1)]
    return b"".join(fields)


def write(weights: Weights, prototxt: Path, caffemodel: Path) -> None:
    """Both files; a NetParameter's name is field 1, its layers are field 100."""
    prototxt.write_text(HEADER + "".join(_text(layer) for layer in LAYERS))
    records = (bytes_field(100, _record(layer, weights)) for layer in LAYERS)
    caffemodel.write_bytes(bytes_field(1, "digits") + b"".join(records))
