"""Lowering of the layers that join, split, move, reduce or pick along axes.

Source: BVLC caffe, src/caffe/layers/, the layer of each rule's name; `Permute` from weiliu89/caffe, branch ssd.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.caffe.layer import canonical, count
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64
from subcut.compiler.formats.caffe.shape_rules_basic import axis_of, permute_order, slice_sizes
from subcut.compiler.formats.caffe.shapes import blob_shapes


def concat(at: Lowered) -> None:
    """One after the other along the axis."""
    axis = axis_of(at.layer, "concat_param", "concat_dim")
    at.emit("Concat", *at.inputs, out=at.outputs[0], axis=axis)


def slice_(at: Lowered) -> None:
    """Pieces along the axis."""
    axis, sizes = slice_sizes(at.layer)
    at.emit_many("Split", [at.inputs[0], at.constant(i64(sizes), "sizes")], at.outputs, axis=axis)


def reshape(at: Lowered) -> None:
    """The same numbers in the shape that the shape rule found (Reshape, Flatten)."""
    at.reshape(at.inputs[0], at.top(), at.outputs[0])


def inner_product(at: Lowered) -> None:
    """Rows of the bottom times the weights, plus the bias."""
    p = at.layer.param("inner_product_param")
    shapes = blob_shapes(at.layer)
    transposed = p.flag("transpose")
    operands = [at.blob(i, shape) for i, shape in enumerate(shapes)]
    inputs = shapes[0][0 if transposed else 1]
    rows = at.reshape(at.inputs[0], (-1, inputs))
    plain = len(at.top()) == 2
    out = at.outputs[0] if plain else None
    value = at.emit("Gemm", rows, *operands, out=out, transB=0 if transposed else 1)
    if not plain:
        at.reshape(value, at.top(), at.outputs[0])


def embed(at: Lowered) -> None:
    """The rows of the weights that the bottom counts off, plus the bias."""
    shapes = blob_shapes(at.layer)
    rows = at.blob(0, shapes[0])
    value = at.emit("Gather", rows, at.cast(at.inputs[0], np.int64), axis=0)
    if len(shapes) > 1:
        value = at.emit("Add", value, at.blob(1, shapes[1]))
    at.emit("Identity", value, out=at.outputs[0])


def tile(at: Lowered) -> None:
    """One axis repeated."""
    shape, p = at.layer.bottom(), at.layer.param("tile_param")
    repeats = [1] * len(shape)
    repeats[canonical(p.integer("axis", 1), shape)] = p.integer("tiles")
    at.emit("Tile", at.inputs[0], i64(repeats), out=at.outputs[0])


def permute(at: Lowered) -> None:
    """The axes in another order."""
    at.emit("Transpose", at.inputs[0], out=at.outputs[0], perm=permute_order(at.layer))


REDUCTIONS = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare", "MEAN": "ReduceMean"}


def reduction(at: Lowered) -> None:
    """Sum, sum of magnitudes, sum of squares or mean over all axes from `axis` on, times a coefficient."""
    shape, p = at.layer.bottom(), at.layer.param("reduction_param")
    axis, coefficient = canonical(p.integer("axis"), shape), p.real("coeff", 1.0)
    kind = p.enum("operation", ("", "SUM", "ASUM", "SUMSQ", "MEAN"), "SUM")
    value = at.emit(REDUCTIONS[kind], at.inputs[0], i64(range(axis, len(shape))), keepdims=0)
    value = value if coefficient == 1 else at.emit("Mul", value, f32(coefficient))
    at.emit("Identity", value, out=at.outputs[0])


def argmax(at: Lowered) -> None:
    """The biggest numbers or where they are; of equal ones the later comes first, as Caffe sorts (number, place)."""
    shape, p = at.layer.bottom(), at.layer.param("argmax_param")
    by_axis, values_too = p.has("axis"), p.flag("out_max_val")
    axis = canonical(p.integer("axis"), shape) if by_axis else 1
    size = shape[axis] if by_axis else count(shape[1:])
    value = at.inputs[0] if by_axis else at.reshape(at.inputs[0], (shape[0], size))
    backwards = at.emit("Slice", value, i64([size - 1]), i64([-size - 1]), i64([axis]), i64([-1]))
    top_k = i64([p.integer("top_k", 1)])
    biggest, places = at.emit_many("TopK", [backwards, at.constant(top_k)], [None, None], axis=axis)
    where = at.cast(at.emit("Sub", i64(size - 1), places), np.float32)
    if by_axis:
        at.emit("Identity", biggest if values_too else where, out=at.outputs[0])
        return
    both = at.emit("Concat", where, biggest, axis=1) if values_too else where
    at.reshape(both, at.top(), at.outputs[0])


def filter_(at: Lowered) -> None:
    """The items of each bottom whose selector, in the last bottom, is not 0."""
    selector = at.reshape(at.inputs[-1], (-1,))
    chosen = at.reshape(at.emit("NonZero", selector), (-1,))
    for value, out in zip(at.inputs, at.outputs, strict=False):
        at.emit("Gather", value, chosen, out=out, axis=0)


def batch_reindex(at: Lowered) -> None:
    """The items that the second bottom counts off."""
    at.emit("Gather", at.inputs[0], at.cast(at.inputs[1], np.int64), out=at.outputs[0], axis=0)


def parameter(at: Lowered) -> None:
    """What the layer stores."""
    at.emit("Identity", at.blob(0, blob_shapes(at.layer)[0]), out=at.outputs[0])
