"""Labelled boxes as SSD's layers read them: rows (image, label, instance, x, y, x, y, difficult).

Source: weiliu89/caffe, branch ssd, src/caffe/util/bbox_util.cpp (GetGroundTruth, in its two forms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64


@dataclass(frozen=True)
class Truth:
    """The rows by column; there is at least one, if only one that is not valid."""

    image: str
    label: str
    corners: str
    """Rows x 4."""
    valid: str
    """Whether a row is a box at all (bool)."""
    difficult: str
    """Whether it is marked as difficult (bool)."""


def read_truth(at: Lowered, value: str, ends: bool) -> Truth:
    """The rows of `value`; a row of image -1 is none, and the last where `ends`."""
    nothing = np.full((1, 8), -1, np.float32)
    rows = at.emit("Concat", at.reshape(value, (-1, 8)), nothing, axis=0)
    image, label, difficult = (at.reshape(at.emit("Gather", rows, i64([i]), axis=1), (-1,)) for i in (0, 1, 7))
    image = at.cast(image, np.int64)
    missing = at.emit("Equal", image, i64(-1))
    if ends:
        missing = at.cast(at.emit("CumSum", at.cast(missing, np.float32), i64(0)), np.bool_)
    corners = at.emit("Gather", rows, i64([3, 4, 5, 6]), axis=1)
    hard = at.emit("Not", at.emit("Equal", difficult, f32(0)))
    return Truth(image, at.cast(label, np.int64), corners, at.emit("Not", missing), hard)
