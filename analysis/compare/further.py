"""What the ten metrics leave out: distance in steps of the number format, noise, mismatches, and where the error sits.

One pass over the numbers; of a tensor nothing is kept that grows with it, but one sum a channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from subcut.analysis.sums import Array, pieces

BINS = 24
"""Bars of a histogram: one for exact equality, the rest a half decade each."""
_LOWEST = -9.0
CELLS = 16
"""Rows and columns of the error map, at most; four times as many columns where there is one row."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for beyond the ten metrics."""

    further: bool = False
    """ULP, SNR, mismatches, counts of what is no number, error by channel."""
    pictures: bool = False
    """Histogram and error map."""
    relative: float = 1e-3
    """Tolerance of a mismatch: `|x - y| > absolute + relative |y|`."""
    absolute: float = 1e-5


@dataclass
class Further:
    """What is found of a pair of tensors."""

    count: int = 0
    max_ulp: int | None = None
    """The largest distance in steps of the coarser of the two formats; None where one is no float."""
    snr: float | None = None
    """Signal to noise in decibels; None where there is no noise or no signal."""
    mismatches: int = 0
    left: dict[str, int] = field(default_factory=dict[str, int])
    """How many numbers are `nan`, `inf`, or at or beyond the largest of float16 (`overflow`)."""
    right: dict[str, int] = field(default_factory=dict[str, int])
    channels: list[float] = field(default_factory=list[float])
    """The mean absolute error of each channel, the second axis."""
    histogram: list[int] = field(default_factory=list[int])
    """How many numbers are how far apart: none, then half decades from 1e-9 up."""
    map: list[list[float]] = field(default_factory=list[list[float]])
    """The largest absolute error in each part of the last two axes."""

    @property
    def mismatch_ratio(self) -> float:
        """The part of the numbers that are not within the tolerance."""
        return self.mismatches / self.count if self.count else 0.0


def look_further(left: Array, right: Array, shape: tuple[int, ...], wanted: Wanted) -> Further | None:
    """What was asked for; None where nothing was, or there is nothing to look at."""
    import numpy as np

    if not (wanted.further or wanted.pictures) or not len(left):
        return None
    with np.errstate(all="ignore"):
        return _Looking(left, right, shape, wanted).made


class _Looking:
    """The pass over two flat arrays."""

    def __init__(self, left: Array, right: Array, shape: tuple[int, ...], wanted: Wanted) -> None:
        import numpy as np

        self.wanted = wanted
        self.made = Further(len(left), left={}, right={})
        self.signal = self.noise = 0.0
        self.largest = -1
        self.step = _coarser(left.dtype, right.dtype)
        self.plane = tuple(shape[-2:]) if len(shape) > 1 and prod(shape) == len(left) else (1, len(left))
        many = (CELLS, CELLS) if self.plane[0] > 1 else (1, 4 * CELLS)
        self.grid = min(self.plane[0], many[0]), min(self.plane[1], many[1])
        self.parts: Any = np.zeros(self.grid[0] * self.grid[1])
        self.bins: Any = np.zeros(BINS, np.int64)
        channels = shape[1] if len(shape) > 1 and prod(shape) == len(left) else 0
        self.channels: Any = np.zeros(channels)
        self.inner = prod(shape[2:])
        for part in pieces(len(left)):
            self._piece(part.start, left[part], right[part])
        self._finish()

    def _piece(self, start: int, left: Array, right: Array) -> None:
        import numpy as np

        x, y = (side.astype(np.float64) for side in (left, right))
        error = np.where(x == y, 0, np.abs(x - y))
        finite = np.isfinite(x) & np.isfinite(y)
        where = np.arange(start, start + len(x))
        if self.wanted.further:
            self._count(x, self.made.left)
            self._count(y, self.made.right)
            close = finite & (error <= self.wanted.absolute + self.wanted.relative * np.abs(y))
            self.made.mismatches += int(np.count_nonzero(~(close | (x == y) | (np.isnan(x) & np.isnan(y)))))
            self.signal += float(np.square(y[finite]).sum())
            self.noise += float(np.square(error[finite]).sum())
            if self.step is not None and finite.any():
                self.largest = max(self.largest, _ulp(x[finite], y[finite], self.step))
            if len(self.channels):
                place = where // self.inner % len(self.channels)
                self.channels += np.bincount(place, error, len(self.channels))
        if self.wanted.pictures:
            known = np.where(np.isnan(error), np.inf, error)
            (high, wide), (rows, columns) = self.plane, self.grid
            place = where // wide % high * rows // high * columns + where % wide * columns // wide
            np.maximum.at(self.parts, place, known)
            self.bins += np.bincount(_bin(known), minlength=BINS)

    def _count(self, numbers: Array, counts: dict[str, int]) -> None:
        import numpy as np

        said = {"nan": np.isnan(numbers), "inf": np.isinf(numbers), "overflow": np.abs(numbers) >= 65504}
        for what, found in said.items():
            counts[what] = counts.get(what, 0) + int(np.count_nonzero(found))

    def _finish(self) -> None:
        import numpy as np

        made = self.made
        if self.wanted.further:
            made.max_ulp = self.largest if self.largest >= 0 else None
            if self.noise > 0 and self.signal > 0:
                made.snr = float(10 * np.log10(self.signal / self.noise))
            each = made.count // len(self.channels) if len(self.channels) else 1
            made.channels = [float(total) for total in self.channels / each]
        if self.wanted.pictures:
            made.map = [[float(error) for error in row] for row in self.parts.reshape(self.grid)]
            made.histogram = [int(count) for count in self.bins]


def _bin(error: Array) -> Array:
    """The bar of each error."""
    import numpy as np

    place: Any = np.floor((np.log10(np.where(error > 0, error, 1)) - _LOWEST) * 2) + 1
    bars: Any = np.minimum(np.maximum(np.nan_to_num(place, posinf=BINS), 1), BINS - 1)
    return np.where(error > 0, bars, 0).astype(np.int64)


def bin_label(bar: int) -> str:
    """What a bar of the histogram counts."""
    if bar == 0:
        return "equal"
    return f"from 1e{_LOWEST + (bar - 1) / 2:g}" if bar > 1 else f"below 1e{_LOWEST + 0.5:g}"


def _coarser(left: Any, right: Any) -> Any:
    """The format with the fewer digits; None where one is none of floats."""
    import numpy as np

    if left.kind != "f" or right.kind != "f":
        return None
    return np.dtype(min((left, right), key=lambda kind: kind.itemsize))


def _ulp(x: Array, y: Array, kind: Any) -> int:
    """The largest number of representable numbers of that format between two, numbers out of its range left out."""
    import numpy as np

    bits = {2: np.int16, 4: np.int32, 8: np.int64}[kind.itemsize]
    places: list[Any] = []
    for numbers in (x, y):
        stored = numbers.astype(kind)
        whole = stored.view(bits).astype(np.int64 if kind.itemsize < 8 else object)
        negative = stored.view(bits) < 0
        magnitude = whole & int(np.iinfo(bits).max)
        places.append(np.where(negative, -magnitude, magnitude))
    within = np.isfinite(x.astype(kind)) & np.isfinite(y.astype(kind))
    apart: Any = np.abs(places[0] - places[1])[within]
    return int(apart.max()) if len(apart) else -1
