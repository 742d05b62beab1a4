"""Boxes as corners (x, y, x, y) on the last axis: their codes by prior boxes, overlaps, and suppression.

Source: weiliu89/caffe, branch ssd, src/caffe/util/bbox_util.cpp (EncodeBBox, DecodeBBox, JaccardOverlap, ApplyNMSFast).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subcut.compiler.formats.caffe.layer import Message
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64


@dataclass(frozen=True)
class Boxes:
    """Boxes in the form that overlaps are taken of: `low` and `high` are ... x 2, `area` is ..."""

    low: str
    high: str
    area: str
    pixels: float = 0
    """What a side is longer than its coordinates say: 1 where both ends of it are pixels of the box."""


def code_type(p: Message) -> str:
    """How boxes are coded by prior boxes."""
    return p.enum("code_type", ("", "CORNER", "CENTER_SIZE", "CORNER_SIZE"), "CORNER")


def halves(at: Lowered, corners: str) -> tuple[str, str]:
    """The low and the high corners."""
    low, high = at.emit_many("Split", [corners], [None, None], axis=-1, num_outputs=2)
    return low, high


def decode(at: Lowered, kind: str, prior: str, code: str) -> str:
    """The boxes that `code` means by the boxes `prior`."""
    if kind == "CORNER":
        return at.emit("Add", prior, code)
    low, high = halves(at, prior)
    size = at.emit("Sub", high, low)
    if kind == "CORNER_SIZE":
        both = at.emit("Concat", size, size, axis=-1)
        return at.emit("Add", prior, at.emit("Mul", code, both))
    centre = at.emit("Div", at.emit("Add", low, high), f32(2))
    move, grow = halves(at, code)
    centre = at.emit("Add", at.emit("Mul", move, size), centre)
    half = at.emit("Div", at.emit("Mul", at.emit("Exp", grow), size), f32(2))
    return at.emit("Concat", at.emit("Sub", centre, half), at.emit("Add", centre, half), axis=-1)


def encode(at: Lowered, kind: str, prior: str, boxes: str) -> str:
    """The code of `boxes` by the boxes `prior`; `decode` undoes it."""
    if kind == "CORNER":
        return at.emit("Sub", boxes, prior)
    low, high = halves(at, prior)
    size = at.emit("Sub", high, low)
    if kind == "CORNER_SIZE":
        both = at.emit("Concat", size, size, axis=-1)
        return at.emit("Div", at.emit("Sub", boxes, prior), both)
    box_low, box_high = halves(at, boxes)
    centre, box_centre = (at.emit("Div", at.emit("Add", *ends), f32(2)) for ends in ((low, high), (box_low, box_high)))
    move = at.emit("Div", at.emit("Sub", box_centre, centre), size)
    grow = at.emit("Log", at.emit("Div", at.emit("Sub", box_high, box_low), size))
    return at.emit("Concat", move, grow, axis=-1)


def measured(at: Lowered, corners: str, pixels: float = 0) -> Boxes:
    """Boxes by their corners; one whose sides are the wrong way round has no area."""
    low, high = halves(at, corners)
    side = at.emit("Sub", high, low)
    upright = at.emit("GreaterOrEqual", at.emit("ReduceMin", side, i64([-1]), keepdims=0), f32(0))
    area = at.emit("ReduceProd", _longer(at, side, pixels), i64([-1]), keepdims=0)
    return Boxes(low, high, at.emit("Where", upright, area, f32(0)), pixels)


def _longer(at: Lowered, side: str, pixels: float) -> str:
    return at.emit("Add", side, f32(pixels)) if pixels else side


def apart(at: Lowered, boxes: Boxes) -> Boxes:
    """The boxes with an axis more behind the first, so that each meets all others."""
    low, high, area = (at.emit("Unsqueeze", part, i64([1])) for part in (boxes.low, boxes.high, boxes.area))
    return Boxes(low, high, area, boxes.pixels)


def overlap(at: Lowered, one: Boxes, other: Boxes) -> str:
    """Intersection over union; 0 where two boxes do not meet."""
    high, low = at.emit("Min", one.high, other.high), at.emit("Max", one.low, other.low)
    side = at.emit("Sub", high, low)
    inside = at.emit("ReduceProd", _longer(at, side, one.pixels), i64([-1]), keepdims=0)
    union = at.emit("Sub", at.emit("Add", one.area, other.area), inside)
    meets = at.emit(
        "GreaterOrEqual" if one.pixels else "Greater", at.emit("ReduceMin", side, i64([-1]), keepdims=0), f32(0)
    )
    return at.emit("Where", meets, at.emit("Div", inside, union), f32(0))


@dataclass(frozen=True)
class Suppression:
    """Which boxes may stay beside better ones."""

    limit: float
    """The overlap that is still allowed."""
    eta: float = 1.0
    """Below 1, what the limit is multiplied by with every box that stays, as long as it is above a half."""
    most: int | None = None
    """How many boxes stay at most."""


def suppress(at: Lowered, boxes: Boxes, valid: str, sizes: tuple[int, int], rule: Suppression) -> str:
    """1 for the boxes that stay, else 0: groups x n, as `sizes` says.

    `boxes` are groups x n, each group by falling score; `valid` (groups x n) is 0 for those that never stay. Box after
    box stays when it overlaps none that stayed by more than the limit of that moment.
    """
    groups, n = sizes
    if n == 0:  # onnxruntime's Scan does not outlive having no steps
        return at.constant(np.zeros(sizes, np.float32))
    body = at.inside(at.program.body())
    names = ["kept", "limit", "low", "high", "area", "valid", "number"]
    kept, limit, low, high, area, may, number = (body.program.fresh(f"{at.name}/{name}") for name in names)
    body.program.inputs = dict.fromkeys([kept, limit, low, high, area, may, number])
    column = i64([1])
    one = apart(body, Boxes(low, high, area, boxes.pixels))
    too_much = body.cast(body.emit("Greater", overlap(body, one, boxes), limit), np.float32)
    beaten = body.emit("ReduceMax", body.emit("Mul", too_much, kept), column)
    stays = body.emit("Mul", body.emit("Unsqueeze", may, column), body.emit("Sub", f32(1), beaten))
    if rule.most is not None:
        free = body.emit("Less", body.emit("ReduceSum", kept, column), f32(rule.most))
        stays = body.emit("Mul", stays, body.cast(free, np.float32))
    here = body.cast(body.emit("Equal", number, f32([range(n)])), np.float32)
    shrinks = body.emit("And", body.cast(stays, np.bool_), body.emit("Greater", limit, f32(0.5)))
    smaller = body.emit("Mul", limit, f32(rule.eta))
    results = [body.emit("Max", kept, body.emit("Mul", stays, here)), body.emit("Where", shrinks, smaller, limit)]
    # onnxruntime before 1.24 wants to be told the shapes that it cannot infer.
    body.program.outputs = dict(zip(results, [(groups, n), (groups, 1)], strict=True))
    start = [np.zeros((groups, n), np.float32), np.full((groups, 1), rule.limit, np.float32)]
    steps = [boxes.low, boxes.high, boxes.area, valid, at.constant(f32(range(n)))]
    operands = [*(at.constant(array, "start") for array in start), *steps]
    axes = [1, 1, 1, 1, 0]
    outs = [None, None]
    return at.emit_many("Scan", operands, outs, num_scan_inputs=5, scan_input_axes=axes, body=body.program)[0]
