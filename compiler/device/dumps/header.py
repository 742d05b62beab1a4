"""The message `DumpData` taken apart: what is small is decoded, the data of a tensor stays a span.

Both the ordinary form, whose header is this message without data, and the form that is this message as a whole are read
here. Source: `dump_data.proto`; see docs/ascend-dumps.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

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
from subcut.compiler.device.dumps.slice_info import description
from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields, read_varint

FIELDS = 1 << 17
"""The most fields that a header is read with: no operator has as many, and a hostile file stops here."""
PARTS = 1 << 14
"""The most tensors, buffers and workspaces."""
RANK = 64
"""The most dimensions of a shape."""
DESCRIPTION = 1 << 20
"""The most bytes that describe one tensor, its data left out."""
SMALL = 1 << 12
"""Descriptions up to this many bytes are decoded without a look at them first."""
TEXT = 1 << 26
"""The most bytes of one name or attribute."""

_KINDS = {TIME: VARINT, **dict.fromkeys((VERSION, OUTPUT, INPUT, BUFFER, NAME, ATTRIBUTE, SPACE, MESSAGE), LEN)}


@dataclass(slots=True)
class Part:
    """A tensor, buffer or workspace as the header describes it."""

    number: int
    """The field of `DumpData`, such as `schema.INPUT`."""
    description: Any
    """The decoded message, without data."""
    inner: Span | None
    """Data inside the message, which is where the whole-protobuf form has it."""
    at: int
    """Offset of the description."""


@dataclass
class Header:
    """A `DumpData`."""

    version: str = ""
    time: int = 0
    op_name: str = ""
    message: str = ""
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    parts: list[Part] = field(default_factory=list[Part])

    @cached_property
    def slices(self) -> dict[str, Any]:
        """How the operator was cut; nothing where it was not."""
        return description(self.attributes)

    def all(self, number: int) -> list[Part]:
        """The parts of one kind, in order."""
        return [part for part in self.parts if part.number == number]


class _Scan:
    """One file's wire format under a budget of fields."""

    def __init__(self, file: SourceFile) -> None:
        self.file, self.left = file, FIELDS

    def fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int, int]]:
        for found in fields(self.file.data, start, stop):
            self.left -= 1
            if self.left < 0:
                raise WireError(found[2], f"a header of more than {FIELDS} fields")
            yield found

    def text(self, start: int, stop: int) -> str:
        if stop - start > TEXT:
            raise WireError(start, f"a text of {stop - start} bytes")
        return self.file.data[start:stop].decode("utf-8", "replace")


def read_header(file: SourceFile, start: int, stop: int) -> Header:
    """Take bytes `start` to `stop` of `file` apart.

    Raises ModelError with the offset and the field where they are no `DumpData`.
    """
    try:
        return _header(_Scan(file), start, stop)
    except WireError as error:
        raise ModelError(
            file.path, str(error), offset=error.offset, expected="a message `DumpData`", where="the dump's header"
        ) from None


def looks_whole(file: SourceFile) -> bool:
    """Whether the whole file may be one `DumpData`: its top level scans, and every field is of its kind."""
    try:
        return all(_KINDS.get(number) == kind for number, kind, *_ in _Scan(file).fields(0, file.size))
    except WireError:
        return False


def _header(scan: _Scan, start: int, stop: int) -> Header:
    made = Header()
    for number, kind, at, begin, end in scan.fields(start, stop):
        if number not in _KINDS:
            continue
        if kind != _KINDS[number]:
            raise WireError(at, f"field {number} has wire type {kind}")
        if number in RECORDS:
            if len(made.parts) == PARTS:
                raise WireError(at, f"more than {PARTS} tensors")
            made.parts.append(_part(scan, number, begin, end))
        elif number == TIME:
            made.time = read_varint(scan.file.data, begin, end)[0]
        elif number == ATTRIBUTE:
            name, value = _attribute(scan, begin, end)
            made.attributes[name] = value
        else:
            _set_text(made, number, scan.text(begin, end))
    return made


def _set_text(made: Header, number: int, text: str) -> None:
    if number == VERSION:
        made.version = text
    elif number == NAME:
        made.op_name = text
    else:
        made.message = text


def _attribute(scan: _Scan, start: int, stop: int) -> tuple[str, str]:
    texts = ["", ""]
    for number, kind, at, begin, end in scan.fields(start, stop):
        if number in (1, 2):
            if kind != LEN:
                raise WireError(at, f"field {number} of an attribute has wire type {kind}")
            texts[number - 1] = scan.text(begin, end)
    return texts[0], texts[1]


def _part(scan: _Scan, number: int, start: int, stop: int) -> Part:
    """Decode a tensor's description, the data in it left out."""
    name, data_number = RECORDS[number]
    if stop - start <= SMALL:
        with suppress(WireError):  # The scan below says where.
            decoded = _decode(name, scan.file.data[start:stop], start)
            if not decoded.data:
                return _checked(Part(number, decoded, None, start))
    pieces: list[tuple[int, int]] = []
    inner, at = None, start
    for field_number, kind, tag_at, begin, end in scan.fields(start, stop):
        if field_number == data_number and kind == LEN:
            pieces.append((at, tag_at))
            at, inner = end, Span(scan.file, begin, end)
    pieces.append((at, stop))
    size = sum(end - begin for begin, end in pieces)
    if size > DESCRIPTION:
        raise WireError(start, f"{size} bytes that describe one tensor")
    decoded = _decode(name, b"".join(scan.file.data[begin:end] for begin, end in pieces), start)
    return _checked(Part(number, decoded, inner, start))


def _checked(part: Part) -> Part:
    if part.number in (INPUT, OUTPUT):
        rank = max(len(part.description.shape.dim), len(part.description.original_shape.dim))
        if rank > RANK:
            raise WireError(part.at, f"a shape of {rank} dimensions")
    return part


def _decode(name: str, raw: bytes, at: int) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return message(name).FromString(raw)
    except DecodeError:
        raise WireError(at, f"`{name}` that cannot be decoded") from None
