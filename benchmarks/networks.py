"""The networks that are measured, as plain tables that each format's writer turns into a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

IMAGE, CLASSES = 224, 1000
BLOCKS = (3, 8, 36, 3)
"""Blocks of each stage of ResNet-152 (He et al. 2015, arXiv:1512.03385, table 1)."""


@dataclass(frozen=True)
class Node:
    """An operator with one result, called as the operator itself."""

    kind: str
    """conv, relu, sigmoid, tanh, add, maxpool, avgpool, dense."""
    name: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    """Of the result: N, C, H, W."""
    channels: int = 0
    """Of the input of a `conv` or `dense`."""
    kernel: int = 1
    stride: int = 1

    @property
    def weights(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the stored tensors: OIHW and the bias."""
        if self.kind == "conv":
            return (self.shape[1], self.channels, self.kernel, self.kernel), (self.shape[1],)
        if self.kind == "dense":
            return (self.shape[1], self.channels), (self.shape[1],)
        return ()


def resnet(width: int) -> Iterator[Node]:
    """ResNet-152 with `width` channels where the original has 64, BatchNorm folded into the convolutions."""
    side, channels, x = IMAGE // 2, width, "conv1_relu"
    yield Node("conv", "conv1", ("data",), (1, width, side, side), 3, 7, 2)
    yield Node("relu", x, ("conv1",), (1, width, side, side))
    side //= 2
    yield Node("maxpool", "pool1", (x,), (1, width, side, side), kernel=3, stride=2)
    x = "pool1"
    for stage, blocks in enumerate(BLOCKS):
        for number in range(blocks):
            stride = 2 if stage > 0 and number == 0 else 1
            inner = width << stage
            nodes = list(block(f"s{stage + 1}b{number}", x, channels, inner, side, stride))
            yield from nodes
            x, channels, side = nodes[-1].name, 4 * inner, side // stride
    yield Node("avgpool", "pool5", (x,), (1, channels, 1, 1), kernel=side)
    yield Node("dense", "fc", ("pool5",), (1, CLASSES), channels)


def block(name: str, x: str, channels: int, inner: int, side: int, stride: int) -> Iterator[Node]:
    """A bottleneck: 1x1, 3x3, 1x1, with a projection where the shape changes. Its last operator is `name`."""
    out = side // stride
    small, big = (1, inner, out, out), (1, 4 * inner, out, out)
    shortcut = x
    if channels != 4 * inner:
        shortcut = f"{name}_branch1"
        yield Node("conv", shortcut, (x,), big, channels, 1, stride)
    yield Node("conv", f"{name}_a", (x,), small, channels, 1, stride)
    yield Node("relu", f"{name}_a_relu", (f"{name}_a",), small)
    yield Node("conv", f"{name}_b", (f"{name}_a_relu",), small, inner, 3)
    yield Node("relu", f"{name}_b_relu", (f"{name}_b",), small)
    yield Node("conv", f"{name}_c", (f"{name}_b_relu",), big, inner)
    yield Node("add", f"{name}_sum", (shortcut, f"{name}_c"), big)
    yield Node("relu", name, (f"{name}_sum",), big)


def resnet_width(size: int) -> int:
    """The width that gives `size` bytes of weights or a little less."""
    base = weight_bytes(resnet(64))
    width = int(64 * (size / base) ** 0.5) + 2
    while weight_bytes(resnet(width)) > size:
        width -= 1
    return width


def weight_bytes(nodes: Iterator[Node]) -> int:
    """Bytes of all stored tensors, as float32."""
    return 4 * sum(prod(shape) for node in nodes for shape in node.weights)


def chain(count: int) -> Iterator[Node]:
    """`count` small operators in groups of five; every group's last one, `op<n>`, is all that the next one reads."""
    shape, x = (1, 4, 4, 4), "data"
    for at in range(0, count, 5):
        a, b, c, d, e = (f"op{at + i}" for i in range(5))
        yield Node("relu", a, (x,), shape)
        yield Node("sigmoid", b, (a,), shape)
        yield Node("add", c, (a, b), shape)
        yield Node("tanh", d, (c,), shape)
        yield Node("add", e, (c, d), shape)
        x = e


def data_shape(nodes: list[Node]) -> tuple[int, int, int, int]:
    """The shape of the input `data`."""
    return (1, 3, IMAGE, IMAGE) if nodes[0].kind == "conv" else (1, 4, 4, 4)
