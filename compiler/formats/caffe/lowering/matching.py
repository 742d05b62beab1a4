"""Lowering of SSD's matching of predicted boxes with labelled ones.

Source: weiliu89/caffe, branch ssd, src/caffe/util/bbox_util.cpp (MatchBBox, FindMatches). Every labelled box belongs to
one image, so that what is matched is a table of labelled by predicted boxes of their images: boxes x priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subcut.compiler.formats.caffe.layer import Message
from subcut.compiler.formats.caffe.lowering.boxes import apart, code_type, decode, measured, overlap
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64
from subcut.compiler.formats.caffe.lowering.truth import Truth

LEAST = 1e-6
"""An overlap up to this is none."""


@dataclass(frozen=True)
class Task:
    """What a `MultiBoxLoss` is given, in the forms that its parts read."""

    p: Message
    images: int
    priors: int
    classes: int
    background: int
    prior: str
    """priors x 4."""
    variance: str
    """priors x 4."""
    location: str
    """(images x classes, or images where they share locations) x priors x 4."""
    confidence: str
    """images x priors x classes."""
    truth: Truth
    own: str
    """The row of `location` that goes with a labelled box."""
    usable: str
    """Whether there are locations for the class of a labelled box (bool)."""

    @property
    def shared(self) -> bool:
        """Whether all classes share the locations."""
        return self.p.flag("share_location", True)

    @property
    def by_prior(self) -> bool:
        """Whether the prior boxes are matched, not the predicted ones."""
        return self.p.flag("use_prior_for_matching", True)


@dataclass(frozen=True)
class Matches:
    """Which boxes were matched; all are boxes x priors."""

    matched: str
    """1 or 0."""
    overlaps: str
    """-1 where there is none, or none that counts."""


def predicted(at: Lowered, task: Task, location: str) -> str:
    """The boxes that `location` (... x priors x 4) means."""
    if not task.p.flag("encode_variance_in_target"):
        location = at.emit("Mul", location, task.variance)
    return decode(at, code_type(task.p), task.prior, location)


def candidates(at: Lowered, task: Task) -> str:
    """The boxes that are matched with the labelled ones: boxes x priors x 4, or 1 x priors x 4."""
    if task.by_prior:
        return at.reshape(task.prior, (1, task.priors, 4))
    return predicted(at, task, at.emit("Gather", task.location, task.own, axis=0))


def crossing(at: Lowered, corners: str) -> str:
    """Whether a corner of a box lies outside the image (bool)."""
    outside = at.emit("Or", at.emit("Less", corners, f32(0)), at.emit("Greater", corners, f32(1)))
    most = at.emit("ReduceMax", at.cast(outside, np.float32), i64([-1]), keepdims=0)
    return at.cast(most, np.bool_)


def matches(at: Lowered, task: Task) -> Matches:
    """Each labelled box gets the box that overlaps it most; then each box left the labelled one it overlaps most."""
    same = _fellows(at, task)
    overlaps = _overlaps(at, task)
    matched = _mutual(at, overlaps, same, task.priors)
    if task.p.enum("match_type", ("BIPARTITE", "PER_PREDICTION"), "PER_PREDICTION") == "PER_PREDICTION":
        matched = at.emit("Max", matched, _further(at, task, overlaps, same, matched))
    if not task.shared:
        matched = at.emit("Mul", matched, at.emit("Unsqueeze", at.cast(task.usable, np.float32), i64([1])))
    return Matches(matched, overlaps)


def _fellows(at: Lowered, task: Task) -> str:
    """Whether two labelled boxes compete for one predicted box: boxes x boxes (float)."""
    key = task.truth.image if task.shared or task.by_prior else task.own
    same = at.emit("Equal", at.emit("Unsqueeze", key, i64([1])), key)
    return at.cast(same, np.float32)


def _overlaps(at: Lowered, task: Task) -> str:
    boxes, valid = candidates(at, task), task.truth.valid
    if not (task.shared or task.by_prior):
        valid = at.emit("And", valid, task.usable)
    value = overlap(at, apart(at, measured(at, task.truth.corners)), measured(at, boxes))
    counts = at.emit("And", at.emit("Greater", value, f32(LEAST)), at.emit("Unsqueeze", valid, i64([1])))
    if task.p.flag("ignore_cross_boundary_bbox"):
        counts = at.emit("And", counts, at.emit("Not", crossing(at, boxes)))
    return at.emit("Where", counts, value, f32(-1))


def _mutual(at: Lowered, overlaps: str, same: str, priors: int) -> str:
    """Pair after pair, by falling overlap, of what is free: as many steps as there are labelled boxes."""
    body = at.inside(at.program.body())
    free, matched, step = (body.program.fresh(f"{at.name}/{name}") for name in ("free", "matched", "step"))
    body.program.inputs = dict.fromkeys([free, matched, step])
    most = body.emit("ReduceMax", free, i64([0]), keepdims=0)
    place = body.emit("ArgMax", most, axis=0)
    column = body.emit("Gather", free, place, axis=1)
    number = body.reshape(body.emit("ArgMax", column, axis=0), (1,))
    rows = body.emit("Range", i64(0), body.reshape(body.emit("Shape", column, end=1), ()), i64(1))
    row = body.emit("Equal", body.emit("Unsqueeze", rows, i64([1])), number)
    taken = body.emit("Equal", i64([range(priors)]), place)
    meets = body.emit("Greater", body.emit("Gather", most, place), f32(0))
    pair = body.emit("And", body.emit("And", row, taken), meets)
    fellow = body.cast(body.emit("Gather", same, number, axis=1), np.bool_)
    gone = body.emit("Or", row, body.emit("And", fellow, taken))
    results = [body.emit("Where", gone, f32(-1), free), body.emit("Max", matched, body.cast(pair, np.float32))]
    body.program.outputs = dict.fromkeys(results, (None, priors))
    nothing = at.emit("Mul", overlaps, f32(0))
    return at.emit_many("Scan", [overlaps, nothing, same], [None, None], num_scan_inputs=1, body=body.program)[1]


def _further(at: Lowered, task: Task, overlaps: str, same: str, matched: str) -> str:
    """1 where a predicted box without a match overlaps a labelled one enough, and no other of its image more."""
    taken = at.emit("Greater", at.emit("MatMul", same, matched), f32(0))
    enough = at.emit("GreaterOrEqual", overlaps, f32(task.p.real("overlap_threshold", 0.5)))
    may = at.emit("And", at.emit("And", enough, at.emit("Greater", overlaps, f32(0))), at.emit("Not", taken))
    body = at.inside(at.program.body())
    names = ["beaten", "rival", "fellow", "number"]
    beaten, rival, fellow, number = (body.program.fresh(f"{at.name}/{name}") for name in names)
    body.program.inputs = dict.fromkeys([beaten, rival, fellow, number])
    later = body.emit("Less", number, body.emit("Unsqueeze", _numbers(at, same), i64([1])))
    level = body.emit("And", body.emit("Equal", rival, overlaps), later)
    better = body.emit("Or", body.emit("Greater", rival, overlaps), level)
    worse = body.emit("Mul", body.cast(better, np.float32), body.emit("Unsqueeze", fellow, i64([1])))
    body.program.outputs = {body.emit("Max", beaten, worse): (None, task.priors)}
    operands = [at.emit("Mul", overlaps, f32(0)), overlaps, same, _numbers(at, same)]
    lost = at.emit_many("Scan", operands, [None], num_scan_inputs=3, body=body.program)[0]
    return at.cast(at.emit("And", may, at.emit("Not", at.cast(lost, np.bool_))), np.float32)


def _numbers(at: Lowered, rows: str) -> str:
    """0, 1, 2 … for the rows (float)."""
    size = at.cast(at.reshape(at.emit("Shape", rows, end=1), ()), np.float32)
    return at.emit("Range", f32(0), size, f32(1))
