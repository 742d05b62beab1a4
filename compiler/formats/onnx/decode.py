"""The numbers of a TensorProto as a numpy array, and an array as a TensorProto.

Source: onnx/onnx.proto, the comments on TensorProto's data fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.onnx.types import NUMBERS
from subcut.compiler.ir.types import element_of, numpy_dtype
from subcut.compiler.storage.wire import bytes_field, int_field

if TYPE_CHECKING:
    from subcut.compiler.formats.onnx.tensors import Tensor

Array = np.ndarray[Any, np.dtype[Any]]

_SUB_BYTE = {"i4": 4, "ui4": 4, "f4E2M1FN": 4, "i2": 2, "ui2": 2, "f6E2M3FN": 6, "f6E3M2FN": 6}


def from_raw(raw: bytes, tensor: Tensor) -> Array:
    """The array that `raw_data` or external data holds."""
    assert tensor.element is not None
    dtype: Any = numpy_dtype(tensor.element)
    bits = _SUB_BYTE.get(tensor.element)
    if bits is None:
        return np.reshape(np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype, copy=False), tensor.dims)
    stream = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return np.reshape(_from_bits(stream[: tensor.count() * bits], bits, dtype), tensor.dims)


def _from_bits(stream: Array, bits: int, dtype: Any) -> Array:
    """Elements of `bits` bits each, the lowest first, one to a byte as ml_dtypes stores them."""
    codes: Any = np.packbits(np.reshape(stream, (-1, bits)), axis=1, bitorder="little")
    return np.asarray(codes.reshape(-1).view(dtype))


def from_fields(tensor: Tensor) -> Array:
    """The array that the typed fields hold: one per value, or several bytes of a packed type in int32s."""
    from subcut.compiler.formats.onnx.tensors import DOUBLE_DATA, FLOAT_DATA, RAW_DATA, STRING_DATA, varints

    assert tensor.element is not None
    data, places = tensor.file.data, tensor.data()
    number = places[0][0] if places else 0
    if number == STRING_DATA and tensor.element == "str":
        texts = [_text(data[start:stop]) for n, _, start, stop in places if n == STRING_DATA]
        return _shaped(np.array(texts, dtype=object), tensor)
    if number in (FLOAT_DATA, DOUBLE_DATA, RAW_DATA):
        raw = b"".join(data[start:stop] for n, _, start, stop in places if n == number)
        kind = {FLOAT_DATA: "<f4", DOUBLE_DATA: "<f8"}.get(number, "u1")
        if len(raw) % np.dtype(kind).itemsize:
            raise _wrong(tensor, len(raw))
        flat: Any = np.frombuffer(raw, kind)
        whole = flat.view(numpy_dtype(tensor.element)) if tensor.element in ("c64", "c128") else flat
        return _shaped(whole.astype(numpy_dtype(tensor.element), copy=False), tensor)
    integers = [v for n, kind, a, b in places if n == number for v in varints(data, kind, a, b)]
    return _shaped(_from_integers(integers, tensor.element), tensor)


def _from_integers(integers: list[int], element: str) -> Array:
    dtype: Any = numpy_dtype(element)
    wide: Any = np.array([value & 0xFFFFFFFFFFFFFFFF for value in integers], dtype=np.uint64)
    bits = _SUB_BYTE.get(element)
    if bits in (2, 4):
        return _from_bits(np.unpackbits(wide.astype(np.uint8), bitorder="little"), bits, dtype)
    if element == "str" or dtype.kind == "c":
        return np.empty(0, dtype)
    if element in ("f32", "f64"):
        return np.asarray(wide.astype(dtype))
    return np.asarray(wide.astype(f"<u{dtype.itemsize}").view(dtype))


def _shaped(flat: Array, tensor: Tensor) -> Array:
    packed = _SUB_BYTE.get(tensor.element or "") in (2, 4)
    if flat.size != tensor.count() and not (packed and flat.size > tensor.count()):
        raise _wrong(tensor, flat.size)
    return np.reshape(flat[: tensor.count()], tensor.dims)


def _wrong(tensor: Tensor, found: int) -> ModelError:
    return ModelError(
        tensor.file.path,
        f"the data has {found} elements",
        offset=tensor.start,
        where=tensor.where,
        expected=f"{tensor.count()} elements for {tensor.type}",
    )


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def encode(name: str, array: Array) -> bytes:
    """The payload of a TensorProto that stores `array`."""
    element = element_of(array.dtype)
    head = b"".join(int_field(1, dim) for dim in array.shape) + int_field(2, NUMBERS[element])
    head += bytes_field(8, name) if name else b""
    if element == "str":
        texts = [text if isinstance(text, bytes) else str(text) for text in np.ravel(array).tolist()]
        return head + b"".join(bytes_field(6, text) for text in texts)
    return head + bytes_field(9, to_raw(array, element))


def to_raw(array: Array, element: str) -> bytes:
    """The bytes of `raw_data`."""
    flat: Any = np.ravel(np.ascontiguousarray(array))
    bits = _SUB_BYTE.get(element)
    if bits is None:
        little: bytes = flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()
        return little
    codes = np.unpackbits(np.reshape(flat.view(np.uint8), (-1, 1)), axis=1, bitorder="little")[:, :bits]
    return np.packbits(np.ravel(codes), bitorder="little").tobytes()
