"""Lowering of Faster R-CNN's `Proposal`: anchors moved by what the net says, the best of them that overlap little.

Source: openvinotoolkit/training_toolbox_caffe, branch person_reid, src/caffe/layers/proposal_layer.cpp and
util/nms.cpp, which PVANet's fork shares; its anchors are those of py-faster-rcnn, lib/rpn/generate_anchors.py. Forks
that compute something else have other parameters.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.caffe.layer import Message, count
from subcut.compiler.formats.caffe.lowering.boxes import Suppression, halves, measured, suppress
from subcut.compiler.formats.caffe.lowering.program import Array, Lowered, f32, i64, shaped

PARAMETERS = {
    *("feat_stride", "base_size", "min_size", "ratio", "scale"),
    *("pre_nms_topn", "post_nms_topn", "nms_thresh"),
}


def proposal(at: Lowered) -> None:
    """Regions (0, x, y, x, y) in pixels by falling score; the second top has the scores.

    A box that is smaller than `min_size` stays with a score of 0. Where two boxes have one score, the order among them
    is not defined by Caffe.
    """
    p = at.layer.param("proposal_param")
    foreign = sorted(p.fields.keys() - PARAMETERS)
    if foreign:
        raise ValueError(f"`{foreign[0]}` belongs to a Proposal whose arithmetic subcut does not know")
    number = _sizes(at, p)
    boxes, big = _moved(at, p)
    scores = at.emit("Transpose", at.emit("Slice", *_scores(at)), perm=[0, 2, 3, 1])
    scores = at.emit("Mul", at.reshape(scores, (1, number)), at.reshape(big, (1, number)))
    first = min(p.integer("pre_nms_topn", 6000), number)
    best, places = at.emit_many("TopK", [scores, at.constant(i64([first]))], [None, None], axis=1)
    boxes = at.emit("Gather", boxes, places, axis=0)
    rule = Suppression(p.real("nms_thresh", 0.7), most=p.integer("post_nms_topn", 300))
    everything = np.ones((1, first), np.float32)
    kept = suppress(at, measured(at, boxes, 1), at.constant(everything), (1, first), rule)
    chosen = at.emit("Transpose", at.emit("NonZero", kept), perm=[1, 0])
    image = at.cast(at.emit("Gather", chosen, i64([0]), axis=1), np.float32)
    at.emit("Concat", image, at.emit("GatherND", boxes, chosen), out=at.outputs[0], axis=1)
    if len(at.outputs) > 1:
        at.emit("GatherND", best, chosen, out=at.outputs[1])


def _sizes(at: Lowered, p: Message) -> int:
    """How many boxes there are, the bottoms checked."""
    images, channels, height, width = at.layer.image()
    anchors = len(p.reals("ratio")) * len(p.reals("scale"))
    if not anchors:
        raise ValueError("`ratio` and `scale` must be given")
    if images != 1:
        raise ValueError(f"takes one image at a time, not {images}")
    if channels != 2 * anchors or at.layer.image(1) != (1, 4 * anchors, height, width):
        raise ValueError(f"{anchors} anchors need bottoms of {2 * anchors} and {4 * anchors} channels of one size")
    if count(at.layer.bottom(2)) < 3:
        raise ValueError("needs a third bottom of height, width and scale")
    if p.integer("pre_nms_topn", 6000) < 1 or p.integer("post_nms_topn", 300) < 1:
        raise ValueError("`pre_nms_topn` and `post_nms_topn` must be positive")
    return anchors * height * width


def _scores(at: Lowered) -> list[str | Array]:
    """What Slice reads to take the scores of being an object, behind those of being none."""
    channels = at.layer.image()[1]
    return [at.inputs[0], i64([channels // 2]), i64([channels]), i64([1])]


def _moved(at: Lowered, p: Message) -> tuple[str, str]:
    """The anchors where the second bottom moves them to, clipped to the image (n x 4); 1 for those that are big (n).

    `im_info` is height, width and one scale, or one of heights and one of widths.
    """
    _, channels, height, width = at.layer.image(1)
    moves = at.reshape(at.inputs[1], (channels // 4, 4, height, width))
    moves = at.reshape(at.emit("Transpose", moves, perm=[2, 3, 0, 1]), (-1, 4))
    anchors = _shifted(_anchors(p), height, width, p.integer("feat_stride", 16))
    size = anchors[:, 2:] - anchors[:, :2] + f32(1)
    centre = anchors[:, :2] + f32(0.5) * size
    move, grow = halves(at, moves)
    centre_to = at.emit("Add", at.emit("Mul", move, size), centre)
    half = at.emit("Mul", f32(0.5), at.emit("Mul", at.emit("Exp", grow), size))
    info = at.reshape(at.inputs[2], (-1,))
    edge = at.emit("Sub", at.emit("Gather", info, i64([1, 0]), axis=0), f32(1))
    ends = [at.emit(side, centre_to, half) for side in ("Sub", "Add")]
    low, high = (at.emit("Max", at.emit("Min", end, edge), f32(0)) for end in ends)
    scale = at.emit("Gather", info, i64([3, 2] if count(at.layer.bottom(2)) > 3 else [2, 2]), axis=0)
    least = at.emit("Mul", scale, f32(p.integer("min_size", 16)))
    side = at.emit("Add", at.emit("Sub", high, low), f32(1))
    big = at.cast(at.emit("GreaterOrEqual", side, least), np.float32)
    return at.emit("Concat", low, high, axis=1), at.emit("ReduceMin", big, i64([1]), keepdims=0)


def _anchors(p: Message) -> Array:
    """The boxes of one place, for every ratio every scale: in single precision, like Caffe's."""
    base = p.integer("base_size", 16)
    half, ratios = f32(0.5), f32(p.reals("ratio"))
    wide = np.floor(np.sqrt(f32(base * base) / ratios) + half)
    high = np.floor(wide * ratios + half)
    sides = np.stack([wide, high], -1)[:, None, :] * f32(p.reals("scale"))[None, :, None]
    reach = shaped(half * (sides - f32(1)), (-1, 2))
    centre = f32((base - 1) / 2)
    return np.concatenate([centre - reach, centre + reach], axis=1)


def _shifted(anchors: Array, height: int, width: int, stride: int) -> Array:
    """The anchors at every place, row by row: n x 4."""
    x, y = np.meshgrid(f32(range(width)) * f32(stride), f32(range(height)) * f32(stride))
    return shaped(np.stack([x, y, x, y], -1)[:, :, None, :] + anchors, (-1, 4))
