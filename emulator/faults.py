"""What can go wrong with one operator on purpose, so that whoever looks for the culprit has one to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import UserError, user_error
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
    "drift": "its result is a unit and a half in the last place too large: less than its precision may cost",
    "int8": "it multiplies 8-bit numbers although the rest has 16 bits",
}
"""Every fault, and what it does."""
NEEDS_WEIGHTS = ("weights", "int8")
"""Faults of operators that have weights."""


@dataclass(frozen=True)
class Fault:
    """One of `KINDS`, at one operator. Raises UserError `cannot-fail` where its tensors are not fit for it."""

    kind: str
    name: str
    """The operator, as it was asked for."""

    def weights(self, weights: Weights) -> Array:
        """The kernel that the faulty operator multiplies by."""
        import numpy as np

        if self.kind != "weights":
            return weights.kernel
        sign = np.ones(weights.channels, np.float32)
        sign[0] = -1
        return weights.kernel * weights.along(sign)

    def read(self, array: Array) -> Array:
        """What the faulty operator takes the tensor it reads for."""
        import numpy as np

        if self.kind != "layout":
            return array
        if array.ndim != 4:
            raise self._refused(f"what it reads has {array.ndim} dimensions, and only four have a layout")
        return np.reshape(np.transpose(array, (0, 2, 3, 1)), array.shape)

    def written(self, array: Array, precision: Precision) -> Array:
        """What the faulty operator gives out in place of its result."""
        import numpy as np

        if self.kind not in ("scale", "drift", "zero", "nan", "overflow"):
            return array
        if not is_real(array) or not array.size:
            raise self._refused("its result holds no real numbers")
        if self.kind == "scale":
            return precision.rounded(array * np.float32(1.5))
        if self.kind == "drift":
            return precision.rounded(array * np.float32(1 + 1.5 * precision.step))
        if self.kind == "zero":
            return np.zeros_like(array)
        if self.kind == "nan":
            numbers = np.array(array)
            numbers[(0,) * numbers.ndim] = np.nan
            return numbers
        if self.kind == "overflow":
            largest = np.nanmax(np.abs(array))
            if not largest:
                raise self._refused("its result is zero throughout")
            # Beyond the range, as far as 32-bit floats reach.
            return precision.rounded(array / largest * np.float32(min(2 * precision.largest, 3.4e38)))
        return array

    def _refused(self, reason: str) -> UserError:
        return user_error("cannot-fail", f"`{self.name}` cannot have the fault `{self.kind}`: {reason}")
