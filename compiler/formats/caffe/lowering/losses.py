"""Lowering of losses and of accuracy, as the numbers that they are going forward.

Source: BVLC caffe, src/caffe/layers/*_loss_layer.cpp and accuracy_layer.cpp; SmoothL1Loss from weiliu89/caffe,
branch ssd. Labels are floats that count from 0.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.caffe.layer import Message, canonical, count
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64

LOG_THRESHOLD = 1e-20
"""Least probability that a logarithm is taken of (kLOG_THRESHOLD)."""
MODES = ("FULL", "VALID", "BATCH_SIZE", "NONE")


def _total(at: Lowered, value: str, out: str | None = None) -> str:
    """The sum of all numbers."""
    return at.emit("ReduceSum", value, out=out, keepdims=0)


def _labelled(at: Lowered, axis: int, ignored: int | None) -> tuple[tuple[int, int, int], str, str | None]:
    """Outer, class and inner size of the first bottom; labels as outer x 1 x inner; 1 where they are not ignored.

    An ignored label becomes 0, so that it can be looked up.
    """
    shape = at.layer.bottom()
    sizes = (count(shape[:axis]), shape[axis], count(shape[axis + 1 :]))
    labels = at.reshape(at.cast(at.inputs[1], np.int64), (sizes[0], 1, sizes[2]))
    if ignored is None:
        return sizes, labels, None
    valid = at.emit("Not", at.emit("Equal", labels, i64(ignored)))
    return sizes, at.emit("Where", valid, labels, i64(0)), at.cast(valid, np.float32)


def normalizer(at: Lowered, kind: str, outer: int, inner: int, valid: str | None) -> str:
    """What a loss is divided by, at least 1."""
    fixed = {"FULL": outer * inner, "VALID": outer * inner, "BATCH_SIZE": outer, "NONE": 1}[kind]
    if kind != "VALID" or valid is None:
        return at.constant(f32(max(fixed, 1)))
    return at.emit("Max", _total(at, valid), f32(1))


def _ignored(p: Message) -> int | None:
    return p.integer("ignore_label") if p.has("ignore_label") else None


def mode(p: Message, default: str) -> str:
    """How the loss is normalised; nets of older generations say `normalize`."""
    if not p.has("normalization") and p.has("normalize"):
        return "VALID" if p.flag("normalize") else "BATCH_SIZE"
    return p.enum("normalization", MODES, default)


def _log(at: Lowered, probability: str, least: float) -> str:
    return at.emit("Log", at.emit("Max", probability, f32(least)))


def _masked(at: Lowered, value: str, valid: str | None) -> str:
    return value if valid is None else at.emit("Mul", value, valid)


def softmax_loss(at: Lowered) -> None:
    """Minus the mean logarithm of the softmax at the label."""
    p = at.layer.param("loss_param")
    axis = canonical(at.layer.param("softmax_param").integer("axis", 1), at.layer.bottom())
    probabilities = at.emit("Softmax", at.inputs[0], axis=axis)
    sizes, labels, valid = _labelled(at, axis, _ignored(p))
    chosen = at.emit("GatherElements", at.reshape(probabilities, sizes), labels, axis=1)
    logs = _masked(at, _log(at, chosen, float(np.finfo(np.float32).tiny)), valid)
    divisor = normalizer(at, mode(p, "VALID"), sizes[0], sizes[2], valid)
    _loss_and_probabilities(at, at.emit("Neg", _total(at, logs)), divisor, probabilities)


def _loss_and_probabilities(at: Lowered, total: str, divisor: str, probabilities: str) -> None:
    at.emit("Div", total, divisor, out=at.outputs[0])
    if len(at.outputs) > 1:
        at.emit("Identity", probabilities, out=at.outputs[1])


def infogain_loss(at: Lowered) -> None:
    """As the softmax loss, each class counting as much as the row of the label says.

    The rows are the third bottom, or a file that the text names, which comes as the layer's one blob.
    """
    p = at.layer.param("loss_param")
    axis = canonical(at.layer.param("infogain_loss_param").integer("axis", 1), at.layer.bottom())
    probabilities = at.emit("Softmax", at.inputs[0], axis=axis)
    sizes, labels, valid = _labelled(at, axis, _ignored(p))
    square = (sizes[1], sizes[1])
    if at.blobs and at.blobs[0].size != count(square):
        raise ValueError(f"its matrix has {at.blobs[0].size} numbers, not {sizes[1]} for each of {sizes[1]} classes")
    matrix = at.reshape(at.inputs[2], square) if len(at.inputs) > 2 else at.blob(0, square)
    rows = at.emit("Gather", matrix, at.reshape(labels, (sizes[0], sizes[2])), axis=0)
    weights = at.emit("Transpose", rows, perm=[0, 2, 1])
    logs = _log(at, at.reshape(probabilities, sizes), LOG_THRESHOLD)
    gain = _masked(at, at.emit("Mul", weights, logs), valid)
    divisor = normalizer(at, mode(p, "VALID"), sizes[0], sizes[2], valid)
    _loss_and_probabilities(at, at.emit("Neg", _total(at, gain)), divisor, probabilities)


def multinomial_loss(at: Lowered) -> None:
    """Minus the mean logarithm of the probability at the label."""
    shape = at.layer.bottom()
    rows = at.reshape(at.inputs[0], (shape[0], count(shape[1:])))
    labels = at.reshape(at.cast(at.inputs[1], np.int64), (shape[0], 1))
    logs = _log(at, at.emit("GatherElements", rows, labels, axis=1), LOG_THRESHOLD)
    at.emit("Div", at.emit("Neg", _total(at, logs)), f32(shape[0]), out=at.outputs[0])


def sigmoid_loss(at: Lowered) -> None:
    """Cross entropy of the sigmoid, in the form that cannot overflow."""
    shape, p = at.layer.bottom(), at.layer.param("loss_param")
    value, target = at.inputs[0], at.reshape(at.inputs[1], shape)
    terms, valid = sigmoid_terms(at, value, target), None
    ignored = _ignored(p)
    if ignored is not None:
        same = at.emit("Equal", at.cast(target, np.int64), i64(ignored))
        valid = at.cast(at.emit("Not", same), np.float32)
    divisor = normalizer(at, mode(p, "BATCH_SIZE"), shape[0], count(shape[1:]), valid)
    at.emit("Div", _total(at, _masked(at, terms, valid)), divisor, out=at.outputs[0])


def sigmoid_terms(at: Lowered, value: str, target: str) -> str:
    """Cross entropy of the sigmoid of each number."""
    magnitude = at.emit("Neg", at.emit("Abs", value))
    softplus = at.emit("Log", at.emit("Add", f32(1), at.emit("Exp", magnitude)))
    positive = at.cast(at.emit("GreaterOrEqual", value, f32(0)), np.float32)
    return at.emit("Add", at.emit("Mul", value, at.emit("Sub", positive, target)), softplus)


def euclidean_loss(at: Lowered) -> None:
    """Half the mean squared distance of the items."""
    shape = at.layer.bottom()
    difference = at.emit("Sub", at.inputs[0], at.reshape(at.inputs[1], shape))
    total = _total(at, at.emit("Mul", difference, difference))
    at.emit("Div", at.emit("Div", total, f32(shape[0])), f32(2), out=at.outputs[0])


def hinge_loss(at: Lowered) -> None:
    """How far each wrong class comes too near, or its square."""
    shape = at.layer.bottom()
    rows = at.reshape(at.inputs[0], (shape[0], count(shape[1:])))
    labels = at.reshape(at.cast(at.inputs[1], np.int64), (shape[0],))
    signs = at.emit("OneHot", labels, i64(count(shape[1:])), f32([1, -1]), axis=1)
    margins = at.emit("Relu", at.emit("Add", at.emit("Mul", rows, signs), f32(1)))
    if at.layer.param("hinge_loss_param").enum("norm", ("", "L1", "L2"), "L1") == "L2":
        margins = at.emit("Mul", margins, margins)
    at.emit("Div", _total(at, margins), f32(shape[0]), out=at.outputs[0])


def contrastive_loss(at: Lowered) -> None:
    """Squared distance of like pairs; of unlike ones the square of what they lack to the margin."""
    shape, p = at.layer.bottom(), at.layer.param("contrastive_loss_param")
    pairs = (shape[0], count(shape[1:]))
    difference = at.reshape(at.emit("Sub", at.inputs[0], at.reshape(at.inputs[1], shape)), pairs)
    square = at.emit("ReduceSum", at.emit("Mul", difference, difference), i64([1]), keepdims=0)
    legacy = p.flag("legacy_version")
    distance = square if legacy else at.emit("Sqrt", square)
    lack = at.emit("Relu", at.emit("Sub", f32(p.real("margin", 1.0)), distance))
    unlike = lack if legacy else at.emit("Mul", lack, lack)
    alike = at.cast(at.cast(at.reshape(at.inputs[2], (shape[0],)), np.int64), np.bool_)
    total = _total(at, at.emit("Where", alike, square, unlike))
    at.emit("Div", at.emit("Div", total, f32(shape[0])), f32(2), out=at.outputs[0])


def smooth_l1_loss(at: Lowered) -> None:
    """Half the square of a small difference, a big one less a half; the third bottom weighs the differences."""
    difference = at.emit("Sub", at.inputs[0], at.inputs[1])
    if len(at.inputs) > 2:
        difference = at.emit("Mul", at.inputs[2], difference)
    total = _total(at, smooth_l1_terms(at, difference))
    at.emit("Div", total, f32(at.layer.bottom()[0]), out=at.outputs[0])


def smooth_l1_terms(at: Lowered, difference: str) -> str:
    """What each difference costs."""
    magnitude = at.emit("Abs", difference)
    half = at.emit("Mul", f32(0.5), at.emit("Mul", difference, difference))
    small = at.emit("Less", magnitude, f32(1))
    return at.emit("Where", small, half, at.emit("Sub", magnitude, f32(0.5)))


def accuracy(at: Lowered) -> None:
    """The share of labels that are among the `top_k` best; the second top has the share of each class."""
    p, shape = at.layer.param("accuracy_param"), at.layer.bottom()
    axis = canonical(p.integer("axis", 1), shape)
    sizes, labels, valid = _labelled(at, axis, _ignored(p))
    scores = at.reshape(at.inputs[0], sizes)
    own = at.emit("GatherElements", scores, labels, axis=1)
    better = at.cast(at.emit("GreaterOrEqual", scores, own), np.float32)
    rank = at.emit("ReduceSum", better, i64([1]))
    hit = at.cast(at.emit("LessOrEqual", rank, f32(p.integer("top_k", 1))), np.float32)
    one = at.emit("Expand", f32(1), i64((sizes[0], 1, sizes[2]))) if valid is None else valid
    hit = _masked(at, hit, valid)
    _share(at, _total(at, hit), _total(at, one), at.outputs[0])
    if len(at.outputs) < 2:
        return
    flat = at.reshape(labels, (-1,))
    classes = at.emit("OneHot", flat, i64(sizes[1]), f32([0, 1]), axis=1)
    part, whole = (at.emit("MatMul", at.reshape(x, (-1,)), classes) for x in (hit, one))
    _share(at, part, whole, at.outputs[1])


def _share(at: Lowered, part: str, whole: str, out: str) -> None:
    """`part / whole`, 0 where there is nothing."""
    at.emit("Div", part, at.emit("Max", whole, f32(1)), out=out)
