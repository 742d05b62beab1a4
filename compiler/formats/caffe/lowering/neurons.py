"""Lowering of the layers that work number by number, and of normalisation.

Source: BVLC caffe, src/caffe/layers/, the layer of each rule's name; ReLU6 and `scale_train` from well-known forks.
"""

from __future__ import annotations

import math

import numpy as np

from subcut.compiler.formats.caffe.layer import legacy
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64, shaped
from subcut.compiler.formats.caffe.shape_rules_basic import affine_axes


def identity(at: Lowered) -> None:
    """Every top is the bottom (Dropout while testing, Split, Silence)."""
    for out in at.outputs:
        at.emit("Identity", at.inputs[0], out=out)


def dropout(at: Lowered) -> None:
    """Nothing while testing, unless a fork's net asks for the scaling now that it left out in training."""
    p = at.layer.param("dropout_param")
    if p.flag("scale_train", True):
        identity(at)
        return
    at.emit("Mul", at.inputs[0], f32(1 - p.real("dropout_ratio", 0.5)), out=at.outputs[0])


def absval(at: Lowered) -> None:
    """|x|."""
    at.emit("Abs", at.inputs[0], out=at.outputs[0])


def relu(at: Lowered) -> None:
    """max(x, 0) + slope min(x, 0)."""
    slope = at.layer.param("relu_param").real("negative_slope")
    if slope == 0:
        at.emit("Relu", at.inputs[0], out=at.outputs[0])
    else:
        at.emit("LeakyRelu", at.inputs[0], out=at.outputs[0], alpha=slope)


def relu6(at: Lowered) -> None:
    """min(max(x, 0), 6)."""
    at.emit("Clip", at.inputs[0], f32(0), f32(6), out=at.outputs[0])


def prelu(at: Lowered) -> None:
    """A slope for each channel, or one for all."""
    slope = at.blob(0, (-1, *(1,) * (len(at.layer.bottoms[0] or ()) - 2)))
    at.emit("PRelu", at.inputs[0], slope, out=at.outputs[0])


def elu(at: Lowered) -> None:
    """x, below 0 alpha (exp x - 1)."""
    at.emit("Elu", at.inputs[0], out=at.outputs[0], alpha=at.layer.param("elu_param").real("alpha", 1.0))


def sigmoid(at: Lowered) -> None:
    """1 / (1 + exp -x)."""
    at.emit("Sigmoid", at.inputs[0], out=at.outputs[0])


def tanh(at: Lowered) -> None:
    """Hyperbolic tangent."""
    at.emit("Tanh", at.inputs[0], out=at.outputs[0])


def bnll(at: Lowered) -> None:
    """log(1 + exp x)."""
    at.emit("Softplus", at.inputs[0], out=at.outputs[0])


def swish(at: Lowered) -> None:
    """x sigmoid(beta x)."""
    beta = at.layer.param("swish_param").real("beta", 1.0)
    gate = at.emit("Sigmoid", at.emit("Mul", at.inputs[0], f32(beta)))
    at.emit("Mul", at.inputs[0], gate, out=at.outputs[0])


def clip(at: Lowered) -> None:
    """Between `min` and `max`."""
    p = at.layer.param("clip_param")
    at.emit("Clip", at.inputs[0], f32(p.real("min")), f32(p.real("max")), out=at.outputs[0])


def threshold(at: Lowered) -> None:
    """1 where x is beyond the threshold, else 0."""
    limit = at.layer.param("threshold_param").real("threshold")
    at.cast(at.emit("Greater", at.inputs[0], f32(limit)), np.float32, at.outputs[0])


def power(at: Lowered) -> None:
    """(shift + scale x) ^ power; the constant it is where x has no part in it."""
    p = at.layer.param("power_param")
    exponent, scale, shift = p.real("power", 1.0), p.real("scale", 1.0), p.real("shift")
    if exponent * scale == 0:
        fixed = f32(1.0 if exponent == 0 else np.power(f32(shift), f32(exponent)))
        at.emit("Expand", fixed, at.emit("Shape", at.inputs[0]), out=at.outputs[0])
        return
    value = _affine(at, at.inputs[0], scale, shift)
    value = at.emit("Pow", value, f32(exponent)) if exponent != 1 else value
    at.emit("Identity", value, out=at.outputs[0])


