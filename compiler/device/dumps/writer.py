"""Dump files written, in every form that is read.

The ordinary form is written as the runtime writes it (`dump_task.cpp`): a word, the header, then the data of inputs,
outputs, buffers and workspaces without gaps.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Union

from subcut.compiler.device.dumps import nano
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor, Origin
from subcut.compiler.device.dumps.schema import (
    ATTRIBUTE,
    BUFFER,
    INPUT,
    MESSAGE,
    NAME,
    OUTPUT,
    RECORDS,
    SPACE,
    TIME,
    VERSION,
    message,
)
from subcut.compiler.device.enums import GE_TYPES, IR_TYPES, LAYOUTS, TYPE_NAMES
from subcut.compiler.storage.files import Span
from subcut.compiler.storage.rope import Progress, Rope
from subcut.compiler.storage.wire import bytes_field, int_field


class Numbers(Protocol):
    """A numpy array or a memoryview: its elements are written in C order."""

    def tobytes(self) -> bytes:
        """The elements."""
        ...


Data = Union[bytes, bytearray, Span, Numbers]

FORMS = ("big", "protobuf", "nano")
NO_OFFSET = (1 << 64) - 1
"""What the runtime writes for a tensor that is not part of another."""
_ADDRESS_TYPE = 3
"""The kind of address that the one real file of the nano form has everywhere."""


@dataclass(frozen=True, slots=True)
class NewTensor:
    """A tensor to be written into a dump file."""

    data: Data
    type_name: str
    """Ascend's name of the element type, such as `FLOAT16`."""
    layout: str
    shape: tuple[int, ...]
    """The device shape."""
    original_shape: tuple[int, ...] | None = None
    group: int = 0
    origin: Origin | None = None
    """Of an output: the tensor of the original model that it holds."""
    address: int = 0
    size: int | None = None
    """What the header promises; the length of `data` where nothing is said."""
    argument: int = 0

    @staticmethod
    def like(tensor: DumpTensor) -> NewTensor:
        """The tensor of a file that was read, its data copied by the kernel."""
        return NewTensor(
            tensor.data, tensor.type_name, tensor.layout, tensor.shape, tensor.original_shape, tensor.group,
            tensor.origin, tensor.address, tensor.size, tensor.argument,
        )  # fmt: skip

    @property
    def rope(self) -> Rope:
        """The data, ready to be written."""
        if isinstance(self.data, Span):
            return Rope([self.data])
        return Rope([bytes(self.data) if isinstance(self.data, (bytes, bytearray)) else self.data.tobytes()])

    @property
    def promised(self) -> int:
        """Bytes that the header is to promise."""
        return self.rope.size if self.size is None else self.size


