"""The network in TensorFlow, channels last: the function that training differentiates and the frozen graph holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from network import EPSILON, LAYERS, SIZE, Layer, Weights, scale_of

Tensors = Mapping[str, Sequence[Any]]


def channels_last(array: np.ndarray) -> np.ndarray:
    """OIHW to HWIO, [outputs, inputs] to [inputs, outputs], vectors as they are."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def channels_first(array: np.ndarray) -> np.ndarray:
    """The way back."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


def _apply(layer: Layer, x: Sequence[Any], weights: Tensors) -> Any:
    """One layer at inference; BatchNorm takes its Scale along."""
    own = weights.get(layer.name, ())
    window = {"ksize": (1, layer.kernel, layer.kernel, 1), "strides": (1, layer.kernel, layer.kernel, 1)}
    raw, name = tf.raw_ops, layer.name
    if layer.type == "Convolution":
        return raw.Conv2D(input=x[0], filter=own[0], strides=(1, 1, 1, 1), padding="SAME", name=name)
    if layer.type == "BatchNorm":
        scale = dict(zip(("scale", "offset"), weights[scale_of(layer)], strict=True))
        known = {"mean": own[0], "variance": own[1], "epsilon": EPSILON, "is_training": False}
        return raw.FusedBatchNormV3(x=x[0], **scale, **known, name=name).y
    if layer.type == "ReLU":
        return raw.Relu(features=x[0], name=name)
    if layer.type == "MaxPool":
        return raw.MaxPool(input=x[0], **window, padding="VALID", name=name)
    if layer.type == "AvgPool":
        return raw.AvgPool(value=x[0], **window, padding="VALID", name=name)
    if layer.type == "Eltwise":
        return raw.AddV2(x=x[0], y=x[1], name=name)
    if layer.type == "InnerProduct":
        flat = raw.Reshape(tensor=x[0], shape=(-1, layer.inputs), name=f"{name}/flat")
        product = raw.MatMul(a=flat, b=own[0], name=f"{name}/product")
        return raw.BiasAdd(value=product, bias=own[1], name=name)
    return raw.Softmax(logits=x[0], name=name)


def _normalise(layer: Layer, x: Any, weights: Tensors, moments: dict[str, list[Any]]) -> Any:
    """BatchNorm and Scale while training, by the batch's own mean and variance, which go into `moments`."""
    gamma, beta = weights[scale_of(layer)]
    out, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)
    moments[layer.name] = [mean, variance]
    return out


def logits(x: Any, weights: Tensors, moments: dict[str, list[Any]] | None = None) -> Any:
    """What `fc10` says of the pictures [N, 8, 8, 1]; with `moments`, as in training."""
    blobs = {"data": x}
    for layer in LAYERS[:-1]:
        if layer.type == "Scale":
            continue
        if layer.type == "BatchNorm" and moments is not None:
            blobs[layer.top] = _normalise(layer, blobs[layer.top], weights, moments)
            continue
        blobs[layer.top] = _apply(layer, [blobs[bottom] for bottom in layer.bottoms], weights)
    return blobs["fc10"]


def write(weights: Weights, path: Path) -> None:
    """A frozen GraphDef from the placeholder `data` to `prob`."""
    graph = tf.Graph()
    with graph.as_default():
        data = tf.compat.v1.placeholder(tf.float32, (None, SIZE, SIZE, 1), name="data")
        stored = {
            name: [tf.constant(channels_last(a), name=f"{name}/weights_{i}") for i, a in enumerate(arrays)]
            for name, arrays in weights.items()
        }
        _apply(LAYERS[-1], [logits(data, stored)], stored)
    path.write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))
