"""Elements: stored bytes to an array and back, for every element type that has numbers.

Types of a byte and more are read in place. Smaller ones are packed, the first element in the lowest bits, and become
an array with one element a byte. `UINT1` is unpacked from the highest bit, as the vendor's own tool does. `HIFLOAT8`
becomes float32, for numpy has no such type.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from subcut.compiler.device.enums import BITS, ELEMENTS
from subcut.compiler.device.layouts.copying import view_as
from subcut.compiler.device.layouts.hifloat import table
from subcut.compiler.device.layouts.names import LayoutError, ceil, count, spelled
from subcut.compiler.ir.types import numpy_dtype

if TYPE_CHECKING:
    import numpy as np

    from subcut.compiler.device.layouts.names import Array

Bytes = Union[bytes, bytearray, memoryview, mmap.mmap]
MOST = 25
"""Dimensions that the graph engine lets a tensor have."""
_AS = {
    "UNDEFINED": "i8", "UINT1": "ui8", "HIFLOAT8": "f32", "STRING": "", "RESOURCE": "", "VARIANT": "",
    "FLOAT6_E3M2": "", "FLOAT6_E2M3": "",
}  # fmt: skip
"""Types that are read as another one, or (with no element) not at all: a STRING is an address, and how six bits are
packed is not known."""


def dtype_of(type_name: str) -> np.dtype[Any]:
    """The numpy type of an array that `decode` makes of Ascend's element type `type_name`, such as `FLOAT16`.

    Raises LayoutError for types without numbers, and for those that nobody has described.
    """
    element = _AS.get(type_name, ELEMENTS.get(type_name, ""))
    if not element:
        raise LayoutError(f"tensors of type {type_name} cannot be read as numbers")
    return numpy_dtype(element)


def stored_size(type_name: str, shape: Sequence[int]) -> int:
    """How many bytes a tensor takes."""
    dtype_of(type_name)
    return ceil(count(shape) * BITS[type_name], 8)


def decode(buffer: Bytes, type_name: str, shape: Sequence[int]) -> Array:
    """The array of that (device) shape that `buffer` begins with; what follows is ignored.

    It is a view of the buffer, and read-only as the buffer is, unless elements share bytes. Raises LayoutError
    where the buffer is too short, or the type is no type of numbers.
    """
    import numpy as np

    dtype, size = dtype_of(type_name), stored_size(type_name, shape)
    if any(dim < 0 for dim in shape):
        raise LayoutError(f"the shape {spelled(shape)} is not known in full")
    if len(shape) > MOST or count([dim or 1 for dim in shape]) >= 1 << 56:
        raise LayoutError(f"no array can have the shape {spelled(shape)}")
    if size > len(buffer):
        raise LayoutError(f"{type_name} {spelled(shape)} takes {size} bytes, and there are {len(buffer)}")
    bits = BITS[type_name]
    if type_name == "HIFLOAT8":
        return np.reshape(table()[np.frombuffer(buffer, np.uint8, size)], shape)
    if bits >= 8:
        return np.reshape(np.frombuffer(buffer, dtype, count(shape)), shape)
    packed = np.frombuffer(buffer, np.uint8, size)
    if bits == 1:
        return np.reshape(np.unpackbits(packed, count=count(shape)), shape)
    parts = np.empty((size, 8 // bits), np.uint8)
    for i in range(8 // bits):
        np.right_shift(packed, bits * i, out=parts[:, i])
    parts &= (1 << bits) - 1
    if type_name == "INT4":  # ml_dtypes stores the sign in all the upper bits
        parts = np.where(parts > 7, parts | 0xF0, parts)
    elif type_name == "INT2":
        parts = np.where(parts > 1, parts | 0xFC, parts)
    return np.reshape(view_as(parts.ravel()[: count(shape)], dtype), shape)


def encode(array: Array, type_name: str) -> Array:
    """The bytes that a device stores of an array, as a flat array of `uint8`; the inverse of `decode`.

    `array` is converted to the element type where it is of another. Raises LayoutError where that is not possible.
    """
    import numpy as np

    if type_name == "HIFLOAT8":
        raise LayoutError("how numbers are rounded to HIFLOAT8 is not known")
    flat = view_as(np.ascontiguousarray(array, dtype_of(type_name)).ravel(), np.dtype(np.uint8))
    bits = BITS[type_name]
    if bits >= 8:
        return flat
    if bits == 1:
        return np.packbits(flat)
    each = 8 // bits
    parts = np.zeros((ceil(len(flat), each), each), np.uint8)
    parts.ravel()[: len(flat)] = flat & ((1 << bits) - 1)
    for i in range(1, each):
        parts[:, 0] |= parts[:, i] << (bits * i)
    return np.ascontiguousarray(parts[:, 0])
