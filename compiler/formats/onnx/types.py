"""TypeProto and ValueInfoProto, to and from the IR's types. Source of the numbers: onnx/onnx.proto."""

from __future__ import annotations

from typing import Any

from subcut.compiler.formats.onnx import schema
from subcut.compiler.ir.types import Dim, MapType, OptionalType, SequenceType, SparseType, TensorType, Type
from subcut.compiler.storage.wire import bytes_field, fields, int_field

ELEMENTS = {
    1: "f32", 2: "ui8", 3: "i8", 4: "ui16", 5: "i16", 6: "i32", 7: "i64", 8: "str", 9: "i1", 10: "f16", 11: "f64",
    12: "ui32", 13: "ui64", 14: "c64", 15: "c128", 16: "bf16", 17: "f8E4M3FN", 18: "f8E4M3FNUZ", 19: "f8E5M2",
    20: "f8E5M2FNUZ", 21: "ui4", 22: "i4", 23: "f4E2M1FN", 24: "f8E8M0FNU", 25: "ui2", 26: "i2", 27: "f6E2M3FN",
    28: "f6E3M2FN",
}  # fmt: skip
"""TensorProto.DataType."""
NUMBERS = {element: number for number, element in ELEMENTS.items()}

MAX_DEPTH = 32
"""How deep types may nest: protobuf itself stops at 100 messages."""


def decode_info(payload: bytes) -> tuple[str, Type | None]:
    """Name and type of a ValueInfoProto; the type is None where it is unstated or opaque."""
    info = schema.parse("ValueInfo", payload)
    return info.name, _type(info.type)


def decode_type(payload: bytes) -> Type | None:
    """The type that a TypeProto states."""
    return _type(schema.parse("Type", payload))


def _type(proto: Any) -> Type | None:
    if proto.HasField("tensor_type"):
        return TensorType(_element(proto.tensor_type.elem_type), _shape(proto.tensor_type))
    if proto.HasField("sparse_tensor_type"):
        return SparseType(_element(proto.sparse_tensor_type.elem_type), _shape(proto.sparse_tensor_type))
    if proto.HasField("sequence_type"):
        return SequenceType(_type(proto.sequence_type.elem_type))
    if proto.HasField("optional_type"):
        return OptionalType(_type(proto.optional_type.elem_type))
    if proto.HasField("map_type"):
        return MapType(ELEMENTS.get(proto.map_type.key_type, "?"), _type(proto.map_type.value_type))
    return None


def _element(number: int) -> str | None:
    return ELEMENTS.get(number)


def _shape(proto: Any) -> tuple[Dim, ...] | None:
    return tuple(_dim(dim) for dim in proto.shape.dim) if proto.HasField("shape") else None


def _dim(proto: Any) -> Dim:
    if proto.HasField("dim_value"):
        return int(proto.dim_value) if proto.dim_value >= 0 else None
    return str(proto.dim_param) or None


def encode_type(type: Type | None) -> bytes:
    """The payload of a TypeProto; what is unknown is left out."""
    if isinstance(type, TensorType):
        return bytes_field(1, _tensor(type.element, type.shape))
    if isinstance(type, SparseType):
        return bytes_field(8, _tensor(type.element, type.shape))
    if isinstance(type, SequenceType):
        return bytes_field(4, bytes_field(1, encode_type(type.item)))
    if isinstance(type, OptionalType):
        return bytes_field(9, bytes_field(1, encode_type(type.item)))
    if isinstance(type, MapType):
        key = int_field(1, NUMBERS[type.key]) if type.key in NUMBERS else b""
        return bytes_field(5, key + bytes_field(2, encode_type(type.value)))
    return b""


def _tensor(element: str | None, shape: tuple[Dim, ...] | None) -> bytes:
    content = int_field(1, NUMBERS[element]) if element in NUMBERS else b""
    if shape is not None:
        content += bytes_field(2, b"".join(bytes_field(1, _encode_dim(dim)) for dim in shape))
    return content


def _encode_dim(dim: Dim) -> bytes:
    if isinstance(dim, int):
        return int_field(1, dim)
    return bytes_field(2, dim) if dim else b""


def encode_info(name: str, type: Type | None, old: bytes = b"") -> bytes:
    """The payload of a ValueInfoProto; `old` is one whose documentation and metadata are taken over."""
    stated = bytes_field(2, encode_type(type)) if type is not None else b""
    rest = b"".join(old[at:stop] for number, _, at, _, stop in fields(old, 0, len(old)) if number not in (1, 2))
    return bytes_field(1, name) + stated + rest


def agreed(*types: Type | None) -> Type | None:
    """What several types have in common: where tensors differ in a dimension, it is unknown."""
    first = types[0] if types else None
    for other in types[1:]:
        if first == other:
            continue
        if not isinstance(first, TensorType) or not isinstance(other, TensorType) or first.element != other.element:
            return None
        if first.shape is None or other.shape is None or len(first.shape) != len(other.shape):
            first = TensorType(first.element)
        else:
            dims = tuple(a if a == b else None for a, b in zip(first.shape, other.shape, strict=True))
            first = TensorType(first.element, dims)
    return first


def is_ranked(type: Type | None) -> bool:
    """Whether the type can be written at an edge: element type and rank are known."""
    if isinstance(type, TensorType):
        return type.element is not None and type.shape is not None
    return type is not None


def same_type(one: Type | None, other: Type | None) -> bool:
    """Whether two types are written alike: ONNX states no layout."""
    return one == other or encode_type(one) == encode_type(other)


def info_text(name: str, type: Type | None) -> str:
    """A ValueInfoProto in protobuf's text format, on one line."""
    return f"name: {quoted(name)}" + (f" type {{ {_type_text(type)} }}" if type is not None else "")


def quoted(text: str) -> str:
    """A string as protobuf's text format spells it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _type_text(type: Type | None) -> str:
    if isinstance(type, (TensorType, SparseType)):
        kind = "tensor_type" if isinstance(type, TensorType) else "sparse_tensor_type"
        parts = [f"elem_type: {NUMBERS[type.element]}"] if type.element in NUMBERS else []
        if type.shape is not None:
            parts.append("shape { " + "".join(_dim_text(dim) + " " for dim in type.shape) + "}")
        return f"{kind} {{ {' '.join(parts)} }}"
    if isinstance(type, (SequenceType, OptionalType)):
        kind = "sequence_type" if isinstance(type, SequenceType) else "optional_type"
        return f"{kind} {{ elem_type {{ {_type_text(type.item)} }} }}"
    if isinstance(type, MapType):
        return f"map_type {{ key_type: {NUMBERS.get(type.key, 0)} value_type {{ {_type_text(type.value)} }} }}"
    return ""


def _dim_text(dim: Dim) -> str:
    if isinstance(dim, int):
        return f"dim {{ dim_value: {dim} }}"
    return f"dim {{ dim_param: {quoted(dim)} }}" if dim else "dim { }"
