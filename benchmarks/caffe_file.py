"""Caffe's pair of files of any size; field numbers as in caffe.proto."""

from __future__ import annotations

from math import prod
from pathlib import Path

from networks import Node, data_shape
from pieces import Pieces, floats

from subcut.compiler.storage.wire import bytes_field, varint

TYPES = {
    "conv": "Convolution",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "tanh": "TanH",
    "add": "Eltwise",
    "maxpool": "Pooling",
    "avgpool": "Pooling",
    "dense": "InnerProduct",
}


def _settings(one: Node) -> str:
    outputs = one.shape[1]
    window = f"kernel_size: {one.kernel} stride: {one.stride}"
    return {
        "conv": f"  convolution_param {{ num_output: {outputs} {window} pad: {one.kernel // 2} }}\n",
        "maxpool": f"  pooling_param {{ pool: MAX {window} }}\n",
        "avgpool": "  pooling_param { pool: AVE global_pooling: true }\n",
        "dense": f"  inner_product_param {{ num_output: {outputs} }}\n",
    }.get(one.kind, "")


def _text(one: Node) -> str:
    bottoms = "".join(f'  bottom: "{x}"\n' for x in one.inputs)
    head = f'layer {{\n  name: "{one.name}"\n  type: "{TYPES[one.kind]}"\n'
    return f'{head}{bottoms}  top: "{one.name}"\n{_settings(one)}}}\n'


def _record(one: Node) -> Pieces:
    """A LayerParameter with its blobs, as field 100 of the net."""
    names = [bytes_field(1, one.name), bytes_field(2, TYPES[one.kind])]
    layer = Pieces(*names, *(bytes_field(3, x) for x in one.inputs), bytes_field(4, one.name))
    for shape in one.weights:
        dims = b"".join(varint(dim) for dim in shape)
        layer.add_field(7, Pieces(floats(5, prod(shape)), bytes_field(7, bytes_field(1, dims))))
    made = Pieces()
    made.add_field(100, layer)
    return made


def write(nodes: list[Node], path: Path, seed: int) -> None:
    """`path`, a .prototxt, and the .caffemodel beside it."""
    dims = " ".join(f"dim: {dim}" for dim in data_shape(nodes))
    data = f'layer {{\n  name: "data"\n  type: "Input"\n  top: "data"\n  input_param {{ shape {{ {dims} }} }}\n}}\n'
    text = 'name: "network"\n' + data + "".join(_text(one) for one in nodes)
    weights = Pieces(bytes_field(1, "network"))
    for one in nodes:
        weights.add(_record(one))
    weights.write(path.with_suffix(".caffemodel"), seed)
    path.write_text(text)
