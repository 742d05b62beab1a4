"""TensorFlow's protobuf messages, in a descriptor pool of our own that collides with nobody's.

Source: tensorflow/core/framework/*.proto of TensorFlow 2.21 (names, numbers and types of the fields). The `Lite`
messages read the same bytes and decode less: attributes stay bytes.
"""

from __future__ import annotations

import functools
from typing import Any

PACKAGE = "subcut.tf"

MESSAGES = """
LiteGraph: *node 1 LiteNode
LiteNode: name 1 string, op 2 string, *input 3 string, *attr 5 bytes
GraphDef: *node 1 NodeDef, versions 4 VersionDef, version 3 int32, library 2 FunctionDefLibrary, debug_info 5
    GraphDebugInfo
VersionDef: producer 1 int32, min_consumer 2 int32, *bad_consumers 3 int32
NodeDef: name 1 string, op 2 string, *input 3 string, device 4 string, *attr 5 AttrEntry,
    experimental_debug_info 6 NodeDebugInfo, experimental_type 7 FullTypeDef
NodeDebugInfo: *original_node_names 1 string, *original_func_names 2 string
FullTypeDef: type_id 1 FullTypeId, *args 2 FullTypeDef, s 3 string, i 4 int64
AttrEntry: key 1 string, value 2 AttrValue
AttrValue: s 2 bytes, i 3 int64, f 4 float, b 5 bool, type 6 DataType, shape 7 TensorShapeProto, tensor 8
    TensorProto, list 1 ListValue, func 10 NameAttrList, placeholder 9 string
ListValue: *s 2 bytes, *i 3 int64, *f 4 float, *b 5 bool, *type 6 DataType, *shape 7 TensorShapeProto, *tensor 8
    TensorProto, *func 9 NameAttrList
NameAttrList: name 1 string, *attr 2 AttrEntry
TensorShapeProto: *dim 2 Dim, unknown_rank 3 bool
Dim: size 1 int64, name 2 string
TensorProto: dtype 1 DataType, tensor_shape 2 TensorShapeProto, version_number 3 int32, tensor_content 4 bytes,
    *half_val 13 int32, *float_val 5 float, *double_val 6 double, *int_val 7 int32, *string_val 8 bytes,
    *scomplex_val 9 float, *int64_val 10 int64, *bool_val 11 bool, *dcomplex_val 12 double, *resource_handle_val
    14 ResourceHandleProto, *variant_val 15 VariantTensorDataProto, *uint32_val 16 uint32, *uint64_val 17
    uint64, float8_val 18 bytes
VariantTensorDataProto: type_name 1 string, metadata 2 bytes, *tensors 3 TensorProto
ResourceHandleProto: device 1 string, container 2 string, name 3 string, hash_code 4 uint64, maybe_type_name 5
    string, *dtypes_and_shapes 6 DtypeAndShape
DtypeAndShape: dtype 1 DataType, shape 2 TensorShapeProto
FunctionDefLibrary: *function 1 FunctionDef, *gradient 2 GradientDef, *registered_gradients 3 RegisteredGradient
FunctionDef: signature 1 OpDef, *attr 5 AttrEntry, *arg_attr 7 ArgAttrEntry, *resource_arg_unique_id 8
    ResourceArgUniqueIdEntry, *node_def 3 NodeDef, *ret 4 RetEntry, *control_ret 6 RetEntry
ArgAttrEntry: key 1 uint32, value 2 ArgAttrs
ArgAttrs: *attr 1 AttrEntry
ResourceArgUniqueIdEntry: key 1 uint32, value 2 uint32
RetEntry: key 1 string, value 2 string
GradientDef: function_name 1 string, gradient_func 2 string
RegisteredGradient: gradient_func 1 string, registered_op_type 2 string
OpDef: name 1 string, *input_arg 2 ArgDef, *output_arg 3 ArgDef, *control_output 20 string, *attr 4 AttrDef,
    deprecation 8 OpDeprecation, summary 5 string, description 6 string, is_commutative 18 bool, is_aggregate 16
    bool, is_stateful 17 bool, allows_uninitialized_input 19 bool, is_distributed_communication 21 bool
ArgDef: name 1 string, description 2 string, type 3 DataType, type_attr 4 string, number_attr 5 string,
    type_list_attr 6 string, *handle_data 7 DtypeAndShape, is_ref 16 bool, experimental_full_type 17 FullTypeDef
AttrDef: name 1 string, type 2 string, default_value 3 AttrValue, description 4 string, has_minimum 5 bool,
    minimum 6 int64, allowed_values 7 AttrValue
OpDeprecation: version 1 int32, explanation 2 string
GraphDebugInfo: *files 1 string, *frames_by_id 4 FrameEntry, *traces_by_id 6 TraceEntry, *traces 2
    NamedTraceEntry, *name_to_trace_id 5 TraceIdEntry
FrameEntry: key 1 fixed64, value 2 FileLineCol
TraceEntry: key 1 fixed64, value 2 StackTrace
NamedTraceEntry: key 1 string, value 2 StackTrace
TraceIdEntry: key 1 string, value 2 fixed64
FileLineCol: file_index 1 int32, line 2 int32, col 3 int32, func 4 string, code 5 string
StackTrace: *file_line_cols 1 FileLineCol, *frame_id 2 fixed64
"""
"""A message a line, and indented lines that go on: `field number type`, `*` before what is repeated."""

