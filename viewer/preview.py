"""What a stored tensor looks like: its first numbers, the range, and how they are spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from subcut.compiler.ir.graph import Constant

if TYPE_CHECKING:
    import numpy as np

FIRST, BINS = 64, 32
MOST = 1 << 26
"""Elements up to which a tensor is read: a look at an operator must not fill the memory."""


def preview(constant: Constant) -> dict[str, Any]:
    """`first` numbers, `min`, `max`, `mean` and a `histogram` of those that are finite; counts of the others.

    A tensor that is too big to be read for a look has `skipped`, the number of its elements, and nothing else.
    """
    import numpy as np

    shape = constant.type.shape or ()
    count = math.prod(dim for dim in shape if isinstance(dim, int))
    if count > MOST:
        return {"first": [], "skipped": count}
    whole: np.ndarray[Any, Any] = np.ravel(constant.numpy())
    flat = _as_numbers(whole)
    if flat is None:
        return {"first": [_text(one) for one in whole[:FIRST]]}
    first: list[Any] = flat[:FIRST].tolist()
    if flat.dtype.kind == "f" and flat.dtype.itemsize <= 4:
        first = [float(f"{one:.7g}") for one in first]  # the digits that it has
    return {"first": [_plain(one) for one in first], **_spread(flat)}


def _as_numbers(flat: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Real numbers of types that numpy counts with: small floats as f32. None for what is no real number."""
    import numpy as np

    if flat.dtype.kind in "fiub":
        return flat
    if flat.dtype.kind in "cOSU":
        return None
    return flat.astype(np.float32)


def _spread(flat: np.ndarray[Any, Any]) -> dict[str, Any]:
    import numpy as np

    finite = flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat
    found: dict[str, Any] = {
        "zeros": int(np.count_nonzero(flat == 0)),
        "nan": int(np.count_nonzero(np.isnan(flat))) if flat.dtype.kind == "f" else 0,
        "inf": int(np.count_nonzero(np.isinf(flat))) if flat.dtype.kind == "f" else 0,
    }
    if not finite.size:
        return {**found, "min": None, "max": None, "mean": None, "histogram": None}
    wide = finite.astype(np.float64)
    low, high = float(wide.min()), float(wide.max())
    mean = _plain(float(wide.mean()))
    found |= {"min": _plain(finite.min().item()), "max": _plain(finite.max().item()), "mean": mean}
    if not math.isfinite(high - low):
        return {**found, "histogram": None}
    least = BINS * math.ulp(max(abs(low), abs(high), 1.0))  # below that there is nothing to divide
    around = max(0.5, abs(low) / 100)
    counts, edges = np.histogram(wide, BINS, (low, high) if high - low > least else (low - around, low + around))
    return {**found, "histogram": {"edges": edges.tolist(), "counts": counts.tolist()}}


def _plain(number: Any) -> Any:
    """A number that JSON has, else its text."""
    return str(number) if isinstance(number, float) and not math.isfinite(number) else number


def _text(one: object) -> str:
    text = one.decode(errors="backslashreplace") if isinstance(one, bytes) else str(one)
    return text if len(text) <= 200 else text[:200] + "…"
