"""Caffe models written by the tests: a prototxt and a caffemodel with given numbers, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe.layer import Layer
from subcut.compiler.formats.caffe.shapes import blob_shapes, infer_layer
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.wire import bytes_field, varint


def blob(array: np.ndarray) -> bytes:
    """A `BlobProto`: `shape` (7) and packed `data` (5)."""
    dims = b"".join(varint(d) for d in array.shape)
    return bytes_field(7, bytes_field(1, dims)) + bytes_field(5, np.asarray(array, "<f4").tobytes())


def caffemodel(name: str, layers: Mapping[str, tuple[str, Sequence[np.ndarray]]]) -> bytes:
    """A `NetParameter` of `layer` (100) records: name (1), type (2), blobs (7)."""
    out = bytes_field(1, name)
    for layer, (kind, blobs) in layers.items():
        record = bytes_field(1, layer) + bytes_field(2, kind)
        out += bytes_field(100, record + b"".join(bytes_field(7, blob(b)) for b in blobs))
    return out


def read_net(folder: Path, text: str, layers: Mapping[str, tuple[str, Sequence[np.ndarray]]] | None = None) -> Model:
    """Write `net.prototxt` (and its weights) into `folder` and read it."""
    path = folder / "net.prototxt"
    path.write_text(text)
    if layers:
        path.with_suffix(".caffemodel").write_bytes(caffemodel("net", layers))
    return package("caffe").read(path, ReadOptions())


def random_weights(
    model: Model, gain: float = 2.0, known: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[dict[str, tuple[str, list[np.ndarray]]], dict[str, tuple[int, ...]]]:
    """Weights for every layer, with shapes of the inputs.

    A `gain` of 2 keeps the size of a signal through convolutions and ReLUs; a net that adds many branches wants less.
    """
    random = np.random.default_rng(3)
    given = dict(known or {})
    shapes: dict[Value, tuple[int | None, ...] | None] = {v: _stated(v) for v in model.main.inputs}
    inputs = {v.name: _stated(v) or () for v in model.main.inputs}
    layers: dict[str, tuple[str, list[np.ndarray]]] = {}
    for op in model.main.ops:
        bottoms = [shapes.get(v, given.get(v.name)) for v in op.operands if v is not None]
        tops = infer_layer(op.type, op.attributes, bottoms, tops=len(op.results))
        shapes.update((v, given.get(v.name, top)) for v, top in zip(op.results, tops, strict=True))
        if op.type == "Input":
            inputs[op.results[0].name] = tops[0]
        stored = blob_shapes(Layer(op.type, op.attributes, bottoms, (), len(op.results)))
        if stored:
            layers[op.name] = (op.type, [_weights(random, op.type, i, s, gain) for i, s in enumerate(stored)])
    return layers, inputs


def _stated(value: Value) -> tuple[int, ...] | None:
    return value.type.shape if isinstance(value.type, TensorType) else None


def _weights(random: np.random.Generator, kind: str, index: int, shape: tuple[int, ...], gain: float) -> np.ndarray:
    if kind == "BatchNorm":
        return np.ones(shape) if index == 2 else random.uniform(0.5, 1.5, shape) * (index or 0.1)
    if len(shape) > 1:
        return random.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    return random.uniform(0.5, 1.5, shape) if index == 0 else random.standard_normal(shape) * 0.1
