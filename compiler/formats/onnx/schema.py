"""Minimal protobuf schemas of ONNX, in a descriptor pool of our own, for the records that are worth decoding.

Field numbers: onnx/onnx.proto. A field that a schema leaves out is skipped. Nothing here is registered in protobuf's
default pool, so this neither needs `onnx` nor collides with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

NODE, INITIALIZER, SPARSE_INITIALIZER = 1, 5, 15
INPUT, OUTPUT, VALUE_INFO, ANNOTATION = 11, 12, 13, 14
GRAPH_NAME = 2
FUNCTION_NODE, FUNCTION_VALUE_INFO = 7, 12

_SCHEMAS: dict[str, dict[str, tuple[int, str]]] = {
    "Node": {
        "input": (1, "string*"),
        "output": (2, "string*"),
        "name": (3, "string"),
        "op_type": (4, "string"),
        "domain": (7, "string"),
        "overload": (8, "string"),
    },
    "Nodes": {"node": (NODE, "Node*")},
    "FunctionNodes": {"node": (FUNCTION_NODE, "Node*")},
    # A field that is not repeated merges every occurrence: one look tells whether any node of a run has it.
    "TensorProbe": {"external_data": (13, "bytes"), "data_location": (14, "int32")},
    "SparseProbe": {"values": (1, "TensorProbe"), "indices": (2, "TensorProbe")},
    "AttributeProbe": {
        "g": (6, "bytes"),
        "graphs": (11, "bytes"),
        "t": (5, "TensorProbe"),
        "tensors": (10, "TensorProbe"),
        "sparse_tensor": (22, "SparseProbe"),
        "sparse_tensors": (23, "SparseProbe"),
    },
    "NodeProbe": {"attribute": (5, "AttributeProbe")},
    "Probe": {"node": (NODE, "NodeProbe")},
    "FunctionProbe": {"node": (FUNCTION_NODE, "NodeProbe")},
    "Named": {"name": (1, "string")},
    "TensorHead": {
        "dims": (1, "int64*"),
        "data_type": (2, "int32"),
        "name": (8, "string"),
        "external_data": (13, "Pair*"),
        "data_location": (14, "int32"),
    },
    "Tensors": {"tensor": (INITIALIZER, "TensorHead*")},
    # A type that is not decoded: runs of records have few different ones.
    "Stated": {"name": (1, "string"), "type": (2, "bytes*")},
    "Infos": {"input": (INPUT, "Stated*"), "output": (OUTPUT, "Stated*"), "info": (VALUE_INFO, "Stated*")},
    "Pair": {"key": (1, "string"), "value": (2, "string")},
    "Annotation": {"tensor_name": (1, "string"), "quant_parameter_tensor_names": (2, "Pair*")},
    "OperatorSet": {"domain": (1, "string"), "version": (2, "int64")},
    "Dimension": {"dim_value": (1, "int64"), "dim_param": (2, "string")},
    "Shape": {"dim": (1, "Dimension*")},
    "TensorType": {"elem_type": (1, "int32"), "shape": (2, "Shape")},
    "ItemType": {"elem_type": (1, "Type")},
    "MapType": {"key_type": (1, "int32"), "value_type": (2, "Type")},
    "Type": {
        "tensor_type": (1, "TensorType"),
        "sequence_type": (4, "ItemType"),
        "map_type": (5, "MapType"),
        "opaque_type": (7, "bytes"),
        "sparse_tensor_type": (8, "TensorType"),
        "optional_type": (9, "ItemType"),
    },
    "ValueInfo": {"name": (1, "string"), "type": (2, "Type")},
    "Attribute": {
        "name": (1, "string"),
        "f": (2, "float"),
        "i": (3, "int64"),
        "s": (4, "bytes"),
        "floats": (7, "float*"),
        "ints": (8, "int64*"),
        "strings": (9, "bytes*"),
        "tp": (14, "Type"),
        "type_protos": (15, "Type*"),
        "type": (20, "int32"),
        "ref_attr_name": (21, "string"),
    },
    "TensorText": {
        "dims": (1, "int64*"),
        "data_type": (2, "int32"),
        "float_data": (4, "float*"),
        "int32_data": (5, "int32*"),
        "string_data": (6, "bytes*"),
        "int64_data": (7, "int64*"),
        "name": (8, "string"),
        "raw_data": (9, "bytes"),
        "external_data": (13, "Pair*"),
        "data_location": (14, "int32"),
    },
    "AttributeText": {
        "name": (1, "string"),
        "ref_attr_name": (21, "string"),
        "doc_string": (13, "string"),
        "type": (20, "int32"),
        "f": (2, "float"),
        "i": (3, "int64"),
        "s": (4, "bytes"),
        "t": (5, "TensorText"),
        "tp": (14, "Type"),
        "floats": (7, "float*"),
        "ints": (8, "int64*"),
        "strings": (9, "bytes*"),
        "tensors": (10, "TensorText*"),
    },
    "NodeText": {
        "input": (1, "string*"),
        "output": (2, "string*"),
        "name": (3, "string"),
        "op_type": (4, "string"),
        "domain": (7, "string"),
        "overload": (8, "string"),
        "attribute": (5, "AttributeText*"),
        "doc_string": (6, "string"),
        "metadata_props": (9, "Pair*"),
    },
    "Function": {
        "name": (1, "string"),
        "input": (4, "string*"),
        "output": (5, "string*"),
        "opset_import": (9, "OperatorSet*"),
        "domain": (10, "string"),
        "overload": (13, "string"),
    },
}
"""Message: field: number and type; `*` marks a repeated field."""

_PRIMITIVE = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
}


class Node(Protocol):
    """NodeProto without its attributes."""

    @property
    def input(self) -> Sequence[str]:
        """Names of the operands, empty where one is omitted."""
        ...

    @property
    def output(self) -> Sequence[str]:
        """Names of the results, empty where one is not wanted."""
        ...

    @property
    def name(self) -> str:
        """Name of the operator, empty where it has none."""
        ...

    @property
    def op_type(self) -> str:
        """The operator within its domain."""
        ...

    @property
    def domain(self) -> str:
        """Empty for ONNX's own operators."""
        ...

    @property
    def overload(self) -> str:
        """Which of several functions of one name is called."""
        ...