@dataclass(frozen=True, slots=True)
class NewDump:
    """A dump file to be written."""

    op_name: str
    """The operator's real name."""
    inputs: Sequence[NewTensor] = ()
    outputs: Sequence[NewTensor] = ()
    time: int = 0
    """Microseconds since 1970."""
    buffers: Sequence[tuple[str, Data]] = ()
    """Kind (`l1buffer`, `space`) and bytes."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    version: str = "2.0"
    message: str = ""

    @staticmethod
    def like(dump: DumpFile) -> NewDump:
        """A file that was read, to be written in this or another form."""
        return NewDump(
            dump.op_name,
            [NewTensor.like(tensor) for tensor in dump.inputs],
            [NewTensor.like(tensor) for tensor in dump.outputs],
            dump.time,
            dump.buffers,
            dump.attributes,
            dump.version,
            dump.message,
        )


def write_dump(
    path: str | os.PathLike[str], dump: NewDump, form: str = "big", *, progress: Progress | None = None
) -> None:
    """Write `dump` to a new file at `path`, in one of `FORMS`.

    Raises ValueError where an element type or layout has no number, and OSError as writing does.
    """
    makers = {"big": _big, "protobuf": _protobuf, "nano": _nano}
    makers[form](dump).write(path, progress)


def _big(dump: NewDump) -> Rope:
    header = Rope()
    for number, tensor in _tensors(dump):
        header.add_field(number, _description(number, tensor).SerializeToString())
    buffers = _buffers(dump)
    for number, data in buffers:
        header.add_field(number, message(RECORDS[number][0])(size=data.size).SerializeToString())
    head = Rope([_head(dump), header, _tail(dump)])
    return Rope([struct.pack("<Q", head.size), head, *_all_data(dump), *(rope for _, rope in buffers)])


def _all_data(dump: NewDump) -> list[Rope]:
    """The data of inputs, then outputs: the other way round than their fields."""
    return [tensor.rope for tensor in [*dump.inputs, *dump.outputs]]


def _protobuf(dump: NewDump) -> Rope:
    made = Rope([_head(dump)])
    for number, tensor in _tensors(dump):
        record = Rope([_description(number, tensor).SerializeToString()])
        record.add_field(RECORDS[number][1], tensor.rope)
        made.add_field(number, record)
    for number, data in _buffers(dump):
        name, data_field = RECORDS[number]
        record = Rope([message(name)(size=data.size).SerializeToString()])
        record.add_field(data_field, data)
        made.add_field(number, record)
    made.add(_tail(dump))
    return made


def _head(dump: NewDump) -> bytes:
    return bytes_field(VERSION, dump.version) + int_field(TIME, dump.time)


def _tail(dump: NewDump) -> bytes:
    made = bytes_field(NAME, dump.op_name) if dump.op_name else b""
    for name, value in dump.attributes.items():
        made += bytes_field(ATTRIBUTE, bytes_field(1, name) + bytes_field(2, value))
    return made + (bytes_field(MESSAGE, dump.message) if dump.message else b"")


def _tensors(dump: NewDump) -> Iterable[tuple[int, NewTensor]]:
    """The tensors in the order of their fields."""
    return [(OUTPUT, tensor) for tensor in dump.outputs] + [(INPUT, tensor) for tensor in dump.inputs]


def _buffers(dump: NewDump) -> list[tuple[int, Rope]]:
    found = [(SPACE if kind == "space" else BUFFER, NewTensor(data, "", "", ()).rope) for kind, data in dump.buffers]
    return sorted(found, key=lambda one: one[0])


def _description(number: int, tensor: NewTensor) -> Any:
    made = message(RECORDS[number][0])(
        data_type=_number(tensor.type_name, IR_TYPES),
        format=_layout(tensor.layout),
        size=tensor.promised,
        sub_format=tensor.group,
        address=tensor.address,
        arg_index=tensor.argument,
        offset=NO_OFFSET,
    )
    made.shape.dim.extend(tensor.shape)
    if tensor.original_shape is not None:
        made.original_shape.SetInParent()
        made.original_shape.dim.extend(tensor.original_shape)
    if number == OUTPUT and tensor.origin is not None:
        made.original_op.name = tensor.origin.name.encode()
        made.original_op.output_index = tensor.origin.index
        made.original_op.data_type = _origin_type(tensor.origin)
        made.original_op.format = _layout(tensor.origin.layout)
    return made


def _origin_type(origin: Origin) -> int:
    """The number of the original element type, which both forms store as `ge::DataType` has it."""
    return GE_TYPES.index(TYPE_NAMES.get(origin.element or "", "UNDEFINED"))


def _number(name: str, table: list[str]) -> int:
    if name not in table:
        raise ValueError(f"no element type `{name}`")
    return table.index(name)


def _layout(name: str) -> int:
    """The number of a layout, of a nameless one too."""
    if name in LAYOUTS:
        return LAYOUTS.index(name)
    if name.startswith("FORMAT_") and name[7:].isdecimal():
        return int(name[7:])
    raise ValueError(f"no layout `{name}`")


def _nano(dump: NewDump) -> Rope:
    head = struct.pack("<2I", nano.MAGIC, int(dump.version) if dump.version.isdigit() else 0)
    for tag, tensors in ((nano.INPUTS, dump.inputs), (nano.OUTPUTS, dump.outputs)):
        described = b"".join(_nano_description(tag, tensor) for tensor in tensors)
        head += _record(tag, struct.pack("<I", len(tensors)) + described)
    return Rope([struct.pack("<Q", len(head)), head, *_all_data(dump)])


def _nano_description(tag: int, tensor: NewTensor) -> bytes:
    shape = tensor.shape if tensor.original_shape is None else tensor.original_shape
    records = _record(nano.SHAPE, _dims(tensor.shape)) + _record(nano.ORIGINAL_SHAPE, _dims(shape))
    numbers = [_number(tensor.type_name, GE_TYPES), _layout(tensor.layout) | tensor.group << 8, _ADDRESS_TYPE]
    tail = [tensor.address, 0, tensor.promised]
    if tag == nano.INPUTS:
        return nano.INPUT.pack(*numbers, *tail, len(records)) + records
    origin = tensor.origin or Origin("", 0, None, "RESERVED")
    records += _record(nano.ORIGIN, origin.name.encode())
    original = [origin.index, _origin_type(origin), _layout(origin.layout)]
    return nano.OUTPUT.pack(*numbers, *original, *tail, len(records)) + records


def _record(tag: int, value: bytes) -> bytes:
    return struct.pack("<2I", tag, len(value)) + value


def _dims(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(shape)}Q", *shape)
