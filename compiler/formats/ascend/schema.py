"""The graph engine's protobuf messages, in a descriptor pool of our own that collides with nobody's.

Source: `ge_ir.proto` of the graph engine (names, numbers and types of the fields). Maps are lists of entries here,
`*attr 10 AttrEntry`, which is the same on the wire and keeps the file's order. The `Bare` and `View` messages at the
end read the same bytes and decode less. `attribute` finds or adds an attribute by key, and `put` sets one from a
Python value:

    model = message("ModelDef")(name="net", version=2)
    op = model.graph.add(name="net_0").op.add(name="conv1", type="Conv2D", id=1)
    put(op.attr, "groups", 1)
    put(op.attr, "_datadump_original_op_names", ["conv1", "relu1"])
    attribute(op.attr, "value").t.desc.dtype = 2
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

from subcut.compiler.device.enums import IR_TYPES

PACKAGE = "subcut.ge"

MESSAGES = """
ModelDef: name 1 string, version 2 uint32, custom_version 3 string, *graph 7 GraphDef, *attr 11 AttrEntry, attr_groups
    12 AttrGroups
GraphDef: name 1 string, *input 4 string, *output 5 string, *op 6 OpDef, *attr 11 AttrEntry, attr_groups 12 AttrGroups
OpDef: name 1 string, type 2 string, *input 5 string, *attr 10 AttrEntry, attr_groups 11 AttrGroups, has_out_attr 20
    bool, id 21 int64, stream_id 22 int64, *input_name 23 string, *src_name 24 string, *src_index 25 int64, *dst_name
    26 string, *dst_index 27 int64, *input_i 28 int64, *output_i 29 int64, *workspace 30 int64, *workspace_bytes 31
    int64, *is_input_const 32 bool, *input_desc 33 TensorDescriptor, *output_desc 34 TensorDescriptor, *subgraph_name
    35 string
TensorDescriptor: name 1 string, dtype 2 DataType, shape 3 ShapeDef, layout 4 string, *attr 5 AttrEntry, attr_groups 6
    AttrGroups, has_out_attr 9 bool, size 10 int64, weight_size 11 int64, reuse_input 12 bool, output_tensor 13 bool,
    device_type 14 string, input_tensor 15 bool, real_dim_cnt 16 int64, reuse_input_index 17 int64, data_offset 18
    int64, cmps_size 19 int64, cmps_tab 20 string, cmps_tab_offset 21 int64
ShapeDef: *dim 1 int64
TensorDef: desc 1 TensorDescriptor, data 2 bytes
NamedAttrs: name 1 string, *attr 2 AttrEntry
AttrEntry: key 1 string, value 2 AttrDef
AttrDef: list 1 ListValue, s 2 bytes, i 3 int64, f 4 float, b 5 bool, bt 7 bytes, func 10 NamedAttrs, td 11
    TensorDescriptor, t 12 TensorDef, g 13 GraphDef, list_list_int 14 ListListInt, dt 15 int64, list_list_float 16
    ListListFloat, expression 17 bytes
ListValue: *s 2 bytes, *i 3 int64, *f 4 float, *b 5 bool, *bt 7 bytes, *td 8 TensorDescriptor, *t 9 TensorDef, *g 10
    GraphDef, *na 11 NamedAttrs, *dt 12 int64, val_type 20 ListValueType
ListListInt: *list_list_i 1 ListInt
ListInt: *list_i 1 int64
ListListFloat: *list_list_f 1 ListFloat
ListFloat: *list_f 1 float
AttrGroups: other_group_def 1 OtherGroupDef, *attr_group_def 2 AttrGroupDef
OtherGroupDef: *attr 1 AttributeEntry
AttributeEntry: key 1 string, value 2 AttributeDef
AttributeDef: s 1 bytes, i 2 int64, f 3 float, b 4 bool, bt 5 bytes
AttrGroupDef: tensor_attr_group 3 TensorDescAttrGroupsDef, shape_env_attr_group 4 ShapeEnvAttrGroupsDef
TensorDescAttrGroupsDef: *origin_symbol_shape 1 string, *symbolic_value 2 string
ShapeEnvAttrGroupsDef: *symbol_to_value 1 SymbolValueEntry, *value_to_symbol 2 ValueSymbolEntry, *symbol_to_source 3
    SourceEntry, *replacements 4 ReplacementEntry, *symbol_check_infos 5 SymbolCheckInfoDef, *symbol_assert_infos 6
    SymbolCheckInfoDef, shape_setting 7 ShapeEnvSettingDef, unique_sym_id 8 uint64
SymbolValueEntry: key 1 string, value 2 int64
ValueSymbolEntry: key 1 int64, value 2 SymbolInfoDef
SourceEntry: key 1 string, value 2 InputSourceDef
ReplacementEntry: key 1 string, value 2 ReplacementDef
SymbolInfoDef: *symbols 1 string
InputSourceDef: input_data_idx 1 int32, dim_idx 2 int64
ReplacementDef: replace_expr 1 string, rank 2 int32
SymbolCheckInfoDef: expr 1 string, file 2 string, line 3 int64, dfx 4 string
ShapeEnvSettingDef: specialize_zero_one 1 bool, dynamic_mode 2 int32
BareOp: name 1 string, type 2 string, *input 5 string, *output_desc 34 BareDesc, *subgraph_name 35 string
BareDesc: dtype 2 int32, shape 3 ShapeDef, layout 4 string
ViewOp: name 1 string, type 2 string, *input 5 string, *attr 10 bytes, id 21 int64, stream_id 22 int64, *input_desc 33
    bytes, *output_desc 34 bytes, *subgraph_name 35 string
