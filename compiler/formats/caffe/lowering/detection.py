"""Lowering of SSD's layers: prior boxes, and the choice among the detections.

Source: weiliu89/caffe, branch ssd, src/caffe/layers/{prior_box,detection_output}_layer.cpp and util/bbox_util.cpp.
"""

from __future__ import annotations

import math

import numpy as np

from subcut.compiler.formats.caffe.layer import Message, legacy
from subcut.compiler.formats.caffe.lowering.boxes import Suppression, code_type, decode, measured, suppress
from subcut.compiler.formats.caffe.lowering.program import Array, Lowered, f32, i64, shaped
from subcut.compiler.formats.caffe.shape_rules_forks import aspect_ratios


def prior_box(at: Lowered) -> None:
    """Boxes around every place, and their variances: they follow from shapes alone."""
    p = at.layer.param("prior_box_param")
    _, _, height, width = legacy(at.layer.bottom())
    image = (p.integer("img_h", p.integer("img_size")), p.integer("img_w", p.integer("img_size")))
    if 0 in image:
        image = legacy(at.layer.bottom(1))[2:]
    step = (p.real("step_h", p.real("step")), p.real("step_w", p.real("step")))
    if 0 in step:
        step = (image[0] / height, image[1] / width)
    boxes = _boxes(_box_sizes(at), height, width, image, step, p.real("offset", 0.5))
    boxes = np.minimum(np.maximum(boxes, 0), 1) if p.flag("clip") else boxes
    variances = p.reals("variance") or [0.1]
    if len(variances) not in (1, 4):
        raise ValueError(f"`variance` is given {len(variances)} times, not 1 or 4")
    spread = np.broadcast_to(f32(variances), (boxes.size // 4, 4))
    priors = np.concatenate([shaped(boxes, (1, 1, -1)), shaped(spread, (1, 1, -1))], axis=1)
    at.emit("Identity", priors, out=at.outputs[0])


def _box_sizes(at: Lowered) -> list[tuple[float, float]]:
    """Width and height of the boxes of one place, in order; sizes are whole numbers to Caffe."""
    p = at.layer.param("prior_box_param")
    big = p.reals("max_size")
    sizes: list[tuple[float, float]] = []
    for i, small in enumerate(int(s) for s in p.reals("min_size")):
        sizes.append((small, small))
        if big:
            middle = math.sqrt(small * int(big[i]))
            sizes.append((middle, middle))
        ratios = [r for r in aspect_ratios(at.layer) if abs(r - 1) >= 1e-6]
        sizes += [(small * math.sqrt(r), small / math.sqrt(r)) for r in ratios]
    return sizes


def _boxes(
    sizes: list[tuple[float, float]],
    height: int,
    width: int,
    image: tuple[int, int],
    step: tuple[float, float],
    offset: float,
) -> Array:
    """Corners (x, y, x, y) as parts of the image: height x width x sizes x 4, in single precision like Caffe's."""
    x = (f32(range(width)) + f32(offset)) * f32(step[1])
    y = (f32(range(height)) + f32(offset)) * f32(step[0])
    centre = np.stack(np.meshgrid(x, y), -1)[:, :, None, :].astype(np.float64)
    half = f32(sizes).astype(np.float64)[None, None] / 2
    corners = np.concatenate([centre - half, centre + half], -1)
    return f32(corners / np.array([image[1], image[0]] * 2))


def detection_output(at: Lowered) -> None:
    """Decode the boxes, suppress those that overlap a better one of their class, keep the best of each image.

    Rows are (image, class, score, x, y, x, y) by image, class and falling score; without any detection one row of -1
    for each image. Where two boxes have one score, Caffe's order among them is that of its sort, and not defined.
    """
    p = at.layer.param("detection_output_param")
    nms = p.message("nms_param")
    adapts = nms.real("eta", 1.0) < 1 and nms.real("nms_threshold", 0.3) > 0.5
    images, classes = at.layer.bottom()[0], p.integer("num_classes")
    labels = [c for c in range(classes) if c != p.integer("background_label_id")]
    priors = legacy(at.layer.bottom(2))[2] // 4
    boxes = _decoded(at, p, images, priors, labels)
    scores = at.reshape(at.inputs[1], (images, priors, classes))
    scores = at.emit("Gather", at.emit("Transpose", scores, perm=[0, 2, 1]), i64(labels), axis=1)
    groups = images * len(labels)
    boxes, scores, kept = _candidates(at, nms, boxes, scores, (groups, priors), adapts)
    chosen = _adaptively(at, p, boxes, scores, (groups, kept)) if adapts else _suppressed(at, p, boxes, scores)
    rows = _rows(at, chosen, boxes, scores, labels)
    keep = p.integer("keep_top_k", -1)
    rows = _best(at, rows, images, keep) if keep >= 0 else rows
    _or_nothing(at, rows, images)


def _decoded(at: Lowered, p: Message, images: int, priors: int, labels: list[int]) -> str:
    """The boxes of each image and class: images x classes x priors x 4."""
    share = p.flag("share_location", True)
    groups = 1 if share else p.integer("num_classes")
    offsets = at.reshape(at.inputs[0], (images, priors, groups, 4))
    offsets = at.emit("Transpose", offsets, perm=[0, 2, 1, 3])
    prior = at.reshape(at.inputs[2], (2, priors, 4))
    boxes, variances = (at.emit("Gather", prior, i64(i), axis=0) for i in (0, 1))
    if not p.flag("variance_encoded_in_target"):
        offsets = at.emit("Mul", offsets, variances)
    decoded = decode(at, code_type(p), boxes, offsets)
    if share:
        return at.emit("Expand", decoded, i64((1, len(labels), 1, 1)))
    return at.emit("Gather", decoded, i64(labels), axis=1)


def _candidates(
    at: Lowered, nms: Message, boxes: str, scores: str, sizes: tuple[int, int], ordered: bool
) -> tuple[str, str, int]:
    """The k best (`top_k`) of each image and class: groups x k x 4 boxes, groups x k scores, and k.

    `ordered` wants them by falling score even where they are all the boxes that there are.
    """
    groups, priors = sizes
    boxes, scores = at.reshape(boxes, (groups, priors, 4)), at.reshape(scores, (groups, priors))
    top_k = nms.integer("top_k", -1)
    top_k = top_k if 0 <= top_k < priors else priors
    if top_k == priors and not ordered:
        return boxes, scores, priors
    best, places = at.emit_many("TopK", [scores, at.constant(i64([top_k]))], [None, None], axis=1)
    where = at.emit("Expand", at.emit("Unsqueeze", places, i64([2])), i64((1, 1, 4)))
    return at.emit("GatherElements", boxes, where, axis=1), best, top_k


def _suppressed(at: Lowered, p: Message, boxes: str, scores: str) -> str:
    """The chosen boxes as rows (group, place), by group and falling score.

    A box whose sides are the wrong way round has no area to Caffe, but would have one to ONNX.
    """
    low, high = at.emit_many("Split", [boxes], [None, None], axis=-1, num_outputs=2)
    upright = at.emit("Concat", low, at.emit("Max", low, high), axis=-1)
    limit = p.message("nms_param").real("nms_threshold", 0.3)
    operands = [upright, at.emit("Unsqueeze", scores, i64([1])), at.constant(i64([np.iinfo(np.int32).max]))]
    operands.append(at.constant(f32([limit])))
    if p.has("confidence_threshold"):
        operands.append(at.constant(f32([p.real("confidence_threshold")])))
    return at.emit("Gather", at.emit("NonMaxSuppression", *operands), i64([0, 2]), axis=1)


def _adaptively(at: Lowered, p: Message, boxes: str, scores: str, sizes: tuple[int, int]) -> str:
    """As `_suppressed`, with a limit that shrinks from box to box; the boxes are by falling score."""
    nms = p.message("nms_param")
    rule = Suppression(nms.real("nms_threshold", 0.3), nms.real("eta", 1.0))
    least = f32(p.real("confidence_threshold", float(np.finfo(np.float32).min)))
    valid = at.cast(at.emit("Greater", scores, least), np.float32)
    kept = suppress(at, measured(at, boxes), valid, sizes, rule)
    return at.emit("Transpose", at.emit("NonZero", kept), perm=[1, 0])


def _rows(at: Lowered, chosen: str, boxes: str, scores: str, labels: list[int]) -> str:
    """The chosen boxes as rows of 7."""
    group = at.emit("Gather", chosen, i64([0]), axis=1)
    score = at.emit("Unsqueeze", at.emit("GatherND", scores, chosen), i64([1]))
    image = at.cast(at.emit("Div", group, i64(len(labels))), np.float32)
    label = at.emit("Gather", f32(labels), at.emit("Mod", group, i64(len(labels))), axis=0)
    return at.emit("Concat", image, label, score, at.emit("GatherND", boxes, chosen), axis=1)


def _best(at: Lowered, rows: str, images: int, keep: int) -> str:
    """The rows of the `keep` best scores of each image, in the order they had."""
    image, score = (at.reshape(at.emit("Gather", rows, i64([i]), axis=1), (-1,)) for i in (0, 2))
    kept: list[str] = []
    for number in range(images):
        own = at.reshape(at.emit("NonZero", at.emit("Equal", image, f32(number))), (-1,))
        count = at.emit("Min", at.emit("Shape", own), i64([keep]))
        _, best = at.emit_many("TopK", [at.emit("Gather", score, own, axis=0), count], [None, None])
        places = at.emit("Gather", own, best, axis=0)
        ordered, _ = at.emit_many("TopK", [places, count], [None, None], largest=0)
        kept.append(ordered)
    return at.emit("Gather", rows, at.emit("Concat", *kept, axis=0), axis=0)


def _or_nothing(at: Lowered, rows: str, images: int) -> None:
    """`rows`, or where there are none a row of -1 for each image; with two axes of 1 in front."""
    nothing = np.full((images, 7), -1, np.float32)
    nothing[:, 0] = range(images)
    both = at.emit("Concat", rows, nothing, axis=0)
    found = at.emit("Slice", at.emit("Shape", rows), i64([0]), i64([1]))
    end = at.emit("Where", at.emit("Equal", found, i64([0])), i64([images]), found)
    at.emit("Unsqueeze", at.emit("Slice", both, i64([0]), end, i64([0])), i64([0, 1]), out=at.outputs[0])
