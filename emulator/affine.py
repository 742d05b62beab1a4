"""Operators that multiply and shift each channel by stored numbers, and so fold into the weights before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subcut.compiler.ir.graph import Op, Value
from subcut.emulator.kinds import BIAS, BINARY, NORM, SCALE, kind_of, role
from subcut.emulator.statics import Statics
from subcut.emulator.weights import Weights

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Affine = tuple["Array | None", "Array | None"]
"""What each channel is multiplied by, and what is added then; None for 1 and 0."""
EPSILON = {"tf": 1e-4, "onnx": 1e-5, "caffe": 1e-5}
"""What is added to a variance where an operator does not say."""


def affine(op: Op, value: Value, weights: Weights, statics: Statics) -> Affine | None:
    """What `op` does to `value`, the result of the operator that has `weights`; None where it is not affine."""
    if len(op.results) > 1 and any(result.uses for result in op.results[1:]):
        return None
    assert op.graph is not None
    kind, caffe = role(op), op.graph.model.dialect.name == "caffe"
    if kind not in (NORM, SCALE, BIAS, BINARY) or (not caffe and not _others_are_fixed(op, value, statics)):
        return None
    if caffe:
        found = _caffe(op, weights) if kind != BINARY else None
    else:
        found = _norm(op, statics) if kind == NORM else _binary(op, value, weights, statics)
    if found is None or any(one is not None and one.size not in (1, weights.channels) for one in found):
        return None
    return found


def _others_are_fixed(op: Op, value: Value, statics: Statics) -> bool:
    return op.operands.count(value) == 1 and all(v is value or statics.is_fixed(v) for v in op.operands)


def _caffe(op: Op, weights: Weights) -> Affine | None:
    import numpy as np

    from subcut.compiler.formats.caffe.layer import Layer
    from subcut.compiler.formats.caffe.lower import stored_blobs

    layer = Layer(op.type, op.attributes, [])
    if len(op.operands) != 1:
        return None
    blobs = [blob.ravel() for blob in stored_blobs(op)]
    if role(op) == NORM:
        param = layer.param("batch_norm_param")
        if not param.flag("use_global_stats", True) or weights.channel != -3:
            return None
        factor = np.float32(0 if blobs[2][0] == 0 else 1 / blobs[2][0])
        scale = 1 / np.sqrt(blobs[1] * factor + np.float32(param.real("eps", EPSILON["caffe"])))
        return scale, -blobs[0] * factor * scale
    param = layer.param("scale_param" if role(op) == SCALE else "bias_param")
    if param.integer("axis", 1) not in (1, weights.channel) or param.integer("num_axes", 1) != 1:
        return None
    return (blobs[0], blobs[1] if len(blobs) > 1 else None) if role(op) == SCALE else (None, blobs[0])


def _norm(op: Op, statics: Statics) -> Affine | None:
    import numpy as np

    assert op.graph is not None
    if op.attributes.get("is_training") or op.attributes.get("training_mode"):
        return None
    gamma, beta, mean, variance = (statics.array(v) for v in op.operands[1:5] if v is not None)
    stated = op.attributes.get("epsilon")
    epsilon = stated if isinstance(stated, float) else EPSILON[op.graph.model.dialect.name]
    scale = gamma / np.sqrt(variance + np.float32(epsilon))
    return scale, beta - mean * scale


def _binary(op: Op, value: Value, weights: Weights, statics: Statics) -> Affine | None:
    import numpy as np

    other = next(v for v in op.operands if v is not value)
    assert other is not None
    numbers = statics.array(other)
    kind, first = kind_of(op).device, op.operands[0] is value
    one_each = numbers.ndim == 1 if role(op) == BIAS else _is_per_channel(numbers, weights)
    if not one_each:
        return None
    flat = np.asarray(np.ravel(numbers), np.float32)
    if kind in ("Add", "BiasAdd"):
        return None, flat
    if kind == "Sub" and first:
        return None, -flat
    if kind == "Mul":
        return flat, None
    if kind == "RealDiv" and first:
        return 1 / flat, None
    return None


def _is_per_channel(numbers: Array, weights: Weights) -> bool:
    """Whether numbers broadcast along the channels and nothing else."""
    channel = weights.channel
    sizes = [size for place, size in enumerate(numbers.shape, -numbers.ndim) if place != channel]
    along = numbers.shape[channel] if numbers.ndim >= -channel else 1
    return all(size == 1 for size in sizes) and along in (1, weights.channels) and numbers.ndim <= 4