def _affine(at: Lowered, value: str, scale: float, shift: float) -> str:
    value = at.emit("Mul", value, f32(scale)) if scale != 1 else value
    return at.emit("Add", value, f32(shift)) if shift != 0 else value


def exp(at: Lowered) -> None:
    """base ^ (shift + scale x); base -1 is e."""
    p = at.layer.param("exp_param")
    base, shift = p.real("base", -1.0), p.real("shift")
    if base != -1 and base <= 0:
        raise ValueError("`base` must be positive")
    inner = (1.0 if base == -1 else math.log(base)) * p.real("scale", 1.0)
    outer = math.exp(shift) if base == -1 else base**shift
    value = at.emit("Exp", _affine(at, at.inputs[0], inner, 0.0))
    at.emit("Identity", _affine(at, value, outer, 0.0), out=at.outputs[0])


def log(at: Lowered) -> None:
    """log base (shift + scale x); base -1 is e."""
    p = at.layer.param("log_param")
    base = p.real("base", -1.0)
    if base != -1 and (base <= 0 or base == 1):
        raise ValueError("`base` must be positive and not 1")
    value = at.emit("Log", _affine(at, at.inputs[0], p.real("scale", 1.0), p.real("shift")))
    outer = 1.0 if base == -1 else 1 / math.log(base)
    at.emit("Identity", _affine(at, value, outer, 0.0), out=at.outputs[0])


def eltwise(at: Lowered) -> None:
    """Product, weighted sum or maximum of all bottoms, taken in order."""
    p = at.layer.param("eltwise_param")
    kind = p.enum("operation", ("PROD", "SUM", "MAX"), "SUM")
    terms = list(at.inputs)
    if p.reals("coeff"):
        if kind != "SUM":
            raise ValueError("coefficients are for sums only")
        pairs = zip(p.reals("coeff"), terms, strict=True)
        terms = [x if c == 1 else at.emit("Mul", x, f32(c)) for c, x in pairs]
    total = terms[0]
    for term in terms[1:]:
        total = at.emit({"PROD": "Mul", "SUM": "Add", "MAX": "Max"}[kind], total, term)
    at.emit("Identity", total, out=at.outputs[0])


def scale(at: Lowered) -> None:
    """Times the second bottom or the stored factors, plus the stored bias."""
    value = at.emit("Mul", at.inputs[0], _affine_operand(at, "scale_param"))
    if at.layer.param("scale_param").flag("bias_term"):
        value = at.emit("Add", value, _stored(at, -1, "scale_param"))
    at.emit("Identity", value, out=at.outputs[0])


def bias(at: Lowered) -> None:
    """Plus the second bottom or what is stored."""
    at.emit("Add", at.inputs[0], _affine_operand(at, "bias_param"), out=at.outputs[0])


def _affine_operand(at: Lowered, param: str) -> str:
    if len(at.inputs) == 1:
        return _stored(at, 0, param)
    rank, second = len(at.layer.bottoms[0] or ()), len(at.layer.bottoms[1] or ())
    axis = at.layer.param(param).integer("axis", 1)
    axis = axis + rank if axis < 0 else axis
    missing = rank - second - axis if second else 0
    if missing <= 0:
        return at.inputs[1]
    return at.emit("Unsqueeze", at.inputs[1], i64(range(second, second + missing)))


def _stored(at: Lowered, index: int, param: str) -> str:
    """A stored blob, shaped so that it lines up with the axes it is for."""
    axis, shape = affine_axes(at.layer, param)
    trailing = len(at.layer.bottom()) - axis - len(shape)
    return at.blob(index, (*shape, *(1,) * trailing))


