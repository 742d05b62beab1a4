"""MODEL_INOUT_INFO: the inputs and outputs of an offline model, as the partition of that name lists them.

Source: the graph engine's `model_introduction.cc` and `ge_model_inout_types.h`. The partition is a sequence of
records, `u32 type, u32 length, value`; element types and layouts are numbers of `ge::DataType` and `ge::Format`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from subcut.compiler.device.enums import GE_TYPES, layout_name, layout_number, type_name
from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import Span

INPUTS, OUTPUTS = 0, 1
KINDS = (
    "inputs", "outputs", "dynamic batch", "dynamic height and width", "dynamic dimensions", "dynamic output shape",
    "order of shapes",
)  # fmt: skip
"""What a record holds, by its type."""
_RECORD, _HEAD = struct.Struct("<II"), struct.Struct("<QiiIIII")


@dataclass(frozen=True)
class Described:
    """An input or output of a model."""

    name: str
    """In newer files of outputs `node:index:tensor`."""
    size: int
    """In bytes."""
    type_name: str
    layout: str
    shape: tuple[int, ...]
    shape_v2: tuple[int, ...] = ()
    """The shape without what AIPP or dynamic sizes change."""
    ranges: tuple[tuple[int, int], ...] = ()
    """The least and greatest size of each dimension; -1 for no limit."""


@dataclass(frozen=True)
class Description:
    """What the partition says."""

    inputs: tuple[Described, ...] = ()
    outputs: tuple[Described, ...] = ()
    others: tuple[tuple[str, bytes], ...] = ()
    """The other records, undecoded, by what they hold."""


def decode(span: Span) -> Description:
    """What a partition says. Raises ModelError."""
    inputs: tuple[Described, ...] = ()
    outputs: tuple[Described, ...] = ()
    others: list[tuple[str, bytes]] = []
    for kind, value in _records(span):
        if kind == INPUTS:
            inputs += tuple(_tensors(value))
        elif kind == OUTPUTS:
            outputs += tuple(_tensors(value))
        else:
            others.append((KINDS[kind] if kind < len(KINDS) else f"record {kind}", value.bytes()))
    return Description(inputs, outputs, tuple(others))


def _records(span: Span) -> Iterator[tuple[int, Span]]:
    at = span.start
    while at < span.stop:
        kind, size = _RECORD.unpack(_part(span, at, _RECORD.size))
        at += _RECORD.size
        _part(span, at, size)
        yield kind, Span(span.file, at, at + size)
        at += size


def _tensors(span: Span) -> Iterator[Described]:
    (count,) = struct.unpack("<I", _part(span, span.start, 4))
    at = span.start + 4
    for _ in range(count):
        size, layout, kind, *lengths = _HEAD.unpack(_part(span, at, _HEAD.size))
        at += _HEAD.size
        fields: list[bytes] = []
        for length in lengths:
            fields.append(_part(span, at, length))
            at += length
        name, dims, dims_v2, ranges = fields
        pairs = _numbers(ranges, span, at)
        yield Described(
            name.decode(errors="replace"), size, type_name(kind, GE_TYPES), layout_name(layout),
            _numbers(dims, span, at), _numbers(dims_v2, span, at),
            tuple(zip(pairs[::2], pairs[1::2], strict=False)),
        )  # fmt: skip
    if at != span.stop:
        raise _error(span, at, f"{span.stop - at} bytes behind the last tensor")


def _part(span: Span, at: int, size: int) -> bytes:
    if at + size > span.stop:
        raise _error(span, at, f"{size} bytes, of which {max(span.stop - at, 0)} are there")
    return span.file.data[at : at + size]


def _numbers(raw: bytes, span: Span, at: int) -> tuple[int, ...]:
    if len(raw) % 8:
        raise _error(span, at, f"{len(raw)} bytes of 64-bit numbers")
    return struct.unpack(f"<{len(raw) // 8}q", raw)


def _error(span: Span, at: int, message: str) -> ModelError:
    return ModelError(span.file.path, message, offset=at, where="MODEL_INOUT_INFO")


def encode(description: Description) -> bytes:
    """The content of the partition: inputs and outputs, then the other records."""
    out = b""
    for kind, tensors in ((INPUTS, description.inputs), (OUTPUTS, description.outputs)):
        value = struct.pack("<I", len(tensors)) + b"".join(map(_encode, tensors))
        out += _RECORD.pack(kind, len(value)) + value
    for name, value in description.others:
        kind = KINDS.index(name) if name in KINDS else int(name.removeprefix("record "))
        out += _RECORD.pack(kind, len(value)) + value
    return out


def _encode(one: Described) -> bytes:
    limits = [limit for pair in one.ranges for limit in pair]
    parts = [one.name.encode(), *(struct.pack(f"<{len(v)}q", *v) for v in (one.shape, one.shape_v2, limits))]
    kind = GE_TYPES.index(one.type_name)
    return _HEAD.pack(one.size, layout_number(one.layout), kind, *map(len, parts)) + b"".join(parts)