ViewDesc: dtype 2 int32, shape 3 ShapeDef, layout 4 string, *attr 5 bytes
"""
"""A message a line, and indented lines that go on: `field number type`, `*` before what is repeated."""

LIST_TYPES = {
    "VT_LIST_NONE": 0, "VT_LIST_STRING": 1, "VT_LIST_INT": 2, "VT_LIST_FLOAT": 3, "VT_LIST_BOOL": 4, "VT_LIST_BYTES": 5,
    "VT_LIST_TENSOR_DESC": 6, "VT_LIST_TENSOR": 7, "VT_LIST_GRAPH": 8, "VT_LIST_NAMED_ATTRS": 9,
    "VT_LIST_DATA_TYPE": 10,
}  # fmt: skip
SCALARS = {
    "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
}  # fmt: skip
"""Numbers of FieldDescriptorProto.Type."""
_MESSAGE, _ENUM, _OPTIONAL, _REPEATED = 11, 14, 1, 3
ONE_OF = ("AttrDef", "AttributeDef", "AttrGroupDef")
"""Messages that hold one of their fields, where `b: false` is another thing than nothing."""
ENUMS = {"DataType": {f"DT_{name}": number for number, name in enumerate(IR_TYPES)}, "ListValueType": LIST_TYPES}


@dataclass(frozen=True)
class Field:
    """A field of a message, as `MESSAGES` tells it."""

    number: int
    kind: str
    """A scalar's name, an enum's, or a message's."""
    repeated: bool


@functools.cache
def fields_of(name: str) -> dict[str, Field]:
    """The fields of a message by name."""
    found: dict[str, Field] = {}
    for line in MESSAGES.strip().replace("\n    ", " ").splitlines():
        head, _, members = line.partition(": ")
        if head == name:
            for member in members.split(", "):
                label, number, kind = member.split(" ")
                found[label.lstrip("*")] = Field(int(number), kind, label.startswith("*"))
    return found


Plain = Union[bool, int, float, str, bytes, Sequence[bool], Sequence[int], Sequence[float], Sequence[str]]


@functools.cache
def message(name: str) -> Any:
    """The class of one of the messages above."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="subcut/ge.proto", package=PACKAGE, syntax="proto3")
    for enum, names in ENUMS.items():
        kind = file.enum_type.add(name=enum)
        for name, number in names.items():
            kind.value.add(name=name, number=number)
    for line in MESSAGES.strip().replace("\n    ", " ").splitlines():
        _add_message(file.message_type.add(name=line.partition(": ")[0]))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_message(target: Any) -> None:
    if target.name in ONE_OF:
        target.oneof_decl.add(name="value")
    for name, one in fields_of(target.name).items():
        code = SCALARS.get(one.kind) or (_ENUM if one.kind in ENUMS else _MESSAGE)
        label = _REPEATED if one.repeated else _OPTIONAL
        field = target.field.add(name=name, number=one.number, type=code, label=label)
        if target.name in ONE_OF:
            field.oneof_index = 0
        if one.kind not in SCALARS:
            field.type_name = f".{PACKAGE}.{one.kind}"


def decode(name: str, raw: bytes) -> Any:
    """A message; raises ValueError where the bytes are none."""
    from google.protobuf.message import DecodeError

    try:
        return message(name).FromString(raw)
    except DecodeError:
        raise ValueError(f"a {name} that cannot be decoded") from None


def enum_name(kind: str, number: int) -> str:
    """The name of a value of `DataType` or `ListValueType`; protobuf's stand-in for a number that has none."""
    for name, known in ENUMS[kind].items():
        if known == number:
            return name
    return f"UNKNOWN_ENUM_VALUE_{kind}_{number}"


def enum_number(kind: str, name: str) -> int:
    """The other way round. Raises ValueError for what is no name."""
    known = ENUMS[kind].get(name)
    if known is not None:
        return known
    head, _, number = name.rpartition("_")
    if head == f"UNKNOWN_ENUM_VALUE_{kind}":
        return int(number)
    raise ValueError(f"`{name}` is no {kind}")


def attribute(entries: Any, key: str) -> Any:
    """The `AttrDef` called `key` of a list of entries, such as `OpDef.attr`; added where there is none."""
    for entry in entries:
        if entry.key == key:
            return entry.value
    return entries.add(key=key).value


def put(entries: Any, key: str, value: Plain, kind: str = "") -> None:
    """Set the attribute `key` to a Python value, as the graph engine stores it.

    `kind` names the list's type (`STRING`, `INT`, `FLOAT`, `BOOL`) where an empty list does not say it.
    """
    found = attribute(entries, key)
    found.Clear()
    if isinstance(value, (str, bytes)):
        found.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, bool):
        found.b = value
    elif isinstance(value, int):
        found.i = value
    elif isinstance(value, float):
        found.f = value
    else:
        _put_list(found.list, list(value), kind)


def _put_list(target: Any, items: list[Any], kind: str) -> None:
    kinds = {str: "STRING", bytes: "STRING", bool: "BOOL", int: "INT", float: "FLOAT"}
    kind = kind or (kinds[type(items[0])] if items else "NONE")
    target.val_type = LIST_TYPES[f"VT_LIST_{kind}"]
    if items:
        texts = [one.encode() if isinstance(one, str) else one for one in items]
        getattr(target, {"STRING": "s", "BOOL": "b", "INT": "i", "FLOAT": "f"}[kind]).extend(texts)
