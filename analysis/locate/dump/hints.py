"""What kind of wrong a tensor is: the patterns that tell an engineer where to look."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LARGEST = 65504.0
"""Of 16-bit floats."""
MOST = 1 << 22
"""Elements of a tensor that patterns are looked for in; of a larger one, the first."""
_NEAR = 0.05
"""The part of an error that a pattern may leave unexplained."""


def hint(got: Array, right: Array) -> str:
    """The pattern that explains the difference of two real tensors of one shape; empty where none does."""
    import numpy as np

    if got.dtype.kind not in "fiu" or not got.size:
        return ""
    with np.errstate(all="ignore"):
        return _not_finite(got, right) or _pattern(got.astype(np.float64), right.astype(np.float64))


def _not_finite(got: Array, right: Array) -> str:
    import numpy as np

    for what, test in (("not a number (NaN)", np.isnan), ("infinite", np.isinf)):
        odd = test(got) & ~test(right)
        if odd.any():
            return f"{int(odd.sum())} of {got.size} numbers are {what}"
    beyond = (np.abs(got) >= LARGEST) & (np.abs(right) < np.inf)
    if beyond.any() and not (np.abs(right[beyond]) <= LARGEST * 0.99).any():
        return f"overflow: {int(beyond.sum())} of {got.size} numbers are at the largest of float16"
    if beyond.any():
        return (
            f"saturated: {int(beyond.sum())} of {got.size} numbers are at the largest of float16, and are not so large"
        )
    return ""


def _pattern(got: Array, right: Array) -> str:
    import numpy as np

    finite = np.isfinite(right) & np.isfinite(got)
    if not finite.all():
        got, right = np.where(finite, got, 0), np.where(finite, right, 0)
    apart = float(np.linalg.norm(got - right))
    if not apart:
        return ""
    if not got.any():
        return "zero throughout"
    return _scaled(got, right, apart) or _one_place(got, right, apart) or _moved(got, right, apart)


def _scaled(got: Array, right: Array, apart: float) -> str:
    """Multiplied, or shifted, by one number."""
    import numpy as np

    size = float(np.sum(right * right))
    factor = float(np.sum(got * right)) / size if size else 0.0
    if factor and float(np.linalg.norm(got - factor * right)) < _NEAR * apart:
        return "the sign is turned" if abs(factor + 1) < 1e-3 else f"every number is {factor:.4g} times what is right"
    shift = float(np.mean(got - right))
    if got.size > 1 and float(np.linalg.norm(got - right - shift)) < _NEAR * apart:
        return f"every number is {shift:+.4g} off"
    return ""


def _one_place(got: Array, right: Array, apart: float) -> str:
    """Wrong in one place along an axis, or in a few elements."""
    import numpy as np

    power = (got - right) ** 2
    for axis in range(power.ndim):
        if power.shape[axis] > 2:
            along = power.sum(axis=tuple(i for i in range(power.ndim) if i != axis))
            if along.max() > (1 - _NEAR**2) * apart**2:
                return f"only place {int(along.argmax())} of {power.shape[axis]} along axis {axis} is wrong"
    worst = np.sort(np.ravel(power))[::-1]
    few = max(power.size // 100, 1)
    if power.size > few and worst[:few].sum() > (1 - _NEAR**2) * apart**2:
        count = int(np.searchsorted(np.cumsum(worst), (1 - _NEAR**2) * apart**2)) + 1
        return f"only {count} of {power.size} numbers are wrong"
    return ""


def _moved(got: Array, right: Array, apart: float) -> str:
    """The same numbers in other places."""
    import numpy as np

    if 1 < right.ndim <= 4:
        flat = np.ravel(got)
        for axes in permutations(range(right.ndim)):
            if (
                axes != tuple(range(right.ndim))
                and float(np.linalg.norm(np.ravel(np.transpose(right, axes)) - flat)) < _NEAR * apart
            ):
                return f"the same numbers with axes in the order {', '.join(map(str, axes))}: another layout"
    one, other = np.sort(np.ravel(got)[:MOST]), np.sort(np.ravel(right)[:MOST])
    if got.size > 3 and float(np.linalg.norm(one - other)) < _NEAR * apart:
        return "the same numbers in another order"
    return ""
