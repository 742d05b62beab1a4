"""Attributes of operators: decoded when asked for, and encoded for operators that passes make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.bulk import BIG
from subcut.compiler.formats.onnx.nodes import ATTRIBUTE, GRAPHS, SPARSE, SPARSES, TENSORS, G, T
from subcut.compiler.formats.onnx.records import body
from subcut.compiler.formats.onnx.tensors import DataFiles, Sparse, Tensor, constant, scan_sparse, scan_tensor
from subcut.compiler.formats.onnx.types import decode_type
from subcut.compiler.ir.graph import Attribute, Constant, Op
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import LEN, bytes_field, fields, float_field, int_field

FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8
TYPE = 20
_HEAVY = {T, TENSORS, G, GRAPHS, SPARSE, SPARSES}
_PLAIN = {1: "f", 2: "i", 6: "floats", 7: "ints"}
"""AttributeProto.AttributeType: the field that holds it, where it needs no decoding."""


def decode_attributes(file: SourceFile, place: tuple[int, int], files: DataFiles) -> dict[str, Attribute]:
    """The attributes of the node at `place`, bodies left out: they are the operator's regions.

    An attribute that a function passes on (`ref_attr_name`) is `{"ref": name}`. Raises WireError or DecodeError.
    """
    found: dict[str, Attribute] = {}
    for number, kind, _, start, stop in fields(file.data, body(file.data, *place), place[1]):
        if number == ATTRIBUTE and kind == LEN:
            parts: list[tuple[int, int, int]] = []
            if stop - start > BIG or schema.is_heavy(file.data[start:stop]):
                parts = [(n, a, b) for n, k, _, a, b in fields(file.data, start, stop) if n in _HEAVY and k == LEN]
            if parts:
                name, value = _heavy(file, start, stop, parts, files)
            else:
                name, value = _light(file.data[start:stop])
            if not any(n in (G, GRAPHS) for n, _, _ in parts):
                found[name] = value
    return found


def _light(payload: bytes) -> tuple[str, Attribute]:
    proto = schema.parse("Attribute", payload)
    if proto.ref_attr_name:
        return proto.name, {"ref": proto.ref_attr_name}
    type = proto.type or _guess(proto)
    if type in _PLAIN:
        value = getattr(proto, _PLAIN[type])
        return proto.name, list(value) if type in (FLOATS, INTS) else value
    if type == STRING:
        return proto.name, _text(proto.s)
    if type == STRINGS:
        return proto.name, [_text(one) for one in proto.strings]
    if proto.HasField("tp"):
        return proto.name, _type(proto.tp)
    return proto.name, [_type(one) for one in proto.type_protos]


def _guess(proto: Any) -> int:
    """The type of an attribute that does not say it, as in files of the first version of ONNX."""
    for type, field in ((FLOAT, "f"), (INT, "i"), (STRING, "s")):
        if proto.HasField(field):
            return type
    for type, field in ((FLOATS, "floats"), (INTS, "ints"), (STRINGS, "strings")):
        if len(getattr(proto, field)):
            return type
    return 0


def _text(raw: bytes) -> Attribute:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _type(proto: Any) -> Attribute:
    type = decode_type(proto.SerializeToString())
    return type if type is None or isinstance(type, TensorType) else str(type)


def _heavy(
    file: SourceFile, start: int, stop: int, parts: list[tuple[int, int, int]], files: DataFiles
) -> tuple[str, Attribute]:
    """An attribute that holds tensors, found on the wire so that their numbers are not copied."""
    name = next((file.data[a:b].decode() for n, _, _, a, b in fields(file.data, start, stop) if n == 1), "")
    values: list[Attribute] = []
    for number, at, end in parts:
        if number in (T, TENSORS):
            values.append(constant(scan_tensor(file, at, end), files))
        elif number in (SPARSE, SPARSES):
            values.append(dict(sparse_attributes(scan_sparse(file, at, end), files)))
    return name, values if parts[0][0] in (TENSORS, SPARSES) else values[0] if values else None


def sparse_attributes(sparse: Sparse, files: DataFiles) -> Mapping[str, Attribute]:
    """A sparse tensor: its values, their indices, and the dense shape."""
    dims: list[Attribute] = list(sparse.dims)
    return {"values": constant(sparse.values, files), "indices": constant(sparse.indices, files), "dims": dims}


def stored_attributes(tensor: Tensor, files: DataFiles) -> Mapping[str, Attribute]:
    """What the operator that stands for an initialiser has as attributes."""
    return {"value": constant(tensor, files)}


def encode_node(op: Op) -> bytes:
    """The payload of a NodeProto for an operator that a pass made."""
    domain, _, kind = op.type.rpartition(".")
    content = b"".join(bytes_field(1, value.name if value is not None else "") for value in op.operands)
    content += b"".join(bytes_field(2, value.name) for value in op.results)
    content += (bytes_field(3, op.name) if op.name else b"") + bytes_field(4, kind)
    content += b"".join(bytes_field(ATTRIBUTE, _encode(name, value)) for name, value in op.attributes.items())
    return content + (bytes_field(7, domain) if domain else b"")


def _encode(name: str, value: Attribute) -> bytes:
    head = bytes_field(1, name)
    if isinstance(value, (bool, int)):
        return head + int_field(3, int(value)) + int_field(TYPE, INT)
    if isinstance(value, float):
        return head + float_field(2, value) + int_field(TYPE, FLOAT)
    if isinstance(value, (str, bytes)):
        return head + bytes_field(4, value) + int_field(TYPE, STRING)
    if isinstance(value, Constant):
        from subcut.compiler.formats.onnx.decode import encode

        return head + bytes_field(T, encode("", value.numpy())) + int_field(TYPE, TENSOR)
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return head + b"".join(int_field(8, one) for one in value if isinstance(one, int)) + int_field(TYPE, INTS)
    if isinstance(value, list) and value and all(isinstance(one, float) for one in value):
        return head + b"".join(float_field(7, one) for one in value if isinstance(one, float)) + int_field(TYPE, FLOATS)
    if isinstance(value, list) and value and all(isinstance(one, (str, bytes)) for one in value):
        texts = [one for one in value if isinstance(one, (str, bytes))]
        return head + b"".join(bytes_field(9, one) for one in texts) + int_field(TYPE, STRINGS)
    raise TypeError(f"the attribute `{name}` has no ONNX form: {value!r}")
