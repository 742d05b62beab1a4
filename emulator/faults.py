"""What can go wrong with one operator on purpose, so that whoever looks for the culprit has one to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from subcut.emulator.numerics import Precision, is_real
from subcut.emulator.weights import Weights

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

KINDS = {
    "weights": "the kernel of its first output channel has the wrong sign",
    "scale": "its result is multiplied by 1.5",
    "zero": "its result is zero throughout",
    "nan": "the first number of its result is no number",
    "overflow": "its result leaves the range of 16 bits and is saturated; the device reports an overflow",
    "layout": "it takes what it reads for NHWC where it is NCHW, or the other way round",
    "int8": "it multiplies 8-bit numbers although the rest has 16 bits",
}
"""Every fault, and what it does."""
NEEDS_WEIGHTS = ("weights", "int8")
"""Faults of operators that have weights."""


@dataclass(frozen=True)
class Fault:
    """One of `KINDS`, at one operator."""

    kind: str

    def weights(self, weights: Weights, kernel: Array) -> Array:
        """The kernel that the faulty operator multiplies by."""
        import numpy as np

        if self.kind != "weights":
            return kernel
        sign = np.ones(weights.channels, np.float32)
        sign[0] = -1
        return kernel * weights.along(sign)

    def read(self, array: Array) -> Array:
        """What the faulty operator takes the tensor it reads for."""
        import numpy as np

        if self.kind != "layout" or array.ndim != 4:
            return array
        return np.reshape(np.transpose(array, (0, 2, 3, 1)), array.shape)

    def written(self, array: Array, precision: Precision) -> Array:
        """What the faulty operator gives out in place of its result."""
        import numpy as np

        if not is_real(array) or not array.size:
            return array
        if self.kind == "scale":
            return precision.rounded(array * np.float32(1.5))
        if self.kind == "zero":
            return np.zeros_like(array)
        if self.kind == "nan":
            numbers = np.array(array)
            numbers[(0,) * numbers.ndim] = np.nan
            return numbers
        if self.kind == "overflow":
            largest = np.nanmax(np.abs(array))
            return precision.rounded(array * np.float32(2 * precision.largest / largest if largest else 1))
        return array
