"""Boxes in the pixels of their images, as SSD's `DetectionEvaluate` compares them when it is told the sizes.

Source: weiliu89/caffe, branch ssd, src/caffe/util/bbox_util.cpp (OutputBBox, ProjectBBox, ScaleBBox, JaccardOverlap).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subcut.compiler.formats.caffe.layer import Message
from subcut.compiler.formats.caffe.lowering.boxes import halves
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64


@dataclass(frozen=True)
class Scaled:
    """Boxes of any shape ... x 4, and what Caffe takes for their areas (...)."""

    corners: str
    area: str


def scaled(at: Lowered, p: Message, corners: str, size: str) -> Scaled:
    """`corners` as parts of what the net saw -> pixels of the image, whose `size` is ... x 2: height, width."""
    resize, wide = p.message("resize_param"), at.emit("Gather", size, i64([1, 0]), axis=-1)
    kind = resize.enum("resize_mode", ("", "WARP", "FIT_SMALL_SIZE", "FIT_LARGE_SIZE_AND_PAD"), "WARP")
    steps = (resize.integer("width_scale"), resize.integer("height_scale"))
    edge = at.emit("Concat", wide, wide, axis=-1)
    if kind == "FIT_SMALL_SIZE" and 0 not in steps:
        inside = at.emit("Min", at.emit("Mul", corners, f32(steps * 2)), edge)
        return _measured(at, at.emit("Max", inside, f32(0)), at.constant(f32(0)))
    if kind == "FIT_LARGE_SIZE_AND_PAD":
        corners = _without_padding(at, resize, corners, size)
    pixels = at.emit("Mul", _clipped(at, corners), edge)
    # Nothing but an image of a single pixel counts as not scaled.
    big = at.emit("Greater", at.emit("ReduceMax", size, i64([-1]), keepdims=0), f32(1))
    return _measured(at, pixels, at.emit("Where", big, f32(1), f32(0)))


def _clipped(at: Lowered, corners: str) -> str:
    return at.emit("Max", at.emit("Min", corners, f32(1)), f32(0))


def _measured(at: Lowered, corners: str, more: str) -> Scaled:
    """The boxes and their areas, a side being `more` than its ends are apart; none where it is the wrong way round."""
    low, high = halves(at, corners)
    side = at.emit("Sub", high, low)
    longer = at.emit("Add", side, at.emit("Unsqueeze", more, i64([-1])))
    upright = at.emit("GreaterOrEqual", at.emit("ReduceMin", side, i64([-1]), keepdims=0), f32(0))
    area = at.emit("ReduceProd", longer, i64([-1]), keepdims=0)
    return Scaled(corners, at.emit("Where", upright, area, f32(0)))


def _without_padding(at: Lowered, resize: Message, corners: str, size: str) -> str:
    """As parts of the image instead of the padded one; a box that lies in the padding alone stays as it is."""
    height, width = resize.integer("height"), resize.integer("width")
    if height < 1 or width < 1:
        raise ValueError("`resize_param` needs `height` and `width`")
    image_height, image_width = at.emit_many("Split", [size], [None, None], axis=-1, num_outputs=2)
    aspect = at.emit("Div", image_width, image_height)
    wide = at.emit("Greater", aspect, f32(width / height))
    above = _padding(at, height, at.emit("Div", f32(width), aspect))
    beside = _padding(at, width, at.emit("Mul", f32(height), aspect))
    first = at.emit("Concat", at.emit("Where", wide, f32(0), beside), at.emit("Where", wide, above, f32(0)), axis=-1)
    last = at.emit("Sub", f32(1), first)
    low, high = halves(at, corners)
    apart = at.emit("Or", at.emit("GreaterOrEqual", low, last), at.emit("LessOrEqual", high, first))
    whole = at.emit("Sub", last, first)
    parts = [at.emit("Div", at.emit("Sub", end, first), whole) for end in (low, high)]
    moved = _clipped(at, at.emit("Concat", *parts, axis=-1))
    return at.emit("Where", _any(at, apart), corners, moved)


def _padding(at: Lowered, whole: int, used: str) -> str:
    """What is not used on either side, as a part of the whole."""
    return at.emit("Div", at.emit("Div", at.emit("Sub", f32(whole), used), f32(2)), f32(whole))


def _any(at: Lowered, flags: str) -> str:
    """Whether one of the last axis is true; the axis stays."""
    return at.cast(at.emit("ReduceMax", at.cast(flags, np.float32), i64([-1])), np.bool_)


def pixel_overlap(at: Lowered, one: Scaled, other: Scaled) -> str:
    """Intersection over union in whole pixels. Boxes that do not meet have, to Caffe, one pixel in common."""
    low, high = halves(at, one.corners)
    other_low, other_high = halves(at, other.corners)
    apart = _any(at, at.emit("Or", at.emit("Greater", other_low, high), at.emit("Less", other_high, low)))
    side = at.emit("Sub", at.emit("Min", high, other_high), at.emit("Max", low, other_low))
    side = at.emit("Add", at.emit("Where", apart, f32(0), side), f32(1))
    inside = at.emit("ReduceProd", side, i64([-1]), keepdims=0)
    union = at.emit("Sub", at.emit("Add", one.area, other.area), inside)
    meets = at.emit("Greater", at.emit("ReduceMin", side, i64([-1]), keepdims=0), f32(0))
    return at.emit("Where", meets, at.emit("Div", inside, union), f32(0))
