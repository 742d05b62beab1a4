"""Equality and distance of what frameworks compute: arrays, and sequences, maps and options of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import numpy as np


def same(left: object, right: object) -> bool:
    """Whether two results are equal bit by bit, the bits of NaNs included."""
    if is_array(left) and is_array(right):
        if left.dtype != right.dtype or left.shape != right.shape:
            return False
        if left.dtype.hasobject:
            return bool(left.tolist() == right.tolist())
        return left.tobytes() == right.tobytes()
    if _is_list(left) and _is_list(right):
        return len(left) == len(right) and all(map(same, left, right))
    if _is_dict(left) and _is_dict(right):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def distance(left: object, right: object) -> tuple[float, float]:
    """The largest absolute difference of two arrays, and the largest magnitude; infinite where they cannot compare."""
    import numpy as np

    far = (float("inf"), 0.0)
    if not is_array(left) or not is_array(right):
        return far
    if left.shape != right.shape or left.dtype != right.dtype or left.dtype.kind in "OSU":
        return far
    kind = np.complex128 if left.dtype.kind == "c" else np.float64
    a: Any = left.astype(kind)
    b: Any = right.astype(kind)
    unlike = (np.isnan(a) != np.isnan(b)) | ((np.isinf(a) | np.isinf(b)) & (a != b) & ~np.isnan(a))
    if unlike.any():
        return far
    finite = np.isfinite(a)
    difference = np.abs(a[finite] - b[finite])
    return float(difference.max(initial=0.0)), float(np.abs(a[finite]).max(initial=0.0))


def is_array(value: object) -> TypeGuard[np.ndarray[Any, Any]]:
    """Whether `value` is a numpy array."""
    import numpy as np

    return isinstance(value, np.ndarray)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, (list, tuple))


def _is_dict(value: object) -> TypeGuard[dict[object, object]]:
    return isinstance(value, dict)
