"""Dump files of every form, told apart by what is in them.

Source: the runtime's writer (`dump_task.cpp`), the accuracy tool's readers, and one real file of the nano form; what is
certain and what is not is in docs/ascend-dumps.md.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from subcut.compiler.device.dumps import nano
from subcut.compiler.device.dumps.header import Header, Part, looks_whole, read_header
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor, Origin
from subcut.compiler.device.dumps.schema import BUFFER, INPUT, OUTPUT, SPACE
from subcut.compiler.device.dumps.shapes import fitted, needed
from subcut.compiler.device.dumps.slice_info import piece_shape
from subcut.compiler.device.enums import ELEMENTS, GE_TYPES, IR_TYPES, layout_name, type_name
from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile, Span

WORD = 8
"""Bytes of the header's length, in front."""
_ORDER = (INPUT, OUTPUT, BUFFER, SPACE)
"""The order of the data, which is not that of the fields' numbers."""
_NAMES = {INPUT: "input", OUTPUT: "output", BUFFER: "l1buffer", SPACE: "space"}
_FIRST_BYTES = (0x0A, 0x10, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42, 0x4A)
"""The tags of `DumpData`: what the whole-protobuf form can start with."""


def read_dump(path: str | Path | SourceFile) -> DumpFile:
    """Read what a dump file says. The tensors' numbers stay in the file.

    Raises ModelError where the file cannot be read at all; what is wrong with single tensors is in `problems`.
    """
    file = path if isinstance(path, SourceFile) else SourceFile(path)
    if file.size >= WORD:
        (length,) = struct.unpack_from("<Q", file.data, 0)
        if length <= file.size - WORD:
            return _with_header(file, length)
        if looks_whole(file):
            return _protobuf(file)
        if file.data[0] not in _FIRST_BYTES or length < 1 << 40:
            raise ModelError(
                file.path,
                f"the header is {length} bytes long, longer than the file",
                offset=0,
                expected=f"at most {file.size - WORD}",
                where="the header's length",
            )
    elif not looks_whole(file):
        raise ModelError(file.path, f"a dump of {file.size} bytes", offset=0, expected=f"at least {WORD + 1}")
    return _protobuf(file)


def _with_header(file: SourceFile, length: int) -> DumpFile:
    """The ordinary and the nano form: a word, a header of that length, the data."""
    if nano.claims(file, length):
        return nano.read_nano(file, length)
    header = read_header(file, WORD, WORD + length)
    made = _file(file, "big", header)
    _place(made, header, WORD + length)
    return made


def _protobuf(file: SourceFile) -> DumpFile:
    header = read_header(file, 0, file.size)
    made = _file(file, "protobuf", header)
    for number in _ORDER:
        for index, part in enumerate(header.all(number)):
            data = part.inner or Span(file, part.at, part.at)
            size = part.description.size or len(data)
            if size != len(data):
                made.problems.append(
                    f"{_NAMES[number]} {index} at byte {part.at} promises {size} bytes and has {len(data)}"
                )
            _add(made, header, index, part, data, size)
    return made


def _file(file: SourceFile, form: str, header: Header) -> DumpFile:
    made = DumpFile(file, form, header.version, header.time, header.op_name, attributes=header.attributes)
    made.message = header.message
    return made


def _place(made: DumpFile, header: Header, start: int) -> None:
    """Give every tensor its bytes, which lie behind the header one after another.

    A tensor whose address was null wrote no bytes although its size may say otherwise: where the file is too short for
    all, and others have an address, those without are the ones that are missing.
    """
    parts = [(number, index, part) for number in _ORDER for index, part in enumerate(header.all(number))]
    promised = sum(part.description.size for _, _, part in parts)
    there = made.source.size - start
    addressed = any(_address(number, part) for number, _, part in parts)
    at = start
    for number, index, part in parts:
        size: int = part.description.size
        absent = promised > there and addressed and number in (INPUT, OUTPUT) and not _address(number, part)
        end = at if absent else min(at + size, made.source.size)
        if absent and size:
            made.problems.append(f"{_NAMES[number]} {index} at byte {at} had no address: its {size} bytes are missing")
        elif end - at < size:
            made.problems.append(
                f"{_NAMES[number]} {index} at byte {at} promises {size} bytes and the file has {end - at}"
            )
        _add(made, header, index, part, Span(made.source, at, end), size)
        at = end
    if at < made.source.size:
        made.problems.append(f"{made.source.size - at} bytes at byte {at} belong to no tensor")


def _address(number: int, part: Part) -> int:
    return part.description.address if number in (INPUT, OUTPUT) else 0


def _add(made: DumpFile, header: Header, index: int, part: Part, data: Span, size: int) -> None:
    number = part.number
    if number in (BUFFER, SPACE):
        made.buffers.append((_NAMES[number], data))
        return
    tensor = _tensor(made, header, index, part, data, size)
    (made.inputs if number == INPUT else made.outputs).append(tensor)


def _tensor(made: DumpFile, header: Header, index: int, part: Part, data: Span, size: int) -> DumpTensor:
    said, number = part.description, part.number
    where = f"{_NAMES[number]} {index} at byte {part.at}"
    if not 0 <= said.data_type < len(IR_TYPES):
        made.problems.append(f"{where} has the element type {said.data_type}, which is not known: read as bytes")
    name = type_name(said.data_type)
    stated = tuple(said.shape.dim)
    if (needed(stated, name) or 0) > size:
        piece = piece_shape(header.slices, _NAMES[number], index, name, size)
        stated = stated if piece is None else piece
    shape, problem = fitted(stated, name, size)
    if problem:
        made.problems.append(f"{where} {problem}")
    return DumpTensor(
        direction=_NAMES[number],
        index=index,
        type_name=name,
        layout=layout_name(said.format),
        group=said.sub_format,
        shape=shape,
        original_shape=tuple(said.original_shape.dim) if said.HasField("original_shape") else None,
        data=data,
        size=size,
        origin=_origin(said.original_op) if number == OUTPUT and said.HasField("original_op") else None,
        address=said.address,
        argument=said.arg_index,
    )


def _origin(said: Any) -> Origin:
    """What the runtime was told of the original tensor; its numbers are those of `ge::DataType`, not converted."""
    element = ELEMENTS.get(type_name(said.data_type, GE_TYPES))
    return Origin(said.name.decode("utf-8", "replace"), said.output_index, element, layout_name(said.format))
