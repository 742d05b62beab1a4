"""Lowering of SSD's `DetectionEvaluate`: which detections are true, by the labelled boxes.

Source: weiliu89/caffe, branch ssd, src/caffe/layers/detection_evaluate_layer.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subcut.compiler.formats.caffe.layer import Message
from subcut.compiler.formats.caffe.lowering.boxes import apart, measured, overlap
from subcut.compiler.formats.caffe.lowering.pixels import pixel_overlap, scaled
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64, shaped
from subcut.compiler.formats.caffe.lowering.truth import Truth, read_truth


@dataclass(frozen=True)
class Found:
    """The detections by column."""

    image: str
    label: str
    score: str
    corners: str


def detection_evaluate(at: Lowered) -> None:
    """For each class a row (-1, class, number of boxes, -1, -1), for each detection (image, class, score, true, false).

    Detections are by image and class, and by falling score where the image has boxes of the class; where two have one
    score, the order among them is not defined by Caffe. One that meets a difficult box may be neither true nor false.
    """
    p = at.layer.param("detection_evaluate_param")
    if p.real("overlap_threshold", 0.5) <= 0:
        raise ValueError("`overlap_threshold` must be positive")
    truth = read_truth(at, at.inputs[1], ends=True)
    labels = [c for c in range(p.integer("num_classes")) if c != p.integer("background_label_id")]
    rows = at.reshape(at.inputs[0], (-1, 7))
    named = at.emit("Not", at.emit("Equal", _column(at, rows, 1), f32(-1)))
    placed = at.emit("Not", at.emit("Equal", at.cast(_column(at, rows, 0), np.int64), i64(-1)))
    found = _ordered(at, _of_rows(at, rows, at.emit("And", named, placed)), truth)
    overlaps = _in_pixels(at, p, rows, found, truth) if at.blobs else _in_parts(at, found, truth)
    # Caffe makes room for detections without an image, and fills in nothing.
    nowhere = at.emit("NonZero", at.emit("And", named, at.emit("Not", placed)))
    room = at.emit("Concat", at.emit("Shape", nowhere, start=1), i64([5]), axis=0)
    parts = [_counts(at, p, truth, labels), _judged(at, p, found, truth, overlaps), at.emit("Expand", f32(0), room)]
    at.emit("Unsqueeze", at.emit("Concat", *parts, axis=0), i64([0, 1]), out=at.outputs[0])


def _column(at: Lowered, rows: str, index: int) -> str:
    return at.emit("Gather", rows, i64(index), axis=1)


def _of_rows(at: Lowered, rows: str, kept: str) -> Found:
    """The rows that are kept, and one of image -1, which is first of all when they are sorted: never are there none."""
    rows = at.emit("Gather", rows, at.reshape(at.emit("NonZero", kept), (-1,)), axis=0)
    rows = at.emit("Concat", rows, np.full((1, 7), -1, np.float32), axis=0)
    image, label = (at.cast(_column(at, rows, i), np.int64) for i in (0, 1))
    return Found(image, label, _column(at, rows, 2), at.emit("Gather", rows, i64([3, 4, 5, 6]), axis=1))


def _alike(at: Lowered, found: Found, truth: Truth) -> str:
    """Whether a box is one of the image and class of a detection: detections x boxes."""
    pairs = ((found.image, truth.image), (found.label, truth.label))
    same = [at.emit("Equal", at.emit("Unsqueeze", mine, i64([1])), theirs) for mine, theirs in pairs]
    return at.emit("And", at.emit("And", *same), truth.valid)


def _ordered(at: Lowered, found: Found, truth: Truth) -> Found:
    """The detections by image, class and falling score; TopK keeps the order of equals."""
    meets = at.emit("ReduceMax", at.cast(_alike(at, found, truth), np.float32), i64([1]), keepdims=0)
    found = _sorted(at, found, at.emit("Mul", meets, found.score), 1)
    found = _sorted(at, found, found.label, 0)
    return _sorted(at, found, found.image, 0)


def _sorted(at: Lowered, found: Found, key: str, largest: int) -> Found:
    _, places = at.emit_many("TopK", [key, at.emit("Shape", key)], [None, None], largest=largest)
    columns = (found.image, found.label, found.score, found.corners)
    return Found(*(at.emit("Gather", column, places, axis=0) for column in columns))


def _counts(at: Lowered, p: Message, truth: Truth, labels: list[int]) -> str:
    """How many boxes each class has."""
    counted = truth.valid
    if not p.flag("evaluate_difficult_gt", True):
        counted = at.emit("And", counted, at.emit("Not", truth.difficult))
    of_class = at.emit("Equal", at.emit("Unsqueeze", truth.label, i64([1])), i64([labels]))
    mine = at.cast(at.emit("And", of_class, at.emit("Unsqueeze", counted, i64([1]))), np.float32)
    number = at.emit("Unsqueeze", at.emit("ReduceSum", mine, i64([0]), keepdims=0), i64([1]))
    head = shaped(f32([[-1, label] for label in labels]), (-1, 2))
    return at.emit("Concat", head, number, np.full((len(labels), 2), -1, np.float32), axis=1)


def _in_parts(at: Lowered, found: Found, truth: Truth) -> str:
    """The overlaps of detections and boxes (detections x boxes) as parts of the image."""
    return overlap(at, apart(at, measured(at, found.corners)), measured(at, truth.corners))


def _in_pixels(at: Lowered, p: Message, rows: str, found: Found, truth: Truth) -> str:
    """The overlaps in pixels: the images that have detections take the sizes one after the other, from the first on."""
    images = at.cast(_column(at, rows, 0), np.int64)
    placed = at.emit("Not", at.emit("Equal", images, i64(-1)))
    numbers = at.emit("Concat", at.emit("Compress", images, placed, axis=0), i64([-1]), axis=0)
    known = at.emit("Unique", numbers, sorted=1)
    earlier = at.emit("Less", known, at.emit("Unsqueeze", found.image, i64([1])))
    rank = at.emit("ReduceSum", at.cast(earlier, np.int64), i64([1]), keepdims=0)
    rank, sizes = at.emit("Sub", rank, i64(1)), at.blobs[0]
    size = at.emit("Gather", sizes, at.emit("Mod", rank, i64(len(sizes))), axis=0)
    size = at.emit("Unsqueeze", size, i64([1]))
    mine = scaled(at, p, at.emit("Unsqueeze", found.corners, i64([1])), size)
    return pixel_overlap(at, mine, scaled(at, p, truth.corners, size))


def _judged(at: Lowered, p: Message, found: Found, truth: Truth, overlaps: str) -> str:
    """The rows of the detections: of those that meet a box first comes, first served."""
    overlaps = at.emit("Where", _alike(at, found, truth), overlaps, f32(-1))
    best = at.emit("ArgMax", overlaps, axis=1, keepdims=0)
    enough = f32(p.real("overlap_threshold", 0.5))
    hit = at.emit("GreaterOrEqual", at.emit("ReduceMax", overlaps, i64([1]), keepdims=0), enough)
    counted = hit
    if not p.flag("evaluate_difficult_gt", True):
        difficult = at.emit("Gather", truth.difficult, best, axis=0)
        counted = at.emit("And", hit, at.emit("Not", difficult))
    number = at.emit("Range", i64(0), at.reshape(at.emit("Shape", best), ()), i64(1))
    never = i64(np.iinfo(np.int64).max)
    claims = at.emit("Where", counted, number, never)
    nobody = at.emit("Expand", never, at.emit("Shape", truth.image))
    first = at.emit("ScatterElements", nobody, best, claims, axis=0, reduction="min")
    true = at.emit("And", counted, at.emit("Equal", at.emit("Gather", first, best, axis=0), number))
    false = at.emit("And", at.emit("Not", true), at.emit("Or", at.emit("Not", hit), counted))
    columns = [found.image, found.label, found.score, true, false]
    rows = at.emit("Concat", *(at.emit("Unsqueeze", at.cast(c, np.float32), i64([1])) for c in columns), axis=1)
    return at.emit("Slice", rows, i64([1]), i64([np.iinfo(np.int64).max]), i64([0]))
