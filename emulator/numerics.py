"""Numbers as the device holds them: rounded to 16 bits after every operator, or quantised to 8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEVELS = 127
"""Of 8-bit numbers, on either side of zero."""


@dataclass(frozen=True)
class Precision:
    """The element type that real numbers have on the device."""

    element: str
    """`f16` or `bf16`."""
    quantise: bool = False
    """Whether convolutions and matrix products multiply 8-bit numbers."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type."""
        from subcut.compiler.ir.types import numpy_dtype

        return numpy_dtype(self.element)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return 65504.0 if self.element == "f16" else 3.3895313892515355e38

    @property
    def step(self) -> float:
        """The distance from 1 to the next number."""
        return 2.0**-10 if self.element == "f16" else 2.0**-7

    def stored(self, array: Array) -> Array:
        """Real numbers in the device's type, saturated as the device does; others unchanged."""
        import numpy as np

        if array.dtype.kind != "f":
            return array
        with np.errstate(over="ignore"):
            small = array.astype(self.dtype)
        beyond = np.isinf(small)
        if beyond.any():
            small[beyond] = np.copysign(self.largest, array[beyond]).astype(self.dtype)
        return small

    def rounded(self, array: Array) -> Array:
        """The same, back in the type in which they came."""
        return self.stored(array).astype(array.dtype) if array.dtype.kind == "f" else array


PRECISIONS = {"fp16": Precision("f16"), "bf16": Precision("bf16"), "int8": Precision("f16", quantise=True)}
"""By the names that `--precision` takes."""


def is_real(array: Array) -> bool:
    """Whether an array holds real numbers, which the device has in 16 bits."""
    return bool(array.dtype.kind == "f")


def scale_of(array: Array, axis: int | None = None) -> Array:
    """What 8-bit numbers are multiplied by to give `array`: for all of it, or for each place along `axis`."""
    import numpy as np

    others = None if axis is None else tuple(i for i in range(array.ndim) if i != axis % array.ndim)
    largest = np.abs(np.nan_to_num(array)).max(axis=others, initial=0.0)
    scale = np.asarray(largest / LEVELS, np.float32)
    return np.where(scale > 0, scale, np.float32(1))


def quantised(array: Array, scale: Array) -> Array:
    """The nearest 8-bit numbers, ties to even."""
    import numpy as np

    whole = np.nan_to_num(np.rint(array / scale))
    nearest: Array = np.minimum(np.maximum(whole, -LEVELS - 1), LEVELS)
    return nearest.astype(np.int8)
