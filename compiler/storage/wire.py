"""Protobuf's wire format, scanned for structure without decoding what a field holds.

Source: protobuf.dev/programming-guides/encoding. Every function takes the buffer and absolute offsets and raises
`WireError` with the offset at which the bytes make no sense, never reading past `stop`.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import Union

Buffer = Union[bytes, bytearray, memoryview, mmap.mmap]

VARINT, I64, LEN, I32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes at `offset` are no protobuf."""

    def __init__(self, offset: int, message: str) -> None:
        self.offset = offset
        super().__init__(message)


def read_varint(data: Buffer, at: int, stop: int) -> tuple[int, int]:
    """The unsigned varint at `at`, and the offset behind it."""
    result = shift = 0
    start = at
    while at < stop:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise WireError(start, "a varint of more than 10 bytes")
    raise WireError(start, "a varint that runs past the end")


def fields(data: Buffer, start: int, stop: int) -> Iterator[tuple[int, int, int, int, int]]:
    """The fields of a message: number, wire type, offset of the tag, and start and stop of the payload.

    Groups (wire types 3 and 4) are refused: none of the formats has them.
    """
    at = start
    while at < stop:
        tag_at = at
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = read_varint(data, tag_at, stop)
        kind = tag & 7
        number = tag >> 3
        if not 0 < number < 1 << 29:
            raise WireError(tag_at, f"field number {number}")
        if kind == LEN:
            if at < stop and data[at] < 0x80:
                size = data[at]
                at += 1
            else:
                size, at = read_varint(data, at, stop)
            end = at + size
        elif kind == VARINT:
            end = at + 1 if at < stop and data[at] < 0x80 else read_varint(data, at, stop)[1]
        elif kind == I32:
            end = at + 4
        elif kind == I64:
            end = at + 8
        else:
            raise WireError(tag_at, f"wire type {kind}")
        if end > stop:
            raise WireError(tag_at, f"field {number} is {end - at} bytes long, {end - stop} more than there are")
        yield number, kind, tag_at, at, end
        at = end


def varint(value: int) -> bytes:
    """`value` as a varint; a negative one as protobuf writes int64, in ten bytes."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> int:
    """What an int32 or int64 field means by the unsigned varint `value`."""
    return value - (1 << 64) if value >= 1 << 63 else value


def tag(number: int, kind: int) -> bytes:
    """The key of a field."""
    return varint(number << 3 | kind)


def int_field(number: int, value: int) -> bytes:
    """A varint field."""
    return tag(number, VARINT) + varint(value)


def float_field(number: int, value: float) -> bytes:
    """A 32-bit float field."""
    return tag(number, I32) + struct.pack("<f", value)


def bytes_field(number: int, value: bytes | str) -> bytes:
    """A string, bytes or message field."""
    raw = value.encode() if isinstance(value, str) else value
    return tag(number, LEN) + varint(len(raw)) + raw
