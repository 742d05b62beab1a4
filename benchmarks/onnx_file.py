"""ONNX files of any size, record by record; field numbers as in onnx.proto."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

from networks import Node, data_shape
from pieces import Pieces, floats

from subcut.compiler.storage.wire import bytes_field, float_field, int_field, varint

FLOAT, INT64 = 1, 7
OPSET, IR = 17, 8
OPS = {
    "conv": "Conv",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "add": "Add",
    "maxpool": "MaxPool",
    "avgpool": "GlobalAveragePool",
    "dense": "Gemm",
}


def attribute(name: str, value: int | float | list[int]) -> bytes:
    """An AttributeProto as the field `attribute` of a node."""
    if isinstance(value, float):
        body = float_field(2, value) + int_field(20, 1)
    elif isinstance(value, int):
        body = int_field(3, value) + int_field(20, 2)
    else:
        body = b"".join(int_field(8, v) for v in value) + int_field(20, 7)
    return bytes_field(5, bytes_field(1, name) + body)


def node(op: str, name: str, inputs: Sequence[str], attributes: bytes = b"") -> bytes:
    """A node whose output is called as itself, as a field of the graph."""
    ends = b"".join(bytes_field(1, x) for x in inputs) + bytes_field(2, name)
    return bytes_field(1, ends + bytes_field(3, name) + bytes_field(4, op) + attributes)


def value_info(field: int, name: str, shape: Sequence[int]) -> bytes:
    """A float tensor's name and type: field 11 of the graph for an input, 12 output, 13 in between."""
    dims = b"".join(bytes_field(1, int_field(1, dim)) for dim in shape)
    tensor = int_field(1, FLOAT) + bytes_field(2, dims)
    return bytes_field(field, bytes_field(1, name) + bytes_field(2, bytes_field(1, tensor)))


def _tensor(name: str, shape: Sequence[int], type: int = FLOAT) -> bytes:
    dims = b"".join(varint(dim) for dim in shape)
    return bytes_field(1, dims) + int_field(2, type) + bytes_field(8, name)


def initializer(name: str, shape: Sequence[int]) -> Pieces:
    """A stored tensor of random floats, as a field of the graph."""
    made = Pieces()
    made.add_field(5, Pieces(_tensor(name, shape), floats(9, prod(shape))))
    return made


def external(name: str, shape: Sequence[int], location: str, offset: int) -> bytes:
    """A stored tensor whose bytes lie in another file."""
    entries = {"location": location, "offset": str(offset), "length": str(4 * prod(shape))}
    pairs = (bytes_field(13, bytes_field(1, key) + bytes_field(2, value)) for key, value in entries.items())
    return bytes_field(5, _tensor(name, shape) + b"".join(pairs) + int_field(14, 1))


def integers(name: str, values: Sequence[int]) -> bytes:
    """A stored vector of int64."""
    raw = b"".join(v.to_bytes(8, "little", signed=True) for v in values)
    return bytes_field(5, _tensor(name, [len(values)], INT64) + bytes_field(9, raw))


def model(graph: Pieces) -> Pieces:
    """The whole file around a graph."""
    made = Pieces(int_field(1, IR) + bytes_field(2, "subcut benchmarks"))
    made.add_field(7, Pieces(graph, bytes_field(2, "network")))
    made.add(bytes_field(8, bytes_field(1, "") + int_field(2, OPSET)))
    return made


def _record(one: Node) -> bytes:
    """The node of one operator of a table."""
    own = [f"{one.name}.{part}" for part, _ in zip(("weight", "bias"), one.weights, strict=False)]
    attributes = b""
    if one.kind in ("conv", "maxpool"):
        pad = one.kernel // 2
        attributes = attribute("kernel_shape", [one.kernel] * 2) + attribute("strides", [one.stride] * 2)
        attributes += attribute("pads", [pad] * 4)
    if one.kind == "dense":
        attributes = attribute("transB", 1)
        flat = node("Flatten", f"{one.name}_flat", one.inputs)
        return flat + node(OPS[one.kind], one.name, [f"{one.name}_flat", *own], attributes)
    return node(OPS[one.kind], one.name, [*one.inputs, *own], attributes)


def write(nodes: list[Node], path: Path, seed: int) -> None:
    """A model from `data` to the last operator, weights inside, with every inner tensor's type stated."""
    graph = Pieces()
    for one in nodes:
        graph.add(_record(one))
    for one in nodes:
        for part, shape in zip(("weight", "bias"), one.weights, strict=False):
            graph.add(initializer(f"{one.name}.{part}", shape))
    graph.add(value_info(11, "data", data_shape(nodes)))
    graph.add(value_info(12, nodes[-1].name, nodes[-1].shape))
    for one in nodes[:-1]:
        graph.add(value_info(13, one.name, one.shape))
    model(graph).write(path, seed)