FULL_TYPES = {
    "TFT_UNSET": 0, "TFT_VAR": 1, "TFT_ANY": 2, "TFT_PRODUCT": 3, "TFT_NAMED": 4, "TFT_FOR_EACH": 20,
    "TFT_CALLABLE": 100, "TFT_BOOL": 200, "TFT_UINT8": 201, "TFT_UINT16": 202, "TFT_UINT32": 203,
    "TFT_UINT64": 204, "TFT_INT8": 205, "TFT_INT16": 206, "TFT_INT32": 207, "TFT_INT64": 208, "TFT_HALF": 209,
    "TFT_FLOAT": 210, "TFT_DOUBLE": 211, "TFT_COMPLEX64": 212, "TFT_COMPLEX128": 213, "TFT_STRING": 214,
    "TFT_BFLOAT16": 215, "TFT_TENSOR": 1000, "TFT_ARRAY": 1001, "TFT_OPTIONAL": 1002, "TFT_LITERAL": 1003,
    "TFT_ENCODED": 1004, "TFT_SHAPE_TENSOR": 1005, "TFT_DATASET": 10102, "TFT_RAGGED": 10103,
    "TFT_ITERATOR": 10104, "TFT_MUTEX_LOCK": 10202, "TFT_LEGACY_VARIANT": 10203,
}  # fmt: skip
SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed64": 6, "bool": 8, "string": 9, "bytes": 12,
    "uint32": 13,
}  # fmt: skip
"""Numbers of FieldDescriptorProto.Type."""
_MESSAGE, _ENUM, _OPTIONAL, _REPEATED = 11, 14, 1, 3
ONE_OF = "AttrValue"
"""The message that holds one of its fields, where `b: false` is another thing than nothing."""
ENUMS = ("DataType", "FullTypeId")


@functools.cache
def message(name: str) -> Any:
    """The class of one of the messages above."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="subcut/tf.proto", package=PACKAGE, syntax="proto3")
    for enum, names in zip(ENUMS, (_data_types(), FULL_TYPES), strict=True):
        kind = file.enum_type.add(name=enum)
        for name, number in names.items():
            kind.value.add(name=name, number=number)
    for line in MESSAGES.strip().replace("\n    ", " ").splitlines():
        name, _, members = line.partition(": ")
        _add_message(file.message_type.add(name=name), members)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _data_types() -> dict[str, int]:
    from subcut.compiler.formats.tensorflow.elements import DATA_TYPES, REFERENCE, data_type_name

    numbers = [*range(len(DATA_TYPES)), *(REFERENCE + n for n in range(1, len(DATA_TYPES)))]
    return {data_type_name(n): n for n in numbers}


def _add_message(target: Any, members: str) -> None:
    if target.name == ONE_OF:
        target.oneof_decl.add(name="value")
    for member in members.split(", "):
        name, number, kind = member.split(" ")
        code = SCALARS.get(kind) or (_ENUM if kind in ENUMS else _MESSAGE)
        label = _REPEATED if name.startswith("*") else _OPTIONAL
        field = target.field.add(name=name.lstrip("*"), number=int(number), type=code, label=label)
        if target.name == ONE_OF:
            field.oneof_index = 0
        if kind not in SCALARS:
            field.type_name = f".{PACKAGE}.{kind}"


def decode(name: str, raw: bytes) -> Any:
    """A message; raises ValueError where the bytes are none."""
    from google.protobuf.message import DecodeError

    try:
        return message(name).FromString(raw)
    except DecodeError:
        raise ValueError(f"a {name} that cannot be decoded") from None
