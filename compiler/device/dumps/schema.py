"""The messages of a dump's header, for protobuf's C parser: a pool of its own, so that no other schema clashes.

Source: the runtime's `dump_data.proto` (package `toolkit.dumpdata`), and `dump_task.proto` of its exception dumps, that
has the numbers called `arg_index` besides. Text is declared as bytes, because a name need not be valid UTF-8.
"""

from __future__ import annotations

import functools
from typing import Any

PACKAGE = "subcut.dumps"

MESSAGES = """
Shape: *dim 1 uint64
OriginalOp: name 1 bytes, output_index 2 uint32, data_type 3 int32, format 4 int32
OpOutput: data_type 1 int32, format 2 int32, shape 3 Shape, original_op 4 OriginalOp, data 5 bytes, size 6 uint64,
    original_shape 7 Shape, sub_format 8 int32, address 9 uint64, offset 11 uint64, arg_index 12 uint32
OpInput: data_type 1 int32, format 2 int32, shape 3 Shape, data 4 bytes, size 5 uint64, original_shape 6 Shape,
    sub_format 7 int32, address 8 uint64, offset 9 uint64, arg_index 10 uint32, input_type 11 uint32
OpBuffer: buffer_type 1 int32, data 2 bytes, size 3 uint64
OpAttr: name 1 bytes, value 2 bytes
Workspace: type 1 int32, data 2 bytes, size 3 uint64, arg_index 4 uint32
"""
"""A message a line, and indented lines that go on: `field number type`, `*` before what is repeated."""

VERSION, TIME, OUTPUT, INPUT, BUFFER, NAME, ATTRIBUTE, SPACE, MESSAGE = range(1, 10)
"""Fields of `DumpData`, which is taken apart by hand: its tensors may be as long as the file."""
RECORDS = {OUTPUT: ("OpOutput", 5), INPUT: ("OpInput", 4), BUFFER: ("OpBuffer", 2), SPACE: ("Workspace", 2)}
"""Message and number of the field `data`, of what has data."""

_SCALARS = {"uint64": 4, "int32": 5, "bytes": 12, "uint32": 13}
"""Numbers of FieldDescriptorProto.Type."""
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3


@functools.cache
def message(name: str) -> Any:
    """The class of one of the messages above."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="subcut/dumps.proto", package=PACKAGE, syntax="proto3")
    for line in MESSAGES.strip().replace("\n    ", " ").splitlines():
        name, _, members = line.partition(": ")
        target = file.message_type.add(name=name)
        for member in members.split(", "):
            field, number, kind = member.split(" ")
            label = _REPEATED if field.startswith("*") else _OPTIONAL
            code = _SCALARS.get(kind, _MESSAGE)
            added = target.field.add(name=field.lstrip("*"), number=int(number), type=code, label=label)
            if kind not in _SCALARS:
                added.type_name = f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
