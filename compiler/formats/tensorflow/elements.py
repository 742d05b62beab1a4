"""TensorFlow's element types and shapes, and ours.

Source: tensorflow/core/framework/types.proto and tensor_shape.proto.
"""

from __future__ import annotations

from subcut.compiler.ir.types import Dim, TensorType
from subcut.compiler.storage.wire import VARINT, Buffer, bytes_field, fields, int_field, read_varint, signed

DATA_TYPES = [
    "INVALID", "FLOAT f32", "DOUBLE f64", "INT32 i32", "UINT8 ui8", "INT16 i16", "INT8 i8", "STRING str",
    "COMPLEX64 c64", "INT64 i64", "BOOL i1", "QINT8 qi8", "QUINT8 qui8", "QINT32 qi32", "BFLOAT16 bf16",
    "QINT16 qi16", "QUINT16 qui16", "UINT16 ui16", "COMPLEX128 c128", "HALF f16", "RESOURCE resource",
    "VARIANT variant", "UINT32 ui32", "UINT64 ui64", "FLOAT8_E5M2 f8E5M2", "FLOAT8_E4M3FN f8E4M3FN",
    "FLOAT8_E4M3FNUZ f8E4M3FNUZ", "FLOAT8_E4M3B11FNUZ f8E4M3B11FNUZ", "FLOAT8_E5M2FNUZ f8E5M2FNUZ", "INT4 i4",
    "UINT4 ui4", "INT2 i2", "UINT2 ui2", "FLOAT4_E2M1FN f4E2M1FN",
]  # fmt: skip
"""By number: the name after `DT_`, and our element type."""
REFERENCE = 100
"""What is added to the number of a type for a reference to a variable of it."""

ELEMENTS = dict(enumerate(line.partition(" ")[2] for line in DATA_TYPES))
NUMBERS = {element: number for number, element in ELEMENTS.items() if element}
HANDLES = ("resource", "variant")
"""Elements that are handles to something in a running session: no number can be fed for them."""


def element_of_number(number: int) -> str | None:
    """Our element type for a DataType, a reference's being that of what it refers to; None for an unknown number."""
    return ELEMENTS.get(number - REFERENCE if number > REFERENCE else number) or None


def data_type_name(number: int) -> str:
    """`DT_FLOAT` for 1, `DT_FLOAT_REF` for 101, and the number itself for one that nobody has named."""
    plain = number - REFERENCE if number > REFERENCE else number
    if not 0 <= plain < len(DATA_TYPES):
        return str(number)
    return f"DT_{DATA_TYPES[plain].partition(' ')[0]}" + ("_REF" if number > REFERENCE else "")


def decode_shape(data: Buffer, start: int, stop: int) -> tuple[Dim, ...] | None:
    """The dimensions of a TensorShapeProto; None where the rank is unknown."""
    dims: list[Dim] = []
    for number, kind, _, at, end in fields(data, start, stop):
        if number == 3 and kind == VARINT and read_varint(data, at, end)[0]:
            return None
        if number == 2:
            size = _dim(data, at, end)
            dims.append(None if size < 0 else size)
    return tuple(dims)


def _dim(data: Buffer, start: int, stop: int) -> int:
    size = 0
    for number, kind, _, at, end in fields(data, start, stop):
        if number == 1 and kind == VARINT:
            size = signed(read_varint(data, at, end)[0])
    return size


def encode_shape(shape: tuple[Dim, ...] | None) -> bytes:
    """A TensorShapeProto; a symbol is an unknown dimension."""
    if shape is None:
        return int_field(3, 1)
    return b"".join(bytes_field(2, int_field(1, d if isinstance(d, int) else -1)) for d in shape)


def shape_text(type: TensorType) -> str:
    """The TensorShapeProto of `type` in protobuf's text format, on one line."""
    if type.shape is None:
        return "unknown_rank: true"
    return " ".join(f"dim {{ size: {d if isinstance(d, int) else -1} }}" for d in type.shape)
