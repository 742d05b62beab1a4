"""Lowering of the layers of well-known forks.

Sources: those of the shape rules (shape_rules_forks.py); Reorg as pjreddie/darknet, src/blas.c, computes it.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.caffe.layer import Shape
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64


def interp(at: Lowered) -> None:
    """Bilinear, corners on corners, after cutting off what a negative padding says."""
    _, _, height, width = at.layer.image()
    p = at.layer.param("interp_param")
    begin, end = p.integer("pad_beg"), p.integer("pad_end")
    if begin > 0 or end > 0:
        raise ValueError("`pad_beg` and `pad_end` must not be positive")
    value = at.inputs[0]
    if begin or end:
        stops = i64([height + end, width + end])
        value = at.emit("Slice", value, i64([-begin] * 2), stops, i64([2, 3]))
    sizes = i64([int(d or 0) for d in at.top()])
    corners = "align_corners"
    at.emit(
        "Resize", value, None, None, sizes, out=at.outputs[0], mode="linear", coordinate_transformation_mode=corners
    )


def upsample(at: Lowered) -> None:
    """Each number to the place that the mask (the second bottom) says; without one, repeated."""
    num, channels, height, width = at.layer.image()
    top = [int(d or 0) for d in at.top()]
    if len(at.inputs) > 1:
        flat = (num, channels, -1)
        zeros = np.zeros((num, channels, top[2] * top[3]), np.float32)
        places = at.reshape(at.cast(at.inputs[1], np.int64), flat)
        values = at.emit("ScatterElements", zeros, places, at.reshape(at.inputs[0], flat), axis=2)
        at.reshape(values, top, at.outputs[0])
        return
    scale = (top[2] // height, top[3] // width)
    if (scale[0] * height, scale[1] * width) != (top[2], top[3]):
        raise ValueError("its sizes are no multiples of its bottom's, and it has no mask")
    apart = at.reshape(at.inputs[0], (num, channels, height, 1, width, 1))
    repeated = at.emit("Expand", apart, i64((1, 1, 1, scale[0], 1, scale[1])))
    at.reshape(repeated, top, at.outputs[0])


def shuffle_channel(at: Lowered) -> None:
    """The channels of the groups by turns."""
    num, channels, height, width = at.layer.image()
    group = at.layer.param("shuffle_channel_param").integer("group", 1)
    _shuffle(at, (num, group, channels // group, height, width), [0, 2, 1, 3, 4])


def _shuffle(at: Lowered, shape: Shape, order: list[int]) -> None:
    moved = at.emit("Transpose", at.reshape(at.inputs[0], shape), perm=order)
    at.reshape(moved, at.top(), at.outputs[0])


def axpy(at: Lowered) -> None:
    """The second bottom, scaled by channel, plus the third."""
    num, channels, *_ = at.layer.image(1)
    scaled = at.emit("Mul", at.reshape(at.inputs[0], (num, channels, 1, 1)), at.inputs[1])
    at.emit("Add", scaled, at.inputs[2], out=at.outputs[0])


def reorg(at: Lowered) -> None:
    """Darknet's: the top is read as if the bottom had the wide shape, which it has only when reversed."""
    num, channels, height, width = at.layer.image()
    p = at.layer.param("reorg_param")
    stride = p.integer("stride", 2)
    square = stride * stride
    if p.flag("reverse"):
        shape = (num, stride, stride, channels // square, height, width)
        _shuffle(at, shape, [0, 3, 4, 1, 5, 2])
        return
    if channels % square:
        raise ValueError(f"{channels} channels do not divide into squares of {stride}")
    # Darknet walks the bottom's sizes, as a blob of channels / square and sides times stride.
    _shuffle(at, (num, channels // square, height, stride, width, stride), [0, 3, 5, 1, 2, 4])


def roi_pooling(at: Lowered) -> None:
    """The maximum of each part of each region."""
    p = at.layer.param("roi_pooling_param")
    sizes = [p.integer("pooled_h"), p.integer("pooled_w")]
    regions = at.reshape(at.inputs[1], (-1, 5))
    scale = p.real("spatial_scale", 1.0)
    at.emit("MaxRoiPool", at.inputs[0], regions, out=at.outputs[0], pooled_shape=sizes, spatial_scale=scale)


def psroi_pooling(at: Lowered) -> None:
    """The mean of each part of each region, each part from channels of its own; 0 where a part is empty."""
    num, _, height, width = at.layer.image()
    p = at.layer.param("psroi_pooling_param")
    outputs, group = p.integer("output_dim"), p.integer("group_size")
    regions = at.reshape(at.inputs[1], (-1, 5))
    scale = p.real("spatial_scale")
    image, x1, y1, x2, y2 = at.emit_many("Split", [regions], [None] * 5, axis=1, num_outputs=5)
    inside = [_inside(at, y1, y2, scale, group, height), _inside(at, x1, x2, scale, group, width)]
    own = at.cast(at.emit("Equal", image, f32([range(num)])), np.float32)
    maps = at.reshape(at.inputs[0], (num, outputs, group, group, height, width))
    cells: list[str] = []
    for row in range(group):
        high = at.emit("Gather", inside[0], i64(row), axis=1)
        for column in range(group):
            wide = at.emit("Gather", inside[1], i64(column), axis=1)
            part = at.emit("Gather", at.emit("Gather", maps, i64(row), axis=2), i64(column), axis=2)
            total = at.emit("Einsum", part, wide, high, own, equation="nohw,rw,rh,rn->ro")
            cells.append(_mean(at, total, high, wide))
    at.reshape(at.emit("Concat", *cells, axis=2), at.top(), at.outputs[0])


def _inside(at: Lowered, start: str, stop: str, scale: float, group: int, size: int) -> str:
    """1 where a row or column belongs to a part of a region: regions x parts x size."""
    first = at.emit("Mul", at.rounded(start), f32(scale))
    last = at.emit("Mul", at.emit("Add", at.rounded(stop), f32(1)), f32(scale))
    step = at.emit("Div", at.emit("Max", at.emit("Sub", last, first), f32(0.1)), f32(group))
    bounds = at.emit("Add", at.emit("Mul", step, f32([range(group + 1)])), first)
    low = at.emit("Floor", at.emit("Gather", bounds, i64(range(group)), axis=1))
    high = at.emit("Ceil", at.emit("Gather", bounds, i64(range(1, group + 1)), axis=1))
    places = f32([[range(size)]])
    after = at.emit("GreaterOrEqual", places, at.emit("Unsqueeze", low, i64([2])))
    before = at.emit("Less", places, at.emit("Unsqueeze", high, i64([2])))
    return at.cast(at.emit("And", after, before), np.float32)


def _mean(at: Lowered, total: str, high: str, wide: str) -> str:
    """`total` over the area: regions x outputs x 1."""
    sides = [at.emit("ReduceSum", side, i64([1])) for side in (high, wide)]
    area = at.emit("Max", at.emit("Mul", *sides), f32(1))
    return at.emit("Unsqueeze", at.emit("Div", total, area), i64([2]))
