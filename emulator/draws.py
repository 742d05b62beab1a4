"""Random operators, whose numbers are drawn from a seed so that an emulation can be repeated."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from subcut.compiler.ir.graph import Op

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def drawn(op: Op, array: Array, seed: int) -> Array:
    """Numbers for a random operator, of the type and shape of those that the framework drew."""
    import numpy as np

    random: Any = np.random.default_rng([seed, zlib.crc32(op.label.encode())])
    told = op.attributes
    if "Uniform" in op.type:
        low, high = _number(told.get("low"), 0.0), _number(told.get("high"), 1.0)
        return np.asarray(random.uniform(low, high, array.shape), array.dtype)
    numbers: Array = np.asarray(random.standard_normal(array.shape))
    if op.type == "TruncatedNormal":
        while (outside := np.abs(numbers) > 2).any():
            numbers[outside] = random.standard_normal(int(outside.sum()))
    return (numbers * _number(told.get("scale"), 1.0) + _number(told.get("mean"), 0.0)).astype(array.dtype)


def _number(stated: object, default: float) -> float:
    return float(stated) if isinstance(stated, (int, float)) else default
