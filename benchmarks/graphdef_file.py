"""Frozen GraphDefs of any size; field numbers as in graph.proto, node_def.proto, attr_value.proto and tensor.proto."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

from networks import Node, data_shape
from pieces import Pieces, floats

from subcut.compiler.storage.wire import bytes_field, int_field, varint

FLOAT, INT32 = 1, 3
PRODUCER = 2000
OPS = {
    "conv": "Conv2D",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "add": "AddV2",
    "maxpool": "MaxPool",
    "avgpool": "Mean",
    "dense": "MatMul",
}
T = int_field(6, FLOAT)


def _attribute(key: str, value: Pieces | bytes) -> Pieces:
    entry = Pieces(bytes_field(1, key))
    entry.add_field(2, value)
    made = Pieces()
    made.add_field(5, entry)
    return made


def _node(op: str, name: str, inputs: Sequence[str], **attributes: Pieces | bytes) -> Pieces:
    body = Pieces(bytes_field(1, name) + bytes_field(2, op) + b"".join(bytes_field(3, x) for x in inputs))
    for key, value in attributes.items():
        body.add(_attribute(key, value))
    made = Pieces()
    made.add_field(1, body)
    return made


def _shape(dims: Sequence[int]) -> bytes:
    return b"".join(bytes_field(2, int_field(1, dim)) for dim in dims)


def _integers(values: Sequence[int]) -> bytes:
    """An attribute that is a list of integers."""
    return bytes_field(1, bytes_field(3, b"".join(varint(v) for v in values)))


def _constant(name: str, dims: Sequence[int]) -> Pieces:
    content = Pieces(int_field(1, FLOAT) + bytes_field(2, _shape(dims)), floats(4, prod(dims)))
    value = Pieces()
    value.add_field(8, content)
    return _node("Const", name, [], dtype=T, value=value)


def _axes(name: str) -> Pieces:
    """The constant [1, 2]: height and width."""
    content = int_field(1, INT32) + bytes_field(2, _shape([2])) + bytes_field(4, b"\1\0\0\0\2\0\0\0")
    return _node("Const", name, [], dtype=int_field(6, INT32), value=bytes_field(8, content))


def _last(shape: Sequence[int]) -> tuple[int, ...]:
    """N, C, H, W as N, H, W, C."""
    return (shape[0], *shape[2:], shape[1])


def _record(one: Node) -> Pieces:
    """The nodes of one operator of a table, its weights before it."""
    name, same = one.name, bytes_field(2, "SAME")
    if one.kind in ("conv", "dense"):
        kernel, bias = one.weights
        turned = (*kernel[2:], kernel[1], kernel[0])
        stored = Pieces(_constant(f"{name}/weight", turned), _constant(f"{name}/bias", bias))
        inputs = [*one.inputs, f"{name}/weight"]
        strides = _integers([1, one.stride, one.stride, 1])
        more = {"strides": strides, "padding": same} if one.kind == "conv" else {}
        product = _node(OPS[one.kind], f"{name}/product", inputs, T=T, **more)
        return Pieces(stored, product, _node("BiasAdd", name, [f"{name}/product", f"{name}/bias"], T=T))
    if one.kind == "maxpool":
        window, strides = _integers([1, one.kernel, one.kernel, 1]), _integers([1, one.stride, one.stride, 1])
        return _node(OPS[one.kind], name, one.inputs, T=T, ksize=window, strides=strides, padding=same)
    if one.kind == "avgpool":
        inputs = [*one.inputs, f"{name}/axes"]
        return Pieces(_axes(f"{name}/axes"), _node(OPS[one.kind], name, inputs, T=T, Tidx=int_field(6, INT32)))
    return _node(OPS[one.kind], name, one.inputs, T=T)


def write(nodes: list[Node], path: Path, seed: int) -> None:
    """A graph from the placeholder `data` to the last operator."""
    dims = bytes_field(7, _shape(_last(data_shape(nodes))))
    made = _node("Placeholder", "data", [], dtype=T, shape=dims)
    for one in nodes:
        made.add(_record(one))
    made.add(bytes_field(4, int_field(1, PRODUCER)))
    made.write(path, seed)
