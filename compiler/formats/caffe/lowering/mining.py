"""Lowering of SSD's choice of hard examples: the unmatched boxes, or all of them, that the net is most wrong about.

Source: weiliu89/caffe, branch ssd, src/caffe/util/bbox_util.cpp (MineHardExamples, ApplyNMS).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subcut.compiler.formats.caffe.lowering.boxes import Suppression, measured, suppress
from subcut.compiler.formats.caffe.lowering.matching import Matches, Task, crossing, predicted
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64

SMALL = 1e-5
"""The least area of a box that suppresses others."""
LOWEST = f32(np.finfo(np.float32).min)


@dataclass(frozen=True)
class Examples:
    """What the loss is taken of; both are images x priors, 1 or 0."""

    positive: str
    negative: str


def by_image(at: Lowered, task: Task, values: str, reduction: str) -> str:
    """Sums or maxima, at least 0, over the labelled boxes of each image: boxes x priors -> images x priors."""
    zeros = np.zeros((task.images, task.priors), np.float32)
    inside = at.emit("Where", task.truth.valid, task.truth.image, i64(0))
    where = at.emit("Expand", at.emit("Unsqueeze", inside, i64([1])), at.emit("Shape", values))
    return at.emit("ScatterElements", zeros, where, values, axis=0, reduction=reduction)


def mine(at: Lowered, task: Task, found: Matches, loss: str) -> Examples:
    """The examples by `mining_type`, which is not NONE; `loss` is images x priors."""
    positive = by_image(at, task, found.matched, "max")
    all_kinds = _mining(task) == "HARD_EXAMPLE"
    free = at.emit("Equal", positive, f32(0))
    if task.p.flag("ignore_cross_boundary_bbox"):
        free = at.emit("And", free, at.emit("Not", crossing(at, _boxes(at, task, task.by_prior))))
    eligible = _labelled(at, task)
    if not all_kinds:
        apart = at.emit("Less", by_image(at, task, found.overlaps, "max"), f32(task.p.real("neg_overlap", 0.5)))
        eligible = at.emit("And", at.emit("And", eligible, free), apart)
    chosen = at.cast(_selected(at, task, eligible, loss, positive), np.bool_)
    negative = at.cast(at.emit("And", chosen, free), np.float32)
    if all_kinds:
        positive = at.emit("Mul", positive, at.cast(chosen, np.float32))
    return Examples(positive, negative)


def _mining(task: Task) -> str:
    return task.p.enum("mining_type", ("NONE", "MAX_NEGATIVE", "HARD_EXAMPLE"), "MAX_NEGATIVE")


def _boxes(at: Lowered, task: Task, prior: bool) -> str:
    """Prior or predicted boxes: (1 or images) x priors x 4."""
    return at.reshape(task.prior, (1, task.priors, 4)) if prior else predicted(at, task, task.location)


def _labelled(at: Lowered, task: Task) -> str:
    """Whether an image has labelled boxes at all: images x priors (bool)."""
    present = at.emit("Equal", i64([[i] for i in range(task.images)]), task.truth.image)
    own = at.cast(at.emit("And", present, task.truth.valid), np.float32)
    some = at.cast(at.emit("ReduceMax", own, i64([1])), np.bool_)
    return at.emit("Expand", some, i64((task.images, task.priors)))


def _selected(at: Lowered, task: Task, eligible: str, loss: str, positive: str) -> str:
    """1 for the boxes of the biggest losses: images x priors."""
    shape = (task.images, task.priors)
    ranked = at.emit("Where", eligible, loss, LOWEST)
    _, order = at.emit_many("TopK", [ranked, at.constant(i64([task.priors]))], [None, None], axis=1)
    may = at.cast(at.emit("GatherElements", eligible, order, axis=1), np.float32)
    nms = task.p.message("nms_param")
    if task.p.has("nms_param") and nms.real("nms_threshold", 0.3) > 0:
        may = _apart(at, task, may, order)
    rank = at.emit("CumSum", may, i64(1), exclusive=1)
    first = at.cast(at.emit("Less", rank, _number(at, task, eligible, positive)), np.float32)
    chosen = at.emit("Mul", may, first)
    return at.emit("ScatterElements", np.zeros(shape, np.float32), order, chosen, axis=1)


def _number(at: Lowered, task: Task, eligible: str, positive: str) -> str:
    """How many boxes of an image are chosen at most: images x 1."""
    if _mining(task) == "HARD_EXAMPLE":
        return at.constant(np.full((task.images, 1), task.p.integer("sample_size", 64), np.float32))
    ratio = f32(task.p.real("neg_pos_ratio", 3.0))
    wanted = at.emit("Floor", at.emit("Mul", at.emit("ReduceSum", positive, i64([1])), ratio))
    return at.emit("Min", wanted, at.emit("ReduceSum", at.cast(eligible, np.float32), i64([1])))


def _apart(at: Lowered, task: Task, may: str, order: str) -> str:
    """Those that may be chosen, without those that overlap a worse one too much. Without `top_k` Caffe takes none."""
    nms, sizes = task.p.message("nms_param"), (task.images, task.priors)
    boxes = at.emit("Expand", _boxes(at, task, task.p.flag("use_prior_for_nms")), i64((*sizes, 4)))
    where = at.emit("Expand", at.emit("Unsqueeze", order, i64([2])), i64((1, 1, 4)))
    ordered = measured(at, at.emit("GatherElements", boxes, where, axis=1))
    valid = at.emit("Mul", may, at.cast(at.emit("Greater", ordered.area, f32(SMALL)), np.float32))
    top_k = nms.integer("top_k")
    if top_k > -1:
        valid = at.emit("Mul", valid, f32([[i < top_k for i in range(task.priors)]]))
    return suppress(at, ordered, valid, sizes, Suppression(nms.real("nms_threshold", 0.3)))
