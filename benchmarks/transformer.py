"""A transformer encoder as ONNX with its weights in a file beside it (Vaswani et al. 2017, layer norm first)."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

from onnx_file import attribute, external, integers, model, node, value_info
from pieces import Pieces

TOKENS, HEAD = 128, 128


class _Builder:
    """Collects nodes, types and weights; `offset` is where the next weight lies in the data file."""

    def __init__(self, width: int, location: str) -> None:
        self.width, self.location, self.offset = width, location, 0
        self.nodes, self.stored, self.types = bytearray(), bytearray(), bytearray()

    def op(self, op: str, name: str, inputs: list[str], shape: tuple[int, ...], attributes: bytes = b"") -> str:
        """A node with one output, called as itself."""
        self.nodes += node(op, name, inputs, attributes)
        self.types += value_info(13, name, shape)
        return name

    def weight(self, name: str, *shape: int) -> str:
        """A stored tensor at the next multiple of 4096 bytes."""
        self.stored += external(name, shape, self.location, self.offset)
        self.offset += -(-4 * prod(shape) // 4096) * 4096
        return name

    def linear(self, name: str, x: str, inputs: int, outputs: int) -> str:
        """A matrix product and a bias."""
        shape = (1, TOKENS, outputs)
        product = self.op("MatMul", f"{name}_matmul", [x, self.weight(f"{name}.weight", inputs, outputs)], shape)
        return self.op("Add", name, [product, self.weight(f"{name}.bias", outputs)], shape)

    def norm(self, name: str, x: str) -> str:
        """Layer normalisation over the last axis."""
        own = [self.weight(f"{name}.{part}", self.width) for part in ("weight", "bias")]
        shape = (1, TOKENS, self.width)
        return self.op("LayerNormalization", name, [x, *own], shape, attribute("epsilon", 1e-5))

    def heads(self, name: str, x: str, order: list[int]) -> str:
        """[1, tokens, width] to heads, in the given order of axes."""
        count = self.width // HEAD
        split = (1, TOKENS, count, HEAD)
        parts = self.op("Reshape", f"{name}_split", [x, "to_heads"], split)
        shape = tuple(split[axis] for axis in order)
        return self.op("Transpose", f"{name}_heads", [parts], shape, attribute("perm", order))


def _attention(make: _Builder, name: str, x: str) -> str:
    count, width = make.width // HEAD, make.width
    parts = {part: make.linear(f"{name}_{part}", x, width, width) for part in ("q", "k", "v")}
    query = make.heads(f"{name}_q", parts["q"], [0, 2, 1, 3])
    key = make.heads(f"{name}_k", parts["k"], [0, 2, 3, 1])
    value = make.heads(f"{name}_v", parts["v"], [0, 2, 1, 3])
    square = (1, count, TOKENS, TOKENS)
    score = make.op("MatMul", f"{name}_score", [query, key], square)
    share = make.op("Softmax", f"{name}_share", [score], square, attribute("axis", 3))
    mixed = make.op("MatMul", f"{name}_mixed", [share, value], (1, count, TOKENS, HEAD))
    turned = make.op("Transpose", f"{name}_turned", [mixed], (1, TOKENS, count, HEAD), attribute("perm", [0, 2, 1, 3]))
    joined = make.op("Reshape", f"{name}_joined", [turned, "from_heads"], (1, TOKENS, width))
    return make.linear(f"{name}_out", joined, width, width)


def _layer(make: _Builder, name: str, x: str) -> str:
    shape, wide = (1, TOKENS, make.width), (1, TOKENS, 4 * make.width)
    attended = _attention(make, f"{name}_attention", make.norm(f"{name}_norm1", x))
    x = make.op("Add", f"{name}_sum", [x, attended], shape)
    inner = make.linear(f"{name}_up", make.norm(f"{name}_norm2", x), make.width, 4 * make.width)
    gate = make.op("Sigmoid", f"{name}_gate", [inner], wide)
    active = make.op("Mul", f"{name}_active", [inner, gate], wide)
    down = make.linear(f"{name}_down", active, 4 * make.width, make.width)
    return make.op("Add", name, [x, down], shape)


def write(layers: int, width: int, path: Path, seed: int, *, numbers: bool = True) -> None:
    """`path` and, beside it, its weights in `<stem>.data`; layer n ends with the tensor `layer<n>`.

    Without `numbers` the weights are a hole of the right size, for who only looks at the structure.
    """
    data = path.with_suffix(".data")
    make = _Builder(width, data.name)
    make.stored += integers("to_heads", [1, TOKENS, width // HEAD, HEAD])
    make.stored += integers("from_heads", [1, TOKENS, width])
    x, shape = "data", (1, TOKENS, width)
    for index in range(layers):
        x = _layer(make, f"layer{index}", x)
    output = make.op("Identity", "output", [x], shape)
    ends = value_info(11, "data", shape) + value_info(12, output, shape)
    weights = Pieces()
    weights.add_floats(make.offset // 4 if numbers else 0)
    weights.write(data, seed)
    if not numbers:
        os.truncate(data, make.offset)
    model(Pieces(bytes(make.nodes), bytes(make.stored), ends, bytes(make.types))).write(path, seed)
