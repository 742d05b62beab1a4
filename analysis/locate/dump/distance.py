"""How far a device's tensor is from the right one, whatever its size: in one number for all, and for the worst."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from subcut.analysis.sums import pieces

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_PIECE = 1 << 18
"""Elements that are held in 64 bits at a time."""


@dataclass(frozen=True)
class Distance:
    """Of two tensors; infinite where one has numbers that are none and the other has not."""

    euclidean: float
    """The relative Euclidean distance, |got - right| / |right|."""
    largest: float
    """The largest difference, over the largest magnitude of what is right."""

    @property
    def is_finite(self) -> bool:
        """Whether both tensors have their NaNs and infinities in the same places."""
        return math.isfinite(self.euclidean)

    def beyond(self, limit: Distance) -> bool:
        """Whether either number is beyond that of `limit`."""
        return self.euclidean > limit.euclidean or self.largest > limit.largest

    def times(self, factor: float, least: float) -> Distance:
        """A limit of `factor` times this distance, and `factor` times `least` at least."""
        return Distance(factor * max(self.euclidean, least), factor * max(self.largest, least))


FAR = Distance(math.inf, math.inf)


def euclidean(found: Distance | None) -> float | None:
    """The one number that most is told by; None where there is none."""
    return None if found is None else found.euclidean


def distance(got: Array, right: Array) -> Distance:
    """How far `got` is from `right`, which has its shape. Memory does not grow with their size."""
    import numpy as np

    kind: Any = np.complex128 if "c" in (got.dtype.kind, right.dtype.kind) else np.float64
    one, other = np.ravel(got), np.ravel(right)
    apart = length = most = highest = 0.0
    for part in pieces(one.size, _PIECE):
        a, b = one[part].astype(kind), other[part].astype(kind)
        finite = np.isfinite(b)
        if not finite.all():
            odd = ~finite
            if not np.array_equal(a[odd], b[odd], equal_nan=True):
                return FAR
            a, b = a[finite], b[finite]
        if not np.isfinite(a).all():
            return FAR
        gap = np.abs(a - b)
        size = np.abs(b)
        apart, length = apart + float(gap @ gap), length + float(size @ size)
        most, highest = max(most, float(gap.max(initial=0.0))), max(highest, float(size.max(initial=0.0)))
    return Distance(_ratio(math.sqrt(apart), math.sqrt(length)), _ratio(most, highest))


def _ratio(gap: float, size: float) -> float:
    return gap / size if size else (math.inf if gap else 0.0)
