"""The network as one table, from which training and all three writers work: a small ResNet for 8x8 pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE, CLASSES, SAMPLES = 8, 10, 10
EPSILON = 1e-5

Weights = dict[str, list[np.ndarray]]
"""Per layer, in Caffe's order and layout: convolution OIHW; BatchNorm mean, variance; Scale gamma, beta; InnerProduct
[outputs, inputs], bias [outputs]."""


@dataclass(frozen=True)
class Layer:
    """A layer as Caffe has it; one whose `top` is its bottom works in place."""

    type: str
    name: str
    bottoms: tuple[str, ...]
    top: str
    inputs: int = 0
    outputs: int = 0
    kernel: int = 1


def _block(name: str, suffix: str, bottom: str, inputs: int, outputs: int, kernel: int) -> list[Layer]:
    """A convolution without bias, and BatchNorm and Scale in place."""
    return [
        Layer("Convolution", name, (bottom,), name, inputs, outputs, kernel),
        Layer("BatchNorm", f"bn{suffix}", (name,), name, outputs=outputs),
        Layer("Scale", f"scale{suffix}", (name,), name, outputs=outputs),
    ]


LAYERS = (
    *_block("conv1", "_conv1", "data", 1, 16, 3),
    Layer("ReLU", "conv1_relu", ("conv1",), "conv1"),
    Layer("MaxPool", "pool1", ("conv1",), "pool1", kernel=2),
    *_block("res2a_branch1", "2a_branch1", "pool1", 16, 32, 1),
    *_block("res2a_branch2a", "2a_branch2a", "pool1", 16, 32, 3),
    Layer("ReLU", "res2a_branch2a_relu", ("res2a_branch2a",), "res2a_branch2a"),
    *_block("res2a_branch2b", "2a_branch2b", "res2a_branch2a", 32, 32, 3),
    Layer("Eltwise", "res2a", ("res2a_branch1", "res2a_branch2b"), "res2a"),
    Layer("ReLU", "res2a_relu", ("res2a",), "res2a"),
    Layer("AvgPool", "pool5", ("res2a",), "pool5", kernel=4),
    Layer("InnerProduct", "fc10", ("pool5",), "fc10", 32, CLASSES),
    Layer("Softmax", "prob", ("fc10",), "prob"),
)


def scale_of(norm: Layer) -> str:
    """The Scale layer that follows a BatchNorm; the other formats have the two in one operator."""
    return LAYERS[LAYERS.index(norm) + 1].name


def initial_weights(seed: int) -> Weights:
    """Random weights to start from: He's rule for what a ReLU follows (He et al. 2015, arXiv:1502.01852)."""
    random = np.random.default_rng(seed)
    made: Weights = {}
    for layer in LAYERS:
        if layer.type in ("Convolution", "InnerProduct"):
            square = (layer.kernel, layer.kernel) if layer.type == "Convolution" else ()
            shape = (layer.outputs, layer.inputs, *square)
            spread = np.sqrt(2 / np.prod(shape[1:]))
            made[layer.name] = [random.normal(0, spread, shape)]
        if layer.type == "InnerProduct":
            made[layer.name].append(np.zeros(layer.outputs))
        if layer.type == "BatchNorm":
            made[layer.name] = [np.zeros(layer.outputs), np.ones(layer.outputs)]
        if layer.type == "Scale":
            made[layer.name] = [np.ones(layer.outputs), np.zeros(layer.outputs)]
    return {name: [array.astype(np.float32) for array in arrays] for name, arrays in made.items()}
