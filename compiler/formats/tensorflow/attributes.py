"""What the attributes of an operator say, decoded when somebody asks."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.elements import data_type_name, decode_shape, element_of_number
from subcut.compiler.ir.graph import Attribute, Constant, Op, Symbol
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.wire import LEN, Buffer, WireError, fields, read_varint, signed

if TYPE_CHECKING:
    import numpy as np

LIST, TENSOR = 1, 8
DEEPEST = 64
"""Attributes nested deeper than this are damage."""


def decode_attributes(op: Op) -> Mapping[str, Attribute]:
    """Every attribute, in the order of the record. A type is its name, such as `DT_FLOAT`; a string is bytes."""
    record = records.record_of(op)
    return {name: decode(record.data, start, stop) for name, start, stop in records.attribute_spans(record)}


def decode(data: Buffer, start: int, stop: int, depth: int = 0) -> Attribute:
    """An AttrValue; None when nothing is set. Raises ValueError where it is damaged."""
    if depth > DEEPEST:
        raise ValueError("attributes nested too deep")
    value: Attribute = None
    for number, kind, _, at, end in fields(data, start, stop):
        if number == LIST and kind == LEN:
            value = _list(data, at, end, depth)
        elif number == 9:
            value = {"placeholder": records.text(data, at, end)}
        elif number == 10:
            value = _function(data, at, end, depth)
        elif number in _DECODE:
            value = _DECODE[number](data, at, end)
    return value


def _list(data: Buffer, start: int, stop: int, depth: int) -> list[Attribute]:
    """An AttrValue.ListValue, whose fields have the numbers of AttrValue's, but for `func`."""
    values: list[Attribute] = []
    for number, kind, _, at, end in fields(data, start, stop):
        if number == 9:
            values.append(_function(data, at, end, depth))
        elif number in _PACKED and kind == LEN:
            values += _packed(number, data, at, end)
        elif number in _DECODE:
            values.append(_DECODE[number](data, at, end))
    return values


def _packed(number: int, data: Buffer, start: int, stop: int) -> list[Attribute]:
    if number == 4:
        return [_float(data, at, at + 4) for at in range(start, stop - 3, 4)]
    values: list[Attribute] = []
    while start < stop:
        end = read_varint(data, start, stop)[1]
        values.append(_DECODE[number](data, start, end))
        start = end
    return values


def _function(data: Buffer, start: int, stop: int, depth: int) -> Attribute:
    """A function's name or, where attributes are bound to it, a dictionary of both."""
    name, bound = "", dict[str, Attribute]()
    for number, _, _, at, end in fields(data, start, stop):
        if number == 1:
            name = records.text(data, at, end)
        elif number == 2:
            key, low, high = records.entry(data, at, end)
            bound[key] = decode(data, low, high, depth + 1)
    return {"function": Symbol(name), "attributes": bound} if bound else Symbol(name)


def _bytes(data: Buffer, start: int, stop: int) -> bytes:
    return bytes(data[start:stop])


def _int(data: Buffer, start: int, stop: int) -> int:
    return signed(read_varint(data, start, stop)[0])


def _float(data: Buffer, start: int, stop: int) -> float:
    if stop - start != 4:
        raise WireError(start, f"a float of {stop - start} bytes")
    value: float = struct.unpack("<f", data[start:stop])[0]
    return value


def _bool(data: Buffer, start: int, stop: int) -> bool:
    return bool(_int(data, start, stop))


def _type(data: Buffer, start: int, stop: int) -> str:
    return data_type_name(_int(data, start, stop))


def _shape(data: Buffer, start: int, stop: int) -> TensorType:
    return TensorType(None, decode_shape(data, start, stop))


def tensor_type(data: Buffer, start: int, stop: int) -> TensorType:
    """The type of a TensorProto, its numbers not looked at."""
    shape = records.value_field(data, start, stop, 2)
    return TensorType(
        element_of_number(records.int_value(data, start, stop, 1) or 0),
        decode_shape(data, *shape) if shape else (),
    )


def _tensor(data: Buffer, start: int, stop: int) -> Constant:
    return Constant(tensor_type(data, start, stop), partial(_load, data, start, stop))


def _load(data: Buffer, start: int, stop: int) -> np.ndarray[Any, Any]:
    from subcut.compiler.formats.tensorflow.tensors import decode as decode_tensor

    return decode_tensor(bytes(data[start:stop]))


_DECODE: Mapping[int, Callable[[Buffer, int, int], Attribute]] = {
    2: _bytes, 3: _int, 4: _float, 5: _bool, 6: _type, 7: _shape, 8: _tensor,
}  # fmt: skip
_PACKED = (3, 4, 5, 6)
