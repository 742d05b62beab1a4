"""TensorProto to numbers and back (source: tensorflow/core/framework/tensor.proto and tensor.cc)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.tensorflow import schema
from subcut.compiler.formats.tensorflow.elements import NUMBERS, element_of_number, encode_shape
from subcut.compiler.ir.types import TensorType, element_of, numpy_dtype
from subcut.compiler.storage.wire import bytes_field, int_field

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_FIELDS = {
    "f32": "float_val", "f64": "double_val", "f16": "half_val", "bf16": "half_val", "str": "string_val",
    "c64": "scomplex_val", "c128": "dcomplex_val", "i64": "int64_val", "i1": "bool_val", "ui32": "uint32_val",
    "ui64": "uint64_val",
}  # fmt: skip
"""Where numbers are when they are not in `tensor_content`; small integers are in `int_val`, float8 in `float8_val`."""


def decode(raw: bytes) -> Array:
    """The numbers of a TensorProto. Raises ValueError where it is damaged, TypeError for handles."""
    import numpy as np

    proto = schema.decode("TensorProto", raw)
    element = element_of_number(proto.dtype)
    if element is None or element in ("resource", "variant"):
        raise TypeError(f"a stored {element or 'tensor of unknown type'} has no numbers")
    shape: tuple[int, ...] = tuple(dim.size for dim in proto.tensor_shape.dim)
    dtype = _numpy(element)
    if proto.tensor_content:
        return _shaped(np, np.frombuffer(proto.tensor_content, dtype), shape)
    count = int(np.prod(shape, dtype=np.int64))
    if count < 0:
        raise ValueError("a stored tensor of unknown shape")
    values = _listed(proto, element, dtype)
    if len(values) > count or (count and not len(values) and element == "str"):
        raise ValueError(f"a stored tensor of {count} elements that lists {len(values)}")
    filled = np.zeros(count, dtype)
    filled[: len(values)] = values
    if len(values):
        filled[len(values) :] = values[-1]  # the last one listed stands for all that follow
    return _shaped(np, filled, shape)


def _numpy(element: str) -> Any:
    return numpy_dtype(element)


def _shaped(np: Any, array: Array, shape: tuple[int, ...]) -> Array:
    shaped: Array = np.reshape(array, shape)
    return shaped


def _bits(np: Any, array: Array, dtype: Any) -> Array:
    """The same bytes as other numbers."""
    numbers: Array = np.frombuffer(array.tobytes(), dtype)
    return numbers


def _listed(proto: Any, element: str, dtype: Any) -> Array:
    import numpy as np

    if proto.float8_val:
        return np.frombuffer(proto.float8_val, dtype)
    values: Sequence[Any] = getattr(proto, _FIELDS.get(element, "int_val"))
    if element == "str":
        return np.array([*values, None], object)[:-1]
    if element in ("f16", "bf16"):
        return _bits(np, np.array(values, np.uint16), dtype)
    if element in ("c64", "c128"):
        return _bits(np, np.array(values, np.float32 if element == "c64" else np.float64), dtype)
    if dtype.kind in "ui":
        return np.array(values, np.int64 if dtype.kind == "i" else np.uint64).astype(dtype)
    return np.array(values, dtype)


def encode(array: Array, element: str | None = None) -> bytes:
    """A TensorProto that stores `array`, as `element` where several share its dtype."""
    element = element or element_of(array.dtype)
    head = int_field(1, NUMBERS[element]) + bytes_field(2, encode_shape(array.shape))
    if element == "str":
        texts = (s.encode() if isinstance(s, str) else bytes(s) for s in array.ravel())
        return head + b"".join(bytes_field(8, text) for text in texts)
    return head + bytes_field(4, array.tobytes())


def type_of(array: Array) -> TensorType:
    """The type of numbers at hand."""
    return TensorType(element_of(array.dtype), tuple(int(d) for d in array.shape))