class TensorHead(Protocol):
    """TensorProto without its numbers."""

    dims: Sequence[int]
    data_type: int
    name: str
    external_data: Sequence[Pair]
    data_location: int


class Pair(Protocol):
    """StringStringEntryProto."""

    key: str
    value: str


class Stated(Protocol):
    """ValueInfoProto, its type not decoded; parts of a type that stand one behind the other are one type."""

    name: str
    type: Sequence[bytes]


class OperatorSet(Protocol):
    """OperatorSetIdProto."""

    domain: str
    version: int


class Function(Protocol):
    """FunctionProto without its nodes."""

    name: str
    input: Sequence[str]
    output: Sequence[str]
    opset_import: Sequence[OperatorSet]
    domain: str
    overload: str


class TensorProbe(Protocol):
    """Whether any of several tensors has its data elsewhere."""

    def HasField(self, name: str) -> bool:
        """Whether any of them has the field."""
        ...


class SparseProbe(Protocol):
    """The same for sparse tensors."""

    values: TensorProbe
    indices: TensorProbe


class AttributeProbe(Protocol):
    """Every attribute of every node of a run, merged."""

    t: TensorProbe
    tensors: TensorProbe
    sparse_tensor: SparseProbe
    sparse_tensors: SparseProbe

    def HasField(self, name: str) -> bool:
        """Whether any of them has the field."""
        ...


def _pool() -> descriptor_pool.DescriptorPool:
    """The schemas as proto3, which refuses text that is no UTF-8, where proto2 would hand it out as bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="subcut_onnx.proto", package="subcut.onnx", syntax="proto3")
    for message, fields in _SCHEMAS.items():
        described = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            one = described.field.add(name=field, number=number)
            one.label = one.LABEL_REPEATED if kind.endswith("*") else one.LABEL_OPTIONAL
            one.type = _PRIMITIVE.get(kind.rstrip("*"), one.TYPE_MESSAGE)
            if one.type == one.TYPE_MESSAGE:
                one.type_name = f".subcut.onnx.{kind.rstrip('*')}"
            elif one.label == one.LABEL_OPTIONAL:  # so that it is known whether it is there
                one.proto3_optional = True
                one.oneof_index = len(described.oneof_decl)
                described.oneof_decl.add(name=f"_{field}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()
_CLASSES: dict[str, Any] = {}


def parse(message: str, content: bytes) -> Any:
    """Decode `content` by one of the schemas; raises `google.protobuf.message.DecodeError`."""
    found = _CLASSES.get(message)
    if found is None:
        descriptor = _POOL.FindMessageTypeByName(f"subcut.onnx.{message}")
        found = _CLASSES[message] = message_factory.GetMessageClass(descriptor)
    return found.FromString(content)


def parse_function(content: bytes) -> Function:
    """Decode a FunctionProto, its nodes left out."""
    return cast(Function, parse("Function", content))


def annotated(content: bytes) -> list[str]:
    """The tensors that a TensorAnnotation names as parameters of the quantisation."""
    return [pair.value for pair in parse("Annotation", content).quant_parameter_tensor_names]


def is_heavy(content: bytes) -> bool:
    """Whether an AttributeProto holds a tensor or a body."""
    return bool(parse("AttributeProbe", content).ListFields())


def parse_tensors(content: bytes) -> Sequence[TensorHead]:
    """Decode a run of records of initialisers, tags included."""
    return cast(Sequence[TensorHead], parse("Tensors", content).tensor)


def parse_infos(content: bytes) -> Sequence[Stated]:
    """Decode a run of records of types, tags included; all are of one field of the graph or function."""
    infos = parse("Infos", content)
    return cast(Sequence[Stated], infos.input or infos.output or infos.info)


def parse_nodes(message: str, content: bytes) -> Sequence[Node]:
    """Decode a run of node records, tags included, by `Nodes` or `FunctionNodes`."""
    return cast(Sequence[Node], parse(message, content).node)
