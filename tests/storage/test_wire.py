"""The wire scanner and its writers, against Google's own protobuf."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.internal import decoder, encoder
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from subcut.compiler.storage import wire
from subcut.compiler.storage.wire import I32, I64, LEN, VARINT, WireError

uint64 = st.integers(0, 2**64 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
numbers = st.one_of(st.integers(1, 40), st.integers(1, 2**29 - 1))

Field = descriptor_pb2.FieldDescriptorProto
KINDS = {
    "u": (Field.TYPE_UINT64, uint64),
    "i": (Field.TYPE_INT64, int64),
    "i32": (Field.TYPE_INT32, st.integers(-(2**31), 2**31 - 1)),
    "f": (Field.TYPE_FLOAT, st.floats(width=32, allow_nan=False)),
    "d": (Field.TYPE_DOUBLE, st.floats(allow_nan=False)),
    "x": (Field.TYPE_FIXED64, uint64),
    "s": (Field.TYPE_STRING, st.text()),
    "b": (Field.TYPE_BYTES, st.binary(max_size=300)),
}


def message_class() -> type:
    file = descriptor_pb2.FileDescriptorProto(name="wire_test.proto", syntax="proto2")
    message = file.message_type.add(name="M")
    for number, (name, (kind, _)) in enumerate(KINDS.items(), 1):
        message.field.add(name=name, number=number, type=kind, label=Field.LABEL_REPEATED)
    return message_factory.GetMessages([file])["M"]


def empty_class() -> type:
    file = descriptor_pb2.FileDescriptorProto(name="wire_empty.proto", syntax="proto2")
    file.message_type.add(name="E")
    return message_factory.GetMessages([file])["E"]


Message, Unknown = message_class(), empty_class()
contents = st.lists(
    st.sampled_from(list(KINDS)).flatmap(lambda name: st.tuples(st.just(name), KINDS[name][1])), max_size=12
)


def scan(data: wire.Buffer, start: int = 0, stop: int | None = None) -> list[tuple[int, int, int, int, int]]:
    return list(wire.fields(data, start, len(data) if stop is None else stop))


@given(uint64)
def test_varint_is_protobuf_s(value: int) -> None:
    raw = encoder._VarintBytes(value)
    assert wire.varint(value) == raw
    assert wire.read_varint(raw, 0, len(raw)) == (value, len(raw)) == decoder._DecodeVarint(raw, 0)


@given(int64)
def test_signed_varint_is_protobuf_s(value: int) -> None:
    raw = wire.int_field(2, value)
    assert raw == Message(i=[value]).SerializeToString()
    ((_, _, _, at, end),) = scan(raw)
    assert wire.signed(wire.read_varint(raw, at, end)[0]) == value


@given(contents)
def test_fields_are_those_that_protobuf_finds(content: list[tuple[str, object]]) -> None:
    """A message without a schema: protobuf keeps everything as unknown fields, in order."""
    raw = b"".join(Message(**{name: [value]}).SerializeToString() for name, value in content)
    empty = Unknown()
    empty.ParseFromString(raw)
    expected = [(f.field_number, f.wire_type, f.data) for f in UnknownFieldSet(empty)]
    assert [(number, kind, _payload(raw, kind, at, end)) for number, kind, _, at, end in scan(raw)] == expected
    ends = [0] + [end for *_, end in scan(raw)]
    assert [tag_at for _, _, tag_at, _, _ in scan(raw)] == ends[:-1]


def _payload(raw: bytes, kind: int, at: int, end: int) -> object:
    if kind == VARINT:
        return wire.read_varint(raw, at, end)[0]
    if kind == LEN:
        return raw[at:end]
    return struct.unpack("<I" if kind == I32 else "<Q", raw[at:end])[0]


@given(numbers, st.binary(max_size=400), st.text(), st.floats(width=32, allow_nan=False), int64)
def test_written_fields_are_read_back(number: int, data: bytes, text: str, real: float, whole: int) -> None:
    raw = wire.bytes_field(number, data) + wire.bytes_field(number, text)
    raw += wire.float_field(number, real) + wire.int_field(number, whole)
    found = [(n, k, raw[at:end]) for n, k, _, at, end in scan(raw)]
    assert found == [
        (number, LEN, data),
        (number, LEN, text.encode()),
        (number, I32, struct.pack("<f", real)),
        (number, VARINT, wire.varint(whole)),
    ]


@given(contents, st.data())
def test_truncated_message_is_refused_or_ends_at_a_field(
    content: list[tuple[str, object]], data: st.DataObject
) -> None:
    raw = b"".join(Message(**{name: [value]}).SerializeToString() for name, value in content)
    cut = data.draw(st.integers(0, len(raw)))
    ends = [0, *(end for *_, end in scan(raw))]
    if cut in ends:
        assert len(scan(raw, 0, cut)) == ends.index(cut)
        return
    with pytest.raises(WireError) as caught:
        scan(raw, 0, cut)
    assert max(end for end in ends if end <= cut) <= caught.value.offset <= cut


@given(st.binary(max_size=40))
def test_noise_is_judged_as_protobuf_does(raw: bytes) -> None:
    error = failure(raw)
    if error is None:
        assert [field[4] for field in scan(raw)][-1:] == ([len(raw)] if raw else [])
    elif not str(error).startswith(("wire type", "field number 0")):  # groups are refused by us alone; Python's
        # protobuf lets some tags of field 0 pass in a message without fields
        assert 0 <= error.offset <= len(raw)
        with pytest.raises(DecodeError):
            Unknown().ParseFromString(raw)


def failure(raw: bytes) -> WireError | None:
    try:
        scan(raw)
    except WireError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("raw", "offset", "message"),
    [
        (b"\x08\x01\x00\x01", 2, "field number 0"),
        (b"\x0b", 0, "wire type 3"),
        (b"\x0f", 0, "wire type 7"),
        (b"\x08\x01\x12\x05ab", 2, "field 2 is 5 bytes long, 3 more than there are"),
        (b"\x0d\x01\x02", 0, "field 1 is 4 bytes long, 2 more than there are"),
        (b"\x08" + b"\x80" * 10 + b"\x01", 1, "a varint of more than 10 bytes"),
        (b"\x08\x80\x80", 1, "a varint that runs past the end"),
        (b"\x12", 1, "a varint that runs past the end"),
        (b"\x08", 1, "a varint that runs past the end"),
        (b"\x12" + wire.varint(2**63), 0, "field 2 is 9223372036854775808 bytes long"),
        (wire.varint(2**32 << 3) + b"\x01", 0, "field number 4294967296"),
    ],
)
def test_errors_say_where(raw: bytes, offset: int, message: str) -> None:
    with pytest.raises(WireError, match=f"^{message}") as caught:
        scan(raw)
    assert caught.value.offset == offset


def test_every_kind_of_buffer(tmp_path: Path) -> None:
    raw = wire.int_field(1, 300) + wire.bytes_field(2, b"abc")
    (tmp_path / "f").write_bytes(raw)
    with open(tmp_path / "f", "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert scan(raw) == scan(bytearray(raw)) == scan(memoryview(raw)) == scan(mapped)
        mapped.close()
    assert scan(b"\x00" + raw + b"\x00", 1, 1 + len(raw))[0] == (1, VARINT, 1, 2, 4)
    assert scan(struct.pack("<Bd", 1 << 3 | I64, 1.0)) == [(1, I64, 0, 1, 9)]
