"""Sums of long arrays in pieces that fit the cache, bit for bit those that numpy makes of the whole array.

numpy adds pairwise (`pairwise_sum` in its `loops_utils.h.src`): it halves an array, at a multiple of eight, until at
most 128 elements are left. A piece that this halving comes to is summed by numpy itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PIECE = 1 << 14
"""Elements of a piece: a few arrays of them lie in a core's second cache."""
_BUFFER = 8192
"""Elements that numpy converts at a time where it adds in another type; their sums are added one after the other."""
_BUFFERS = 8 * _BUFFER

Array = Any
"""A flat array of numbers. What indexing and arithmetic give depends on the element type, which is not known here."""
Sums = tuple["np.ndarray[Any, Any]", ...]
"""Sums that are made at the same time, in one vector for each element type."""


def pairwise(count: int, piece: Callable[[slice], Sums], start: int = 0) -> Sums:
    """The sums over `count` elements of what `piece` says of each piece of them."""
    if count <= PIECE:
        return piece(slice(start, start + count))
    half = count // 2
    half -= half % 8
    left = pairwise(half, piece, start)
    right = pairwise(count - half, piece, start + half)
    return tuple(a + b for a, b in zip(left, right, strict=True))


def pieces(count: int, size: int = PIECE) -> Iterator[slice]:
    """Pieces where nothing depends on their size."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def double_sum(array: Array, kind: Any) -> Any:
    """What `array.astype(kind).sum(dtype=float64)` is, for a `kind` that is not float64 itself."""
    import numpy as np

    total: Any = np.float64(0)
    for part in pieces(len(array), _BUFFERS):
        total = array[part].astype(kind, copy=False).sum(dtype=np.float64, initial=total)
    return total