def batch_norm(at: Lowered) -> None:
    """(x - mean) / sqrt(variance + eps), by the stored statistics unless those of the batch are asked for."""
    p = at.layer.param("batch_norm_param")
    eps, rank = p.real("eps", 1e-5), len(at.layer.bottoms[0] or ())
    if not p.flag("use_global_stats", True):
        axes = i64([0, *range(2, rank)])
        centred = at.emit("Sub", at.inputs[0], at.emit("ReduceMean", at.inputs[0], axes))
        variance = at.emit("ReduceMean", at.emit("Mul", centred, centred), axes)
        deviation = at.emit("Sqrt", at.emit("Add", variance, f32(eps)))
        at.emit("Div", centred, deviation, out=at.outputs[0])
        return
    tail = (-1, *(1,) * (rank - 2))
    mean_sum, variance_sum, weight = (shaped(blob, tail) for blob in at.blobs[:3])
    factor = f32(0) if not weight.any() else f32(1) / weight
    centred = at.emit("Sub", at.inputs[0], at.constant(mean_sum * factor, "mean"))
    spread = np.sqrt(variance_sum * factor + f32(eps))
    at.emit("Div", centred, at.constant(spread, "deviation"), out=at.outputs[0])


def mvn(at: Lowered) -> None:
    """Zero mean and, unless told otherwise, variance one, of each plane or each item; eps joins the deviation."""
    p, shape = at.layer.param("mvn_param"), at.layer.bottom()
    value = at.inputs[0] if len(shape) == 4 else at.reshape(at.inputs[0], legacy(shape))
    axes = i64([1, 2, 3] if p.flag("across_channels") else [2, 3])
    centred = at.emit("Sub", value, at.emit("ReduceMean", value, axes))
    if not p.flag("normalize_variance", True):
        at.emit("Identity", centred, out=at.outputs[0])
        return
    variance = at.emit("ReduceMean", at.emit("Mul", centred, centred), axes)
    deviation = at.emit("Add", at.emit("Sqrt", variance), f32(p.real("eps", 1e-9)))
    at.emit("Div", centred, deviation, out=at.outputs[0])


def lrn(at: Lowered) -> None:
    """x / (k + alpha / n sum of squares over channels) ^ beta; within a channel over a square, and k is 1."""
    p = at.layer.param("lrn_param")
    size, alpha, beta = p.integer("local_size", 5), p.real("alpha", 1.0), p.real("beta", 0.75)
    regions = ("ACROSS_CHANNELS", "WITHIN_CHANNEL")
    if p.enum("norm_region", regions, regions[0]) == regions[0]:
        k = p.real("k", 1.0)
        at.emit("LRN", at.inputs[0], out=at.outputs[0], size=size, alpha=alpha, beta=beta, bias=k)
        return
    square = at.emit("Mul", at.inputs[0], at.inputs[0])
    pads = [(size - 1) // 2] * 4
    mean = at.emit("AveragePool", square, kernel_shape=[size, size], pads=pads, count_include_pad=1)
    total = at.emit("Add", at.emit("Mul", mean, f32(alpha)), f32(1))
    at.emit("Mul", at.inputs[0], at.emit("Pow", total, f32(-beta)), out=at.outputs[0])


def softmax(at: Lowered) -> None:
    """Along one axis."""
    axis = at.layer.param("softmax_param").integer("axis", 1)
    at.emit("Softmax", at.inputs[0], out=at.outputs[0], axis=axis)


def normalize(at: Lowered) -> None:
    """SSD's: each place, or each item, divided by its length, times the stored scale."""
    p, shape = at.layer.param("norm_param"), at.layer.bottom()
    square = at.emit("Mul", at.inputs[0], at.inputs[0])
    axes = i64(range(1, len(shape)) if p.flag("across_spatial", True) else [1])
    total = at.emit("Add", at.emit("ReduceSum", square, axes), f32(p.real("eps", 1e-10)))
    value = at.emit("Div", at.inputs[0], at.emit("Sqrt", total))
    factors = at.blob(0, (-1, *(1,) * (len(shape) - 2)))
    at.emit("Mul", value, factors, out=at.outputs[0])
